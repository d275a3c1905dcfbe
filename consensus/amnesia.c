/* Before the first signature, after a lost journal, beside a second copy of the key (CONSENSUS 8).
 *
 * asking    a fresh start asks every peer for the votes of this key that it holds; the first
 *           signature waits for answers of weight >= W - Q + F + 1, or 0.5 s after a quorum is
 *           connected.
 * amnesiac  signs nothing; asks all with a nonce for their highest own signatures; M is the
 *           smallest slot with answers <= M from others of weight >= W - Q + F + 1; cleared once a
 *           block in a turn > turn(M) + n + 1 is final here. */
#include "consensus/core.h"
#include "proto/keccak.h"

enum { MS = 1000, ASK_LIMIT_US = 500 * MS, ASK_AGAIN_US = 500 * MS, AMNESIA_AGAIN_US = 2000 * MS };

static uint32_t answers_needed(const struct core *c)
{
    return c->epoch->total - c->epoch->quorum + c->epoch->faulty + 1;
}

void amnesia_found(struct core *c)
{
    if (c->amnesiac) {
        return;
    }
    c->amnesiac = true;
    c->step_amnesiac = true;
    effect_alarm(c, ALARM_AMNESIAC, c->cur, c->config.self);
}

/* A valid signature of this key, seen elsewhere, that this journal should hold. */
void own_signature_seen(struct core *c, uint64_t slot, int kind, const struct hash *block)
{
    if (c->amnesiac || c->stopped || slot <= c->highest_final) {
        return;
    }
    const struct slot_record *r = slot_find(c, slot);
    bool known = r != NULL && r->own[kind].kind != 0 && hash_equal(&r->own[kind].block, block);
    if (known) {
        return;
    }
    if (!c->signed_any) {
        amnesia_found(c);
        return;
    }
    c->stopped = true;
    effect_alarm(c, ALARM_SECOND_INSTANCE, slot, c->config.self);
}

/* ---- questions and answers
 * -------------------------------------------------------------------------- */

static void answer_own_votes(struct core *c, int to, uint64_t above)
{
    struct message *m = message_new(c, MSG_OWN_VOTES);
    struct vote *list = m == NULL ? NULL : scratch_take(c, LIMIT_FRAME_VOTES * sizeof *list);
    if (list == NULL) {
        return;
    }
    m->u.bundle.vote = list;
    /* The highest one outlives its slot's record: a restored copy of a disk shows by it. */
    const struct vote *top = &c->peer[to].highest_vote;
    struct hash digest = vote_digest(c->epoch, top->kind, top->slot, &top->block);
    if (top->kind != 0 && top->slot > above && signature_good(c, &digest, &top->signature, to)) {
        list[m->u.bundle.votes++] = *top;
    }
    for (uint32_t i = 0; i < c->slots_used; i++) {
        const struct slot_record *r = &c->slot[c->slot_list[i]];
        for (int k = 0; k < KINDS && r->slot > above; k++) {
            const struct tally_vote *v = &r->vote[k][to];
            if (v->check != VOTE_ABSENT && m->u.bundle.votes < LIMIT_FRAME_VOTES) {
                list[m->u.bundle.votes++] =
                    (struct vote){(uint8_t)(k + 1), (uint8_t)to, c->epoch->epoch,
                                  r->slot,          v->block,    v->signature};
            }
        }
    }
    effect_send(c, to, 0, m);
}

static void take_own_votes(struct core *c, const struct bundle *b, int from)
{
    for (uint32_t i = 0; i < b->votes; i++) {
        const struct vote *v = &b->vote[i];
        if ((int)v->signer != c->config.self || v->epoch != c->epoch->epoch ||
            v->kind < VOTE_NOTARIZE || v->kind > VOTE_FINALIZE) {
            effect_ban(c, from, "own votes that are not this member's");
            return;
        }
        struct hash digest = vote_digest(c->epoch, v->kind, v->slot, &v->block);
        if (!signature_good(c, &digest, &v->signature, c->config.self)) {
            effect_ban(c, from, "own votes with a bad signature");
            return;
        }
        if (!c->signed_any && v->slot > max_u64(c->highest_signed, c->start_root)) {
            amnesia_found(c); /* the journal ends below what this key has signed */
        } else {
            own_signature_seen(c, v->slot, v->kind - 1, &v->block);
        }
    }
    c->peer[from].answered = true;
}

