#define _GNU_SOURCE
/* Gate and recovery of an execution client: engine_link.h draws it. */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

enum { RETRY_US = 1000000 };

_Static_assert((int)EXECUTION_CANCUN == (int)ENGINE_CANCUN &&
                   (int)EXECUTION_PRAGUE == (int)ENGINE_PRAGUE &&
                   (int)EXECUTION_OSAKA == (int)ENGINE_OSAKA,
               "the genesis and the adapter mean the same forks");

bool link_is_level(const struct node *n)
{
    return n->link.engine == NULL || n->link.level;
}

/* ---- the gate -------------------------------------------------------------------------------- */

static void refuse(execution_cb cb, void *arg)
{
    const struct execution_result r = {.status = EXECUTION_ERROR,
                                       .why = "the execution client is not level with the chain"};
    cb(arg, &r);
}

static void gate_build(void *ctx, const struct execution_block *b, execution_cb cb, void *arg)
{
    struct engine_link *l = ctx;
    if (l->level) {
        l->client.build(l->client.ctx, b, cb, arg);
    } else {
        refuse(cb, arg);
    }
}

static void gate_execute(void *ctx, const struct execution_block *b, const struct hash *payload,
                         const struct hash *state, execution_cb cb, void *arg)
{
    struct engine_link *l = ctx;
    if (l->level) {
        l->client.execute(l->client.ctx, b, payload, state, cb, arg);
    } else {
        refuse(cb, arg);
    }
}

static void gate_finalize(void *ctx, const struct hash *payload,
                          void (*cb)(void *arg, enum err e), void *arg)
{
    struct engine_link *l = ctx;
    if (l->level) {
        l->client.finalize(l->client.ctx, payload, cb, arg);
    } else {
        cb(arg, ERR_NOT_READY);
    }
}

static void gate_head(void *ctx, uint64_t *height, struct hash *payload)
{
    struct engine_link *l = ctx;
    l->client.head(l->client.ctx, height, payload);
}

static uint64_t gate_silent(void *ctx)
{
    struct engine_link *l = ctx;
    return l->client.silent_us(l->client.ctx);
}

/* ---- stored blocks --------------------------------------------------------------------------- */

static enum err stored_block(struct node *n, uint64_t number, struct storage_buffer *buf,
                             struct block *out)
{
    struct hash hash;
    TRY(storage_hash_by_height(n->storage, number, &hash));
    TRY(storage_get_block(n->storage, &hash, buf, out));
    return out->body.n == out->head.header.body_len ? OK : ERR_NOT_FOUND;
}

static enum err payload_at(struct node *n, uint64_t number, struct hash *out)
{
    struct storage_buffer buf = {0};
    struct block b;
    if (number == 0 || number == n->finality.latest_number) {
        *out = number == 0 ? n->genesis.payload : n->finality.latest_payload;
        return OK;
    }
    enum err err = stored_block(n, number, &buf, &b);
    if (err == OK) {
        *out = b.head.header.payload;
    }
    free(buf.p);
    return err;
}

/* ---- level ----------------------------------------------------------------------------------- */

static void not_level(struct node *n, const char *why)
{
    struct engine_link *l = &n->link;
    l->level = false;
    snprintf(l->why, sizeof l->why, "%s", why);
}

static void stuck(struct node *n, const char *why, uint64_t number)
{
    not_level(n, why);
    n->link.retry_us = driver_now() + RETRY_US;
    log_write(LOG_WARN, "execution", why, LOG_U64("number", number), NULL);
}

/* A client refuses heads that it does not hold: none are told before it is level. */
void link_heads(struct node *n)
{
    static const struct hash none;
    if (n->link.engine == NULL) {
        return;
    }
    const struct posting_head safe = posting_shown(n, &n->poster.safe);
    const struct posting_head finalized = posting_shown(n, &n->poster.finalized);
    engine_set_heads(n->link.engine, n->link.level ? &safe.hash : &none,
                     n->link.level ? &finalized.hash : &none);
}

static void become_level(struct node *n)
{
    struct engine_link *l = &n->link;
    l->level = true;
    link_heads(n);
    l->why[0] = '\0';
    log_write(LOG_INFO, "execution", "the execution client is level with the chain",
              LOG_U64("number", n->finality.latest_number), LOG_U64("fed", l->fed), NULL);
    blocks_run_again(n);
    offers_add_all(n);
    accounts_pump(n);
    finality_pump(n);
}

