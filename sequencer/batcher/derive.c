#include "sequencer/batcher/derive.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/blob_posting.h"
#include "sequencer/batcher/derive_apply.h"
#include "sequencer/batcher/derive_pool.h"

struct derive {
    struct derive_setup setup;
    struct derive_state state;
    struct derive_pool pool;
    struct derive_apply apply;
    uint64_t scan;        /* L1 block pushed last; below state.at only the pool is filled */
    size_t tx;            /* of the block that is being read: those before it are done */
    struct hash begun;    /* its hash, where tx > 0 */
    uint64_t count[DERIVE_VERDICTS];
};

static const char *const names[DERIVE_VERDICTS] = {
    "accepted",
#define REFUSAL(name, text) #name,
    DERIVE_REFUSALS(REFUSAL)
#undef REFUSAL
};

static const char *const texts[DERIVE_VERDICTS] = {
    "safe now",
#define REFUSAL(name, text) text,
    DERIVE_REFUSALS(REFUSAL)
#undef REFUSAL
};

const char *derive_verdict_name(enum derive_verdict v)
{
    return v < DERIVE_VERDICTS ? names[v] : "?";
}

const char *derive_verdict_text(enum derive_verdict v)
{
    return v < DERIVE_VERDICTS ? texts[v] : "?";
}

/* ---- opening ------------------------------------------------------------------------------------ */

/* Halves of postings may stand in the blocks before: those are read again. */
static void look_back(struct derive *d)
{
    uint64_t at = d->state.at;
    d->scan = at > CHANNEL_TIMEOUT_BLOCKS ? at - CHANNEL_TIMEOUT_BLOCKS : 0;
    d->scan = d->scan < d->setup.start.l1.number ? d->setup.start.l1.number : d->scan;
    d->scan = d->scan > at ? at : d->scan;
    d->tx = 0;
    derive_pool_clear(&d->pool);
}

static enum err open_parts(struct derive **out, const struct derive_setup *setup)
{
    struct derive *d = calloc(1, sizeof *d);
    *out = d;
    if (d == NULL) {
        return ERR_NO_MEMORY;
    }
    d->setup = *setup;
    return derive_apply_init(&d->apply, &d->setup);
}

static enum err finish(struct derive **out, enum err e)
{
    if (e != OK) {
        derive_close(*out);
        *out = NULL;
        return e;
    }
    look_back(*out);
    return OK;
}

enum err derive_open(struct derive **out, const struct derive_setup *setup)
{
    enum err e = open_parts(out, setup);
    if (e == OK) {
        e = derive_state_init(&(*out)->state, &setup->start);
    }
    return finish(out, e);
}

enum err derive_restore(struct derive **out, const struct derive_setup *setup, struct bytes state,
                        struct fault *fault)
{
    *fault = (struct fault){.e = OK};
    enum err e = open_parts(out, setup);
    if (e == OK) {
        e = derive_state_decode(&(*out)->state, state, setup->chain.chain_id,
                                &setup->config->genesis, fault);
    }
    return finish(out, e);
}

void derive_close(struct derive *d)
{
    if (d != NULL) {
        derive_pool_clear(&d->pool);
        derive_apply_free(&d->apply);
        derive_state_free(&d->state);
        free(d);
    }
}

void derive_save(const struct derive *d, struct buffer *out)
{
    derive_state_encode(out, &d->state, d->setup.chain.chain_id, &d->setup.config->genesis);
}

/* ---- verdicts ----------------------------------------------------------------------------------- */

/* Where a transaction stands. */
struct place {
    struct derive_ref l1;
    uint32_t tx;
};

static void tell(struct derive *d, enum derive_verdict v, const struct place *at)
{
    d->count[v]++;
    if (d->setup.told != NULL) {
        d->setup.told(d->setup.ctx, v, &at->l1, at->tx);
    }
}

void derive_compare(struct derive *d, uint64_t height, const struct hash *certified)
{
    const struct safe_row *r = derive_state_row(&d->state, height);
    if (r != NULL && !d->state.alarm.raised && !hash_equal(&r->hash, certified)) {
        d->state.alarm = (struct derive_alarm){true, height, r->hash, *certified, r->l1};
    }
}

static void accept(struct derive *d, struct safe_row *row, const struct place *at)
{
    struct hash certified;
    row->l1 = at->l1;
    row->tx = at->tx;
    derive_state_add(&d->state, row);
    d->setup.keep(d->setup.ctx, row);
    if (d->setup.certified != NULL &&
        d->setup.certified(d->setup.ctx, row->number, &certified)) {
        derive_compare(d, row->number, &certified);
    }
}

