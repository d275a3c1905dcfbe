#define _GNU_SOURCE
/* When posting works, what came of it, and what follows for everybody else. The work itself is
 * done by a worker (posting_make.c): the loop only starts it and takes its result. */
#include <inttypes.h>
#include <stdlib.h>

#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/layer_file.h"
#include "sequencer/batcher/pressure.h"
#include "sequencer/node/parts.h"

enum { FIRST_BLOCK = 1, RETRY_MIN_US = 250000, PATIENCE_US = 10000000, WHOLE = 1000 };
enum { L1_PATIENCE_US = 120000000 };

/* A segment fits one blob transaction also where nothing of it can be compressed: what does not would
 * never be posted, nor anything after it. */
enum { BLOB_USABLE = 130020, SEGMENT_SPARE = 32768 };
_Static_assert(LIMIT_SEGMENT_BYTES + LIMIT_L1_BLOCK_BYTES + SEGMENT_SPARE <=
                   LIMIT_TX_BLOBS * BLOB_USABLE, "a segment is posted in one transaction");
_Static_assert(LIMIT_L1_BLOCK_BYTES > LIMIT_TX_BYTES, "every transaction fits a block");
enum { SEGMENT_FILE_MAX = 1 << 26 };

/* ---- start ----------------------------------------------------------------------------------- */

/* The last envelope must be this chain's; the layer has checked that all others lead to it. */
static enum err check_last(struct node *n, const struct posted *last, char *why, size_t why_len)
{
    struct buffer payload;
    struct buffer envelope;
    struct fault fault;
    struct poster *p = &n->poster;
    struct batch_auth *auth = malloc(sizeof *auth);
    buffer_init(&payload, SEGMENT_FILE_MAX);
    buffer_init(&envelope, SEGMENT_FILE_MAX);
    enum err e = auth == NULL ? ERR_NO_MEMORY : OK;
    e = e == OK ? p->layer.read(p->layer.ctx, last->first, &payload, &envelope, why, why_len) : e;
    e = e == OK ? auth_decode(auth, buffer_bytes(&envelope), &fault) : e;
    if (e == OK && auth_verify(auth, &n->epoch) != OK) {
        snprintf(why, why_len, "the segment of block %" PRIu64 " is not certified by this chain",
                 last->first);
        e = ERR_WRONG_CHAIN;
    }
    free(auth);
    buffer_free(&payload);
    buffer_free(&envelope);
    return e;
}

static enum err check_folder(struct node *n, char *why, size_t why_len)
{
    struct posted last;
    struct hash hash;
    struct poster *p = &n->poster;
    p->safe = (struct posting_head){0, n->genesis.payload, n->genesis.timestamp_ms};
    p->finalized = p->safe;
    if (!p->layer.last(p->layer.ctx, &last)) {
        return OK;
    }
    TRY(check_last(n, &last, why, why_len));
    p->safe = (struct posting_head){.number = last.last, .hash = last.hash};
    p->segments = last.number + 1;
    if (view_hash_at(n, last.last, &hash) == OK) {
        struct block_entry *e = blocks_load(n, &hash);
        if (e != NULL && !hash_equal(&e->head.header.payload, &last.hash)) {
            snprintf(why, why_len, "block %" PRIu64 " was posted as another one than %s/db has",
                     last.last, n->config->dir);
            return ERR_CORRUPT;
        }
        p->safe.timestamp_ms = e == NULL ? 0 : e->head.header.timestamp_ms;
    }
    p->finalized = p->safe;
    return OK;
}

static enum err open_layer(struct node *n, const char *dir, char *why, size_t why_len)
{
    struct poster *p = &n->poster;
    TRY(layer_file_open(&p->files, dir, n->epoch.chain_id, FIRST_BLOCK, true, why, why_len));
    p->layer = layer_file_layer(p->files);
    if (layer_file_removed(p->files) > 0) {
        log_write(LOG_INFO, "batcher", "an unfinished segment was removed: it is posted again",
                  LOG_U64("files", layer_file_removed(p->files)), NULL);
    }
    TRY(check_folder(n, why, why_len));
    return posting_maker_open(&p->maker, n->storage, &n->genesis, &n->epoch, &p->layer);
}

enum err posting_open(struct node *n, char *why, size_t why_len)
{
    char dir[CONFIG_TEXT + 16];
    char found[CONFIG_TEXT + 256] = "";
    snprintf(dir, sizeof dir, "%s/batches", n->config->dir);
    enum err e = open_layer(n, dir, found, sizeof found);
    n->poster.permille = WHOLE;
    if (e == OK) {
        return posting_l1_open(n, why, why_len);
    }
    if (e == ERR_CORRUPT || e == ERR_WRONG_CHAIN || e == ERR_NOT_FOUND) {
        snprintf(why, why_len, "%s; move that folder away: the node posts everything again", found);
        return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
    }
    if (e != OK) {
        snprintf(why, why_len, "%s: %s", dir, found[0] != '\0' ? found : err_text(e));
    }
    return e;
}

