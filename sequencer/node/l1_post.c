#define _GNU_SOURCE
/* Sealed segments onto the L1, as calldata or in blobs, from the account of this member: one round
 * of posting (batcher/README.md) at every head and second. The account's journal is DIR/l1/journal.
 *
 * Members do not share intents over the network: a segment that its poster could not bring home is
 * posted anew by the next in rank, takeover heads later (duty.h), and the one that lands second
 * counts as a duplicate. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proto/key.h"
#include "proto/tx.h"
#include "sequencer/batcher/duty.h"
#include "sequencer/l1/feed.h"
#include "sequencer/l1/txm_file.h"
#include "sequencer/node/keyfile.h"
#include "sequencer/node/l1_parts.h"
#include "sequencer/observe/log.h"

enum { LOADS = 4, WRAPPED = 1 << 22, ROUNDS = 8, SEGMENTS = LIMIT_DUTY_SEGMENTS, AT_ONCE = 64 };

/* What a transaction carries, kept while it is sent again and again. */
struct kept_load {
    bool used;
    uint64_t segment; /* or TXM_NO_SEGMENT */
    struct l1_load load;
};

struct l1_post {
    struct l1_post_setup s;
    bool blobs;    /* else calldata */
    uint8_t parts; /* transactions a segment */
    struct kept_load kept[LOADS];
    size_t kept_next;
    struct buffer wrapped;
    struct secret_key *key;
    struct address account;
    struct txm_file *file;
    struct txm *txm;
    struct duty *duty;
    struct feed *feed;
    bool placed;       /* `next` is known */
    uint64_t next;     /* first block of the segment to be looked for */
    struct l1_segment segment[SEGMENTS]; /* by number */
    uint64_t oldest, newest; /* numbers held: oldest … newest - 1 */
    uint64_t head;     /* of the L1, as of this look */
    enum duty_state state;
    enum err err;      /* of the last segment that could not be posted */
};

/* ---- the account ----------------------------------------------------------------------------- */

static enum err sign_blob(struct l1_post *p, const struct txm_request *r, uint8_t *out, size_t cap,
                          size_t *n)
{
    struct buffer b;
    struct blob_tx tx = {.chain_id = r->chain_id, .nonce = r->nonce,
                         .max_priority_fee = r->fees.tip, .max_fee = r->fees.cap, .gas = r->gas,
                         .to = r->payload->to, .data = r->payload->data,
                         .max_blob_fee = r->fees.blob_cap, .blobs = r->payload->blobs};
    memcpy(tx.versioned, r->payload->versioned, sizeof tx.versioned);
    buffer_init(&b, cap);
    enum err e = blob_tx_sign(&b, &tx, p->key);
    e = e == OK ? b.bad : e;
    if (e == OK) {
        memcpy(out, b.p, b.n);
        *n = b.n;
    }
    buffer_free(&b);
    return e;
}

static enum err sign(void *ctx, const struct txm_request *r, uint8_t *out, size_t cap, size_t *n)
{
    struct l1_post *p = ctx;
    if (r->kind == TXM_BLOB) {
        return sign_blob(p, r, out, cap, n);
    }
    const struct tx_request tx = {.chain_id = r->chain_id, .nonce = r->nonce,
                                  .max_priority_fee = r->fees.tip, .max_fee = r->fees.cap,
                                  .gas = r->gas, .to = r->payload->to, .data = r->payload->data};
    return tx_sign(out, cap, n, &tx, p->key);
}

static enum err read_key(struct l1_post *p, char *why, size_t why_len)
{
    const struct config *c = p->s.node->config;
    p->key = key_alloc();
    if (p->key == NULL) {
        snprintf(why, why_len, "no locked memory for the poster's key; raise `ulimit -l`");
        return ERR_NO_MEMORY;
    }
    TRY(keyfile_read(p->key, &p->account, c->l1_key, c->l1_password, why, why_len));
    if (members_find(p->s.node->epoch, &p->account) >= 0) {
        snprintf(why, why_len, "l1-key: this is a member's key; give the poster a key of its own");
        return ERR_CONFIG;
    }
    return OK;
}

