#define _GNU_SOURCE
/* What the core asked for, carried out in its order. */
#include "sequencer/node/parts.h"

static void send_one(struct node *n, int to, uint64_t gate, const struct message *m)
{
    if (gate > n->driver.persisted) {
        store_hold(n, to, gate, m);
    } else {
        net_send(n, to, m);
    }
}

/* A proposal leaves without its body, which follows under the same gate. */
static void send_body_after(struct node *n, const struct effect *e)
{
    const struct block_head *head = &e->u.send.message->u.proposal.head;
    if (blocks_is_empty(&head->header)) {
        return;
    }
    struct block_entry *b = blocks_load(n, &head->hash);
    if (b == NULL || b->body_state == ENTRY_NONE) {
        return;
    }
    struct message m = {.kind = MSG_BODY};
    m.u.body.block = head->hash;
    m.u.body.body = bytes_of(b->body, b->body_len);
    send_one(n, e->u.send.to, e->u.send.gate, &m);
}

static void effect_send(struct node *n, const struct effect *e)
{
    const struct message *m = e->u.send.message;
    bool own = m->kind == MSG_PROPOSAL && (int)m->u.proposal.head.header.leader == n->self;
    if (own) {
        book_proposal(n, &m->u.proposal.head.header);
        build_proposed(n, &m->u.proposal.head);
    }
    send_one(n, e->u.send.to, e->u.send.gate, m);
    if (own) {
        send_body_after(n, e);
        net_flush(n); /* the others check it while this node makes its own vote */
    }
}

static void effect_store(struct node *n, const struct effect *e)
{
    struct block_entry *b = blocks_put_head(n, e->u.store.head);
    if (b == NULL) {
        return;
    }
    if (b->arrival_us == 0) {
        b->arrival_us = driver_now();
    }
    if (blocks_is_empty(&b->head.header) || b->body_state == ENTRY_NONE ||
        b->body_state == ENTRY_STASHED) {
        blocks_store(n, b);
    }
    body_head_here(n, b);
}

static void effect_execute(struct node *n, const struct effect *e)
{
    struct block_entry *b = blocks_load(n, &e->u.execute.block);
    if (b != NULL) {
        execute_want(n, b);
    }
}

static void effect_notarized(struct node *n, const struct effect *e)
{
    struct block_entry *b = blocks_find(n, &e->u.notarized.block);
    struct rpc_block block;
    if (b != NULL && b->has_info && n->rpc != NULL && view_block(n, b, &block) == OK) {
        rpc_on_accepted(n->rpc, &block);
    }
}

static void effect_ban(struct node *n, const struct effect *e)
{
    int member = e->u.ban.member;
    log_write(LOG_WARN, "node", "peer cut and banned", LOG_I64("member", member),
              LOG_STR("why", e->u.ban.why), NULL);
    if (member == n->driver.reading) {
        /* Its bytes are being read just now: the cut is left to whoever reads them. */
        n->driver.ban_reading = true;
    } else {
        p2p_ban(n->p2p, member, e->u.ban.why);
    }
}

static void effect_one(struct node *n, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_PERSIST:
        book_votes(n, e);
        store_step(n, e);
        return;
    case EFFECT_SEND:
        effect_send(n, e);
        return;
    case EFFECT_BUILD:
        build_ask(n, e);
        return;
    case EFFECT_CANCEL:
        build_cancel(n, e->u.cancel);
        return;
    case EFFECT_EXECUTE:
        effect_execute(n, e);
        return;
    case EFFECT_FETCH:
        sync_fetch(n, &e->u.fetch.block, e->u.fetch.peer);
        return;
    case EFFECT_STORE:
        effect_store(n, e);
        return;
    case EFFECT_NOTARIZED:
        effect_notarized(n, e);
        return;
    case EFFECT_FINAL:
        finality_final(n, e);
        return;
    case EFFECT_SKIPPED:
        book_skipped(n, e);
        return;
    case EFFECT_ENTERED:
        book_entered(n, e->u.entered.turn);
        return;
    case EFFECT_BAN:
        effect_ban(n, e);
        return;
    case EFFECT_EVIDENCE:
        book_evidence(n, e);
        return;
    case EFFECT_ALARM:
        book_alarm(n, e);
        return;
    }
}

/* Blocks are executed after all else of the step: while its write is under way. */
void effects_run(struct node *n, const struct effects *out)
{
    execute_put_off(n);
    for (uint32_t i = 0; i < out->n; i++) {
        effect_one(n, &out->effect[i]);
    }
    health_turn(n); /* what an own block took is not pending any more */
    execute_go_on(n);
}
