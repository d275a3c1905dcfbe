/* cmocka with what it wants to have been included before it. */
#ifndef TESTS_UNIT_P2P_CMOCKA_INC_H
#define TESTS_UNIT_P2P_CMOCKA_INC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