static enum err open_txm(struct l1_post *p, char *why, size_t why_len)
{
    char path[L1_DIR];
    struct bytes group;
    struct txm_config c = txm_config_default();
    c.chain_id = p->s.l1_chain_id;
    c.account = p->account;
    c.kind = p->blobs ? TXM_BLOB : TXM_CALLDATA;
    c.max_pending *= p->parts;
    c.most_pending *= p->parts;
    snprintf(path, sizeof path, "%s/l1/journal", p->s.node->config->dir);
    TRY(txm_file_open(&p->file, path, c.chain_id, &c.account, why, why_len));
    const struct txm_signer signer = {p, sign};
    const struct txm_journal journal = txm_file_journal(p->file);
    TRY(txm_new(&p->txm, &c, &signer, &journal));
    while (txm_file_next(p->file, &group)) {
        enum err e = txm_restore(p->txm, group);
        if (e != OK) {
            snprintf(why, why_len, "%s: %s; keep it for an inquiry and start with another account",
                     path, err_text(e));
            return e;
        }
    }
    txm_file_forget(p->file);
    return OK;
}

/* ---- segments -------------------------------------------------------------------------------- */

/* The first segment that is not derived for good: its file is named by its first block; where what
 * was derived does not end with a segment of ours, all of them are walked. */
static void find_place(struct l1_post *p)
{
    struct derive_heads heads;
    struct l1_segment s = {.last = 0};
    const char *dir = p->s.node->config->dir;
    l1_read_heads(p->s.read, 0, &heads);
    uint64_t final = heads.final.number;
    p->next = final + 1;
    if (l1_segment_read(dir, p->next, &s) == OK || final == 0) {
        p->placed = true;
        return;
    }
    uint64_t first = 1;
    while (l1_segment_read(dir, first, &s) == OK && s.last <= final) {
        first = s.last + 1;
    }
    p->next = first;
    p->placed = s.last >= final;
}

static bool take_segment(struct l1_post *p)
{
    struct l1_segment s;
    if (l1_segment_read(p->s.node->config->dir, p->next, &s) != OK) {
        return false;
    }
    const struct duty_segment d = {.no = s.no, .first = s.first, .last = s.last,
                                   .proposer = s.proposer, .seal_l1 = p->head};
    if (duty_segment_add(p->duty, &d) != OK) {
        return false;
    }
    p->oldest = p->newest == 0 ? s.no : p->oldest;
    p->newest = s.no + 1;
    p->oldest = p->newest - p->oldest > SEGMENTS ? p->newest - SEGMENTS : p->oldest;
    p->segment[s.no % SEGMENTS] = s;
    p->next = s.last + 1;
    return true;
}

static void learn_segments(struct l1_post *p)
{
    if (!p->placed) {
        find_place(p);
    }
    for (int i = 0; p->placed && i < AT_ONCE && take_segment(p); i++) {
    }
}

/* ---- actions --------------------------------------------------------------------------------- */

static bool slot_of(const struct l1_post *p, uint64_t segment, uint8_t part,
                    struct txm_slot_view *out)
{
    int i = txm_find(p->txm, segment, part);
    if (i >= 0) {
        txm_slot(p->txm, (size_t)i, out);
    }
    return i >= 0;
}

/* Both halves stand in the journal and are not mined. */
static bool is_carried(const struct l1_post *p, uint64_t segment)
{
    struct txm_slot_view v;
    for (uint8_t part = 0; part < p->parts; part++) {
        if (!slot_of(p, segment, part, &v) || v.state >= TXM_MINED) {
            return false;
        }
    }
    return true;
}

