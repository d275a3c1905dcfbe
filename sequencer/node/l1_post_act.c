/* What duty says is to be done: a transaction of our own, told to others, released; another's sent. */
#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/key.h"
#include "sequencer/node/l1_post_parts.h"
#include "sequencer/observe/log.h"

enum { OWNER_FIRST_MS = 12000 };

bool post_slot(const struct l1_post *p, uint64_t segment, uint8_t part, struct txm_slot_view *out)
{
    int i = txm_find(p->txm, segment, part);
    if (i >= 0) {
        txm_slot(p->txm, (size_t)i, out);
    }
    return i >= 0;
}

/* ---- post ------------------------------------------------------------------------------------ */

/* Both halves stand in the journal and are not mined. */
static bool is_carried(const struct l1_post *p, uint64_t segment)
{
    struct txm_slot_view v;
    for (uint8_t part = 0; part < p->parts; part++) {
        if (!post_slot(p, segment, part, &v) || v.state >= TXM_MINED) {
            return false;
        }
    }
    return true;
}

static enum err make(struct l1_post *p, const struct l1_segment *s)
{
    uint64_t nonce[INTENT_PARTS];
    const struct epoch_config *c = p->s.node->epoch;
    const struct address to[INTENT_PARTS] = {l1_inbox(c), l1_auth(c)};
    struct txm_payload payload[INTENT_PARTS];
    struct l1_load *l;
    TRY(post_load(p, s->no, &l));
    for (uint8_t i = 0; i < p->parts; i++) {
        payload[i] = (struct txm_payload){.segment = s->no, .part = i, .last = s->last,
                                          .kind = p->blobs ? TXM_BLOB : TXM_CALLDATA,
                                          .to = to[i], .data = buffer_bytes(&l->data[i]),
                                          .blobs = l->blobs.blobs};
        memcpy(payload[i].versioned, l->blobs.versioned, sizeof payload[i].versioned);
    }
    return txm_post(p->txm, payload, p->parts, nonce);
}

/* The whole ladder, so that others can raise the fees of a transaction whose owner is gone. */
static void fill_part(struct intent_part *out, const struct txm_slot_view *v)
{
    *out = (struct intent_part){.nonce = v->nonce, .blobs = v->payload->blobs};
    memcpy(out->versioned, v->payload->versioned, sizeof out->versioned);
    for (; out->rungs < v->rungs && out->rungs < INTENT_LADDER; out->rungs++) {
        out->raw[out->rungs] = v->raw[out->rungs];
    }
}

static bool fill_intent(struct l1_post *p, const struct l1_segment *s, struct post_intent *i)
{
    struct txm_slot_view v;
    bool released = true;
    *i = (struct post_intent){.chain_id = p->s.node->genesis->chain_id,
                              .l1_chain_id = p->s.l1_chain_id, .time_ms = post_wall_ms(),
                              .segment = s->no, .first = s->first, .last = s->last,
                              .last_hash = s->last_hash, .root = s->root, .channel = s->channel,
                              .member = (uint8_t)p->s.node->self,
                              .kind = p->blobs ? INTENT_BLOB : INTENT_CALLDATA,
                              .account = p->account, .parts = p->parts};
    for (uint8_t part = 0; part < p->parts && post_slot(p, s->no, part, &v); part++) {
        fill_part(&i->part[part], &v);
        released = released && v.state != TXM_JOURNALED;
    }
    return released;
}

static enum err sign_intent(struct l1_post *p, struct post_intent *i, struct buffer *out)
{
    TRY(intent_encode(out, i));
    struct hash digest = intent_digest(p->s.node->epoch, i, buffer_bytes(out));
    TRY(key_sign(&i->signature, p->s.node->key, &digest));
    buffer_clear(out);
    return intent_encode(out, i);
}

/* On disk before anybody hears of it (R6). */
static enum err tell_duty(struct l1_post *p, const struct l1_segment *s)
{
    struct buffer encoded;
    struct post_intent *i = calloc(1, sizeof *i);
    if (i == NULL) {
        return ERR_NO_MEMORY;
    }
    bool released = fill_intent(p, s, i);
    buffer_init(&encoded, LIMIT_INTENT_BYTES);
    enum err e = sign_intent(p, i, &encoded);
    e = e == OK ? l1_intents_put(p->intents, buffer_bytes(&encoded), p->final) : e;
    e = e == OK ? duty_intent_add(p->duty, buffer_bytes(&encoded), false, released, i->time_ms,
                                  NULL)
                : e;
    p->sharing.made += e == OK;
    buffer_free(&encoded);
    free(i);
    return e;
}