static void answer_amnesia(struct core *c, const struct message *q, int to)
{
    if (c->amnesiac || c->config.self < 0 || q->u.amnesia.epoch != c->epoch->epoch) {
        return;
    }
    struct message *m = message_new(c, MSG_AMNESIA_ANSWER);
    if (m == NULL) {
        return;
    }
    m->u.amnesia.epoch = c->epoch->epoch;
    memcpy(m->u.amnesia.nonce, q->u.amnesia.nonce, sizeof m->u.amnesia.nonce);
    m->u.amnesia.highest_epoch = c->epoch->epoch;
    /* Own votes at or below the head of the start are not brought back, and may be pruned: it stands
     * for them, or M would lie below what the asker signed together with this member. */
    m->u.amnesia.highest_slot = max_u64(c->highest_signed, c->start_root);
    m->u.amnesia.clearing_epoch = c->epoch->epoch;
    m->u.amnesia.clearing_slot = c->floor_slot;
    effect_send(c, to, 0, m);
}

static void take_amnesia_answer(struct core *c, const struct message *m, int from)
{
    struct peer_state *p = &c->peer[from];
    bool ours = memcmp(m->u.amnesia.nonce, c->nonce, sizeof c->nonce) == 0;
    if (!c->amnesiac || !ours || p->amnesia_answered) {
        return; /* The first answer since the start counts and is not replaced (E7). */
    }
    bool later = m->u.amnesia.highest_epoch > c->epoch->epoch;
    p->amnesia_answered = true;
    p->amnesia_slot =
        later ? UINT64_MAX : max_u64(m->u.amnesia.highest_slot, m->u.amnesia.clearing_slot);
}

void amnesia_message(struct core *c, const struct message *m, int from)
{
    if (m->kind == MSG_OWN_VOTES_ASK) {
        answer_own_votes(c, from, m->u.own_votes_ask.above_slot);
    } else if (m->kind == MSG_OWN_VOTES) {
        take_own_votes(c, &m->u.bundle, from);
    } else if (m->kind == MSG_AMNESIA_ASK) {
        answer_amnesia(c, m, from);
    } else {
        take_amnesia_answer(c, m, from);
    }
}

/* ---- before the first signature
 * ------------------------------------------------------------------------ */

static void ask_own_votes(struct core *c, uint32_t i)
{
    struct peer_state *p = &c->peer[i];
    if (!p->up || p->answered || (p->asked_us != 0 && c->now_us < p->asked_us + ASK_AGAIN_US)) {
        return;
    }
    struct message *m = message_new(c, MSG_OWN_VOTES_ASK);
    if (m != NULL) {
        m->u.own_votes_ask.epoch = c->epoch->epoch;
        /* From where the journal began, also when the chain was caught up with in the meantime. */
        m->u.own_votes_ask.above_slot = max_u64(c->floor_slot, c->start_root);
        p->asked_us = c->now_us;
        effect_send(c, (int)i, 0, m);
    }
}

static bool quorum_connected(const struct core *c)
{
    uint32_t weight = c->epoch->member[c->config.self].weight;
    for (uint32_t i = 0; i < c->n; i++) {
        weight += (int)i != c->config.self && c->peer[i].up ? c->epoch->member[i].weight : 0;
    }
    return weight >= c->epoch->quorum;
}

