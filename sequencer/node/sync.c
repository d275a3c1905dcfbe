#define _GNU_SOURCE
/* Blocks that others have and this node lacks: ranges of final blocks while far behind, single
 * blocks by hash for the core; and the same served to others. */
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

enum { ASK_AGAIN_US = 1000000, ASK_ONE_AGAIN_US = 20000, SERVE_US = 3000, SERVE_MOST_US = 500000 };

void sync_status(struct node *n, int member, const struct status *s)
{
    if (s->epoch != n->epoch.epoch) {
        return;
    }
    struct peer_view *p = &n->peer[member];
    if (!p->heard) {
        p->first_final = s->final_slot;
    }
    p->heard = true;
    p->status = *s;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static bool peer_ahead(const struct node *n, uint32_t i, uint64_t slot)
{
    return n->peer[i].heard && n->peer[i].status.final_slot > slot && net_up(n, (int)i);
}

/* Another one each time: a member that answers with nothing of use, or as slowly as it may, holds
 * nobody back for longer than its own answer takes. */
static void ask(struct node *n, uint64_t above)
{
    struct syncing *s = &n->syncing;
    for (uint32_t k = 0; k < n->epoch.n; k++) {
        uint32_t i = (s->next_peer + k) % n->epoch.n;
        if (!peer_ahead(n, i, above)) {
            continue;
        }
        struct message m = {.kind = MSG_RANGE};
        m.u.range.epoch = n->epoch.epoch;
        m.u.range.above_slot = above;
        m.u.range.max_blocks = LIMIT_SYNC_BLOCKS;
        net_send(n, (int)i, &m);
        s->asked = (int)i;
        s->asked_us = driver_now();
        s->above = above;
        s->next_peer = i + 1;
        return;
    }
}

/* The final slot that members of weight >= F + 1 show: one of them is honest. */
static uint64_t shown_final(const struct node *n)
{
    uint64_t best = 0;
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        uint64_t slot = n->peer[i].heard ? n->peer[i].status.final_slot : 0;
        uint32_t weight = 0;
        for (uint32_t k = 0; k < n->epoch.n; k++) {
            weight += n->peer[k].heard && n->peer[k].status.final_slot >= slot
                          ? n->epoch.member[k].weight
                          : 0;
        }
        if (slot > best && weight >= n->epoch.faulty + 1) {
            best = slot;
        }
    }
    return best;
}

void sync_check(struct node *n)
{
    struct syncing *s = &n->syncing;
    uint64_t own = n->finality.slot;
    uint64_t margin = 2ULL * n->epoch.params.depth;
    bool behind = shown_final(n) > own + margin;
    s->active = shown_final(n) > own + margin + n->epoch.params.turn_slots ||
                n->finality.waiting > FINAL_QUEUE_SYNC;
    if (s->asked >= 0 && driver_now() - s->asked_us > ASK_AGAIN_US) {
        s->asked = -1;
        s->above = own;
    }
    if (behind && s->asked < 0 && n->finality.waiting <= FINAL_QUEUE_SYNC) {
        ask(n, own);
    }
}

void sync_blocks(struct node *n, int member, const struct message *m)
{
    struct syncing *s = &n->syncing;
    if (member != s->asked) {
        return;
    }
    s->asked = -1;
    uint32_t count = m->u.blocks.blocks;
    if (count == 0) {
        return;
    }
    uint64_t last = m->u.blocks.block[count - 1].head.header.slot;
    /* Bodies are still being checked: the next range is on its way meanwhile. */
    if (last > s->above && n->finality.waiting <= FINAL_QUEUE_SYNC &&
        peer_ahead(n, (uint32_t)member, last)) {
        ask(n, last);
    }
}

/* The core lacks a block's header or body. What is here is told again, and peers are asked as
 * well: the core may have forgotten a header that the cache still has. */
void sync_fetch(struct node *n, const struct hash *block, int peer)
{
    struct block_entry *e = blocks_load(n, block);
    uint64_t now = driver_now();
    if (e != NULL && (e->body_state == ENTRY_CHECKING || now - e->asked_us < ASK_ONE_AGAIN_US)) {
        return;
    }
    if (e != NULL) {
        e->asked_us = now;
        body_head_here(n, e);
    }
    struct message m = {.kind = MSG_FETCH};
    m.u.fetch.block = *block;
    net_send(n, peer, &m);
}

/* ---- serving --------------------------------------------------------------------------------- */

/* What is served is read and packed on the loop. Each member has its share of that time: one that
 * asks without end, within its budget of frames, keeps nobody from voting. */
static bool may_serve(struct node *n, int member)
{
    struct peer_view *p = &n->peer[member];
    uint64_t now = driver_now();
    if (now > p->serve_at_us) {
        p->serve_us += (now - p->serve_at_us) / n->epoch.n;
        p->serve_us = p->serve_us < SERVE_MOST_US ? p->serve_us : SERVE_MOST_US;
        p->serve_at_us = now;
    }
    return p->serve_us >= SERVE_US;
}

