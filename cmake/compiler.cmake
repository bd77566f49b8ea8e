# Flags of every target of ours: link `gpqa_options` privately.
add_library(gpqa_options INTERFACE)
target_include_directories(gpqa_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(gpqa_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Werror)
if(GPQA_SANITIZE)
  # No recovery: a finding fails the test that made it.
  target_compile_options(gpqa_options INTERFACE -fsanitize=${GPQA_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g1)
  target_link_options(gpqa_options INTERFACE -fsanitize=${GPQA_SANITIZE})
endif()
# GCC 12 sees overlaps in std::string's operator+ that aren't there (its bug 105651), at -O2 and above.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(gpqa_options INTERFACE -Wno-restrict)
endif()
