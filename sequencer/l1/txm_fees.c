#include "sequencer/l1/txm_fees.h"

enum {
    GWEI = 1000000000,
    GAS_TX = 21000,
    GAS_ZERO = 4,
    GAS_BYTE = 16,
    FLOOR_ZERO = 10,
    FLOOR_BYTE = 40,
    FLOOR_7976 = 64
};

struct txm_fee_rules txm_fee_rules_default(void)
{
    struct txm_fee_rules r = {
        .min_tip = u256_from_u64(GWEI),
        .min_base_fee = u256_from_u64(GWEI),
        .free_bump = u256_from_u64(UINT64_C(100) * GWEI),
        .limit_factor = 5,
        .spare = 8,
    };
    r.max_cost = u256_from_u64(UINT64_C(1000000000) * GWEI); /* 1 ETH */
    return r;
}

/* ---- arithmetic that stays at the top instead of wrapping ---------------------------------------- */

static const struct u256 most = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};

static struct u256 add(const struct u256 *a, const struct u256 *b)
{
    struct u256 out;
    return u256_add(&out, a, b) ? most : out;
}

static struct u256 times(const struct u256 *a, uint64_t b)
{
    struct u256 out;
    return u256_mul_u64(&out, a, b) ? most : out;
}

static struct u256 larger(const struct u256 *a, const struct u256 *b)
{
    return u256_cmp(a, b) >= 0 ? *a : *b;
}

/* ceil(a * percent / 100) */
static struct u256 percent_up(const struct u256 *a, uint64_t percent)
{
    struct u256 out = times(a, percent);
    struct u256 one = u256_from_u64(1);
    uint64_t rest;
    u256_div_u64(&out, &out, 100, &rest);
    return rest > 0 ? add(&out, &one) : out;
}

struct u256 txm_bump(const struct u256 *x, enum txm_kind kind)
{
    struct u256 one = u256_from_u64(1);
    struct u256 next = add(x, &one);
    struct u256 share = percent_up(x, kind == TXM_BLOB ? 200 : 110);
    return larger(&next, &share);
}

/* ---- gas and cost -------------------------------------------------------------------------------- */

enum err txm_gas(uint64_t *out, struct bytes data, bool floor_7976)
{
    uint64_t zeros = 0;
    for (size_t i = 0; i < data.n; i++) {
        zeros += data.p[i] == 0;
    }
    uint64_t rest = data.n - zeros;
    uint64_t gas = GAS_ZERO * zeros + GAS_BYTE * rest;
    uint64_t floor = FLOOR_ZERO * zeros + FLOOR_BYTE * rest;
    if (floor_7976) {
        floor = FLOOR_7976 * (uint64_t)data.n;
    }
    *out = GAS_TX + (gas > floor ? gas : floor);
    return *out <= TXM_GAS_MOST ? OK : ERR_TOO_LARGE;
}

struct u256 txm_cost(const struct txm_fees *f, uint64_t gas, size_t blobs)
{
    struct u256 plain = times(&f->cap, gas);
    struct u256 blob = times(&f->blob_cap, blobs * (uint64_t)TXM_BLOB_GAS);
    return add(&plain, &blob);
}

static bool affordable(const struct txm_fees *f, const struct txm_size *s,
                       const struct txm_fee_rules *r, const struct u256 *budget)
{
    struct u256 cost = txm_cost(f, s->gas, s->blobs);
    return u256_cmp(&cost, budget) <= 0 && u256_cmp(&cost, &r->max_cost) <= 0;
}

/* ---- ladders ------------------------------------------------------------------------------------- */

static struct txm_fees bumped(const struct txm_fees *f, enum txm_kind kind)
{
    struct txm_fees out = {.tip = txm_bump(&f->tip, kind), .cap = txm_bump(&f->cap, kind)};
    if (kind == TXM_BLOB) {
        out.blob_cap = txm_bump(&f->blob_cap, kind);
    }
    return out;
}

static struct txm_fees at_least(const struct txm_fees *a, const struct txm_fees *b)
{
    return (struct txm_fees){.tip = larger(&a->tip, &b->tip),
                             .cap = larger(&a->cap, &b->cap),
                             .blob_cap = larger(&a->blob_cap, &b->blob_cap)};
}

