#include "sequencer/batcher/derive_state.h"

#include <stdlib.h>

#include "proto/limits.h"

static enum err alloc(struct derive_state *s)
{
    *s = (struct derive_state){.at = 0};
    s->hash = calloc(LIMIT_DERIVE_HASHES, sizeof *s->hash);
    s->row = calloc(LIMIT_DERIVE_ROWS, sizeof *s->row);
    if (s->hash == NULL || s->row == NULL) {
        derive_state_free(s);
        return ERR_NO_MEMORY;
    }
    return OK;
}

enum err derive_state_init(struct derive_state *s, const struct safe_row *base)
{
    TRY(alloc(s));
    s->at = base->l1.number;
    s->hash[s->hashes++] = base->l1.hash;
    s->row[s->rows++] = *base;
    s->final = *base;
    return OK;
}

void derive_state_free(struct derive_state *s)
{
    free(s->hash);
    free(s->row);
    *s = (struct derive_state){.at = 0};
}

/* ---- reading ------------------------------------------------------------------------------------ */

const struct safe_row *derive_state_safe(const struct derive_state *s)
{
    return &s->row[s->rows - 1];
}

const struct safe_row *derive_state_safe_at(const struct derive_state *s, uint64_t l1)
{
    for (size_t i = s->rows; i > 0; i--) {
        if (s->row[i - 1].l1.number <= l1) {
            return &s->row[i - 1];
        }
    }
    return &s->final;
}

const struct safe_row *derive_state_row(const struct derive_state *s, uint64_t number)
{
    for (size_t i = s->rows; i > 0 && s->row[i - 1].number >= number; i--) {
        if (s->row[i - 1].number == number) {
            return &s->row[i - 1];
        }
    }
    return NULL;
}

bool derive_state_l1(const struct derive_state *s, uint64_t l1, struct hash *out)
{
    if (l1 > s->at || s->at - l1 >= s->hashes) {
        return false;
    }
    *out = s->hash[s->hashes - 1 - (size_t)(s->at - l1)];
    return true;
}

/* ---- moving ------------------------------------------------------------------------------------- */

static void drop_rows(struct derive_state *s, size_t n)
{
    memmove(s->row, s->row + n, (s->rows - n) * sizeof *s->row);
    s->rows -= n;
}

void derive_state_add(struct derive_state *s, const struct safe_row *row)
{
    if (s->rows == LIMIT_DERIVE_ROWS) {
        drop_rows(s, 1);
    }
    s->row[s->rows++] = *row;
}

void derive_state_advance(struct derive_state *s, const struct hash *l1)
{
    if (s->hashes == LIMIT_DERIVE_HASHES) {
        memmove(s->hash, s->hash + 1, (s->hashes - 1) * sizeof *s->hash);
        s->hashes--;
    }
    s->hash[s->hashes++] = *l1;
    s->at++;
}

enum err derive_state_back(struct derive_state *s, uint64_t l1)
{
    struct hash hash;
    uint64_t to = l1 < s->at ? l1 : s->at;
    if (!derive_state_l1(s, to, &hash) || to < s->row[0].l1.number) {
        return ERR_REFUSED;
    }
    while (s->row[s->rows - 1].l1.number > to) {
        s->rows--;
    }
    s->hashes -= (size_t)(s->at - to);
    s->at = to;
    return OK;
}

void derive_state_finalize(struct derive_state *s, uint64_t l1)
{
    const struct safe_row *r = derive_state_safe_at(s, l1);
    if (r->number < s->final.number || r == &s->final) {
        return;
    }
    s->final = *r;
    drop_rows(s, (size_t)(r - s->row));
}

/* ---- the stored form ---------------------------------------------------------------------------- */

static const uint8_t magic[4] = {'B', 'D', 'R', 'V'};
enum { STATE_VERSION = 1 };

static void put_u64(struct buffer *out, uint64_t v)
{
    uint8_t be[8];
    store_be64(be, v);
    buffer_put(out, be, sizeof be);
}

static void put_u32(struct buffer *out, uint32_t v)
{
    uint8_t be[4];
    store_be32(be, v);
    buffer_put(out, be, sizeof be);
}

