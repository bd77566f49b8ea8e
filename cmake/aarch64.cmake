# For 64-bit ARM on Linux, by Debian's cross compiler; what is built runs in its emulator. Libraries, for the engine:
# scripts/aarch64_libraries.sh.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

get_filename_component(libraries "${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-libraries/usr" ABSOLUTE)
list(APPEND CMAKE_PREFIX_PATH "${libraries}")
# OpenSSL's headers are in two places.
set(CMAKE_CXX_FLAGS_INIT "-isystem ${libraries}/include/aarch64-linux-gnu")
