#define _GNU_SOURCE
/* Payloads for the core: candidates from the pool, built by the execution client, kept until the
 * core proposes them. */
#include <stdlib.h>
#include <string.h>

#include "proto/keccak.h"
#include "sequencer/node/parts.h"

static void build_release(struct build *b)
{
    free(b->body);
    b->body = NULL;
    b->body_len = 0;
    b->state = BUILD_FREE;
    b->cancelled = false;
}

static struct build *build_slot(struct node *n)
{
    struct build *oldest = NULL;
    for (int i = 0; i < BUILDS; i++) {
        struct build *b = &n->builds.build[i];
        if (b->state == BUILD_FREE) {
            return b;
        }
        if (b->state == BUILD_KEPT && (oldest == NULL || b->number < oldest->number)) {
            oldest = b;
        }
    }
    if (oldest != NULL) {
        build_release(oldest);
    }
    return oldest;
}

static void answer(struct node *n, uint64_t number, const struct execution_result *r,
                   const struct build *b)
{
    struct event e = {.kind = EVENT_BUILT, .peer = -1};
    e.u.built.build = number;
    if (r != NULL) {
        e.u.built.ok = true;
        e.u.built.payload = r->payload;
        e.u.built.state_root = r->state_root;
        e.u.built.body_root = b->body_root;
        e.u.built.body_len = (uint32_t)b->body_len;
        e.u.built.txs = r->txs;
    }
    driver_give(n, e);
}

static bool keep_body(struct build *b, const struct execution_result *r)
{
    if (r->body_len == 0 || r->body_len > LIMIT_BODY_BYTES) {
        return false;
    }
    b->body = malloc(r->body_len);
    if (b->body == NULL) {
        return false;
    }
    memcpy(b->body, r->body, r->body_len);
    b->body_len = r->body_len;
    b->body_root = keccak256(b->body, b->body_len);
    return true;
}

static void built(void *arg, const struct execution_result *r)
{
    struct build *b = arg;
    struct node *n = b->node;
    uint64_t number = b->number;
    health_client_answered(n);
    metrics_observe(n->metrics, METRIC_EXECUTION_SECONDS, n->book.op_label[0],
                    (double)(driver_now() - b->asked_us) / 1e6);
    if (b->cancelled) {
        build_release(b);
        return;
    }
    if (r->status != EXECUTION_VALID || !keep_body(b, r)) {
        log_write(LOG_WARN, "execution", "no payload", LOG_STR("why", r->why == NULL ? "" : r->why),
                  NULL);
        build_release(b);
        answer(n, number, NULL, NULL);
        return;
    }
    b->state = BUILD_KEPT;
    answer(n, number, r, b);
}

/* Those of `count` candidates that neither the builder nor back-pressure keeps out, into s->tx. */
static uint32_t choose(struct builds *s, uint32_t count, const struct pressure *p)
{
    uint64_t bytes = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct mempool_candidate *c = &s->candidate[i];
        bool aside = s->halving.aside != 0 && builder_is_aside(&s->halving, &c->hash);
        if (aside || c->raw.n > p->tx_bytes) {
            continue;
        }
        if (bytes + c->raw.n > p->block_bytes) {
            continue; /* a smaller one behind it may fit; its sender's next ones fail by nonce */
        }
        bytes += c->raw.n;
        s->tx[kept].raw = c->raw;
        s->tx[kept++].sender = c->sender;
    }
    return kept;
}

static uint32_t candidates(struct node *n, const struct effect *e)
{
    struct builds *s = &n->builds;
    const struct pressure pressure = posting_pressure(n);
    if (pressure.refuse) {
        return 0;
    }
    if (s->candidate == NULL) {
        s->candidate = calloc(LIMIT_BODY_TXS, sizeof *s->candidate);
        s->tx = calloc(LIMIT_BODY_TXS, sizeof *s->tx);
        if (s->candidate == NULL || s->tx == NULL) {
            return 0;
        }
    }
    uint32_t most = s->halving.most == 0 ? LIMIT_BODY_TXS : builder_max_txs(&s->halving);
    uint32_t max = e->u.build.max_txs == 0 || e->u.build.max_txs > most ? most : e->u.build.max_txs;
    taken_chain(n, &s->taken, &e->u.build.parent);
    uint32_t count = mempool_select(n->mempool, s->candidate, max, n->epoch.params.gas_limit,
                                    taken_has, &s->taken);
    return choose(s, count, &pressure);
}

void build_verdict(struct node *n, const struct block_entry *e, bool good)
{
    struct builder *b = &n->builds.halving;
    if ((int)e->head.header.leader != n->self || e->tx_hash == NULL) {
        return;
    }
    if (b->most == 0) {
        builder_init(b, LIMIT_BODY_TXS);
    }
    if (good) {
        builder_block_ok(b, e->txs);
    } else if (builder_block_failed(b, e->tx_hash, e->txs)) {
        log_write(LOG_ERROR, "node", "a transaction cannot be executed and is set aside",
                  LOG_HASH("hash", &e->tx_hash[0]), NULL);
        mempool_remove(n->mempool, &e->tx_hash[0]);
    }
}

void build_ask(struct node *n, const struct effect *e)
{
    struct build *b = build_slot(n);
    /* A client fills its block by itself: it cannot be told to leave transactions out. */
    bool refuse = n->link.engine != NULL && posting_pressure(n).refuse;
    if (b == NULL || n->self < 0 || refuse) {
        answer(n, e->u.build.number, NULL, NULL);
        return;
    }
    struct execution_block block = {
        .parent = e->u.build.payload_parent,
        .height = e->u.build.parent_height + 1,
        .timestamp_ms = e->u.build.timestamp_ms,
        .fee_recipient = n->epoch.member[n->self].address,
        .txs = candidates(n, e),
    };
    block.tx = n->builds.tx;
    b->node = n;
    b->state = BUILD_ASKED;
    b->number = e->u.build.number;
    b->cancelled = false;
    b->asked_us = driver_now();
    health_client_asked(n);
    n->execution.build(n->execution.ctx, &block, built, b);
}

void build_cancel(struct node *n, uint64_t number)
{
    for (int i = 0; i < BUILDS; i++) {
        struct build *b = &n->builds.build[i];
        if (b->state == BUILD_KEPT && b->number == number) {
            build_release(b);
        } else if (b->state == BUILD_ASKED && b->number == number) {
            b->cancelled = true;
        }
    }
}

void build_proposed(struct node *n, const struct block_head *head)
{
    struct block_entry *e = blocks_put_head(n, head);
    if (e == NULL) {
        return;
    }
    if (e->arrival_us == 0) {
        e->arrival_us = driver_now();
    }
    if (blocks_is_empty(&head->header) || e->body_state != ENTRY_NONE) {
        return;
    }
    for (int i = 0; i < BUILDS; i++) {
        struct build *b = &n->builds.build[i];
        if (b->state == BUILD_KEPT && b->body_len == head->header.body_len &&
            hash_equal(&b->body_root, &head->header.body_root)) {
            /* The root was computed from these very bytes: as good as loaded from own disk. */
            if (blocks_put_body(n, e, bytes_of(b->body, b->body_len), ENTRY_LOADED)) {
                body_check(n, e);
            }
            build_release(b);
            return;
        }
    }
}

void build_close(struct node *n)
{
    for (int i = 0; i < BUILDS; i++) {
        free(n->builds.build[i].body);
    }
    free(n->builds.candidate);
    free(n->builds.tx);
    taken_free(&n->builds.taken);
}
