/* Benching: which leaders are passed over because their turns keep being skipped, because they said
 * that they leave, or because they were caught lying; and what brings them back. A pure function of
 * the final blocks of turns < t - n (CONSENSUS 6, R6), so it is settled before anybody may skip
 * turn t ahead.
 *
 * The same state decides which notices and which evidence a block may carry: it is moved block by
 * block, here for final ones and in validity.c and notices.c for blocks on their way, so that both
 * follow from the chain alone. */
#include "consensus/core.h"

enum { LEAVE_AHEAD = 64 };

/* ---- who is benched -------------------------------------------------------------------------- */

static uint32_t bit(uint32_t member)
{
    return 1u << member;
}

/* Is this member benched in turn t, should the state before turn t - n be `b`? */
static bool out_at(const struct bench *b, uint32_t m, uint64_t t)
{
    return b->left[m] != 0 || (b->offended & bit(m)) != 0 ||
           ((b->away & bit(m)) != 0 && b->away_from[m] <= t);
}

static uint32_t mask_for(const struct core *c, const struct bench *b, uint64_t t)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        mask |= out_at(b, i, t + c->n) ? bit(i) : 0;
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

static bool benched(const struct core *c, const struct bench *b, uint64_t turn)
{
    if (turn < c->n) {
        return false;
    }
    uint32_t mask = mask_before(b, turn - c->n);
    /* Fail open: too few would remain. */
    if (members_weight(c->epoch, members_all(c) & ~mask) < c->epoch->quorum) {
        return false;
    }
    return (mask & bit((uint32_t)rotation_leader(c, turn))) != 0;
}

bool bench_is(const struct core *c, uint64_t turn)
{
    return benched(c, &c->bench, turn);
}

bool bench_out(const struct bench *b, int member)
{
    uint32_t m = (uint32_t)member;
    return (b->offended & bit(m)) == 0 && (b->left[m] != 0 || (b->away & bit(m)) != 0);
}

/* ---- a block moves the state ----------------------------------------------------------------- */

static void count_down(struct bench *b, int leader)
{
    if (b->left[leader] > 0) {
        b->left[leader]--;
    }
}

