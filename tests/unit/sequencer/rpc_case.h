/* One test of the RPC server: a world and a client of it, opened before and closed after. */
#ifndef TESTS_RPC_CASE_H
#define TESTS_RPC_CASE_H

#include "rpc_world.h"

/* Of the test that runs now. */
extern struct world *w;
extern struct client c;

int case_setup(void **state);
int case_teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, case_setup, case_teardown)

/* A parameter: an account of no importance, with its quotes. */
#define ADDRESS "\"0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A\""

/* The result of a call must be this text, or this JSON. */
void expect_text(const char *method, const char *params, const char *want);
void expect_json(const char *method, const char *params, const char *want);
/* ["0x…"], good until the next call. */
const char *hash_param(struct hash h);

#endif