/* Made again where it was forgotten: the same bytes, for they are a function of the files. */
static enum err load_of(struct l1_post *p, uint64_t segment, struct l1_load **out)
{
    const struct kzg *kzg = NULL;
    bool known = segment >= p->oldest && segment < p->newest;
    for (size_t i = 0; i < LOADS; i++) {
        if (p->kept[i].used && p->kept[i].segment == segment) {
            *out = &p->kept[i].load;
            return OK;
        }
    }
    if (!known && segment != TXM_NO_SEGMENT) {
        return ERR_NOT_FOUND;
    }
    if (p->blobs) {
        TRY(l1_own_kzg(p->s.own, &kzg));
    }
    struct kept_load *k = &p->kept[p->kept_next++ % LOADS];
    k->used = false;
    TRY(segment == TXM_NO_SEGMENT
            ? l1_load_zeros(&k->load, kzg)
            : l1_load_make(&k->load, p->s.node->config->dir, p->segment[segment % SEGMENTS].first,
                           kzg));
    k->used = true;
    k->segment = segment;
    *out = &k->load;
    return OK;
}

static enum err make(struct l1_post *p, const struct l1_segment *s)
{
    uint64_t nonce[INTENT_PARTS];
    const struct epoch_config *c = p->s.node->epoch;
    const struct address to[INTENT_PARTS] = {l1_inbox(c), l1_auth(c)};
    struct txm_payload payload[INTENT_PARTS];
    struct l1_load *l;
    TRY(load_of(p, s->no, &l));
    for (uint8_t i = 0; i < p->parts; i++) {
        payload[i] = (struct txm_payload){.segment = s->no, .part = i, .last = s->last,
                                          .kind = p->blobs ? TXM_BLOB : TXM_CALLDATA,
                                          .to = to[i], .data = buffer_bytes(&l->data[i]),
                                          .blobs = l->blobs.blobs};
        memcpy(payload[i].versioned, l->blobs.versioned, sizeof payload[i].versioned);
    }
    return txm_post(p->txm, payload, p->parts, nonce);
}

/* Blobs and proofs to the bare transaction. Those of the journal are meant: others would be refused. */
static enum err wrap(void *arg, const struct txm_send *s, struct bytes *out)
{
    struct l1_post *p = arg;
    struct l1_load *l;
    TRY(load_of(p, s->payload->segment, &l));
    if (l->blobs.blobs != s->payload->blobs ||
        memcmp(l->blobs.versioned, s->payload->versioned,
               s->payload->blobs * sizeof *s->payload->versioned) != 0) {
        return ERR_REFUSED;
    }
    struct blob_sidecar sidecar = blob_posting_sidecar(&l->blobs);
    buffer_clear(&p->wrapped);
    TRY(blob_tx_wrap(&p->wrapped, s->raw, &sidecar));
    *out = buffer_bytes(&p->wrapped);
    return p->wrapped.bad;
}

/* The lowest rung alone: nobody else sends it, and with all of them it would be too large. */
static void fill_part(struct intent_part *out, const struct txm_slot_view *v)
{
    *out = (struct intent_part){.nonce = v->nonce, .blobs = v->payload->blobs, .rungs = 1};
    memcpy(out->versioned, v->payload->versioned, sizeof out->versioned);
    out->raw[0] = v->raw[0];
}

static enum err tell_duty(struct l1_post *p, const struct l1_segment *s, uint64_t now_ms)
{
    struct buffer encoded;
    struct txm_slot_view v = {.nonce = 0};
    struct post_intent *i = calloc(1, sizeof *i);
    if (i == NULL) {
        return ERR_NO_MEMORY;
    }
    *i = (struct post_intent){.chain_id = p->s.node->genesis->chain_id,
                              .l1_chain_id = p->s.l1_chain_id, .time_ms = now_ms,
                              .segment = s->no, .first = s->first, .last = s->last,
                              .member = (uint8_t)p->s.node->self,
                              .kind = p->blobs ? INTENT_BLOB : INTENT_CALLDATA,
                              .account = p->account, .parts = p->parts};
    bool released = true;
    for (uint8_t part = 0; part < p->parts && slot_of(p, s->no, part, &v); part++) {
        fill_part(&i->part[part], &v);
        released = released && v.state != TXM_JOURNALED;
    }
    buffer_init(&encoded, LIMIT_INTENT_BYTES * 2);
    enum err e = intent_encode(&encoded, i);
    e = e == OK ? duty_intent_add(p->duty, buffer_bytes(&encoded), false, released, now_ms, NULL)
                : e;
    buffer_free(&encoded);
    free(i);
    return e;
}