static void put_count(struct buffer *out, size_t n)
{
    buffer_put_byte(out, (uint8_t)(n >> 8));
    buffer_put_byte(out, (uint8_t)n);
}

static void put_hash(struct buffer *out, const struct hash *h)
{
    buffer_put(out, h->b, sizeof h->b);
}

static void put_row(struct buffer *out, const struct safe_row *r)
{
    put_u64(out, r->number);
    put_hash(out, &r->hash);
    put_u64(out, r->l1.number);
    put_hash(out, &r->l1.hash);
    put_u32(out, r->tx);
}

static void put_alarm(struct buffer *out, const struct derive_alarm *a)
{
    buffer_put_byte(out, a->raised);
    if (a->raised) {
        put_u64(out, a->number);
        put_hash(out, &a->derived);
        put_hash(out, &a->certified);
        put_u64(out, a->l1.number);
        put_hash(out, &a->l1.hash);
    }
}

void derive_state_encode(struct buffer *out, const struct derive_state *s, uint64_t chain_id,
                         const struct hash *genesis)
{
    buffer_put(out, magic, sizeof magic);
    buffer_put_byte(out, STATE_VERSION);
    put_u64(out, chain_id);
    put_hash(out, genesis);
    put_u64(out, s->at);
    put_count(out, s->hashes);
    for (size_t i = 0; i < s->hashes; i++) {
        put_hash(out, &s->hash[i]);
    }
    put_row(out, &s->final);
    size_t rows = s->rows;
    while (s->row[rows - 1].l1.number > s->at) {
        rows--; /* of a block that was not read to its end */
    }
    put_count(out, rows);
    for (size_t i = 0; i < rows; i++) {
        put_row(out, &s->row[i]);
    }
    put_alarm(out, &s->alarm);
}

static enum err take_u64(struct cursor *c, const char *wanted, uint64_t *out)
{
    struct bytes be;
    TRY(cursor_take(c, 8, wanted, &be));
    *out = load_be64(be.p);
    return OK;
}

static enum err take_hash(struct cursor *c, const char *wanted, struct hash *out)
{
    struct bytes raw;
    TRY(cursor_take(c, sizeof out->b, wanted, &raw));
    memcpy(out->b, raw.p, raw.n);
    return OK;
}

static enum err take_count(struct cursor *c, const char *wanted, size_t max, size_t *out)
{
    struct bytes be;
    size_t at = c->at;
    TRY(cursor_take(c, 2, wanted, &be));
    *out = (size_t)be.p[0] << 8 | be.p[1];
    if (*out == 0 || *out > max) {
        return cursor_fail(c, *out == 0 ? ERR_MALFORMED : ERR_TOO_LARGE, at, wanted);
    }
    return OK;
}

static enum err take_head(struct cursor *c, uint64_t chain_id, const struct hash *genesis)
{
    struct bytes raw;
    uint8_t version;
    uint64_t chain;
    struct hash hash;
    TRY(cursor_take(c, sizeof magic, "the letters BDRV", &raw));
    if (memcmp(raw.p, magic, sizeof magic) != 0) {
        return cursor_fail(c, ERR_MALFORMED, 0, "the letters BDRV");
    }
    TRY(cursor_byte(c, "version 1 of the state", &version));
    if (version != STATE_VERSION) {
        return cursor_fail(c, ERR_WRONG_VERSION, sizeof magic, "version 1 of the state");
    }
    size_t at = c->at;
    TRY(take_u64(c, "the chain id", &chain));
    TRY(take_hash(c, "the genesis hash", &hash));
    return chain == chain_id && hash_equal(&hash, genesis)
               ? OK
               : cursor_fail(c, ERR_WRONG_CHAIN, at, "this chain's id and genesis");
}

static enum err take_hashes(struct cursor *c, struct derive_state *s)
{
    size_t at = c->at;
    TRY(take_u64(c, "the L1 block that was read last", &s->at));
    TRY(take_count(c, "1 to 512 hashes of L1 blocks", LIMIT_DERIVE_HASHES, &s->hashes));
    if (s->hashes - 1 > s->at) {
        return cursor_fail(c, ERR_MALFORMED, at, "no more hashes than there are L1 blocks");
    }
    for (size_t i = 0; i < s->hashes; i++) {
        TRY(take_hash(c, "the hash of an L1 block", &s->hash[i]));
    }
    return OK;
}

