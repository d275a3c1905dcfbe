/* The bundle: what lifts a peer to the own slot (CONSENSUS 5). The highest finalize certificate;
 * the certificate, with header path, of the parent; one skip certificate per turn between; the
 * own stored votes of the turn of cur and later. */
#include "consensus/core.h"

enum { MS = 1000 };

static void add_cert(struct bundle *b, const struct certificate *cert)
{
    for (uint32_t i = 0; i < b->certs; i++) {
        if (b->cert[i].kind == cert->kind && b->cert[i].slot == cert->slot) {
            return;
        }
    }
    b->cert[b->certs++] = *cert; /* there is room: certs_needed() */
}

static void add_head(struct bundle *b, const struct block_head *head)
{
    for (uint32_t i = 0; i < b->heads; i++) {
        if (hash_equal(&b->head[i].hash, &head->hash)) {
            return;
        }
    }
    if (b->heads < LIMIT_BUNDLE_HEADERS && head->header.slot != 0) {
        b->head[b->heads++] = *head;
    }
}

/* The block that this member stands on: notarized right below cur, or the parent that it would give
 * the turn's first slot: an executed one, as for its own proposals (N4). A higher one that is only
 * notarized may be INVALID: who lacks a skip below it would wait there for ever. Where nothing
 * above the last delivered block is executed, that is it: what is final needs no execution. */
static struct block_record *standing_on(struct core *c)
{
    uint64_t first = turn_first(c, turn_of(c, c->cur));
    struct block_record *b = c->cur > first ? chain_notarized_at(c, c->cur - 1) : NULL;
    b = b != NULL ? b : chain_parent(c, first, true);
    return b != NULL ? b : block_root(c);
}

/* Headers from the certified block down to `b`: the path that makes the certificate prove b. */
static void add_path(struct core *c, struct bundle *out, const struct block_record *b)
{
    struct slot_record *r = slot_find(c, b->proof_slot);
    int kind = (r->has_cert & 1u << FINALIZE) != 0 ? FINALIZE : NOTARIZE;
    add_cert(out, &r->cert[kind]);
    const struct block_record *x = block_find(c, &r->cert[kind].block);
    while (x != NULL) {
        add_head(out, &x->head);
        if (x == b) {
            return;
        }
        x = block_parent(c, x);
    }
}

static void add_skips(struct core *c, struct bundle *out, uint64_t from_turn, uint64_t to_turn)
{
    for (uint64_t t = from_turn; t <= to_turn; t++) {
        const struct turn_record *r = turn_find(c, t);
        if (r != NULL && r->skipped) {
            add_cert(out, &r->skip);
        }
    }
}

static void add_votes(struct core *c, struct bundle *out, uint64_t above)
{
    uint64_t first = turn_first(c, turn_of(c, c->cur));
    for (uint32_t i = 0; i < c->slots_used; i++) {
        const struct slot_record *r = &c->slot[c->slot_list[i]];
        if (r->slot < first || r->slot <= above) {
            continue;
        }
        for (int k = 0; k < KINDS; k++) {
            if ((r->own_durable & 1u << k) != 0 && out->votes < LIMIT_FRAME_VOTES) {
                out->vote[out->votes++] = r->own[k];
            }
        }
    }
}

/* Certificates a bundle may need here: final, parent, and a skip for each turn between. */
static size_t certs_needed(struct core *c, const struct block_record *p)
{
    uint64_t from = p->head.header.slot == 0 ? 0 : turn_of(c, p->head.header.slot);
    uint64_t turns = turn_of(c, c->cur) - from + 1;
    return (size_t)min_u64(turns + 3, LIMIT_BUNDLE_CERTS);
}

/* The lowest turn that a receiver shows, at most the own; 0 where one has shown none. */
static uint64_t shown_turn(const struct core *c, int to)
{
    uint64_t lowest = turn_of(c, c->cur);
    for (uint32_t i = 0; i < c->n; i++) {
        const struct peer_state *p = &c->peer[i];
        if ((to == SEND_ALL || to == (int)i) && p->up) {
            lowest = min_u64(lowest, p->cur == 0 ? 0 : turn_of(c, p->cur));
        }
    }
    return lowest;
}

