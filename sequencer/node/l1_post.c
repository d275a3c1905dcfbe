#define _GNU_SOURCE
/* Sealed segments onto the L1, as calldata or in blobs, from the account of this member: one round
 * of posting (batcher/README.md) at every head, message and second. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proto/key.h"
#include "sequencer/node/l1_post_parts.h"
#include "sequencer/observe/log.h"

enum { WRAPPED = 1 << 22, ROUNDS = 8, AWAY_MS = 2500, AWAY_WAIT_MS = 1500 };

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t post_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

/* What this thread has run, and waited for a core: a machine that is short of them stops nobody. */
static uint64_t busy_ms(void)
{
    unsigned long long ran = 0;
    unsigned long long waited = 0;
    FILE *f = fopen("/proc/thread-self/schedstat", "re");
    if (f == NULL || fscanf(f, "%llu %llu", &ran, &waited) != 2) {
        ran = clock_ms(CLOCK_THREAD_CPUTIME_ID) * 1000000;
    }
    if (f != NULL) {
        fclose(f);
    }
    return (ran + waited) / 1000000;
}

/* Every second there is an event: where there was none, this process was stopped, and what it knows
 * of the L1 and of the others is old (duty.h). However often that happens, between two absences there
 * is a round. */
static void feel_time(struct l1_post *p)
{
    uint64_t now = clock_ms(CLOCK_MONOTONIC);
    uint64_t busy = busy_ms();
    uint64_t idle = now - p->looked_ms - (busy - p->busy_ms);
    bool any = p->looked_ms != 0 && now - p->looked_ms > busy - p->busy_ms;
    if (any && idle > AWAY_MS && p->acted) {
        p->acted = false;
        p->away_until_ms = now + 2 * p->s.node->config->l1_poll_ms + AWAY_WAIT_MS;
        log_write(LOG_INFO, "l1", "this process stood still: the L1 and the others are heard first",
                  LOG_U64("forMs", idle), NULL);
    }
    p->looked_ms = now;
    p->busy_ms = busy;
}

static bool is_back(const struct l1_post *p)
{
    return p->looked_ms >= p->away_until_ms;
}

/* ---- a round --------------------------------------------------------------------------------- */

static struct duty_view look_around(struct l1_post *p)
{
    struct l1_view v;
    struct derive_heads heads;
    struct txm_status s;
    struct l1_news news = p->s.news(p->s.link);
    p->s.l1.ops->view(p->s.l1.ctx, &v);
    txm_status(p->txm, &s);
    l1_read_heads(p->s.read, v.has_finalized ? v.finalized.number : 0, &heads);
    struct duty_view out = {
        .now_ms = post_wall_ms(),
        .l1_ok = v.known && !v.down,
        .head = v.head.at.number,
        .derived = l1_read_is_at(p->s.read, &v.head.at) && is_back(p),
        .safe = heads.latest.number,
        .safe_final = heads.final.number,
        .mismatch = derive_alarm(l1_read_derive(p->s.read))->raised,
        .leader = news.leader,
        .connected = news.connected,
        .able = (s.alarms & (TXM_ALARM_STOLEN | TXM_ALARM_FUNDS | TXM_ALARM_JOURNAL)) == 0,
    };
    bool same = hash_equal(&p->nonce_at.hash, &v.head.at.hash);
    for (uint32_t i = 0; same && i < LIMIT_MEMBERS; i++) {
        out.account[i] = p->nonce[i].is;
    }
    return out;
}

static const char *duty_name(enum duty_state s)
{
    switch (s) {
    case DUTY_OK:
        return "ok";
    case DUTY_L1_DOWN:
        return "down";
    case DUTY_BEHIND:
        return "behind";
    case DUTY_ALARM:
        return "alarm";
    case DUTY_RECOVER:
        break;
    }
    return "recover";
}

static void tell_state(enum duty_state was, enum duty_state is)
{
    bool bad = is == DUTY_ALARM || is == DUTY_RECOVER;
    bool often = !bad && was != DUTY_ALARM && was != DUTY_RECOVER;
    if (was != is) {
        log_write(bad ? LOG_ERROR : often ? LOG_DEBUG : LOG_WARN, "l1",
                  is == DUTY_RECOVER ? "the time to post what comes next is over: nothing is posted "
                                       "until an operator decides"
                                     : "duty to post",
                  LOG_STR("was", duty_name(was)), LOG_STR("is", duty_name(is)), NULL);
    }
}

