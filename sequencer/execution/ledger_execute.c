/* Building and executing blocks: what is checked, held and answered. */
#include "sequencer/execution/ledger_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/body.h"

enum { LEAST_TX_GAS = 21000, BODY_PREFIX_MAX = 5 };

__attribute__((format(printf, 3, 4))) static void verdict(struct execution_result *out,
                                                          struct ledger *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(l->why, sizeof l->why, format, args);
    va_end(args);
    out->why = l->why;
}

/* NULL, or why this block cannot stand on its parent. */
static const char *check_place(const struct execution_block *b, const struct state *parent)
{
    if (b->height != parent->info.number + 1) {
        return "the block's height is not its parent's plus one";
    }
    if (b->timestamp_ms / 1000 < parent->info.timestamp) {
        return "the block is older than its parent";
    }
    return NULL;
}

static const char *check_size(const struct execution_block *b)
{
    if (b->txs > LIMIT_BODY_TXS) {
        return "the block holds too many transactions";
    }
    return b->body.n > LIMIT_BODY_BYTES ? "the block's body is too large" : NULL;
}

static void report(struct ledger *l, const struct payload_info *info, struct execution_result *out)
{
    out->payload = info->hash;
    out->state_root = info->state_root;
    out->txs = info->txs;
    out->info = l->info;
    out->info_len = payload_info_encode(l->info, info);
}

/* A state that may get children: the final head or one above it. NULL: `out` says why. */
static struct state *find_parent(struct ledger *l, const struct execution_block *b,
                                 struct execution_result *out)
{
    struct state *parent = ledger_find(l, &b->parent);
    out->status = EXECUTION_ERROR;
    if (parent == NULL) {
        verdict(out, l, "the parent's state is not held");
        return NULL;
    }
    if (parent->final && parent != l->head) {
        verdict(out, l, "another block is final above this parent");
        return NULL;
    }
    if (l->open >= LIMIT_LEDGER_OPEN) {
        verdict(out, l, "too many blocks above the final head");
        return NULL;
    }
    return parent;
}

static bool used(const struct ledger *l, const struct state *built)
{
    for (const struct state *s = l->states; s != NULL; s = s->hh.next) {
        if (s->parent == built) {
            return true;
        }
    }
    return false;
}

static bool built_again(const struct ledger *l, const struct hash *place)
{
    for (uint32_t i = 0; i < LIMIT_LEDGER_BUILT; i++) {
        if (&l->built[i] != place && hash_equal(&l->built[i], place)) {
            return true;
        }
    }
    return false;
}

/* Dry runs must not pile up while nothing becomes final. */
static void remember_build(struct ledger *l, const struct hash *payload)
{
    struct hash *place = &l->built[l->built_next++ % LIMIT_LEDGER_BUILT];
    struct state *old = ledger_find(l, place);
    if (old != NULL && old->built && !built_again(l, place) && !used(l, old)) {
        ledger_forget(l, old);
    }
    *place = *payload;
}

/* Enters `s`, or keeps what is there already under its hash. The one that is held, or NULL. */
static struct state *hold(struct ledger *l, struct state *s, bool built)
{
    struct state *held = ledger_find(l, &s->info.hash);
    if (held != NULL) {
        ledger_state_destroy(s);
        held->built = held->built && built;
        return held;
    }
    s->built = built;
    if (ledger_enter(l, s) != OK) {
        ledger_state_destroy(s);
        return NULL;
    }
    for (struct state *on = s->parent; on != NULL && on->built; on = on->parent) {
        on->built = false;
    }
    return s;
}

static bool reserve_body(struct ledger *l, size_t n)
{
    if (l->body_cap >= n) {
        return true;
    }
    uint8_t *body = realloc(l->body, n);
    if (body == NULL) {
        return false;
    }
    l->body = body;
    l->body_cap = n;
    return true;
}

/* Bytes that a transaction adds to a body: itself and its RLP length. */
static size_t body_share(struct bytes raw)
{
    size_t prefix = raw.n < 56 ? 1 : raw.n < 256 ? 2 : raw.n < 65536 ? 3 : 4;
    return raw.n + prefix;
}

static void run_candidates(struct run *r)
{
    size_t room = LIMIT_BODY_BYTES - BODY_PREFIX_MAX;
    for (uint32_t i = 0; i < r->b->txs && r->txs < LIMIT_BODY_TXS; i++) {
        if (r->l->gas_limit - r->gas_used < LEAST_TX_GAS) {
            return;
        }
        size_t share = body_share(r->b->tx[i].raw);
        if (share <= room && ledger_run_tx(r, &r->b->tx[i]) == NULL) {
            room -= share;
        }
    }
}

static bool write_body(struct run *r, struct execution_result *out)
{
    size_t n = body_size(r->l->raw, r->txs);
    if (!reserve_body(r->l, n)) {
        return false;
    }
    body_write(r->l->body, r->l->raw, r->txs);
    r->body_len = n;
    out->body = r->l->body;
    out->body_len = n;
    return true;
}