static void drive_asking(struct core *c)
{
    uint32_t weight = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if ((int)i != c->config.self) {
            ask_own_votes(c, i);
            weight += c->peer[i].answered ? c->epoch->member[i].weight : 0;
        }
    }
    if (!quorum_connected(c)) {
        c->quorum_since_us = 0;
    } else if (c->quorum_since_us == 0) {
        c->quorum_since_us = c->now_us;
    }
    uint64_t limit = c->quorum_since_us + ASK_LIMIT_US;
    bool waited = !c->config.ask_without_limit && c->quorum_since_us != 0 && c->now_us >= limit;
    if (weight >= answers_needed(c) || waited) {
        c->asking = false;
        c->entered_us = c->now_us;
        return;
    }
    timing_want(c, c->quorum_since_us != 0 && !c->config.ask_without_limit
                       ? limit
                       : c->now_us + ASK_AGAIN_US);
}

/* ---- clearing
 * -------------------------------------------------------------------------------------------- */

/* M: the smallest slot with answers at or below it from enough others; false: not enough yet. */
static bool smallest_covering(const struct core *c, uint64_t *out)
{
    bool found = false;
    for (uint32_t i = 0; i < c->n; i++) {
        if (!c->peer[i].amnesia_answered) {
            continue;
        }
        uint32_t weight = 0;
        uint64_t m = c->peer[i].amnesia_slot;
        for (uint32_t j = 0; j < c->n; j++) {
            bool below = c->peer[j].amnesia_answered && c->peer[j].amnesia_slot <= m;
            weight += below ? c->epoch->member[j].weight : 0;
        }
        if (weight >= answers_needed(c) && m != UINT64_MAX && (!found || m < *out)) {
            *out = m;
            found = true;
        }
    }
    return found;
}

static void ask_amnesia(struct core *c)
{
    if (c->amnesia_asked_us != 0 && c->now_us < c->amnesia_asked_us + AMNESIA_AGAIN_US) {
        timing_want(c, c->amnesia_asked_us + AMNESIA_AGAIN_US);
        return;
    }
    c->amnesia_asked_us = c->now_us;
    timing_want(c, c->now_us + AMNESIA_AGAIN_US);
    for (uint32_t i = 0; i < c->n; i++) {
        struct message *m =
            c->peer[i].up && !c->peer[i].amnesia_answered ? message_new(c, MSG_AMNESIA_ASK) : NULL;
        if (m != NULL) {
            m->u.amnesia.epoch = c->epoch->epoch;
            memcpy(m->u.amnesia.nonce, c->nonce, sizeof c->nonce);
            effect_send(c, (int)i, 0, m);
        }
    }
}

static void drive_amnesiac(struct core *c)
{
    ask_amnesia(c);
    uint64_t m = 0;
    uint64_t root = block_root(c)->head.header.slot;
    if (!smallest_covering(c, &m) || root == 0) {
        return;
    }
    /* turn(0) counts as -1, so a quiet start needs turn > n. */
    uint64_t above = (m == 0 ? 0 : turn_of(c, m) + 1) + c->n;
    if (turn_of(c, root) <= above || c->cleared_pending) {
        return;
    }
    c->cleared_pending = true;
    c->cleared_seq = c->sequence + 1;
    c->floor_slot = root;
    c->step_cleared = true;
}

/* A process that was stopped for so long may have a living copy by now (a snapshot that was started
 * elsewhere): before it signs again it asks, as at a start. With own signatures behind it a vote
 * that it lacks then means a second instance. */
void amnesia_paused(struct core *c)
{
    if (c->config.self < 0 || !c->started || c->amnesiac || c->asking) {
        return;
    }
    c->asking = true;
    c->quorum_since_us = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        c->peer[i].answered = false;
        c->peer[i].asked_us = 0;
    }
}

void amnesia_drive(struct core *c)
{
    if (c->config.self < 0) {
        return;
    }
    if (c->amnesiac) {
        drive_amnesiac(c);
    } else if (c->asking) {
        drive_asking(c);
    }
}
