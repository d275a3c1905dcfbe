#include "sequencer/batcher/duty.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "sequencer/batcher/duty_state.h"

/* An intent made so far ahead of our clock is not believed. */
enum { CLOCK_SKEW_MS = 60000 };

struct duty_config duty_config_default(uint32_t members, uint8_t self)
{
    return (struct duty_config){.members = members,
                                .self = self,
                                .takeover = 3,
                                .patience = 4,
                                .inflight = 2,
                                .ack_ms = 500,
                                .ack_most_ms = 3000};
}

enum err duty_new(struct duty **out, const struct duty_config *c)
{
    if (c->members == 0 || c->members > LIMIT_MEMBERS || c->self >= c->members ||
        c->takeover == 0 || c->patience == 0 || c->inflight > DUTY_ACTIONS / 2) {
        return ERR_REFUSED;
    }
    struct duty *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return ERR_NO_MEMORY;
    }
    d->cfg = *c;
    d->next = UINT64_MAX;
    *out = d;
    return OK;
}

void duty_free(struct duty *d)
{
    if (d == NULL) {
        return;
    }
    while (d->helds > 0) {
        duty_held_remove(d, d->helds - 1);
    }
    free(d->segment);
    free(d);
}

/* ---- segments ------------------------------------------------------------------------------------ */

struct duty_segment *duty_segment_find(const struct duty *d, uint64_t no)
{
    if (d->segments == 0 || no < d->segment[0].no || no - d->segment[0].no >= d->segments) {
        return NULL;
    }
    return &d->segment[no - d->segment[0].no];
}

uint64_t duty_segment_next(const struct duty *d)
{
    return d->segments > 0 ? d->segment[d->segments - 1].no + 1 : 0;
}

static enum err make_room(struct duty *d)
{
    if (d->segments < d->room) {
        return OK;
    }
    size_t room = d->room == 0 ? 64 : 2 * d->room;
    struct duty_segment *s = realloc(d->segment, room * sizeof *s);
    if (s == NULL) {
        return ERR_NO_MEMORY;
    }
    d->segment = s;
    d->room = room;
    return OK;
}

enum err duty_segment_add(struct duty *d, const struct duty_segment *s)
{
    if (d->segments == LIMIT_DUTY_SEGMENTS) {
        return ERR_BUSY;
    }
    if (s->first > s->last) {
        return ERR_REFUSED;
    }
    if (d->segments > 0) {
        const struct duty_segment *end = &d->segment[d->segments - 1];
        if (s->no != end->no + 1 || s->first != end->last + 1) {
            return ERR_REFUSED;
        }
    }
    TRY(make_room(d));
    d->segment[d->segments++] = *s;
    return OK;
}

/* ---- intents ------------------------------------------------------------------------------------- */

struct held *duty_held_of(const struct duty *d, uint64_t segment, uint8_t owner)
{
    for (size_t i = 0; i < d->helds; i++) {
        struct held *h = d->held[i];
        if (h->is.segment == segment && h->is.member == owner && !h->superseded) {
            return h;
        }
    }
    return NULL;
}

void duty_held_remove(struct duty *d, size_t i)
{
    free(d->held[i]->bytes);
    free(d->held[i]);
    d->held[i] = d->held[--d->helds];
}

/* A nonce can land once, and nobody posts a segment twice: of two intents of one owner for the same
 * nonce or segment the later is the one that holds. */
static void supersede(struct duty *d, const struct post_intent *by)
{
    for (size_t i = 0; i < d->helds; i++) {
        struct held *h = d->held[i];
        bool same = h->is.member == by->member && address_equal(&h->is.account, &by->account);
        h->superseded |= h->is.member == by->member && h->is.segment == by->segment;
        for (size_t a = 0; same && a < h->is.parts; a++) {
            for (size_t b = 0; b < by->parts; b++) {
                h->superseded |= h->is.part[a].nonce == by->part[b].nonce;
            }
        }
    }
}

/* Who changes its mind again and again fills no memory: of what it took back for a segment two stay,
 * since what has the same nonces keeps later ones reachable. */
static void thin_out(struct duty *d, const struct post_intent *by)
{
    size_t old = 0;
    size_t found = 0;
    for (size_t i = 0; i < d->helds; i++) {
        const struct held *h = d->held[i];
        if (h->superseded && h->is.member == by->member && h->is.segment == by->segment) {
            found++;
            old = i;
        }
    }
    if (found > 2) {
        duty_held_remove(d, old);
    }
}

/* Full: the one for the farthest segment gives way, if the new one is for a nearer one. */
static bool make_way(struct duty *d, uint64_t segment)
{
    size_t far = 0;
    if (d->helds < LIMIT_DUTY_INTENTS) {
        return true;
    }
    for (size_t i = 1; i < d->helds; i++) {
        far = d->held[i]->is.segment > d->held[far]->is.segment ? i : far;
    }
    if (d->held[far]->is.segment <= segment) {
        return false;
    }
    duty_held_remove(d, far);
    return true;
}

