/* Messages of a node: what leaves and when, what arrives and where it goes; blocks that others
 * have and it lacks. */
#include <stdlib.h>

#include "tests/sim/adversary.h"
#include "tests/sim/sim.h"
#include "tests/sim/users.h"

enum { SYNC_AGAIN_US = SECOND, BODY_BYTES = 64 };

static const uint8_t body_bytes[BODY_BYTES];

/* ---- leaving ----------------------------------------------------------------------------------
 */

void node_send(void *node, int to, const struct message *m)
{
    struct node *n = node;
    struct sim *s = n->sim;
    struct frame *f = frame_of(s, m);
    const struct message *read = frame_message(s, f);
    if (read == NULL) {
        sim_fail(s, SIM_INVARIANT, "member %d sends what does not decode", n->member);
    } else {
        sim_trace(s, f->digest, (uint64_t)(int64_t)to);
        oracle_sends(s, n, to, m);
        oracle_leaves(s, n, read);
        if (!sim_lies(s, n->member) || !liars_tap(s, n, to, f)) {
            links_post(s, n, to, f);
        }
    }
    frame_drop(s, f);
}

struct bytes node_own_body(void *node, const struct block_head *head)
{
    struct node *n = node;
    struct sim *s = n->sim;
    uint32_t b = world_add(s, head);
    if (world_empty(&s->block[b])) {
        return bytes_of(NULL, 0);
    }
    disk_body(s, n, b);
    oracle_asks_body(s, n, &head->hash);
    return bytes_of(body_bytes, BODY_BYTES);
}

static void tell(struct sim *s, struct node *n, struct node *to, const struct message *m)
{
    struct frame *f = frame_of(s, m);
    links_post_node(s, n, to, f);
    frame_drop(s, f);
}

/* ---- blocks -----------------------------------------------------------------------------------
 */

void node_body(struct sim *s, struct node *n, uint32_t block)
{
    if ((n->holds[block] & HOLDS_HEAD) == 0) {
        n->holds[block] |= HOLDS_STASHED;
        return;
    }
    disk_body(s, n, block);
    struct event ev = {.kind = EVENT_BODY, .peer = -1};
    ev.u.body.block = s->block[block].head.hash;
    ev.u.body.ok = true;
    node_step(s, n, &ev);
}

void node_fetch(struct sim *s, struct node *n, const struct effect *e)
{
    uint32_t b = world_find(s, &e->u.fetch.block);
    if (b != NO_BLOCK && (n->holds[b] & HOLDS_BODY) != 0) {
        queue_push(s, (struct sim_event){.at = s->now,
                                         .kind = SIM_BODY,
                                         .to = (int8_t)n->index,
                                         .life = n->life,
                                         .block = b});
    }
    struct message m = {.kind = MSG_FETCH};
    m.u.fetch.block = e->u.fetch.block;
    struct frame *f = frame_of(s, &m);
    links_post(s, n, e->u.fetch.peer, f);
    frame_drop(s, f);
}

static void serve_fetch(struct sim *s, struct node *n, struct node *to, const struct hash *hash)
{
    uint32_t b = world_find(s, hash);
    uint8_t wanted = HOLDS_HEAD;
    if (b != NO_BLOCK && !world_empty(&s->block[b])) {
        wanted |= HOLDS_BODY;
    }
    if (b == NO_BLOCK || (n->holds[b] & wanted) != wanted || liars_withhold(s, n)) {
        return;
    }
    struct message m = {.kind = MSG_BLOCK, .u.block = {.head = s->block[b].head}};
    m.u.block.body = bytes_of(body_bytes, s->block[b].head.header.body_len);
    tell(s, n, to, &m);
}

/* Final blocks above a slot, up to the last one with a certificate of its own. */
static void serve_range(struct sim *s, struct node *n, struct node *to, uint64_t above)
{
    static struct block list[LIMIT_SYNC_BLOCKS];
    static struct certificate cert;
    const struct disk_head *h = disk_last_head(n);
    uint64_t top = h == NULL ? 0 : h->slot;
    struct message m = {.kind = MSG_BLOCKS, .u.blocks.block = list};
    uint32_t count = 0;
    for (uint64_t slot = above + 1; slot <= top && count < LIMIT_SYNC_BLOCKS; slot++) {
        uint32_t b = oracle_final_at(s, slot);
        if (b == NO_BLOCK) {
            continue;
        }
        list[count].head = s->block[b].head;
        list[count].body = bytes_of(body_bytes, list[count].head.header.body_len);
        count++;
        if (oracle_certificate(s, slot) != NULL) {
            m.u.blocks.blocks = count;
            cert = *oracle_certificate(s, slot);
            m.u.blocks.proof = (struct bundle){.cert = &cert, .certs = 1};
        }
    }
    if (m.u.blocks.blocks > 0 && !liars_withhold(s, n)) {
        account_mark(s->account, MARK_SYNC);
        tell(s, n, to, &m);
    }
}

