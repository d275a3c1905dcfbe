#define _GNU_SOURCE
/* What peers say: consensus messages go to the core, the others to the trades that know them. */
#include "sequencer/node/parts.h"

bool net_up(const struct node *n, int member)
{
    if (n->p2p == NULL || member < 0 || (uint32_t)member >= n->epoch.n || member == n->self) {
        return false;
    }
    struct p2p_peer_stats stats;
    p2p_get_stats(n->p2p, member, &stats);
    return stats.up;
}

void net_send(struct node *n, int to, const struct message *m)
{
    struct message timed;
    if (n->p2p == NULL) {
        return;
    }
    if (m->has_status) {
        timed = *m;
        timed.status.clock_ms = driver_wall(n);
        m = &timed;
    }
    enum err e = p2p_send(n->p2p, to, m);
    if (e != OK && e != ERR_UNREACHABLE && e != ERR_BUSY) {
        log_write(LOG_WARN, "p2p", "a message could not be sent", LOG_STR("error", err_text(e)),
                  LOG_U64("kind", (uint64_t)m->kind), NULL);
    }
}

void net_flush(struct node *n)
{
    if (n->p2p != NULL) {
        p2p_flush(n->p2p);
    }
}

static void peer_up(void *ctx, int member, const uint8_t instance[16], uint64_t journal_sequence)
{
    (void)instance;
    (void)journal_sequence;
    struct node *n = ctx;
    log_write(LOG_INFO, "p2p", "peer up", LOG_STR("peer", n->epoch.member[member].name), NULL);
    struct event e = {.kind = EVENT_PEER, .peer = member};
    e.u.peer.up = true;
    driver_give(n, e);
    intake_peer_up(n, member);
    rpc_on_status(n->rpc);
}

static void peer_down(void *ctx, int member, bool reset)
{
    struct node *n = ctx;
    log_write(LOG_INFO, "p2p", "peer down", LOG_STR("peer", n->epoch.member[member].name),
              LOG_U64("reset", reset ? 1 : 0), NULL);
    struct event e = {.kind = EVENT_PEER, .peer = member};
    e.u.peer.reset = reset;
    driver_give(n, e);
    rpc_on_status(n->rpc);
}

/* Gives a message to the core; OK, or what the core thinks of the peer. */
static enum err to_core(struct node *n, int member, const struct message *m)
{
    struct driver *d = &n->driver;
    if (d->steps.running) {
        return ERR_INVARIANT; /* its bytes are lent: it cannot wait in the queue */
    }
    d->reading = member;
    d->ban_reading = false;
    d->messages = true;
    struct event e = {.kind = EVENT_MESSAGE, .peer = member, .u.message = m};
    driver_give(n, e);
    d->reading = -1;
    return d->ban_reading ? ERR_INVALID_BLOCK : OK;
}

static enum err block_in(struct node *n, int member, const struct message *m)
{
    TRY(to_core(n, member, m));
    const struct block *b = &m->u.block;
    if (!blocks_is_empty(&b->head.header)) {
        body_arrived(n, &b->head.hash, b->body);
    }
    return OK;
}

static enum err blocks_in(struct node *n, int member, const struct message *m)
{
    TRY(to_core(n, member, m));
    for (uint32_t i = 0; i < m->u.blocks.blocks; i++) {
        const struct block *b = &m->u.blocks.block[i];
        if (!blocks_is_empty(&b->head.header)) {
            body_arrived(n, &b->head.hash, b->body);
        }
    }
    sync_blocks(n, member, m);
    return OK;
}

static enum err other_message(struct node *n, int member, const struct message *m)
{
    switch (m->kind) {
    case MSG_BODY:
        body_arrived(n, &m->u.body.block, m->u.body.body);
        return OK;
    case MSG_FETCH:
        sync_serve_fetch(n, member, &m->u.fetch.block);
        return OK;
    case MSG_RANGE:
        sync_serve_range(n, member, m);
        return OK;
    case MSG_TXS:
        intake_from_peer(n, member, m);
        return OK;
    case MSG_TX_ACK:
        intake_acked(n, member, m);
        return OK;
    case MSG_BLOCK:
        return block_in(n, member, m);
    case MSG_BLOCKS:
        return blocks_in(n, member, m);
    case MSG_STATUS:
    case MSG_VOTES:
    case MSG_BUNDLE:
    case MSG_PROPOSAL:
    case MSG_AMNESIA_ASK:
    case MSG_AMNESIA_ANSWER:
    case MSG_OWN_VOTES_ASK:
    case MSG_OWN_VOTES:
    case MSG_NOTICES:
        return to_core(n, member, m);
    case MSG_INTENT:
    case MSG_INTENT_ACK:
        posting_l1_hear(n, member, m);
        return OK;
    case MSG_KIND_COUNT:
        break;
    }
    return ERR_MALFORMED;
}

static enum err message_in(void *ctx, int member, const struct message *m, size_t frame_len)
{
    (void)frame_len;
    struct node *n = ctx;
    if (m->has_status) {
        sync_status(n, member, &m->status);
        clock_heard(n, member, m->status.clock_ms);
    }
    if (m->kind == MSG_PROPOSAL) {
        book_proposal(n, &m->u.proposal.head.header);
    }
    return other_message(n, member, m);
}

static void own_key_seen(void *ctx, const char *address)
{
    struct node *n = ctx;
    char why[READY_SENTENCE];
    if (n->book.votes_made == 0) {
        snprintf(why, sizeof why,
                 "this member's key is in use by another process at %s; stop that one first, or "
                 "give this one a key of its own (nothing was signed here)",
                 address);
        node_end(n, ERR_IN_USE, why);
    } else if (n->book.stopped[0] == '\0') {
        snprintf(n->book.stopped, sizeof n->book.stopped,
                 "this member's key is in use by another process at %s: nothing is signed here any "
                 "more; end one of the two and start the other again",
                 address);
        log_write(LOG_ERROR, "node", n->book.stopped, NULL);
    }
    struct event e = {.kind = EVENT_OWN_KEY_SEEN, .peer = -1};
    driver_give(n, e);
}

static void net_log(void *ctx, int level, int member, const char *what)
{
    const struct node *n = ctx;
    enum log_level at = level <= 0   ? LOG_ERROR
                        : level == 1 ? LOG_WARN
                        : level == 2 ? LOG_INFO
                                     : LOG_DEBUG;
    const char *name =
        member >= 0 && (uint32_t)member < n->epoch.n ? n->epoch.member[member].name : "";
    log_write(at, "p2p", what, LOG_STR("peer", name), NULL);
}

struct p2p_handlers net_handlers(struct node *n)
{
    return (struct p2p_handlers){
        .ctx = n,
        .up = peer_up,
        .down = peer_down,
        .message = message_in,
        .own_key = own_key_seen,
        .log = net_log,
    };
}
