/* Benching: which leaders are passed over because their turns keep being skipped. A pure function
 * of the final blocks of turns < t - n (CONSENSUS 6, R6), so it is settled before anybody may skip
 * turn t ahead. */
#include "consensus/core.h"

static uint32_t bench_mask(const struct bench *b)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < LIMIT_MEMBERS; i++) {
        mask |= b->left[i] != 0 ? 1u << i : 0;
    }
    return mask;
}

/* Members benched by the final blocks of turns < t; none where these are not final here. */
static uint32_t mask_before(const struct bench *b, uint64_t t)
{
    if (!b->started || t > b->filled || b->filled - t >= BENCH_RING) {
        return 0;
    }
    return b->mask[t % BENCH_RING];
}

bool bench_is(const struct core *c, uint64_t turn)
{
    if (turn < c->n) {
        return false;
    }
    uint32_t mask = mask_before(&c->bench, turn - c->n);
    uint32_t all = c->n == 32 ? UINT32_MAX : (1u << c->n) - 1;
    /* Fail open: too few would remain. */
    if (members_weight(c->epoch, all & ~mask) < c->epoch->quorum) {
        return false;
    }
    return (mask & 1u << rotation_leader(c, turn)) != 0;
}

static void count_down(struct bench *b, int leader)
{
    if (b->left[leader] > 0) {
        b->left[leader]--;
    }
}

static void skipped_turn(struct core *c, const struct skipped_turn *s)
{
    struct bench *b = &c->bench;
    int leader = rotation_leader(c, s->turn);
    if (bench_is(c, s->turn)) {
        count_down(b, leader);
        return;
    }
    if (s->slot == turn_first(c, s->turn)) {
        if (b->strikes[leader] < 6) {
            b->strikes[leader]++;
        }
        unsigned shift = b->strikes[leader];
        b->left[leader] = (uint8_t)(1u << shift);
    }
}

/* Snapshots up to `turn` hold what the blocks before it say. */
static void fill_to(struct bench *b, uint64_t turn, uint32_t mask)
{
    uint64_t from = b->started ? b->filled + 1 : 0;
    if (turn >= BENCH_RING && from < turn - BENCH_RING + 1) {
        from = turn - BENCH_RING + 1;
    }
    for (uint64_t t = from; t <= turn; t++) {
        b->mask[t % BENCH_RING] = mask;
    }
    b->filled = turn;
    b->started = true;
}

void bench_block(struct core *c, const struct block_head *head)
{
    struct bench *b = &c->bench;
    uint64_t turn = turn_of(c, head->header.slot);
    uint32_t before = bench_mask(b);
    struct system_section s;
    if (system_decode(&s, head->system) != OK) {
        return;
    }
    size_t at = 0;
    struct skipped_turn entry;
    while (system_next_skipped(&s, &at, &entry)) {
        if (!b->started || entry.turn > b->filled) {
            fill_to(b, entry.turn, before);
        }
        skipped_turn(c, &entry);
    }
    if (!b->started || turn > b->filled) {
        fill_to(b, turn, before);
    }
    if (bench_is(c, turn)) {
        count_down(b, head->header.leader);
    }
    if ((head->header.flags & (FLAG_EMPTY | FLAG_LAST)) != (FLAG_EMPTY | FLAG_LAST)) {
        b->strikes[head->header.leader] = 0;
        b->left[head->header.leader] = 0;
    }
    b->last_turn = turn;
}

void bench_encode(const struct bench *b, uint8_t out[BENCH_BYTES])
{
    store_be64(out, b->last_turn);
    store_be64(out + 8, b->filled);
    out[16] = b->started;
    memcpy(out + 17, b->strikes, LIMIT_MEMBERS);
    memcpy(out + 17 + LIMIT_MEMBERS, b->left, LIMIT_MEMBERS);
    for (int i = 0; i < BENCH_RING; i++) {
        store_be32(out + 17 + 2 * LIMIT_MEMBERS + 4 * i, b->mask[i]);
    }
}

bool bench_decode(struct bench *b, const uint8_t *in, size_t n)
{
    if (n != BENCH_BYTES || in[16] > 1) {
        return false;
    }
    b->last_turn = load_be64(in);
    b->filled = load_be64(in + 8);
    b->started = in[16] == 1;
    memcpy(b->strikes, in + 17, LIMIT_MEMBERS);
    memcpy(b->left, in + 17 + LIMIT_MEMBERS, LIMIT_MEMBERS);
    for (int i = 0; i < BENCH_RING; i++) {
        b->mask[i] = load_be32(in + 17 + 2 * LIMIT_MEMBERS + 4 * i);
    }
    return true;
}
