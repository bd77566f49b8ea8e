// What every test binary begins with, where no library has it.
#define CATCH_CONFIG_MAIN
#include "tests/catch.h"