static bool do_post(struct l1_post *p, const struct duty_action *a, uint64_t now_ms)
{
    if (a->segment < p->oldest || a->segment >= p->newest) {
        return false;
    }
    const struct l1_segment *s = &p->segment[a->segment % SEGMENTS];
    enum err e = is_carried(p, s->no) ? OK : make(p, s);
    e = e == OK ? tell_duty(p, s, now_ms) : e;
    if (e != OK && e != p->err && e != ERR_BUSY && e != ERR_NOT_READY) {
        log_write(LOG_ERROR, "l1", "a segment cannot be posted: it is tried again",
                  LOG_U64("segment", s->no), LOG_STR("error", err_text(e)), NULL);
    }
    p->err = e;
    return e == OK;
}

static bool do_release(struct l1_post *p, const struct duty_action *a)
{
    struct txm_slot_view v;
    for (uint8_t part = 0; part < p->parts; part++) {
        if (!slot_of(p, a->segment, part, &v) || txm_release(p->txm, v.nonce) != OK) {
            return false;
        }
    }
    duty_released(p->duty, a->segment);
    return true;
}

/* ---- a round --------------------------------------------------------------------------------- */

static uint64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct duty_view look_around(struct l1_post *p)
{
    struct l1_view v;
    struct derive_heads heads;
    struct txm_status s;
    p->s.l1.ops->view(p->s.l1.ctx, &v);
    txm_status(p->txm, &s);
    l1_read_heads(p->s.read, v.has_finalized ? v.finalized.number : 0, &heads);
    return (struct duty_view){
        .now_ms = wall_ms(),
        .l1_ok = v.known && !v.down,
        .head = v.head.at.number,
        .derived = l1_read_is_at(p->s.read, &v.head.at),
        .safe = heads.latest.number,
        .safe_final = heads.final.number,
        .mismatch = derive_alarm(l1_read_derive(p->s.read))->raised,
        .leader = -1, /* by rank alone: leader and next in rank would not hear of each other */
        .able = (s.alarms & (TXM_ALARM_STOLEN | TXM_ALARM_FUNDS | TXM_ALARM_JOURNAL)) == 0,
    };
}

/* True: something changed that duty should look at again. */
static bool act(struct l1_post *p, const struct duty_view *v)
{
    struct duty_plan plan;
    bool again = false;
    duty_tick(p->duty, v, &plan);
    p->state = plan.state;
    txm_limit(p->txm, plan.upto);
    for (size_t i = 0; i < plan.n; i++) {
        const struct duty_action *a = &plan.action[i];
        if (a->what == DUTY_POST) {
            return do_post(p, a, v->now_ms) || again; /* others borrow from what it changed */
        }
        again = (a->what == DUTY_RELEASE && do_release(p, a)) || again;
    }
    return again;
}

static void ticked(void *arg)
{
    struct l1_post *p = arg;
    struct duty_view v = look_around(p);
    p->head = v.head;
    if (v.derived) {
        learn_segments(p);
    }
    for (int i = 0; i < ROUNDS && act(p, &v); i++) {
    }
}

static bool derived(void *arg, const struct l1_ref *head, uint64_t *safe)
{
    struct l1_post *p = arg;
    struct derive_heads heads;
    l1_read_heads(p->s.read, 0, &heads);
    *safe = heads.latest.number;
    return l1_read_is_at(p->s.read, head) && !derive_alarm(l1_read_derive(p->s.read))->raised;
}

void l1_post_look(struct l1_post *p, uint64_t now_ms)
{
    feed_look(p->feed, now_ms);
}