/* A range is asked for from a peer that shows more than the core itself would catch up with. */
void node_sync(struct sim *s, struct node *n)
{
    const struct disk_head *h = disk_last_head(n);
    uint64_t own = h == NULL ? 0 : h->slot;
    if (s->now < n->sync_asked_us + SYNC_AGAIN_US && n->sync_asked_us != 0) {
        return;
    }
    for (uint32_t k = 0; k < s->nodes; k++) {
        uint32_t i = (k + (uint32_t)(s->now / SYNC_AGAIN_US)) % s->nodes;
        bool up = s->link[n->index][i].up && s->node[i].member != n->member;
        if (!up || n->peer_final[i] <= own + 2 * (uint64_t)s->plan->depth) {
            continue;
        }
        struct message m = {.kind = MSG_RANGE};
        m.u.range.epoch = 0;
        m.u.range.above_slot = own;
        m.u.range.max_blocks = LIMIT_SYNC_BLOCKS;
        n->sync_asked_us = s->now;
        tell(s, n, &s->node[i], &m);
        return;
    }
}

/* ---- arriving ---------------------------------------------------------------------------------
 */

static void to_core(struct sim *s, struct node *n, const struct node *from, const struct message *m)
{
    struct event ev = {.kind = EVENT_MESSAGE, .peer = from->member};
    ev.u.message = m;
    node_step(s, n, &ev);
}

static void body_of(struct sim *s, struct node *n, const struct hash *hash)
{
    uint32_t b = world_find(s, hash);
    if (b != NO_BLOCK && n->core != NULL && !world_empty(&s->block[b])) {
        node_body(s, n, b);
    }
}

static void learn_head(struct sim *s, const struct block_head *head)
{
    world_add(s, head);
}

static void blocks_in(struct sim *s, struct node *n, struct node *from, const struct message *m)
{
    for (uint32_t i = 0; i < m->u.blocks.blocks; i++) {
        learn_head(s, &m->u.blocks.block[i].head);
    }
    to_core(s, n, from, m);
    for (uint32_t i = 0; i < m->u.blocks.blocks && n->core != NULL; i++) {
        body_of(s, n, &m->u.blocks.block[i].head.hash);
    }
    n->sync_asked_us = 0;
}

static void message_in(struct sim *s, struct node *n, struct node *from, const struct message *m)
{
    switch ((int)m->kind) {
    case MSG_BODY:
        body_of(s, n, &m->u.body.block);
        break;
    case MSG_FETCH:
        serve_fetch(s, n, from, &m->u.fetch.block);
        break;
    case MSG_RANGE:
        serve_range(s, n, from, m->u.range.above_slot);
        break;
    case MSG_TXS:
    case MSG_TX_ACK:
        users_message(s, n, from, m);
        break;
    case MSG_BLOCK:
        learn_head(s, &m->u.block.head);
        to_core(s, n, from, m);
        body_of(s, n, &m->u.block.head.hash);
        break;
    case MSG_BLOCKS:
        blocks_in(s, n, from, m);
        break;
    case MSG_PROPOSAL:
        learn_head(s, &m->u.proposal.head);
        to_core(s, n, from, m);
        break;
    default:
        to_core(s, n, from, m);
        break;
    }
}

void node_frame(struct sim *s, struct node *n, struct node *from, struct frame *f)
{
    const struct message *m = frame_message(s, f);
    if (m == NULL) {
        account_mark(s->account, MARK_REFUSED);
        oracle_blames(s, n, from->member, "a frame that does not decode");
        return;
    }
    if (m->has_status) {
        n->peer_final[from->index] = m->status.final_slot;
    }
    if (n->puppet) {
        liars_hear(s, n, from->index, m);
    } else {
        message_in(s, n, from, m);
    }
}
