#define _GNU_SOURCE
/* The thread of the L1: its loop, the client, a beat of a second, and what the node sees of it. */
#include "sequencer/node/l1_link.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uv.h>

#include "proto/keccak.h"
#include "sequencer/l1/l1_client.h"
#include "sequencer/node/l1_parts.h"
#include "sequencer/observe/log.h"

enum { BEAT_MS = 1000, STUCK_MS = 30000 };

struct url_list {
    char text[CONFIG_TEXT];
    const char *at[LIMIT_L1_ENDPOINTS];
    size_t n;
};

struct l1_link {
    struct l1_link_setup s;
    uint64_t chain_id;
    struct url_list rpc, beacon;
    uv_loop_t loop;
    uv_async_t stop;
    uv_timer_t beat;
    bool has_loop, has_thread;
    pthread_t thread;
    struct l1_client *client;
    struct l1 l1;
    struct l1_own *own;
    struct l1_read *read;
    struct l1_post *post;
    struct l1_backlog *backlog;
    uint64_t moved_ms; /* when L1 blocks were last read (loop's clock) */
    struct l1_box *in, *out;
    uv_async_t heard;
    pthread_mutex_t lock; /* of the two below */
    struct l1_standing standing;
    struct l1_news news;
};

/* ---- addresses ------------------------------------------------------------------------------- */

static struct address address_of(const struct epoch_config *c, const char *what)
{
    uint8_t in[64] = {0};
    struct address a;
    snprintf((char *)in, 32, "baton %s", what);
    memcpy(in + 32, c->genesis.b, 32);
    struct hash h = keccak256(in, sizeof in);
    memcpy(a.b, h.b + 12, sizeof a.b);
    return a;
}

struct address l1_inbox(const struct epoch_config *c)
{
    return address_of(c, "inbox");
}

struct address l1_auth(const struct epoch_config *c)
{
    return address_of(c, "auth");
}

/* ---- on its thread --------------------------------------------------------------------------- */

/* A start reads what was posted meanwhile, for minutes where that is much. */
static bool is_behind(struct l1_link *l, const struct l1_standing *is)
{
    uint64_t now = uv_now(&l->loop);
    l->moved_ms = is->read != l->standing.read ? now : l->moved_ms;
    return is->known && !is->down && is->head > is->read + LIMIT_L1_PATH &&
           now - l->moved_ms < STUCK_MS;
}

static void count_unsafe(struct l1_link *l, struct l1_standing *is)
{
    const struct safe_row next = {.number = is->safe.number + 1};
    is->oldest_ms = l1_own_head(l->own, &next).timestamp_ms;
    l1_backlog_look(l->backlog, is->safe.number, is);
}

static void publish(struct l1_link *l)
{
    struct l1_view v;
    struct l1_standing is = {.known = false};
    l->l1.ops->view(l->l1.ctx, &v);
    is.known = v.known;
    is.down = v.down;
    is.head = v.head.at.number;
    is.derived = v.known && l1_read_is_at(l->read, &v.head.at);
    struct derive_heads heads;
    const struct derive *d = l1_read_derive(l->read);
    l1_read_heads(l->read, v.has_finalized ? v.finalized.number : 0, &heads);
    is.read = heads.l1.number;
    is.safe = l1_own_head(l->own, &heads.latest);
    is.finalized = l1_own_head(l->own, &heads.final);
    is.accepted = derive_count(d, DERIVE_ACCEPTED);
    is.duplicates = derive_count(d, DERIVE_PAST);
    is.alarm = derive_alarm(d)->raised;
    if (l->post != NULL) {
        l1_post_stand(l->post, &is);
        is.sharing.dropped = l1_box_dropped(l->in);
    }
    is.behind = is_behind(l, &is);
    count_unsafe(l, &is);
    pthread_mutex_lock(&l->lock);
    l->standing = is;
    pthread_mutex_unlock(&l->lock);
}

static struct l1_news link_news(void *link)
{
    struct l1_link *l = link;
    pthread_mutex_lock(&l->lock);
    struct l1_news news = l->news;
    pthread_mutex_unlock(&l->lock);
    return news;
}

static void look(struct l1_link *l)
{
    if (l->post != NULL) {
        l1_post_look(l->post, uv_now(&l->loop));
    }
    publish(l);
}

/* A letter at a time between other events: verifying one can take a while. */
static void on_heard(uv_async_t *async)
{
    struct l1_link *l = async->data;
    struct l1_letter *letter = l1_box_take(l->in);
    if (letter == NULL) {
        return;
    }
    if (l->post != NULL) {
        l1_post_hear(l->post, letter);
    }
    free(letter);
    uv_async_send(&l->heard);
}