/* ---- results --------------------------------------------------------------------------------- */

void posting_heads(struct node *n, const struct posting_head *safe,
                   const struct posting_head *finalized)
{
    struct poster *p = &n->poster;
    if (safe->number < p->safe.number) {
        log_write(LOG_WARN, "batcher", "the safe head went back: the data layer lost what it held",
                  LOG_U64("from", p->safe.number), LOG_U64("to", safe->number), NULL);
    }
    p->safe = *safe;
    p->finalized = *finalized;
    link_heads(n);
}

static void put_off(struct poster *p)
{
    const uint64_t most = LIMIT_POST_RETRY_MS * UINT64_C(1000);
    p->wait_us = p->wait_us == 0 ? RETRY_MIN_US : 2 * p->wait_us;
    p->wait_us = p->wait_us > most ? most : p->wait_us;
    p->retry_us = driver_now() + p->wait_us;
}

static void failed(struct node *n, enum err e, const char *why)
{
    struct poster *p = &n->poster;
    if (p->err != e) {
        metrics_add(n->metrics, METRIC_BATCH_FAILURES, 0, 1);
        log_write(LOG_ERROR, "batcher", "segments cannot be posted: it is tried again",
                  LOG_STR("why", why), LOG_U64("safe", p->safe.number), NULL);
    }
    p->failed_us = p->err == OK ? driver_now() : p->failed_us;
    p->err = e;
    snprintf(p->why, sizeof p->why, "%s", why);
    put_off(p);
}

static void well(struct poster *p)
{
    if (p->err != OK) {
        log_write(LOG_WARN, "batcher", "segments are posted again", LOG_STR("was", p->why),
                  LOG_U64("forMs", (driver_now() - p->failed_us) / 1000), NULL);
    }
    p->err = OK;
    p->why[0] = '\0';
    p->wait_us = p->retry_us = p->waiting_us = 0;
}

/* Not on this disk yet: the next write or two bring it, or the others. Told when it lasts. */
static void waits(struct node *n, const char *why)
{
    struct poster *p = &n->poster;
    uint64_t now = driver_now();
    p->waiting_us = p->waiting_us == 0 ? now : p->waiting_us;
    if (now - p->waiting_us > PATIENCE_US && why[0] != '\0') {
        failed(n, ERR_NOT_FOUND, why);
    }
}

static void stood(struct node *n, const struct posting_result *r)
{
    struct poster *p = &n->poster;
    metrics_observe(n->metrics, METRIC_POST_SECONDS, 0,
                    (double)(driver_now() - p->asked_us) / 1e6);
    uint64_t permille = r->payload_bytes * WHOLE / r->posted_bytes;
    p->permille = permille > WHOLE ? WHOLE : permille == 0 ? 1 : (uint32_t)permille;
}

static void take_result(struct node *n)
{
    struct poster *p = &n->poster;
    const struct posting_result *r = &p->result;
    if (r->posted_bytes > 0) {
        stood(n, r);
    }
    bool known = r->stands.timestamp_ms != 0 || r->stands.number == 0;
    if (known && p->l1 == NULL) {
        posting_heads(n, &r->stands, &r->stands);
    }
    p->segments = r->segments;
    p->oldest_ms = r->oldest_ms;
    posting_ask_proof(n, r->wants_slot);
    p->held_bytes = r->held_bytes;
    if (r->level) {
        p->level_bytes = p->asked_bytes;
    }
    if (r->err != OK) {
        failed(n, r->err, r->why);
    } else if (r->level || r->more) {
        well(p);
    } else {
        waits(n, r->why);
    }
}

/* ---- work ------------------------------------------------------------------------------------ */

static void run(uv_work_t *work)
{
    struct node *n = work->data;
    posting_maker_work(n->poster.maker, n->poster.asked_slot, &n->poster.result);
}

static void start(struct node *n);

static void done(uv_work_t *work, int status)
{
    struct node *n = work->data;
    struct poster *p = &n->poster;
    p->working = false;
    if (p->closing) {
        n->closing--;
        return;
    }
    if (status != 0) {
        return;
    }
    take_result(n);
    if (p->result.more) {
        start(n);
    }
}

static void start(struct node *n)
{
    struct poster *p = &n->poster;
    p->asked_slot = n->finality.latest_slot;
    p->asked_bytes = p->final_bytes;
    p->asked_us = driver_now();
    if (p->proof.here) {
        posting_maker_give(p->maker, &p->proof.cert);
        p->proof.here = false;
    }
    p->work.data = n;
    p->working = uv_queue_work(&n->loop, &p->work, run, done) == 0;
}

void posting_final(struct node *n, const struct header *h)
{
    n->poster.final_bytes += h->body_len;
}