static const char *reason(const struct l1_post *p, const struct txm_status *s)
{
    static const struct {
        uint32_t alarm;
        const char *text;
    } alarms[] = {
        {TXM_ALARM_STOLEN, "the poster's key is used by somebody else: give it a new account"},
        {TXM_ALARM_FUNDS, "the poster's account has too little ether: send it some"},
        {TXM_ALARM_CEILING, "the L1 asks more than may be paid for one transaction"},
        {TXM_ALARM_KIND, "another kind of transaction of the poster's account is pending"},
        {TXM_ALARM_REFUSED, "the L1 endpoints refuse the transactions"},
        {TXM_ALARM_JOURNAL, "the journal in l1/ cannot be written"},
        {TXM_ALARM_DROPPED, "the L1 endpoints accept transactions and lose them"},
    };
    for (size_t i = 0; i < sizeof alarms / sizeof alarms[0]; i++) {
        if ((s->alarms & alarms[i].alarm) != 0) {
            return alarms[i].text;
        }
    }
    bool passing = p->err == ERR_BUSY || p->err == ERR_NOT_READY;
    return p->err == OK || passing ? "" : err_text(p->err);
}

void l1_post_stand(const struct l1_post *p, struct l1_standing *out)
{
    struct txm_status s;
    txm_status(p->txm, &s);
    out->posts = true;
    out->account = p->account;
    out->alarms = s.alarms;
    out->spent = s.spent;
    snprintf(out->why, sizeof out->why, "%s", reason(p, &s));
    for (uint64_t no = p->oldest; no < p->newest; no++) {
        const struct l1_segment *g = &p->segment[no % SEGMENTS];
        if (g->last > out->safe.number) {
            out->oldest_ms = out->oldest_ms == 0 ? g->first_ms : out->oldest_ms;
            out->backlog++;
            out->backlog_bytes += g->payload;
        }
    }
}

/* ---- start and end --------------------------------------------------------------------------- */

static enum err open_parts(struct l1_post *p, char *why, size_t why_len)
{
    const struct l1_link_setup *n = p->s.node;
    struct duty_config dc = duty_config_default(n->epoch->n, (uint8_t)n->self);
    dc.ack_ms = dc.ack_most_ms = 0; /* nobody is told of intents: nobody is waited for */
    p->blobs = strcmp(n->config->da, "blob") == 0;
    p->parts = p->blobs ? 1 : INTENT_PARTS;
    if (p->blobs && !kzg_is_built_in()) {
        snprintf(why, why_len, "da: this program was built without blobs; use calldata");
        return ERR_CONFIG;
    }
    TRY(read_key(p, why, why_len));
    TRY(open_txm(p, why, why_len));
    TRY(duty_new(&p->duty, &dc));
    const struct feed_options o = {.l1 = p->s.l1, .txm = p->txm, .account = p->account,
                                   .derived = derived, .wrap = p->blobs ? wrap : NULL,
                                   .ticked = ticked, .arg = p};
    return feed_open(&p->feed, &o);
}

enum err l1_post_open(struct l1_post **out, const struct l1_post_setup *s, char *why,
                      size_t why_len)
{
    *out = NULL;
    if (s->node->self < 0 || access(s->node->config->l1_key, F_OK) != 0) {
        return OK;
    }
    struct l1_post *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    p->s = *s;
    buffer_init(&p->wrapped, WRAPPED);
    for (size_t i = 0; i < LOADS; i++) {
        l1_load_init(&p->kept[i].load);
    }
    enum err e = open_parts(p, why, why_len);
    if (e != OK) {
        l1_post_close(p);
        return e;
    }
    *out = p;
    return OK;
}

void l1_post_close(struct l1_post *p)
{
    if (p == NULL) {
        return;
    }
    if (p->feed != NULL) {
        feed_close(p->feed);
    }
    if (p->duty != NULL) {
        duty_free(p->duty);
    }
    if (p->txm != NULL) {
        txm_free(p->txm);
    }
    if (p->file != NULL) {
        txm_file_close(p->file);
    }
    for (size_t i = 0; i < LOADS; i++) {
        l1_load_free(&p->kept[i].load);
    }
    buffer_free(&p->wrapped);
    key_free(p->key);
    free(p);
}