bool bundle_fill(struct core *c, struct bundle *out, int to)
{
    struct block_record *p = standing_on(c);
    memset(out, 0, sizeof *out);
    size_t certs = certs_needed(c, p);
    out->cert = scratch_take(c, certs * sizeof *out->cert);
    out->head = scratch_take(c, LIMIT_BUNDLE_HEADERS * sizeof *out->head);
    out->vote = scratch_take(c, LIMIT_FRAME_VOTES * sizeof *out->vote);
    if (out->cert == NULL || out->head == NULL || out->vote == NULL) {
        return false;
    }
    if (c->final_cert.slot != 0) {
        add_cert(out, &c->final_cert);
        const struct block_record *f = block_find(c, &c->final_cert.block);
        if (f != NULL) {
            add_head(out, &f->head);
        }
    }
    uint64_t from_turn = 0;
    if (p != block_root(c)) {
        add_path(c, out, p);
    }
    if (p->head.header.slot != 0) {
        from_turn = turn_of(c, p->head.header.slot);
    }
    uint64_t to_turn = turn_of(c, c->cur);
    /* Slots are walked turn by turn: should not all fit, the receiver's next ones come first, and
     * the rest with the next bundle, when it shows a later slot. */
    uint64_t room = certs - min_u64(certs, out->certs);
    if (to_turn - from_turn + 1 > room) {
        from_turn = min_u64(max_u64(from_turn, shown_turn(c, to)), to_turn);
        to_turn = min_u64(to_turn, from_turn + room - 1);
    }
    add_skips(c, out, from_turn, to_turn);
    add_votes(c, out, to >= 0 ? c->peer[to].final_slot : 0);
    return true;
}

void bundle_send(struct core *c, int to)
{
    struct message *m = message_new(c, MSG_BUNDLE);
    if (m == NULL || !bundle_fill(c, &m->u.bundle, to)) {
        return; /* no room left in this step: again in the next */
    }
    effect_send(c, to, 0, m);
    for (uint32_t i = 0; i < c->n; i++) {
        if (to == SEND_ALL || to == (int)i) {
            c->peer[i].bundle_us = c->now_us;
        }
    }
}

/* (c) on entering a turn's first slot, at once to that turn's leader. */
void bundle_entered(struct core *c)
{
    int leader = rotation_leader(c, turn_of(c, c->cur));
    if (c->config.self >= 0 && leader != c->config.self && c->peer[leader].up &&
        c->peer[leader].cur < c->cur) {
        bundle_send(c, leader);
    }
}

/* (b) to a peer that shows a lower slot, or a lower final slot, for longer than max(4 delta, 50
 * ms). */
void bundle_lagging(struct core *c)
{
    uint64_t after = max_u64(4 * timing_delta(c), 50 * MS);
    for (uint32_t i = 0; i < c->n; i++) {
        struct peer_state *p = &c->peer[i];
        if (!p->up || !p->has_status || (p->cur >= c->cur && p->final_slot >= c->highest_final)) {
            p->lower_us = 0;
            continue;
        }
        if (p->lower_us == 0) {
            p->lower_us = c->now_us;
        }
        uint64_t at = max_u64(p->lower_us, p->bundle_us) + after;
        if (c->now_us >= at) {
            bundle_send(c, (int)i);
        } else {
            timing_want(c, at);
        }
    }
}

void bundle_learn(struct core *c, const struct bundle *b, int from)
{
    for (uint32_t i = 0; i < b->certs; i++) {
        tally_certificate(c, &b->cert[i], from);
    }
    /* Children first: each makes its parent wanted. */
    for (uint32_t i = b->heads; i-- > 0;) {
        if (block_wanted(c, &b->head[i])) {
            block_learn(c, &b->head[i], from);
        }
    }
    for (uint32_t i = 0; i < b->heads; i++) {
        if (block_wanted(c, &b->head[i])) {
            block_learn(c, &b->head[i], from);
        }
    }
    for (uint32_t i = 0; i < b->votes; i++) {
        tally_vote_in(c, &b->vote[i], from);
    }
}