static enum err take_row(struct cursor *c, struct safe_row *r)
{
    struct bytes be;
    TRY(take_u64(c, "a row's height", &r->number));
    TRY(take_hash(c, "a row's hash", &r->hash));
    TRY(take_u64(c, "a row's L1 block", &r->l1.number));
    TRY(take_hash(c, "the hash of a row's L1 block", &r->l1.hash));
    TRY(cursor_take(c, 4, "the index of a row's transaction", &be));
    r->tx = load_be32(be.p);
    return OK;
}

/* The L1 block of a row is one that the state knows, as far as it knows it. */
static bool row_stands(const struct derive_state *s, const struct safe_row *r)
{
    struct hash l1;
    return r->l1.number <= s->at &&
           (!derive_state_l1(s, r->l1.number, &l1) || hash_equal(&l1, &r->l1.hash));
}

static bool row_follows(const struct safe_row *a, const struct safe_row *b)
{
    return b->number > a->number &&
           (b->l1.number > a->l1.number || (b->l1.number == a->l1.number && b->tx > a->tx &&
                                            hash_equal(&a->l1.hash, &b->l1.hash)));
}

/* The same row, or an older one. */
static bool row_may_be_final(const struct safe_row *final, const struct safe_row *first)
{
    bool same = final->number == first->number && hash_equal(&final->hash, &first->hash) &&
                final->l1.number == first->l1.number && final->tx == first->tx &&
                hash_equal(&final->l1.hash, &first->l1.hash);
    return same || row_follows(final, first);
}

static enum err take_rows(struct cursor *c, struct derive_state *s)
{
    size_t n;
    size_t at = c->at;
    TRY(take_row(c, &s->final));
    TRY(take_count(c, "1 to 4,096 rows", LIMIT_DERIVE_ROWS, &n));
    while (s->rows < n) {
        struct safe_row *r = &s->row[s->rows];
        size_t place = c->at;
        TRY(take_row(c, r));
        if (!row_stands(s, r) || (s->rows > 0 && !row_follows(r - 1, r))) {
            return cursor_fail(c, ERR_MALFORMED, place, "rows that rise, in L1 blocks that were read");
        }
        s->rows++;
    }
    return row_may_be_final(&s->final, &s->row[0])
               ? OK
               : cursor_fail(c, ERR_MALFORMED, at, "a final row not above the others");
}

static enum err take_alarm(struct cursor *c, struct derive_alarm *a)
{
    uint8_t raised;
    size_t at = c->at;
    TRY(cursor_byte(c, "whether there is an alarm", &raised));
    if (raised > 1) {
        return cursor_fail(c, ERR_NOT_CANONICAL, at, "0 or 1");
    }
    a->raised = raised == 1;
    if (a->raised) {
        TRY(take_u64(c, "the alarm's height", &a->number));
        TRY(take_hash(c, "the derived hash", &a->derived));
        TRY(take_hash(c, "the certified hash", &a->certified));
        TRY(take_u64(c, "the alarm's L1 block", &a->l1.number));
        TRY(take_hash(c, "the hash of the alarm's L1 block", &a->l1.hash));
    }
    return cursor_left(c) == 0 ? OK
                               : cursor_fail(c, ERR_MALFORMED, c->at, "the end of the state");
}

static enum err take_all(struct cursor *c, struct derive_state *s, uint64_t chain_id,
                         const struct hash *genesis)
{
    TRY(take_head(c, chain_id, genesis));
    TRY(take_hashes(c, s));
    TRY(take_rows(c, s));
    return take_alarm(c, &s->alarm);
}

enum err derive_state_decode(struct derive_state *s, struct bytes in, uint64_t chain_id,
                             const struct hash *genesis, struct fault *fault)
{
    struct cursor c;
    *fault = (struct fault){.e = OK};
    TRY(alloc(s));
    cursor_init(&c, in);
    enum err e = take_all(&c, s, chain_id, genesis);
    *fault = c.fault;
    if (e != OK) {
        derive_state_free(s);
    }
    return e;
}
