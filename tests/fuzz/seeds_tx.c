#include "proto/rlp.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

enum { ROOM = 512, TYPE_LISTED = 1, TYPE_CODE = 4 };

static uint8_t word[32];

static void put_access(struct rlp_out *o)
{
    size_t access = rlp_list_begin(o);
    size_t entry = rlp_list_begin(o);
    rlp_put_string(o, word, 20);
    size_t slots = rlp_list_begin(o);
    rlp_put_string(o, word, 32);
    rlp_list_end(o, slots);
    rlp_list_end(o, entry);
    rlp_list_end(o, access);
}

static void put_authorisations(struct rlp_out *o)
{
    size_t list = rlp_list_begin(o);
    size_t entry = rlp_list_begin(o);
    rlp_put_u64(o, 1337);
    rlp_put_string(o, word, 20);
    rlp_put_u64(o, 3);
    rlp_put_u64(o, 1);
    rlp_put_string(o, word, 32);
    rlp_put_string(o, word, 32);
    rlp_list_end(o, entry);
    rlp_list_end(o, list);
}

static void put_call(struct rlp_out *o, uint8_t type)
{
    rlp_put_u64(o, 1000000000);
    if (type == TYPE_CODE) {
        rlp_put_u64(o, 2000000000);
    }
    rlp_put_u64(o, 30000);
    rlp_put_string(o, word, 20);
    rlp_put_u64(o, 5);
    rlp_put_string(o, "data", 4);
}

static struct bytes make(uint8_t out[ROOM], uint8_t type, uint64_t v)
{
    struct rlp_out o = {.p = out, .cap = ROOM};
    if (type != 0) {
        rlp_put_raw(&o, &type, 1);
    }
    size_t list = rlp_list_begin(&o);
    if (type != 0) {
        rlp_put_u64(&o, 1337);
    }
    rlp_put_u64(&o, 9);
    put_call(&o, type);
    if (type != 0) {
        put_access(&o);
    }
    if (type == TYPE_CODE) {
        put_authorisations(&o);
    }
    rlp_put_u64(&o, v);
    rlp_put_string(&o, word, 32);
    rlp_put_string(&o, word, 32);
    rlp_list_end(&o, list);
    DEMAND(rlp_finish(&o) == OK);
    return bytes_of(out, o.n);
}

size_t seed_txs(struct bytes out[SEED_TXS])
{
    static uint8_t room[SEED_TXS][ROOM];
    memset(word, 0x11, sizeof word);
    out[0] = make(room[0], 0, 2 * 1337 + 35);
    out[1] = make(room[1], 0, 28);
    out[2] = make(room[2], TYPE_LISTED, 1);
    out[3] = make(room[3], TYPE_CODE, 0);
    return SEED_TXS;
}