/* The last steps, for a posting whose certificate holds. */
static enum derive_step run(struct derive *d, const struct bytes *part, size_t parts,
                            const struct place *at, enum derive_verdict *v)
{
    struct safe_row row;
    enum err e = derive_run(&d->apply, derive_state_safe(&d->state), part, parts, v, &row);
    if (e != OK) {
        d->setup.drop(d->setup.ctx);
        return DERIVE_AGAIN;
    }
    if (*v == DERIVE_ACCEPTED) {
        accept(d, &row, at);
    } else {
        d->setup.drop(d->setup.ctx);
    }
    tell(d, *v, at);
    return DERIVE_TAKEN;
}

/* ---- blobs -------------------------------------------------------------------------------------- */

/* Everything that can be said before the blobs are there. */
static enum derive_verdict judge_blobs(struct derive *d, const struct derive_tx *tx)
{
    enum derive_verdict v = derive_read_envelope(&d->apply, tx->input);
    if (v == DERIVE_ACCEPTED) {
        v = derive_judge(&d->apply, derive_state_safe(&d->state));
    }
    if (v == DERIVE_ACCEPTED) {
        bool fits = tx->blobs > 0 && tx->blobs <= LIMIT_TX_BLOBS;
        struct hash commitment = blob_hashes_commitment(tx->versioned, fits ? tx->blobs : 0);
        bool same = fits && hash_equal(&commitment, &d->apply.auth.commitment);
        v = same ? derive_prove(&d->apply) : DERIVE_COMMITMENT;
    }
    return v;
}

static enum derive_step take_blobs(struct derive *d, const struct derive_tx *tx,
                                   const struct place *at)
{
    struct bytes part[LIMIT_TX_BLOBS];
    enum derive_verdict v = judge_blobs(d, tx);
    if (v != DERIVE_ACCEPTED) {
        tell(d, v, at);
        return DERIVE_TAKEN;
    }
    if (tx->blob == NULL) {
        return DERIVE_BLOBS;
    }
    enum err e = derive_take_blobs(&d->apply, tx, part, &v);
    if (e != OK) {
        return e == ERR_CORRUPT ? DERIVE_BAD_BLOB : DERIVE_AGAIN;
    }
    if (v != DERIVE_ACCEPTED) {
        tell(d, v, at);
        return DERIVE_TAKEN;
    }
    return run(d, part, tx->blobs, at, &v);
}

/* ---- calldata ----------------------------------------------------------------------------------- */

/* A pair of halves; `*tried` grows where it came to reading the payload. */
static enum derive_step try_pair(struct derive *d, struct pool_item *envelope,
                                 struct pool_item *payload, const struct place *at, size_t *tried)
{
    enum derive_verdict v = derive_read_envelope(&d->apply, envelope->bytes);
    envelope->used = true;
    payload->used = true;
    if (v == DERIVE_ACCEPTED) {
        v = derive_judge(&d->apply, derive_state_safe(&d->state));
    }
    if (v == DERIVE_ACCEPTED) {
        v = derive_prove(&d->apply);
    }
    if (v != DERIVE_ACCEPTED) {
        tell(d, v, at);
        return DERIVE_TAKEN;
    }
    (*tried)++;
    return run(d, &payload->bytes, 1, at, &v);
}

static enum derive_step pair_payload(struct derive *d, struct pool_item *payload,
                                     const struct place *at)
{
    size_t next = 0;
    size_t tried = 0;
    struct pool_item *envelope;
    uint64_t safe = derive_state_safe(&d->state)->number;
    while ((envelope = derive_pool_envelope(&d->pool, &payload->key, &payload->from, &next)) !=
           NULL) {
        if (tried == LIMIT_DERIVE_TRIES) {
            tell(d, DERIVE_TRIES, at);
            break;
        }
        enum derive_step s = try_pair(d, envelope, payload, at, &tried);
        if (s != DERIVE_TAKEN || derive_state_safe(&d->state)->number > safe) {
            return s;
        }
    }
    return DERIVE_TAKEN;
}

/* Puts a half into the pool, and looks for the other where blocks may become safe by it. */
static enum derive_step take_half(struct derive *d, struct pool_item *half, const struct place *at)
{
    size_t crowded = 0;
    size_t tried = 0;
    enum err e = derive_pool_put(&d->pool, half, &crowded);
    d->count[DERIVE_CROWDED] += crowded;
    if (e != OK) {
        return e == ERR_TOO_LARGE ? DERIVE_TAKEN : DERIVE_AGAIN;
    }
    if (at->l1.number <= d->state.at) {
        return DERIVE_TAKEN;
    }
    half = &d->pool.item[d->pool.n - 1];
    if (!half->envelope) {
        return pair_payload(d, half, at);
    }
    struct pool_item *payload = derive_pool_payload(&d->pool, &half->key);
    return payload != NULL ? try_pair(d, half, payload, at, &tried) : DERIVE_TAKEN;
}

static struct pool_item half_of(const struct derive_tx *tx, const struct place *at)
{
    return (struct pool_item){.l1 = at->l1.number, .tx = at->tx, .from = tx->from,
                              .bytes = tx->input};
}

