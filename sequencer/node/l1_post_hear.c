/* What other members say of transactions that they are about to send, and of ours. An intent is
 * held against the own chain, stored, and only then acknowledged: whoever acknowledged can bring it
 * home after its owner's death and after a restart of its own. */
#include <stdlib.h>

#include "proto/keccak.h"
#include "sequencer/node/l1_post_parts.h"
#include "sequencer/observe/log.h"

/* How far beyond the cursor a segment may be: who posts has no more under way than `inflight`, and
 * may be some segments ahead of what this member has derived. Each owner a few intents a second. */
enum { AHEAD = 8, TAKEN_A_SECOND = 4 };

void post_letter(struct l1_post *p, uint32_t members, struct bytes intent, bool answer)
{
    const struct l1_letter like = {.members = members, .answer = answer};
    (void)l1_box_put(p->s.out, &like, intent); /* shared again while nobody answers */
}

static void acknowledge(struct l1_post *p, uint32_t members, uint64_t segment, struct bytes intent)
{
    const struct l1_letter like = {.members = members, .ack = true, .segment = segment,
                                   .intent = keccak256(intent.p, intent.n)};
    (void)l1_box_put(p->s.out, &like, bytes_of("", 0));
}

static void take_ack(struct l1_post *p, const struct l1_letter *l)
{
    for (uint8_t i = 0; i < p->s.node->epoch->n; i++) {
        if (l->members == UINT32_C(1) << i) {
            p->sharing.acked += duty_ack(p->duty, l->segment, &l->intent, i);
        }
    }
}

/* ---- is it what it says? --------------------------------------------------------------------- */

/* Soon to be posted, and not derived yet. */
static const struct l1_segment *segment_near(const struct l1_post *p, uint64_t no)
{
    const struct l1_segment *s = post_segment(p, no);
    const struct l1_segment *back = no >= AHEAD ? post_segment(p, no - AHEAD) : NULL;
    bool far = back != NULL && back->first > p->safe + 1;
    return s != NULL && s->last > p->safe && !far ? s : NULL;
}

static enum err check(struct l1_post *p, const struct post_intent *i, const struct l1_segment *s,
                      bool *foreign)
{
    struct l1_load *l;
    TRY(post_load(p, s->no, &l));
    const struct epoch_config *c = p->s.node->epoch;
    struct intent_wanted w = {.chain_id = p->s.node->genesis->chain_id,
                              .l1_chain_id = p->s.l1_chain_id,
                              .kind = p->blobs ? INTENT_BLOB : INTENT_CALLDATA,
                              .segment = s->no, .first = s->first, .last = s->last,
                              .last_hash = s->last_hash, .root = s->root,
                              .to = {l1_inbox(c), l1_auth(c)},
                              .data = {buffer_bytes(&l->data[0]), buffer_bytes(&l->data[1])},
                              .blobs = l->blobs.blobs, .epoch = c};
    memcpy(w.versioned, l->blobs.versioned, sizeof w.versioned);
    return intent_check(i, &w, foreign);
}

static bool too_many(struct l1_post *p, uint8_t owner)
{
    uint64_t second = post_wall_ms() / 1000;
    if (p->taken[owner].second != second) {
        p->taken[owner].second = second;
        p->taken[owner].n = 0;
    }
    return ++p->taken[owner].n > TAKEN_A_SECOND;
}

/* ---- taking one in --------------------------------------------------------------------------- */

/* OK: verified, in duty and on disk. What is known already is. */
static enum err keep(struct l1_post *p, const struct post_intent *i, struct bytes encoded,
                     struct bytes *rather)
{
    bool foreign = false;
    const struct l1_segment *s = segment_near(p, i->segment);
    if (s == NULL) {
        return ERR_NOT_FOUND;
    }
    bool known = duty_holds(p->duty, encoded);
    if (!known) {
        if (too_many(p, i->member)) {
            return ERR_BUSY;
        }
        TRY(check(p, i, s, &foreign));
    }
    TRY(duty_intent_add(p->duty, encoded, foreign, false, post_wall_ms(), rather));
    if (!known) {
        TRY(l1_intents_put(p->intents, encoded, p->final));
        post_nonce_learn(p, i->member, &i->account);
        p->sharing.taken++;
    }
    return OK;
}