/* How far the chain has run ahead, by its own times: whoever catches up, or was off for a day with
 * all others, has old blocks and is late with none. What cannot be read has no time: then it is as
 * old as the failure. */
static uint64_t unsafe_age_ms(const struct node *n)
{
    const struct poster *p = &n->poster;
    uint64_t oldest = p->l1 != NULL ? p->on_l1.oldest_ms : p->oldest_ms;
    uint64_t latest = n->finality.latest_ms;
    uint64_t ahead = oldest != 0 && latest > oldest ? latest - oldest : 0;
    uint64_t failing = p->err != OK ? (driver_now() - p->failed_us) / 1000 : 0;
    if (n->finality.latest_number <= p->safe.number) {
        return 0;
    }
    return ahead > failing ? ahead : failing;
}

static struct pressure_input input(const struct node *n)
{
    return (struct pressure_input){posting_unsafe_bytes(n), unsafe_age_ms(n), 0};
}

uint64_t posting_unsafe_bytes(const struct node *n)
{
    const struct poster *p = &n->poster;
    uint64_t open = p->held_bytes + p->final_bytes - p->level_bytes;
    return open * p->permille / WHOLE + p->on_l1.backlog_bytes;
}

enum pressure_layer posting_layer(const struct node *n)
{
    const struct poster *p = &n->poster;
    bool reachable = p->l1 == NULL || (p->on_l1.known && !p->on_l1.down);
    return p->err == OK && reachable ? PRESSURE_LAYER_OK : PRESSURE_LAYER_DOWN;
}

struct pressure posting_pressure(const struct node *n)
{
    struct pressure_input in = input(n);
    struct pressure now = pressure_at(n->poster.stage, &in);
    /* Candidates are counted as they are, limits as they will be posted. */
    if (now.stage > 0 && !now.refuse) {
        uint64_t block = (uint64_t)now.block_bytes * WHOLE / n->poster.permille;
        uint64_t tx = (uint64_t)now.tx_bytes * WHOLE / n->poster.permille;
        now.block_bytes = block > UINT32_MAX ? UINT32_MAX : (uint32_t)block;
        now.tx_bytes = tx > UINT32_MAX ? UINT32_MAX : (uint32_t)tx;
    }
    if (n->poster.l1 != NULL && now.block_bytes > LIMIT_L1_BLOCK_BYTES) {
        now.block_bytes = LIMIT_L1_BLOCK_BYTES; /* as they are: how they compress is not known */
    }
    return now;
}

/* A chain that stood still posts its old blocks with its next one: no reason to rise. An L1 takes
 * some of its own blocks for that; but bytes do not wait. */
static uint64_t patience_us(const struct poster *p, const struct pressure_input *in)
{
    const struct pressure_input bytes = {.unsafe_bytes = in->unsafe_bytes};
    bool by_age = pressure_stage(p->stage, &bytes) <= p->stage;
    return by_age && p->l1 != NULL ? L1_PATIENCE_US : PATIENCE_US;
}

static bool lasts(struct poster *p, const struct pressure_input *in, bool rises)
{
    uint64_t now = driver_now();
    if (!rises || p->on_l1.behind) {
        p->rising_us = 0;
        return !rises;
    }
    p->rising_us = p->rising_us == 0 ? now : p->rising_us;
    return now - p->rising_us > patience_us(p, in);
}

static void look_at_pressure(struct node *n)
{
    struct poster *p = &n->poster;
    struct pressure_input in = input(n);
    unsigned stage = pressure_stage(p->stage, &in);
    if (lasts(p, &in, stage > p->stage) && stage != p->stage) {
        log_write(stage > p->stage ? LOG_WARN : LOG_INFO, "batcher",
                  stage > p->stage ? "back-pressure rises: too much is final and not posted"
                                   : "back-pressure falls",
                  LOG_U64("stage", stage), LOG_U64("was", p->stage),
                  LOG_U64("unsafeBytes", in.unsafe_bytes), LOG_U64("ageMs", in.unsafe_age_ms),
                  NULL);
        p->stage = stage;
        n->health.pool_changed = true;
    }
}

void posting_turn(struct node *n)
{
    struct poster *p = &n->poster;
    bool new_blocks = n->finality.latest_slot != p->asked_slot || p->waiting_us != 0;
    bool due = p->retry_us != 0 ? driver_now() >= p->retry_us : new_blocks;
    if (!p->working && due) {
        start(n);
    }
    posting_l1_turn(n);
    look_at_pressure(n);
}

void posting_stop(struct node *n)
{
    l1_link_close(n->poster.l1); /* it reads what storage holds */
    n->poster.l1 = NULL;
    if (n->poster.working) {
        n->poster.closing = true;
        n->closing++;
    }
}

void posting_close(struct node *n)
{
    posting_maker_close(n->poster.maker);
    if (n->poster.files != NULL) {
        layer_file_close(n->poster.files);
    }
}