/* ---- feeding --------------------------------------------------------------------------------- */

struct step {
    struct node *node;
    uint64_t session;
    uint64_t number;
    struct hash payload;
};

static struct step *step_new(struct node *n, uint64_t number)
{
    struct step *s = calloc(1, sizeof *s);
    if (s != NULL) {
        *s = (struct step){.node = n, .session = n->link.session, .number = number};
    }
    return s;
}

/* An answer that is of an earlier session, or came when all is over. */
static bool step_void(const struct step *s)
{
    return s->node->driver.closed || s->session != s->node->link.session;
}

static void feed_next(struct node *n);

static void on_fed_final(void *arg, enum err e)
{
    struct step *s = arg;
    struct node *n = s->node;
    if (!step_void(s)) {
        if (e == OK) {
            feed_next(n);
        } else {
            stuck(n, "the execution client did not take a stored block as its head", s->number);
        }
    }
    free(s);
}

static void on_fed(void *arg, const struct execution_result *r)
{
    struct step *s = arg;
    struct node *n = s->node;
    struct engine_link *l = &n->link;
    if (step_void(s)) {
        free(s);
        return;
    }
    if (r->status != EXECUTION_VALID) {
        stuck(n, r->status == EXECUTION_INVALID
                     ? "the execution client calls a final block INVALID"
                     : "the execution client did not execute a stored block", s->number);
        free(s);
        return;
    }
    l->next = s->number + 1;
    l->fed++;
    /* Each becomes the head: geth, killed, may hold a block and not its state; it says VALID of the
     * block as one that it knows, and executes it only when it becomes the head. */
    l->client.finalize(l->client.ctx, &s->payload, on_fed_final, s);
}

static void feed_block(struct node *n, const struct block *b, struct step *s)
{
    const struct header *h = &b->head.header;
    const struct execution_block x = {
        .parent = h->payload_parent,
        .height = h->height,
        .timestamp_ms = h->timestamp_ms,
        .fee_recipient = n->epoch.member[h->leader].address,
        .body = b->body,
    };
    s->payload = h->payload;
    n->link.client.execute(n->link.client.ctx, &x, &h->payload, &h->state_root, on_fed, s);
}

static void feed_next(struct node *n)
{
    struct engine_link *l = &n->link;
    if (l->next > n->finality.latest_number) {
        become_level(n);
        return;
    }
    struct storage_buffer buf = {0};
    struct block b;
    struct step *s = step_new(n, l->next);
    if (s == NULL || stored_block(n, l->next, &buf, &b) != OK) {
        stuck(n, "a block that the execution client lacks is not on this disk", l->next);
        free(s);
    } else {
        feed_block(n, &b, s);
    }
    free(buf.p);
}

/* ---- search ---------------------------------------------------------------------------------- */

static void probe(struct node *n, uint64_t number);

static void search_on(struct node *n)
{
    struct engine_link *l = &n->link;
    if (l->low < l->high) {
        probe(n, l->low + (l->high - l->low + 1) / 2);
        return;
    }
    l->next = l->low + 1;
    feed_next(n);
}

static void on_probed(void *arg, enum err e, const struct hash *has)
{
    struct step *s = arg;
    struct node *n = s->node;
    struct engine_link *l = &n->link;
    struct hash here;
    if (step_void(s)) {
        free(s);
        return;
    }
    e = e == OK ? payload_at(n, s->number, &here) : e;
    if (e != OK) {
        stuck(n, "it cannot be found out which blocks the execution client holds", s->number);
    } else if (hash_equal(has, &here)) {
        l->low = s->number;
        search_on(n);
    } else {
        l->high = s->number - 1;
        search_on(n);
    }
    free(s);
}

static void probe(struct node *n, uint64_t number)
{
    struct step *s = step_new(n, number);
    if (s == NULL || engine_read_hash(n->link.engine, number, on_probed, s) != OK) {
        stuck(n, "the execution client cannot be asked for its blocks", number);
        free(s);
    }
}