static void served(struct node *n, int member, uint64_t since_us)
{
    struct peer_view *p = &n->peer[member];
    uint64_t took = driver_now() - since_us;
    p->serve_us -= took < p->serve_us ? took : p->serve_us;
}

struct serving {
    struct block block[LIMIT_SYNC_BLOCKS];
    struct storage_buffer buf[LIMIT_SYNC_BLOCKS];
    uint32_t blocks;
    struct block_head path[LIMIT_BUNDLE_HEADERS];
    struct storage_buffer path_buf[LIMIT_BUNDLE_HEADERS];
    uint32_t paths;
    struct certificate cert;
    bool proved;
};

static void collect(struct node *n, struct serving *s, uint64_t above, uint32_t max)
{
    uint64_t until = driver_now() + SERVE_US;
    size_t bytes = 0;
    while (s->blocks < max && driver_now() < until) {
        struct hash hash;
        uint32_t i = s->blocks;
        if (storage_final_above(n->storage, n->epoch.epoch, above, &above, &hash) != OK ||
            storage_get_block(n->storage, &hash, &s->buf[i], &s->block[i]) != OK) {
            return;
        }
        size_t size = s->block[i].body.n + s->block[i].head.system.n + 1024;
        if (bytes + size > LIMIT_SYNC_BYTES && i > 0) {
            return;
        }
        bytes += size;
        s->blocks++;
    }
}

/* A certificate of exactly this slot. */
static bool certified(struct node *n, struct serving *s, uint64_t slot)
{
    enum err e = storage_certificate(n->storage, n->epoch.epoch, slot, &s->cert);
    return e == OK && s->cert.slot == slot;
}

/* Ends the answer at the last block with a certificate of its own; where none has one, headers
 * lead from the last block to a descendant that has. */
static void prove(struct node *n, struct serving *s)
{
    for (uint32_t i = s->blocks; i > 0 && !s->proved; i--) {
        s->proved = certified(n, s, s->block[i - 1].head.header.slot);
        if (s->proved) {
            s->blocks = i;
        }
    }
    uint64_t at = s->blocks > 0 ? s->block[s->blocks - 1].head.header.slot : 0;
    while (!s->proved && s->blocks > 0 && s->paths < LIMIT_BUNDLE_HEADERS) {
        struct hash hash;
        struct block b;
        if (storage_final_above(n->storage, n->epoch.epoch, at, &at, &hash) != OK ||
            storage_get_block(n->storage, &hash, &s->path_buf[s->paths], &b) != OK) {
            return;
        }
        s->path[s->paths++] = b.head;
        s->proved = certified(n, s, at);
    }
}

static void serve_range(struct node *n, int member, const struct message *m)
{
    struct serving *s = m->u.range.epoch == n->epoch.epoch ? calloc(1, sizeof *s) : NULL;
    if (s == NULL) {
        return;
    }
    uint32_t max =
        m->u.range.max_blocks < LIMIT_SYNC_BLOCKS ? m->u.range.max_blocks : LIMIT_SYNC_BLOCKS;
    collect(n, s, m->u.range.above_slot, max);
    prove(n, s);
    struct message answer = {.kind = MSG_BLOCKS};
    if (s->proved) {
        answer.u.blocks.block = s->block;
        answer.u.blocks.blocks = s->blocks;
        answer.u.blocks.proof.cert = &s->cert;
        answer.u.blocks.proof.certs = 1;
        answer.u.blocks.proof.head = s->path;
        answer.u.blocks.proof.heads = s->paths;
    }
    net_send(n, member, &answer);
    for (uint32_t i = 0; i < LIMIT_SYNC_BLOCKS; i++) {
        free(s->buf[i].p);
    }
    for (uint32_t i = 0; i < LIMIT_BUNDLE_HEADERS; i++) {
        free(s->path_buf[i].p);
    }
    free(s);
}

/* An empty answer sends the asker on to another member. */
void sync_serve_range(struct node *n, int member, const struct message *m)
{
    if (!may_serve(n, member)) {
        const struct message nothing = {.kind = MSG_BLOCKS};
        net_send(n, member, &nothing);
        return;
    }
    uint64_t since_us = driver_now();
    serve_range(n, member, m);
    served(n, member, since_us);
}

static void serve_fetch(struct node *n, int member, const struct hash *block)
{
    struct block_entry *e = blocks_load(n, block);
    if (e == NULL) {
        return;
    }
    bool has_body = e->body_state == ENTRY_GOOD || e->body_state == ENTRY_LOADED ||
                    e->body_state == ENTRY_CHECKING;
    if (!has_body && !blocks_is_empty(&e->head.header)) {
        return;
    }
    struct message m = {.kind = MSG_BLOCK};
    m.u.block.head = e->head;
    m.u.block.body = bytes_of(e->body, e->body_len);
    net_send(n, member, &m);
}

void sync_serve_fetch(struct node *n, int member, const struct hash *block)
{
    if (may_serve(n, member)) {
        uint64_t since_us = driver_now();
        serve_fetch(n, member, block);
        served(n, member, since_us);
    }
}