/* What the market asks, with caps of `spare` base fees. */
static struct txm_fees asked(const struct txm_market *m, const struct txm_fee_rules *r,
                             enum txm_kind kind, uint64_t spare)
{
    struct u256 base = larger(&m->base_fee, &r->min_base_fee);
    struct u256 room = times(&base, spare);
    struct txm_fees f = {.tip = larger(&m->tip, &r->min_tip)};
    f.cap = add(&room, &f.tip);
    if (kind == TXM_BLOB) {
        struct u256 blob = times(&m->blob_base_fee, spare);
        f.blob_cap = larger(&blob, &r->min_base_fee);
    }
    return f;
}

static struct txm_fees raised(const struct txm_fees *f, uint64_t percent)
{
    return (struct txm_fees){.tip = percent_up(&f->tip, percent),
                             .cap = percent_up(&f->cap, percent),
                             .blob_cap = percent_up(&f->blob_cap, percent)};
}

/* Rungs up to the first that nobody can pay. */
static size_t climb(struct txm_fees out[TXM_LADDER], const struct txm_fees *first,
                    const struct txm_size *s, const struct txm_fee_rules *r,
                    const struct u256 *budget)
{
    static const uint64_t percent[2][TXM_LADDER] = {{100, 125, 160, 200}, {100, 200, 400, 800}};
    size_t n = 0;
    for (; n < TXM_LADDER; n++) {
        out[n] = raised(first, percent[s->kind == TXM_BLOB][n]);
        if (n > 0) {
            struct txm_fees least = bumped(&out[n - 1], s->kind);
            out[n] = at_least(&out[n], &least);
        }
        if (!affordable(&out[n], s, r, budget)) {
            break;
        }
    }
    return n;
}

size_t txm_ladder(struct txm_fees out[TXM_LADDER], const struct txm_size *s,
                  const struct txm_market *m, const struct txm_fee_rules *r,
                  const struct txm_fees *over, const struct u256 *budget)
{
    size_t n = 0;
    for (uint64_t spare = r->spare; spare >= 2 && n < TXM_LADDER; spare /= 2) {
        struct txm_fees first = asked(m, r, s->kind, spare);
        if (over != NULL) {
            struct txm_fees least = bumped(over, s->kind);
            first = at_least(&first, &least);
        }
        n = climb(out, &first, s, r, budget);
    }
    return n;
}

/* More than so many times what the market asks is a mistake of somebody's, above free_bump. */
static bool far_out(const struct txm_fees *f, const struct txm_market *m,
                    const struct txm_fee_rules *r)
{
    struct txm_fees ask = asked(m, r, TXM_CALLDATA, 2);
    struct u256 tip = times(&ask.tip, r->limit_factor);
    struct u256 cap = times(&ask.cap, r->limit_factor);
    return (u256_cmp(&f->tip, &tip) > 0 && u256_cmp(&f->tip, &r->free_bump) > 0) ||
           (u256_cmp(&f->cap, &cap) > 0 && u256_cmp(&f->cap, &r->free_bump) > 0);
}

enum err txm_next_rung(struct txm_fees *out, const struct txm_size *s, const struct txm_fees *old,
                       const struct txm_market *m, const struct txm_fee_rules *r,
                       const struct u256 *budget)
{
    struct txm_fees least = bumped(old, s->kind);
    struct txm_fees ask = asked(m, r, s->kind, 2);
    *out = at_least(&least, &ask);
    return affordable(out, s, r, budget) && !far_out(out, m, r) ? OK : ERR_REFUSED;
}

/* Below base fee and tip a builder earns less than was offered, and takes others first. */
bool txm_fees_low(const struct txm_fees *f, enum txm_kind kind, const struct txm_market *m)
{
    struct u256 need = add(&m->base_fee, &f->tip);
    bool blob_low = kind == TXM_BLOB && u256_cmp(&f->blob_cap, &m->blob_base_fee) < 0;
    return u256_cmp(&f->cap, &need) < 0 || blob_low;
}