static bool do_post(struct l1_post *p, const struct duty_action *a)
{
    const struct l1_segment *s = post_segment(p, a->segment);
    if (s == NULL) {
        return false;
    }
    enum err e = is_carried(p, s->no) ? OK : make(p, s);
    e = e == OK ? tell_duty(p, s) : e;
    if (e != OK && e != p->err && e != ERR_BUSY && e != ERR_NOT_READY) {
        log_write(LOG_ERROR, "l1", "a segment cannot be posted: it is tried again",
                  LOG_U64("segment", s->no), LOG_STR("error", err_text(e)), NULL);
    }
    p->err = e;
    return e == OK;
}

/* ---- share, release -------------------------------------------------------------------------- */

static bool do_release(struct l1_post *p, const struct duty_action *a)
{
    struct txm_slot_view v;
    for (uint8_t part = 0; part < p->parts; part++) {
        if (!post_slot(p, a->segment, part, &v) || txm_release(p->txm, v.nonce) != OK) {
            return false;
        }
    }
    bool alone = duty_acks(p->duty, a->segment) == 0 && p->s.node->epoch->n > 1;
    if (alone) {
        log_write(LOG_INFO, "l1", "nobody answered: a segment is posted without a standby",
                  LOG_U64("segment", a->segment), NULL);
    }
    p->sharing.alone += alone;
    duty_released(p->duty, a->segment);
    return true;
}

/* ---- push ------------------------------------------------------------------------------------ */

static void on_pushed(void *arg, const struct l1_sent *s)
{
    struct push_of *f = arg;
    bool never = s->verdict == L1_SEND_FUNDS || s->verdict == L1_SEND_OTHERKIND ||
                 s->verdict == L1_SEND_BUG;
    f->used = false;
    duty_sent(f->post->duty, f->segment, f->owner, never ? DUTY_SENT_NEVER : DUTY_SENT_FINE);
}

static struct push_of *free_push(struct l1_post *p)
{
    size_t i = 0;
    while (i < POST_PUSHES && p->push[i].used) {
        i++;
    }
    return i < POST_PUSHES ? &p->push[i] : NULL;
}

static void push_part(struct l1_post *p, const struct duty_action *a, const struct intent_part *part)
{
    struct bytes raw = part->raw[a->rung < part->rungs ? a->rung : part->rungs - 1];
    struct hash hash = keccak256(raw.p, raw.n);
    struct push_of *f = free_push(p);
    if (f == NULL || (p->blobs && post_wrap(p, a->segment, raw, part->versioned, part->blobs,
                                            &raw) != OK)) {
        return; /* at the next head again */
    }
    *f = (struct push_of){.post = p, .segment = a->segment, .owner = a->owner};
    f->used = p->s.l1.ops->send(p->s.l1.ctx, raw, &hash, on_pushed, f) == OK;
    p->sharing.pushed += f->used;
}

/* Proofs cost 0.4 s a blob at everybody who sends them: an owner that is there sends its own first. */
static bool owner_comes_first(const struct l1_post *p, const struct duty_action *a,
                              const struct duty_view *v)
{
    bool there = (v->connected >> a->owner & 1) != 0;
    return p->blobs && there && v->now_ms < a->intent->time_ms + OWNER_FIRST_MS;
}

static void do_push(struct l1_post *p, const struct duty_action *a, const struct duty_view *v)
{
    if (owner_comes_first(p, a, v)) {
        return;
    }
    log_write(LOG_DEBUG, "l1", "another member's transaction is sent for it",
              LOG_U64("segment", a->segment), LOG_U64("owner", a->owner),
              LOG_U64("rung", a->rung), NULL);
    for (size_t i = 0; i < a->intent->parts; i++) {
        push_part(p, a, &a->intent->part[i]);
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

bool post_act(struct l1_post *p, const struct duty_view *v)
{
    struct duty_plan plan;
    bool again = false;
    duty_tick(p->duty, v, &plan);
    p->state = plan.state;
    txm_limit(p->txm, plan.upto);
    for (size_t i = 0; i < plan.n; i++) {
        const struct duty_action *a = &plan.action[i];
        switch (a->what) {
        case DUTY_POST:
            if (do_post(p, a) || p->err == ERR_NO_MEMORY) {
                return true; /* others borrow from what it changed */
            }
            break;
        case DUTY_SHARE:
            post_letter(p, a->to, a->encoded, false);
            break;
        case DUTY_RELEASE:
            again = do_release(p, a) || again;
            break;
        case DUTY_PUSH:
            do_push(p, a, v);
            break;
        }
    }
    return again;
}