/* Block 0 was compared when it was greeted. Where all is well the first question is the last. */
static void search(struct node *n)
{
    struct engine_link *l = &n->link;
    struct hash payload;
    uint64_t number = 0;
    l->session++;
    l->retry_us = 0;
    link_heads(n);
    l->client.head(l->client.ctx, &number, &payload);
    l->low = 0;
    l->high = number < n->finality.latest_number ? number : n->finality.latest_number;
    if (l->high == 0) {
        search_on(n);
    } else {
        probe(n, l->high);
    }
}

static void on_state(void *arg, enum engine_state state, const char *why)
{
    struct node *n = arg;
    bool ready = state == ENGINE_READY;
    if (n->driver.closed) {
        return;
    }
    log_write(ready ? LOG_INFO : LOG_WARN, "execution",
              ready ? "the execution client answers" : "the execution client is not usable",
              LOG_STR("why", why), NULL);
    n->link.session++;
    n->link.retry_us = 0;
    not_level(n, ready ? "the execution client is being fed" : why);
    if (ready) {
        search(n);
    }
}

/* ---- the node's side ------------------------------------------------------------------------- */

/* What wallets see of block 0, and where the first base fee follows from. */
static struct payload_info genesis_info(const struct node *n)
{
    return (struct payload_info){
        .hash = n->genesis.payload,
        .timestamp = n->genesis.timestamp_ms / 1000,
        .timestamp_ms = n->genesis.timestamp_ms,
        .state_root = n->genesis.state_root,
        .gas_limit = n->epoch.params.gas_limit,
        .base_fee = n->genesis.base_fee,
    };
}

enum err link_open(struct node *n, char *why, size_t why_len)
{
    struct engine_link *l = &n->link;
    const struct config *c = n->config;
    struct engine_options o = {
        .url = c->el,
        .rpc_url = c->el_rpc[0] == '\0' ? NULL : c->el_rpc,
        .chain_id = n->epoch.chain_id,
        .genesis = n->genesis.payload,
        .fork = (enum engine_fork)n->genesis.execution,
        .order =
            strcmp(c->el_order, "given") == 0 ? ENGINE_ORDER_GIVEN : ENGINE_ORDER_CLIENT,
        .fill_ms = (uint32_t)c->el_fill_ms,
        .on_state = on_state,
        .arg = n,
    };
    enum err err = jwt_read(&o.secret, c->el_secret, why, why_len);
    if (err != OK) {
        return err == ERR_NOT_FOUND ? ERR_CONFIG : err;
    }
    l->base = genesis_info(n);
    ledger_record_block(n, &l->base, NULL, 0);
    accounts_open(n);
    err = engine_open(&l->engine, &n->loop, &o);
    jwt_forget(&o.secret);
    TRY(err);
    engine_execution(l->engine, &l->client);
    n->execution = (struct execution){.ctx = l,
                                      .build = gate_build,
                                      .execute = gate_execute,
                                      .finalize = gate_finalize,
                                      .head = gate_head,
                                      .silent_us = gate_silent};
    return OK;
}

/* EIP-1559, from the block that users see as latest. */
void link_base_fee(struct node *n, struct u256 *out)
{
    struct engine_link *l = &n->link;
    const struct hash *latest = &n->finality.latest_payload;
    if (!hash_equal(&l->base.hash, latest)) {
        struct storage_buffer buf = {0};
        struct payload_info info;
        if (storage_get(n->storage, TABLE_RECEIPTS, bytes_of(latest->b, sizeof latest->b), &buf) ==
                OK &&
            payload_info_decode(&info, bytes_of(buf.p, buf.n)) == OK) {
            l->base = info;
        }
        free(buf.p);
    }
    payload_next_base_fee(out, &l->base);
}

void link_turn(struct node *n)
{
    struct engine_link *l = &n->link;
    if (l->engine == NULL) {
        return;
    }
    if (l->retry_us != 0 && driver_now() >= l->retry_us &&
        engine_state(l->engine) == ENGINE_READY) {
        search(n);
    }
    accounts_pump(n);
    offers_pump(n);
}

void link_second(struct node *n)
{
    if (n->link.engine != NULL && n->link.level) {
        offers_add_old(n);
    }
}

void link_free(struct node *n)
{
    accounts_close(n);
    free(n->link.offer);
}
