/* Whole histories of an L1: posters, forgers, reorgs, verifiers that come late or were away. For any
 * L1 all derive the same (I4), nothing but what was certified (I5), and whatever the L1 takes back,
 * no block of the chain ever changes (I8). */
#include "derive_world.h"

#include <stdlib.h>

enum { ROUNDS = 220, HISTORIES = 6 };

static struct world *world;
static struct verifier verifier;

static void put_forged(struct l1_slot *s, uint64_t *seed)
{
    struct forged f;
    size_t piece = verifier_next(&verifier);
    piece = piece > 0 && random_below(seed, 3) == 0 ? piece - 1 : piece;
    /* A bomb takes long to make; it has its own test. */
    enum forgery how = (enum forgery)random_below(seed, FORGERIES);
    if (how == FORGE_BOMB || piece >= SEGMENTS) {
        return;
    }
    uint8_t from = (uint8_t)random_below(seed, 4);
    forge(world, &f, piece, how);
    if (random_below(seed, 2) == 0) {
        l1_put(s, make_tx(world, &verifier.setup.inbox, buffer_bytes(&f.payload), from));
    }
    l1_put(s, make_tx(world, &verifier.setup.auth, buffer_bytes(&f.envelope), from));
    forged_free(&f);
}

/* Bytes of a true half, hurt somewhere. */
static void put_hurt(struct l1_slot *s, uint64_t *seed)
{
    struct made *m = make_half(world, random_below(seed, SEGMENTS),
                               (enum half)random_below(seed, 2), (uint8_t)random_below(seed, 4));
    size_t n = m->input.n;
    if (random_below(seed, 3) == 0) {
        m->tx.input.n = random_below(seed, n);
    } else {
        m->input.p[random_below(seed, n)] ^= (uint8_t)(1u << random_below(seed, 8));
    }
    l1_put(s, m);
}

/* Postings of the next segment, one before it, or one after; whole, or half of one. */
static void put_posting(struct l1_slot *s, uint64_t *seed)
{
    size_t piece = verifier_next(&verifier) + random_below(seed, 3);
    piece = piece > 0 ? piece - 1 : 0;
    piece = piece < SEGMENTS ? piece : SEGMENTS - 1;
    uint8_t from = (uint8_t)random_below(seed, 4);
    uint64_t how = random_below(seed, 5);
    if (how < 2) {
        l1_put(s, make_blob_posting(world, piece, from));
    }
    if (how == 2 || how == 3) {
        l1_put(s, make_half(world, piece, HALF_ENVELOPE, from));
    }
    if (how == 2 || how == 4) {
        l1_put(s, make_half(world, piece, HALF_PAYLOAD, from));
    }
}

static void put_anything(struct l1_slot *s, uint64_t *seed)
{
    for (uint64_t i = random_below(seed, 4); i > 0; i--) {
        switch (random_below(seed, 4)) {
        case 0:
            put_forged(s, seed);
            break;
        case 1:
            put_hurt(s, seed);
            break;
        default:
            put_posting(s, seed);
            break;
        }
    }
}

/* Another verifier, from the start or from what one had saved before, says the same (I4). */
static void others_agree(uint64_t *seed, const struct buffer *saved)
{
    struct verifier other;
    if (saved->n > 0 && random_below(seed, 2) == 0) {
        verifier_resume(&other, world, buffer_bytes(saved));
    } else {
        verifier_open(&other, world, false, random_next(seed));
    }
    verifier_read(&other);
    verifier_check(&other);
    verifiers_agree(&verifier, &other);
    verifier_close(&other);
}

static void round_of(uint64_t *seed, struct buffer *saved)
{
    static const size_t depths[] = {1, 2, 10, 64};
    if (random_below(seed, 12) == 0) {
        size_t depth = depths[random_below(seed, 4)];
        depth = depth < world->l1_n ? depth : world->l1_n - 1;
        l1_reorg(world, depth);
    }
    put_anything(l1_mine(world), seed);
    if (random_below(seed, 3) > 0) { /* several blocks at once now and then */
        verifier_read(&verifier);
        verifier_check(&verifier);
    }
    if (random_below(seed, 20) == 0) {
        buffer_clear(saved);
        derive_save(verifier.d, saved);
    }
    if (random_below(seed, 16) == 0) {
        verifier_read(&verifier);
        others_agree(seed, saved);
    }
}

/* Over all histories everything happened that can. */
static void expect_all(const uint64_t seen[DERIVE_VERDICTS])
{
    for (size_t v = 0; v < DERIVE_VERDICTS; v++) {
        bool rare = v == DERIVE_BLOB || v == DERIVE_TYPE || v == DERIVE_TRIES ||
                    v == DERIVE_CROWDED || v == DERIVE_COMMITMENT;
        if (!rare && seen[v] == 0) {
            fail_msg("%s: never", derive_verdict_name((enum derive_verdict)v));
        }
    }
}

static void histories(void **state)
{
    (void)state;
    uint64_t seed = 7;
    uint64_t seen[DERIVE_VERDICTS] = {0};
    struct buffer saved;
    world = malloc(sizeof *world);
    assert_non_null(world);
    buffer_init(&saved, 1 << 20);
    for (size_t h = 0; h < HISTORIES; h++) {
        world_open(world, random_next(&seed));
        verifier_open(&verifier, world, true, random_next(&seed));
        buffer_clear(&saved);
        for (size_t i = 0; i < ROUNDS; i++) {
            round_of(&seed, &saved);
        }
        verifier_read(&verifier);
        for (size_t i = verifier_next(&verifier); i < SEGMENTS; i++) {
            l1_put(l1_mine(world), make_blob_posting(world, i, 1));
        }
        verifier_read(&verifier);
        verifier_check(&verifier);
        assert_int_equal(verifier_next(&verifier), SEGMENTS);
        others_agree(&seed, &saved);
        for (size_t v = 0; v < DERIVE_VERDICTS; v++) {
            seen[v] += derive_count(verifier.d, (enum derive_verdict)v);
        }
        verifier_close(&verifier);
        world_close(world);
    }
    expect_all(seen);
    buffer_free(&saved);
    free(world);
}

static int library(void **state)
{
    (void)state;
    return key_library_init() == OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(histories)};
    return cmocka_run_group_tests(tests, library, NULL);
}