static void skipped_turn(const struct core *c, struct bench *b, const struct skipped_turn *s)
{
    int leader = rotation_leader(c, s->turn);
    if (benched(c, b, s->turn)) {
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
static void fill_to(const struct core *c, struct bench *b, uint64_t turn)
{
    uint64_t from = b->started ? b->filled + 1 : 0;
    if (turn >= BENCH_RING && from < turn - BENCH_RING + 1) {
        from = turn - BENCH_RING + 1;
    }
    for (uint64_t t = from; t <= turn; t++) {
        b->mask[t % BENCH_RING] = mask_for(c, b, t);
    }
    b->filled = max_u64(b->filled, turn);
    b->started = true;
}

/* A leader that orders is there, whatever was said before. */
static void led(struct bench *b, const struct header *h, uint64_t turn)
{
    uint8_t gave_up = FLAG_EMPTY | FLAG_LAST;
    if ((h->flags & gave_up) == gave_up) {
        return;
    }
    b->strikes[h->leader] = 0;
    b->left[h->leader] = 0;
    if (b->away_from[h->leader] <= turn) {
        b->away &= ~bit(h->leader);
    }
}

void bench_open(const struct core *c, struct bench *b, const struct header *h,
                const struct system_section *s)
{
    uint64_t turn = turn_of(c, h->slot);
    fill_to(c, b, turn);
    size_t at = 0;
    struct skipped_turn entry;
    while (system_next_skipped(s, &at, &entry)) {
        skipped_turn(c, b, &entry);
    }
    if (benched(c, b, turn)) {
        count_down(b, h->leader);
    }
    led(b, h, turn);
    b->last_turn = turn;
}

void bench_close(const struct core *c, struct bench *b, const struct block_head *head)
{
    uint64_t turn = turn_of(c, head->header.slot);
    b->passed_slot[turn % PASSED_RING] = head->header.slot;
    b->passed[turn % PASSED_RING] = head->hash;
}

/* ---- what a block may carry ------------------------------------------------------------------ */

/* Does this member lead a turn in (from, to]? */
static bool leads_in(const struct core *c, int member, uint64_t from, uint64_t to)
{
    uint64_t most = min_u64(to - from, c->leaders_n);
    for (uint64_t k = 0; k < most; k++) {
        if (rotation_leader(c, to - k) == member) {
            return true;
        }
    }
    return false;
}

bool bench_may_notice(const struct core *c, const struct bench *b, int member, uint64_t turn)
{
    uint64_t noticed = b->noticed[member]; /* turn + 1 */
    return bench_out(b, member) &&
           (noticed == 0 || (turn >= noticed && leads_in(c, member, noticed - 1, turn)));
}

/* An ancestor at most 64 turns back, the last one of its turn. */
static bool names_ancestor(const struct core *c, const struct bench *b, uint64_t turn,
                           const struct ready_notice *r)
{
    if (r->slot == 0) {
        return false;
    }
    uint64_t named = turn_of(c, r->slot);
    return named < turn && turn - named <= READY_TURNS &&
           b->passed_slot[named % PASSED_RING] == r->slot &&
           hash_equal(&b->passed[named % PASSED_RING], &r->block);
}

bool bench_ready(struct core *c, struct bench *b, uint64_t turn, const struct ready_notice *r,
                 bool verify)
{
    if (r->epoch != c->epoch->epoch || r->member >= c->n ||
        !bench_may_notice(c, b, r->member, turn) || !names_ancestor(c, b, turn, r)) {
        return false;
    }
    if (verify) {
        struct hash digest = ready_digest(c->epoch, r);
        if (!signature_good(c, &digest, &r->signature, r->member)) {
            return false;
        }
    }
    b->left[r->member] = 0;
    b->away &= ~bit(r->member);
    b->noticed[r->member] = turn + 1;
    return true;
}

/* Each leave names a later turn than the one before, in the near future: none can be replayed. */
bool bench_leave(struct core *c, struct bench *b, uint64_t turn, const struct leave_notice *l,
                 bool verify)
{
    if (l->epoch != c->epoch->epoch || l->member >= c->n ||
        ((b->away | b->offended) & bit(l->member)) != 0 || l->from_turn <= turn ||
        l->from_turn - turn > LEAVE_AHEAD || l->from_turn <= b->away_from[l->member]) {
        return false;
    }
    if (verify) {
        struct hash digest = leave_digest(c->epoch, l);
        if (!signature_good(c, &digest, &l->signature, l->member)) {
            return false;
        }
    }
    b->away |= bit(l->member);
    b->away_from[l->member] = l->from_turn;
    return true;
}

bool bench_evidence(struct core *c, struct bench *b, const struct evidence *e, bool verify)
{
    if (evidence_check_form(c->epoch, e) != OK || (b->offended & bit(e->member)) != 0 ||
        (e->first_kind == 0 && rotation_leader(c, turn_of(c, e->slot)) != e->member)) {
        return false;
    }
    if (verify) {
        struct hash first = evidence_digest(c->epoch, e, false);
        struct hash second = evidence_digest(c->epoch, e, true);
        if (!signature_good(c, &first, &e->first_signature, e->member) ||
            !signature_good(c, &second, &e->second_signature, e->member)) {
            return false;
        }
    }
    b->offended |= bit(e->member);
    return true;
}

bool bench_block(struct core *c, struct bench *b, const struct block_head *head, bool verify)
{
    uint64_t turn = turn_of(c, head->header.slot);
    struct system_section s;
    if (system_decode(&s, head->system) != OK) {
        return false;
    }
    bench_open(c, b, &head->header, &s);
    bool good = true;
    struct ready_notice ready;
    for (size_t at = 0; good && system_next_notice(&s, &at, &ready);) {
        good = bench_ready(c, b, turn, &ready, verify);
    }
    struct leave_notice leave;
    for (size_t at = 0; good && system_next_leave(&s, &at, &leave);) {
        good = bench_leave(c, b, turn, &leave, verify);
    }
    struct evidence evidence;
    for (size_t at = 0; good && system_next_evidence(&s, &at, &evidence);) {
        good = bench_evidence(c, b, &evidence, verify);
    }
    bench_close(c, b, head);
    return good;
}

bool bench_at(struct core *c, struct bench *out, const struct block_record *b)
{
    uint32_t n = 0;
    for (; b != block_root(c); b = block_parent(c, b)) {
        if (b == NULL) {
            return false;
        }
        c->path[n++] = (uint32_t)(b - c->block);
    }
    *out = c->bench;
    while (n > 0) {
        bench_block(c, out, &c->block[c->path[--n]].head, false);
    }
    return true;
}

/* ---- as it is stored ------------------------------------------------------------------------- */

void bench_encode(const struct bench *b, uint8_t out[BENCH_BYTES])
{
    uint8_t *at = out;
    store_be64(at, b->last_turn);
    store_be64(at + 8, b->filled);
    at[16] = b->started;
    store_be32(at + 17, b->offended);
    store_be32(at + 21, b->away);
    at += BENCH_FIXED;
    memcpy(at, b->strikes, LIMIT_MEMBERS);
    memcpy(at + LIMIT_MEMBERS, b->left, LIMIT_MEMBERS);
    at += 2 * LIMIT_MEMBERS;
    for (int i = 0; i < LIMIT_MEMBERS; i++, at += 16) {
        store_be64(at, b->away_from[i]);
        store_be64(at + 8, b->noticed[i]);
    }
    for (int i = 0; i < PASSED_RING; i++, at += 40) {
        store_be64(at, b->passed_slot[i]);
        memcpy(at + 8, b->passed[i].b, 32);
    }
    for (int i = 0; i < BENCH_RING; i++, at += 4) {
        store_be32(at, b->mask[i]);
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
    b->offended = load_be32(in + 17);
    b->away = load_be32(in + 21);
    in += BENCH_FIXED;
    memcpy(b->strikes, in, LIMIT_MEMBERS);
    memcpy(b->left, in + LIMIT_MEMBERS, LIMIT_MEMBERS);
    in += 2 * LIMIT_MEMBERS;
    for (int i = 0; i < LIMIT_MEMBERS; i++, in += 16) {
        b->away_from[i] = load_be64(in);
        b->noticed[i] = load_be64(in + 8);
    }
    for (int i = 0; i < PASSED_RING; i++, in += 40) {
        b->passed_slot[i] = load_be64(in);
        memcpy(b->passed[i].b, in + 8, 32);
    }
    for (int i = 0; i < BENCH_RING; i++, in += 4) {
        b->mask[i] = load_be32(in);
    }
    return true;
}