static void on_read(void *arg)
{
    look(arg);
}

static void on_view(void *arg, const struct l1_view *v)
{
    struct l1_link *l = arg;
    if (v->known && l->read != NULL) {
        l1_read_pump(l->read);
    }
}

static void on_beat(uv_timer_t *timer)
{
    struct l1_link *l = timer->data;
    struct l1_view v;
    l->l1.ops->view(l->l1.ctx, &v);
    if (v.known) {
        l1_read_pump(l->read);
        look(l);
    } else {
        publish(l); /* what waits grows meanwhile */
    }
}

static void on_say(void *arg, bool bad, const char *endpoint, const char *what)
{
    (void)arg;
    log_write(bad ? LOG_WARN : LOG_INFO, "l1", what, LOG_STR("endpoint", endpoint), NULL);
}

static void closed(void *arg)
{
    (void)arg;
}

static void on_stop(uv_async_t *async)
{
    struct l1_link *l = async->data;
    uv_close((uv_handle_t *)&l->beat, NULL);
    uv_close((uv_handle_t *)&l->stop, NULL);
    uv_close((uv_handle_t *)&l->heard, NULL);
    l1_client_close(l->client, closed, l);
    l->client = NULL;
}

static void *run(void *arg)
{
    struct l1_link *l = arg;
    l1_yield_cores();
    uv_run(&l->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- start ----------------------------------------------------------------------------------- */

static void split(struct url_list *out, const char *text)
{
    snprintf(out->text, sizeof out->text, "%s", text);
    char *rest = NULL;
    for (char *t = strtok_r(out->text, ", ", &rest); t != NULL && out->n < LIMIT_L1_ENDPOINTS;
         t = strtok_r(NULL, ", ", &rest)) {
        out->at[out->n++] = t;
    }
}

static bool check_blob(void *arg, const uint8_t *blob, const struct hash *versioned)
{
    const struct l1_link *l = arg;
    const struct kzg *kzg;
    return l1_own_kzg(l->own, &kzg) == OK && kzg_check_blob(kzg, blob, versioned) == OK;
}

/* Where nothing ever will, the blob is what fails. */
static bool can_check(void *arg)
{
    const struct l1_link *l = arg;
    const struct kzg *kzg;
    return l1_own_kzg(l->own, &kzg) != ERR_NOT_READY;
}

/* GENESIS:SECONDS. */
static enum err read_slot(struct l1_options *o, const char *text, char *why, size_t why_len)
{
    char *end;
    if (text[0] == '\0') {
        return OK;
    }
    o->slot_genesis_s = strtoull(text, &end, 10);
    unsigned long seconds = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
    o->slot_s = (uint32_t)seconds;
    if (*end != '\0' || seconds == 0 || seconds > UINT16_MAX) {
        snprintf(why, why_len, "l1-slot '%.40s': expected GENESIS:SECONDS, as 1606824023:12", text);
        return ERR_CONFIG;
    }
    return OK;
}

static enum err open_client(struct l1_link *l, char *why, size_t why_len)
{
    const struct config *c = l->s.config;
    char *end;
    split(&l->rpc, c->l1);
    split(&l->beacon, c->l1_beacon);
    l->chain_id = strtoull(c->l1_chain_id, &end, 10);
    if (*end != '\0' || l->chain_id == 0) {
        snprintf(why, why_len, "l1-chain-id '%.40s': expected the L1's chain id, for example 1",
                 c->l1_chain_id);
        return ERR_CONFIG;
    }
    struct l1_options o = {.rpc = l->rpc.at, .rpc_n = l->rpc.n, .beacon = l->beacon.at,
                                 .beacon_n = l->beacon.n, .chain_id = l->chain_id,
                                 .poll_ms = (uint32_t)c->l1_poll_ms, .on_view = on_view,
                                 .say = on_say, .arg = l};
    o.blob_check = check_blob;
    TRY(read_slot(&o, c->l1_slot, why, why_len));
    enum err e = l1_client_open(&l->client, &l->loop, &o);
    if (e != OK) {
        snprintf(why, why_len, "l1 '%.80s': expected one http(s) URL or several, comma separated",
                 c->l1);
        return e;
    }
    l->l1 = l1_client_access(l->client);
    return OK;
}

static enum err open_loop(struct l1_link *l)
{
    l->stop.data = l->beat.data = l->heard.data = l;
    l->news.leader = -1;
    if (pthread_mutex_init(&l->lock, NULL) != 0 || uv_loop_init(&l->loop) != 0) {
        return ERR_NO_MEMORY;
    }
    l->has_loop = true;
    return uv_async_init(&l->loop, &l->stop, on_stop) == 0 &&
                   uv_async_init(&l->loop, &l->heard, on_heard) == 0 &&
                   uv_timer_init(&l->loop, &l->beat) == 0 &&
                   uv_timer_start(&l->beat, on_beat, BEAT_MS, BEAT_MS) == 0
               ? OK
               : ERR_NO_MEMORY;
}

static enum err open_read(struct l1_link *l, const char *dir, char *why, size_t why_len)
{
    char state[L1_DIR + 16];
    struct derive_ref start;
    TRY(l1_read_start(l->s.config->l1_start, &start, why, why_len));
    TRY(l1_own_open(&l->own, &l->s));
    snprintf(state, sizeof state, "%s/derived", dir);
    const struct l1_read_setup rs = {.l1 = l->l1, .derive = l1_own_setup(l->own, &start),
                                     .state = state, .moved = on_read, .can_check = can_check,
                                     .arg = l};
    return l1_read_open(&l->read, &rs, why, why_len);
}

static enum err open_parts(struct l1_link *l, char *why, size_t why_len)
{
    char dir[L1_DIR];
    snprintf(dir, sizeof dir, "%s/l1", l->s.config->dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_len, "%s cannot be made", dir);
        return ERR_IO;
    }
    TRY(l1_box_open(&l->in));
    TRY(l1_box_open(&l->out));
    TRY(open_client(l, why, why_len));
    TRY(open_read(l, dir, why, why_len));
    TRY(l1_backlog_open(&l->backlog, l->s.config->dir));
    const struct l1_post_setup ps = {.l1 = l->l1, .node = &l->s, .read = l->read, .own = l->own,
                                     .l1_chain_id = l->chain_id, .news = link_news,
                                     .out = l->out, .link = l};
    TRY(l1_post_open(&l->post, &ps, why, why_len));
    if (strcmp(l->s.config->da, "blob") == 0) {
        (void)can_check(l); /* posted from here soon: loaded from now on */
    }
    publish(l);
    l->has_thread = pthread_create(&l->thread, NULL, run, l) == 0;
    return l->has_thread ? OK : ERR_NO_MEMORY;
}

enum err l1_link_open(struct l1_link **out, const struct l1_link_setup *s, char *why,
                      size_t why_len)
{
    struct l1_link *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return ERR_NO_MEMORY;
    }
    l->s = *s;
    enum err e = open_loop(l);
    e = e == OK ? open_parts(l, why, why_len) : e;
    if (e != OK) {
        l1_link_close(l);
        return e;
    }
    *out = l;
    return OK;
}