static struct held *hold(struct bytes encoded)
{
    struct held *h = calloc(1, sizeof *h);
    uint8_t *bytes = malloc(encoded.n + 1);
    if (h == NULL || bytes == NULL) {
        free(h);
        free(bytes);
        return NULL;
    }
    memcpy(bytes, encoded.p, encoded.n);
    h->bytes = bytes;
    h->n = encoded.n;
    h->hash = keccak256(encoded.p, encoded.n);
    return h;
}

static bool is_held(const struct duty *d, struct bytes encoded)
{
    for (size_t i = 0; i < d->helds; i++) {
        if (bytes_equal(bytes_of(d->held[i]->bytes, d->held[i]->n), encoded)) {
            return true;
        }
    }
    return false;
}

static void find_better(const struct duty *d, const struct post_intent *i, struct bytes *rather)
{
    const struct duty_segment *s = duty_segment_find(d, i->segment);
    const struct held *best = s != NULL ? duty_best(d, s, &d->view) : NULL;
    if (best != NULL && best->is.member != i->member) {
        *rather = bytes_of(best->bytes, best->n);
    }
}

/* Its owner had been away: we hear of it long after it was made, and hold another that can land. One
 * of our own that was not sent does not count: it may be we who were away. */
static bool comes_late(const struct duty *d, const struct post_intent *i, uint64_t now_ms)
{
    const struct duty_segment *s = duty_segment_find(d, i->segment);
    const struct held *best = s != NULL ? duty_best(d, s, &d->view) : NULL;
    return now_ms > i->time_ms + 2 * (uint64_t)d->cfg.ack_most_ms && best != NULL &&
           best->is.member != i->member && (best->is.member != d->cfg.self || best->released);
}

static enum err add(struct duty *d, struct bytes encoded, const struct post_intent *i,
                    const struct held *like)
{
    struct held *h = hold(encoded);
    if (h == NULL) {
        return ERR_NO_MEMORY;
    }
    h->late = comes_late(d, i, like->made_ms);
    supersede(d, i);
    thin_out(d, i);
    h->foreign = like->foreign;
    h->released = like->released;
    h->made_ms = like->made_ms;
    d->held[d->helds++] = h;
    return intent_decode(&h->is, bytes_of(h->bytes, h->n));
}

enum err duty_intent_add(struct duty *d, struct bytes encoded, bool foreign, bool released,
                         uint64_t now_ms, struct bytes *rather)
{
    struct bytes none;
    rather = rather != NULL ? rather : &none;
    *rather = bytes_of("", 0);
    struct post_intent i;
    TRY(intent_decode(&i, encoded));
    if (i.member >= d->cfg.members) {
        return ERR_MALFORMED;
    }
    if (duty_segment_find(d, i.segment) == NULL) {
        return ERR_NOT_FOUND;
    }
    if (i.time_ms > now_ms + CLOCK_SKEW_MS) {
        return ERR_REFUSED;
    }
    if (!is_held(d, encoded) && make_way(d, i.segment)) {
        const struct held like = {.foreign = foreign, .released = released, .made_ms = now_ms};
        TRY(add(d, encoded, &i, &like));
    }
    find_better(d, &i, rather);
    return OK;
}

bool duty_holds(const struct duty *d, struct bytes encoded)
{
    return is_held(d, encoded);
}

bool duty_ack(struct duty *d, uint64_t segment, const struct hash *intent, uint8_t member)
{
    struct held *h = duty_held_of(d, segment, d->cfg.self);
    if (h == NULL || member >= d->cfg.members || member == d->cfg.self ||
        (intent != NULL && !hash_equal(intent, &h->hash))) {
        return false;
    }
    bool first = h->acks == 0;
    h->acks |= UINT32_C(1) << member;
    return first;
}

uint32_t duty_acks(const struct duty *d, uint64_t segment)
{
    const struct held *h = duty_held_of(d, segment, d->cfg.self);
    return h != NULL ? h->acks : 0;
}

void duty_released(struct duty *d, uint64_t segment)
{
    struct held *h = duty_held_of(d, segment, d->cfg.self);
    if (h != NULL) {
        h->released = true;
    }
}

void duty_sent(struct duty *d, uint64_t segment, uint8_t owner, enum duty_sent how)
{
    struct held *h = duty_held_of(d, segment, owner);
    if (h == NULL) {
        return;
    }
    if (how == DUTY_SENT_NEVER && !h->said_never) {
        h->never_head = d->view.head;
    }
    h->said_never = how == DUTY_SENT_NEVER;
}

size_t duty_intents(const struct duty *d)
{
    return d->helds;
}

size_t duty_backlog(const struct duty *d)
{
    return d->backlog;
}
