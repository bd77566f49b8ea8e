find_package(Catch2 2.13 REQUIRED)
include(Catch)
set(GPQA_CATCH Catch2::Catch2WithMain)
if(CMAKE_CROSSCOMPILING)
  # The installed library is for the processor that builds; the header is for all.
  add_library(catch_main STATIC "${PROJECT_SOURCE_DIR}/tests/support/catch_main.cpp")
  target_link_libraries(catch_main PUBLIC Catch2::Catch2 PRIVATE gpqa_options)
  set(GPQA_CATCH catch_main)
endif()

# gpqa_test(NAME [THREADED] LIBS... SOURCES...): one test binary a folder, its cases listed in ctest. THREADED: of what runs
# threads. Tests find their files under GPQA_TEST_DATA.
function(gpqa_test name)
  cmake_parse_arguments(ARG "THREADED" "" "SOURCES;LIBS" ${ARGN})
  if(GPQA_TESTS STREQUAL "THREADED" AND NOT ARG_THREADED)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  # Built more often than they are run: what they test is optimised, they need not be.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_link_libraries(${name} PRIVATE gpqa_options ${GPQA_CATCH} ${ARG_LIBS})
  target_compile_definitions(${name} PRIVATE GPQA_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
    GPQA_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  catch_discover_tests(${name} TEST_PREFIX "${name}: "
    PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED: "
      ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
endfunction()
