#define _GNU_SOURCE
/* What the core asked for, each effect when its turn comes (steps.h). */
#include "sequencer/node/parts.h"

struct bytes effects_body(void *node, const struct block_head *head)
{
    struct node *n = node;
    const struct block_entry *b =
        blocks_is_empty(&head->header) ? NULL : blocks_load(n, &head->hash);
    return b == NULL || b->body_state == ENTRY_NONE ? bytes_of(NULL, 0)
                                                    : bytes_of(b->body, b->body_len);
}

static void effect_send(struct node *n, const struct effect *e)
{
    const struct message *m = e->u.send.message;
    if (m->kind == MSG_PROPOSAL && (int)m->u.proposal.head.header.leader == n->self) {
        book_proposal(n, &m->u.proposal.head.header);
        build_proposed(n, &m->u.proposal.head);
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

static void carry_out(struct node *n, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_PERSIST:
        book_votes(n, e);
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

bool effects_one(void *node, const struct effect *e)
{
    carry_out(node, e);
    return true;
}

/* Blocks are executed after all else of the step: while its write is under way. */
void effects_between(void *node, const struct event *event, const struct effects *out)
{
    (void)event;
    (void)out;
    execute_put_off(node);
}

void effects_after(void *node)
{
    health_turn(node); /* what an own block took is not pending any more */
    execute_go_on(node);
}
