#include "check.h"

#include <stdio.h>

uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

void random_bytes(uint64_t *state, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)(random_next(state) >> 32);
    }
}

struct hash hash_from_hex(const char *hex)
{
    struct hash h = {{0}};
    assert_true(hex_decode(h.b, sizeof h.b, hex));
    return h;
}

void assert_hash(const struct hash *h, const char *hex)
{
    struct hash want = hash_from_hex(hex);
    assert_memory_equal(h->b, want.b, sizeof want.b);
}

int crypto_setup(void **state)
{
    (void)state;
    return key_library_init() == OK ? 0 : -1;
}

struct secret_key key_number(uint8_t i)
{
    struct secret_key key = {{0}};
    key.b[31] = (uint8_t)(i + 1);
    return key;
}

struct epoch_config config_of(uint32_t n, const uint32_t *weight, enum fault_model model)
{
    struct epoch_config c = {.chain_id = 1337, .epoch = 3, .n = n};
    memset(c.genesis.b, 0x47, sizeof c.genesis.b);
    memset(c.registry.b, 0x52, sizeof c.registry.b);
    c.params = (struct epoch_params){.fault_model = model,
                                     .pace = PACE_FIXED,
                                     .turn_slots = 8,
                                     .depth = 3,
                                     .block_time_ms = 200,
                                     .max_interval_ms = 200,
                                     .execute_before_finalize = 1,
                                     .gas_limit = 30000000};
    for (uint32_t i = 0; i < n; i++) {
        struct secret_key key = key_number((uint8_t)i);
        assert_int_equal(key_address(&c.member[i].address, &key), OK);
        c.member[i].weight = weight == NULL ? 1 : weight[i];
        snprintf(c.member[i].name, NAME_SIZE, "m%u", i);
        snprintf(c.member[i].endpoint, ENDPOINT_SIZE, "127.0.0.1:%u", 7000 + i);
    }
    return c;
}

void config_derive(struct epoch_config *c)
{
    char why[256];
    if (epoch_config_derive(c, why, sizeof why) != OK) {
        fail_msg("refused: %s", why);
    }
}