void ledger_build(struct ledger *l, const struct execution_block *b, struct execution_result *out)
{
    *out = (struct execution_result){.status = EXECUTION_ERROR};
    struct run r = {.l = l, .b = b, .parent = find_parent(l, b, out)};
    if (r.parent == NULL) {
        return;
    }
    const char *why = check_place(b, r.parent);
    if (why != NULL) {
        verdict(out, l, "%s", why);
        return;
    }
    verdict(out, l, "out of memory");
    if (ledger_run_open(&r) != OK) {
        return;
    }
    run_candidates(&r);
    if (!write_body(&r, out)) {
        return;
    }
    struct state *s = ledger_run_seal(&r);
    s = s == NULL ? NULL : hold(l, s, true);
    if (s == NULL) {
        return;
    }
    if (s->built) {
        remember_build(l, &s->info.hash);
    }
    report(l, &s->info, out);
    out->status = EXECUTION_VALID;
    out->why = NULL;
}

/* A payload that is held is valid without executing it again, if it is this block's. */
static bool held_already(struct ledger *l, const struct execution_block *b,
                         const struct hash *payload, const struct hash *state_root,
                         struct execution_result *out)
{
    struct state *s = ledger_find(l, payload);
    if (s == NULL || !hash_equal(&s->info.state_root, state_root) ||
        !hash_equal(&s->info.parent, &b->parent) || s->info.number != b->height ||
        s->info.timestamp != b->timestamp_ms / 1000 || s->info.txs != b->txs ||
        s->info.body_len != b->body.n ||
        !address_equal(&s->info.fee_recipient, &b->fee_recipient) ||
        !ledger_run_reserve(l, b->txs)) {
        return false;
    }
    for (uint32_t i = 0; i < b->txs; i++) {
        l->raw[i] = b->tx[i].raw;
    }
    struct hash root = trie_list_root(l->raw, b->txs);
    if (!hash_equal(&root, &s->info.transactions_root)) {
        return false;
    }
    s->built = false;
    struct payload_info info = s->info;
    info.timestamp_ms = b->timestamp_ms; /* not in the hash: each block has its own */
    report(l, &info, out);
    out->status = EXECUTION_VALID;
    return true;
}

static bool run_block(struct run *r, struct execution_result *out)
{
    const char *why = check_place(r->b, r->parent);
    if (why == NULL) {
        why = check_size(r->b);
    }
    out->status = EXECUTION_INVALID;
    if (why != NULL) {
        verdict(out, r->l, "%s", why);
        return false;
    }
    if (ledger_run_open(r) != OK) {
        out->status = EXECUTION_ERROR;
        verdict(out, r->l, "out of memory");
        return false;
    }
    for (uint32_t i = 0; i < r->b->txs; i++) {
        why = ledger_run_tx(r, &r->b->tx[i]);
        if (why != NULL) {
            verdict(out, r->l, "transaction %u cannot be executed: %s", (unsigned)i, why);
            return false;
        }
    }
    r->body_len = r->b->body.n;
    return true;
}

/* Compares with what the block claims. */
static bool as_claimed(struct ledger *l, const struct payload_info *info,
                       const struct hash *payload, const struct hash *state_root,
                       struct execution_result *out)
{
    char ours[HEX_SIZE(32)];
    char theirs[HEX_SIZE(32)];
    bool state = hash_equal(&info->state_root, state_root);
    if (state && hash_equal(&info->hash, payload)) {
        return true;
    }
    hex_encode(ours, state ? info->hash.b : info->state_root.b, 32);
    hex_encode(theirs, state ? payload->b : state_root->b, 32);
    verdict(out, l, "the block claims %s %s, execution gives %s", state ? "payload" : "state root",
            theirs, ours);
    return false;
}

void ledger_execute(struct ledger *l, const struct execution_block *b,
                    const struct hash *expect_payload, const struct hash *expect_state,
                    struct execution_result *out)
{
    *out = (struct execution_result){.status = EXECUTION_ERROR};
    if (held_already(l, b, expect_payload, expect_state, out)) {
        return;
    }
    struct run r = {.l = l, .b = b, .parent = find_parent(l, b, out)};
    if (r.parent == NULL || !run_block(&r, out)) {
        return;
    }
    struct state *s = ledger_run_seal(&r);
    if (s != NULL) {
        report(l, &s->info, out);
        if (!as_claimed(l, &s->info, expect_payload, expect_state, out)) {
            ledger_state_destroy(s);
            return;
        }
        s = hold(l, s, false);
    }
    out->status = s != NULL ? EXECUTION_VALID : EXECUTION_ERROR;
    if (s == NULL) {
        verdict(out, l, "out of memory");
    }
}