static enum derive_step take_envelope(struct derive *d, const struct derive_tx *tx,
                                      const struct place *at)
{
    struct pool_item half = half_of(tx, at);
    enum derive_verdict v = derive_read_envelope(&d->apply, tx->input);
    if (v != DERIVE_ACCEPTED) {
        tell(d, v, at);
        return DERIVE_TAKEN;
    }
    half.envelope = true;
    half.key = d->apply.auth.commitment;
    return take_half(d, &half, at);
}

static enum derive_step take_payload(struct derive *d, const struct derive_tx *tx,
                                     const struct place *at)
{
    struct pool_item half = half_of(tx, at);
    struct fault fault;
    size_t frames;
    if (payload_count(tx->input, &frames, &fault) != OK) {
        tell(d, DERIVE_FRAMES, at);
        return DERIVE_TAKEN;
    }
    half.key = keccak256(tx->input.p, tx->input.n);
    return take_half(d, &half, at);
}

/* ---- L1 blocks ---------------------------------------------------------------------------------- */

enum { TYPE_FEE_MARKET = 2, TYPE_BLOBS = 3 };

static enum derive_step take_tx(struct derive *d, const struct derive_tx *tx,
                                const struct place *at)
{
    bool inbox = address_equal(&tx->to, &d->setup.inbox);
    if (!inbox && !address_equal(&tx->to, &d->setup.auth)) {
        return DERIVE_TAKEN;
    }
    if (tx->type == TYPE_BLOBS && inbox) {
        return at->l1.number > d->state.at ? take_blobs(d, tx, at) : DERIVE_TAKEN;
    }
    if (tx->type > TYPE_FEE_MARKET) {
        tell(d, DERIVE_TYPE, at);
        return DERIVE_TAKEN;
    }
    return inbox ? take_payload(d, tx, at) : take_envelope(d, tx, at);
}

static bool links(const struct derive *d, const struct derive_block *b)
{
    struct hash hash;
    return (!derive_state_l1(&d->state, b->at.number - 1, &hash) ||
            hash_equal(&hash, &b->parent)) &&
           (!derive_state_l1(&d->state, b->at.number, &hash) || hash_equal(&hash, &b->at.hash));
}

/* The block that was begun is another one now. */
static bool other_begun(const struct derive *d, const struct derive_block *b)
{
    return d->tx > 0 && !hash_equal(&d->begun, &b->at.hash);
}

enum derive_step derive_push(struct derive *d, const struct derive_block *b)
{
    if (b->at.number != d->scan + 1) {
        return DERIVE_ORDER;
    }
    if (!links(d, b) || other_begun(d, b)) {
        return DERIVE_FORK;
    }
    if (d->tx == 0) {
        d->count[DERIVE_LATE] += derive_pool_enter(&d->pool, b->at.number);
    }
    d->begun = b->at.hash;
    for (; d->tx < b->n; d->tx++) {
        struct place at = {b->at, b->tx[d->tx].index};
        enum derive_step s = take_tx(d, &b->tx[d->tx], &at);
        if (s != DERIVE_TAKEN) {
            return s;
        }
    }
    d->tx = 0;
    d->scan++;
    if (d->scan > d->state.at) {
        derive_state_advance(&d->state, &b->at.hash);
    }
    return DERIVE_TAKEN;
}

enum err derive_back(struct derive *d, uint64_t l1)
{
    TRY(derive_state_back(&d->state, l1));
    look_back(d);
    return OK;
}

/* ---- what is known ------------------------------------------------------------------------------ */

uint64_t derive_next(const struct derive *d)
{
    return d->scan + 1;
}

size_t derive_waits(const struct derive *d)
{
    return d->tx;
}

size_t derive_known(const struct derive *d, struct derive_ref *out, size_t max)
{
    size_t n = d->state.hashes < max ? d->state.hashes : max;
    for (size_t i = 0; i < n; i++) {
        out[i].number = d->state.at - i;
        out[i].hash = d->state.hash[d->state.hashes - 1 - i];
    }
    return n;
}

void derive_heads(struct derive *d, uint64_t conf, uint64_t l1_final, struct derive_heads *out)
{
    struct derive_state *s = &d->state;
    derive_state_finalize(s, l1_final);
    out->l1 = (struct derive_ref){s->at, s->hash[s->hashes - 1]};
    out->latest = *derive_state_safe(s);
    out->conf = *derive_state_safe_at(s, s->at > conf ? s->at - conf : 0);
    out->final = s->final;
}

const struct derive_alarm *derive_alarm(const struct derive *d)
{
    return &d->state.alarm;
}

uint64_t derive_count(const struct derive *d, enum derive_verdict v)
{
    return v < DERIVE_VERDICTS ? d->count[v] : 0;
}

const struct derive_state *derive_state_of(const struct derive *d)
{
    return &d->state;
}