void post_round(struct l1_post *p)
{
    struct l1_view at;
    p->s.l1.ops->view(p->s.l1.ctx, &at);
    if (at.known && !post_nonces_at(p, &at.head.at)) {
        return; /* comes again when they are known */
    }
    struct duty_view v = look_around(p);
    enum duty_state was = p->state;
    p->head = v.head;
    p->safe = v.safe;
    p->final = v.safe_final;
    if (v.derived && post_segments_learn(p) && !p->restored) {
        post_restore(p);
    }
    if (p->restored) {
        post_take_early(p);
    }
    for (int i = 0; p->restored && i < ROUNDS && post_act(p, &v); i++) {
    }
    p->acted = p->acted || p->state == DUTY_OK;
    tell_state(was, p->state);
    feed_send(p->feed);
}

static void ticked(void *arg)
{
    post_round(arg);
}

static bool derived(void *arg, const struct l1_ref *head, uint64_t *safe)
{
    struct l1_post *p = arg;
    struct derive_heads heads;
    l1_read_heads(p->s.read, 0, &heads);
    *safe = heads.latest.number;
    return l1_read_is_at(p->s.read, head) && is_back(p) &&
           !derive_alarm(l1_read_derive(p->s.read))->raised;
}

void l1_post_look(struct l1_post *p, uint64_t now_ms)
{
    struct l1_view v;
    feel_time(p);
    feed_look(p->feed, now_ms);
    p->s.l1.ops->view(p->s.l1.ctx, &v);
    if (v.down) {
        post_round(p); /* there is nothing to tick, and a state to show */
    }
}

void l1_post_hear(struct l1_post *p, const struct l1_letter *l)
{
    feel_time(p);
    if (!p->restored) {
        return; /* not known yet what may be: it is said again */
    }
    post_take_letter(p, l);
    post_round(p);
}

/* ---- how it stands --------------------------------------------------------------------------- */

static const char *reason(const struct l1_post *p, const struct txm_status *s)
{
    const char *trouble = post_account_trouble(s);
    bool passing = p->err == ERR_BUSY || p->err == ERR_NOT_READY;
    if (trouble[0] != '\0') {
        return trouble;
    }
    if (p->state == DUTY_RECOVER) {
        return "the time to post what comes next is over";
    }
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
    out->sharing = p->sharing;
    out->sharing.duty = duty_name(p->state);
    out->sharing.held = duty_intents(p->duty);
    snprintf(out->why, sizeof out->why, "%s", reason(p, &s));
}

/* ---- start and end --------------------------------------------------------------------------- */

static enum err open_intents(struct l1_post *p, char *why, size_t why_len)
{
    uint64_t torn;
    TRY(l1_intents_open(&p->intents, p->s.node->config->dir, &torn, why, why_len));
    if (torn > 0) {
        log_write(LOG_WARN, "l1", "the end of l1/intents was not whole: it was cut off",
                  LOG_U64("bytes", torn), NULL);
    }
    return OK;
}

static enum err open_parts(struct l1_post *p, char *why, size_t why_len)
{
    const struct l1_link_setup *n = p->s.node;
    const struct duty_config dc = duty_config_default(n->epoch->n, (uint8_t)n->self);
    p->blobs = strcmp(n->config->da, "blob") == 0;
    p->parts = p->blobs ? 1 : INTENT_PARTS;
    if (p->blobs && !kzg_is_built_in()) {
        snprintf(why, why_len, "da: this program was built without blobs; use calldata");
        return ERR_CONFIG;
    }
    TRY(post_account_open(p, why, why_len));
    TRY(open_intents(p, why, why_len));
    TRY(duty_new(&p->duty, &dc));
    const struct feed_options o = {.l1 = p->s.l1, .txm = p->txm, .account = p->account,
                                   .derived = derived, .wrap = p->blobs ? post_wrap_own : NULL,
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
    p->state = DUTY_BEHIND;
    buffer_init(&p->wrapped, WRAPPED);
    for (size_t i = 0; i < POST_LOADS; i++) {
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
    duty_free(p->duty);
    if (p->txm != NULL) {
        txm_free(p->txm);
    }
    if (p->file != NULL) {
        txm_file_close(p->file);
    }
    l1_intents_close(p->intents);
    for (size_t i = 0; i < POST_LOADS; i++) {
        l1_load_free(&p->kept[i].load);
    }
    while (p->earlies > 0) {
        free(p->early[--p->earlies]);
    }
    buffer_free(&p->wrapped);
    key_free(p->key);
    free(p);
}