/* ---- from the node --------------------------------------------------------------------------- */

void l1_link_look(struct l1_link *l, struct l1_standing *out)
{
    pthread_mutex_lock(&l->lock);
    *out = l->standing;
    pthread_mutex_unlock(&l->lock);
}

void l1_link_tell(struct l1_link *l, const struct l1_news *news)
{
    pthread_mutex_lock(&l->lock);
    l->news = *news;
    pthread_mutex_unlock(&l->lock);
}

void l1_link_hear(struct l1_link *l, int member, const struct message *m)
{
    bool ack = m->kind == MSG_INTENT_ACK;
    struct l1_letter like = {.members = UINT32_C(1) << member, .ack = ack};
    if (ack) {
        like.segment = m->u.intent_ack.segment;
        like.intent = m->u.intent_ack.intent;
    } else {
        like.answer = m->u.intent.answer;
    }
    if (l1_box_put(l->in, &like, ack ? bytes_of("", 0) : m->u.intent.intent)) {
        uv_async_send(&l->heard);
    }
}

struct l1_letter *l1_link_letter(struct l1_link *l)
{
    return l1_box_take(l->out);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void end_loop(struct l1_link *l)
{
    if (l->has_thread) {
        uv_async_send(&l->stop);
        pthread_join(l->thread, NULL);
    } else if (l->client != NULL) {
        l1_client_close(l->client, closed, l);
    }
    uv_walk(&l->loop, close_handle, NULL);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    uv_loop_close(&l->loop);
}

void l1_link_close(struct l1_link *l)
{
    if (l == NULL) {
        return;
    }
    if (l->has_loop) {
        end_loop(l);
    }
    l1_post_close(l->post);
    l1_read_close(l->read);
    l1_own_close(l->own);
    l1_backlog_close(l->backlog);
    l1_box_close(l->in);
    l1_box_close(l->out);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
