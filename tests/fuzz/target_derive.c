/* The stored state of derivation: one form only, and what the moves of derivation make of a state
 * is one that is read again. */
#include "sequencer/batcher/derive_state.h"

#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

enum { CHAIN = 1337, ROOM = 1 << 20 };

static const struct hash genesis = {{1, 2, 3}};

static enum err decode(struct derive_state *s, struct bytes in)
{
    struct fault fault;
    enum err e = derive_state_decode(s, in, CHAIN, &genesis, &fault);
    DEMAND(e == OK || (fault.e == e && fault.at <= in.n && fault.wanted != NULL));
    DEMAND(e == OK || (s->hash == NULL && s->row == NULL));
    return e;
}

static void encode(struct buffer *out, const struct derive_state *s)
{
    buffer_clear(out);
    derive_state_encode(out, s, CHAIN, &genesis);
    DEMAND(out->bad == OK);
}

/* Another chain's state, and one under another genesis, are none. */
static void check_others(struct bytes in)
{
    const struct hash other = {{1, 2, 4}};
    struct derive_state s;
    struct fault fault;
    DEMAND(derive_state_decode(&s, in, CHAIN + 1, &genesis, &fault) == ERR_WRONG_CHAIN);
    DEMAND(derive_state_decode(&s, in, CHAIN, &other, &fault) == ERR_WRONG_CHAIN);
}

static void check_reading(const struct derive_state *s)
{
    struct hash hash;
    const struct safe_row *safe = derive_state_safe(s);
    DEMAND(derive_state_row(s, safe->number) == safe);
    DEMAND(derive_state_safe_at(s, s->at) == safe);
    DEMAND(derive_state_l1(s, s->at, &hash) && !derive_state_l1(s, s->at + 1, &hash));
    DEMAND(derive_state_safe_at(s, 0)->number <= safe->number);
}

/* One L1 block more, or a reorg, or what was read becomes final: by the state's own bytes. */
static void move(struct derive_state *s, uint8_t how)
{
    struct safe_row row = *derive_state_safe(s);
    struct hash next = {{how}};
    uint64_t back = how >> 2;
    uint64_t to = back < s->at ? s->at - back : 0;
    if ((how & 3) == 0 && row.number < UINT64_MAX && s->at < UINT64_MAX) {
        row.number++;
        row.l1 = (struct derive_ref){s->at + 1, next};
        derive_state_add(s, &row);
    }
    if ((how & 3) <= 1 && s->at < UINT64_MAX) {
        derive_state_advance(s, &next);
    } else if ((how & 3) == 2) {
        enum err e = derive_state_back(s, to);
        DEMAND(e == ERR_REFUSED || (e == OK && s->at == to));
    } else {
        uint64_t final = s->final.number;
        derive_state_finalize(s, to);
        DEMAND(s->final.number >= final);
    }
}

void fuzz_derive(struct bytes in)
{
    struct derive_state s;
    struct derive_state moved;
    struct buffer again;
    if (decode(&s, in) != OK) {
        return;
    }
    buffer_init(&again, ROOM);
    encode(&again, &s);
    DEMAND(bytes_equal(buffer_bytes(&again), in));
    check_others(in);
    check_reading(&s);
    struct hash script = s.final.hash;
    for (size_t i = 0; i < sizeof script.b; i++) {
        move(&s, script.b[i]);
    }
    check_reading(&s);
    encode(&again, &s);
    DEMAND(decode(&moved, buffer_bytes(&again)) == OK);
    derive_state_free(&moved);
    buffer_free(&again);
    derive_state_free(&s);
}