/* The owner sealed it a moment sooner. Where too many wait the oldest is forgotten: shared again. */
static void put_aside(struct l1_post *p, const struct l1_letter *l)
{
    struct l1_letter *copy = malloc(sizeof *copy + l->n);
    if (copy == NULL) {
        return;
    }
    memcpy(copy, l, sizeof *copy + l->n);
    if (p->earlies == POST_EARLY) {
        free(p->early[0]);
        memmove(&p->early[0], &p->early[1], --p->earlies * sizeof p->early[0]);
    }
    p->early[p->earlies++] = copy;
}

static bool is_early(const struct l1_post *p, const struct post_intent *i)
{
    return i->segment >= p->newest && i->segment - p->newest < AHEAD;
}

static enum err take_intent(struct l1_post *p, const struct l1_letter *l)
{
    struct bytes rather;
    struct bytes encoded = bytes_of(l->bytes, l->n);
    struct post_intent *i = calloc(1, sizeof *i);
    enum err e = i == NULL ? ERR_NO_MEMORY : intent_decode(i, encoded);
    e = e == OK ? intent_verify(p->s.node->epoch, i, encoded) : e;
    if (e == OK && i->member == p->s.node->self) {
        free(i);
        return OK; /* our own comes from the journal, or not at all */
    }
    if (e == OK && is_early(p, i)) {
        put_aside(p, l);
        e = ERR_NOT_FOUND;
    }
    e = e == OK ? keep(p, i, encoded, &rather) : e;
    if (e == OK && !l->answer && rather.n > 0) {
        post_letter(p, l->members, rather, true);
    } else if (e == OK && !l->answer) {
        acknowledge(p, l->members, i->segment, encoded);
    }
    free(i);
    return e;
}

void post_take_letter(struct l1_post *p, const struct l1_letter *l)
{
    if (l->ack) {
        take_ack(p, l);
    } else {
        enum err e = take_intent(p, l);
        bool passing = e == OK || e == ERR_NOT_FOUND || e == ERR_BUSY || e == ERR_NOT_READY;
        if (!passing && p->sharing.refused++ % 64 == 0) {
            log_write(LOG_WARN, "l1", "a member shared a transaction that is not right",
                      LOG_STR("error", err_text(e)), LOG_U64("refused", p->sharing.refused), NULL);
        }
    }
}

void post_take_early(struct l1_post *p)
{
    struct l1_letter *again[POST_EARLY];
    size_t n = p->earlies;
    memcpy(again, p->early, n * sizeof again[0]);
    p->earlies = 0;
    for (size_t i = 0; i < n; i++) {
        post_take_letter(p, again[i]); /* aside again, if it is still too early */
        free(again[i]);
    }
}

/* ---- after a restart ------------------------------------------------------------------------- */

/* Our own counts with its transactions in the journal alone. */
static bool is_ours_still(const struct l1_post *p, const struct post_intent *i, bool *released)
{
    struct txm_slot_view v;
    *released = true;
    for (uint8_t part = 0; part < i->parts; part++) {
        if (part >= p->parts || !post_slot(p, i->segment, part, &v) ||
            v.nonce != i->part[part].nonce) {
            return false;
        }
        *released = *released && v.state != TXM_JOURNALED;
    }
    return true;
}

static void restore(struct l1_post *p, struct bytes encoded)
{
    bool foreign = false;
    bool released = false;
    struct post_intent *i = calloc(1, sizeof *i);
    enum err e = i == NULL ? ERR_NO_MEMORY : intent_decode(i, encoded);
    const struct l1_segment *s = e == OK ? post_segment(p, i->segment) : NULL;
    bool own = e == OK && i->member == p->s.node->self;
    if (s == NULL || (own && !is_ours_still(p, i, &released))) {
        free(i);
        return; /* final, or of another life */
    }
    e = own ? OK : check(p, i, s, &foreign);
    if (e == ERR_NOT_READY) { /* the set-up of KZG: until it is there others cannot be sent anyway */
        foreign = false;
        e = OK;
    }
    if (e == OK && duty_intent_add(p->duty, encoded, foreign, released, post_wall_ms(), NULL) == OK) {
        post_nonce_learn(p, i->member, &i->account);
    }
    free(i);
}

void post_restore(struct l1_post *p)
{
    struct bytes encoded;
    while (l1_intents_next(p->intents, &encoded)) {
        restore(p, encoded);
    }
    p->restored = true;
}
