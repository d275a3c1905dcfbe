#include "proto/pb.h"

_Static_assert(WIRE__FRAME__KIND_VOTES == (int)MSG_VOTES &&
                   WIRE__FRAME__KIND_INTENT_ACK == (int)MSG_INTENT_ACK,
               "the numbers in wire.proto are those of enum message_kind");

static enum err get_status(struct status *out, const Wire__Status *p)
{
    out->epoch = p->epoch;
    out->cur = p->cur;
    out->highest_signed = p->highest_signed;
    out->notarized_slot = p->notarized_slot;
    out->final_slot = p->final_slot;
    out->final_height = p->final_height;
    out->executed_height = p->executed_height;
    out->not_ready = p->not_ready;
    out->pending = p->pending != 0;
    out->clock_ms = p->clock_ms;
    out->ping_us = p->ping_us;
    out->pong_us = p->pong_us;
    out->pong_held_us = p->pong_held_us;
    TRY(pb_get_fixed(out->notarized.b, sizeof out->notarized.b, &p->notarized));
    TRY(pb_get_fixed(out->final.b, sizeof out->final.b, &p->final));
    return pb_get_fixed(out->instance, sizeof out->instance, &p->instance);
}

static enum err get_nothing(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    (void)f;
    return out->has_status ? OK : ERR_MALFORMED;
}

static enum err get_votes_of(struct message *out, struct message_arena *a, const Wire__Votes *p)
{
    return pb_get_votes(a, &out->u.bundle.vote, &out->u.bundle.votes, p->vote, p->n_vote,
                        LIMIT_FRAME_VOTES);
}

static enum err get_votes(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    return get_votes_of(out, a, f->votes);
}

static enum err get_own_votes(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    return get_votes_of(out, a, f->own_votes);
}

static enum err get_bundle(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    return pb_get_bundle(a, &out->u.bundle, f->bundle);
}

static enum err get_proposal(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    TRY(pb_get_head(&out->u.proposal.head, f->proposal->head));
    return pb_get_bundle(a, &out->u.proposal.justification, f->proposal->justification);
}

static enum err get_body(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    struct hash *block = &out->u.body.block;
    TRY(pb_get_fixed(block->b, sizeof block->b, &f->body->block));
    return pb_get_upto(&out->u.body.body, LIMIT_BODY_BYTES, &f->body->body);
}

static enum err get_fetch(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    struct hash *block = &out->u.fetch.block;
    return pb_get_fixed(block->b, sizeof block->b, &f->fetch->block);
}

static enum err get_block(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    return pb_get_block(&out->u.block, f->block);
}

static enum err get_range(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    out->u.range.epoch = f->range->epoch;
    out->u.range.above_slot = f->range->above_slot;
    out->u.range.max_blocks = f->range->max_blocks;
    return OK;
}

static enum err get_blocks(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    const Wire__Blocks *p = f->blocks;
    TRY(pb_get_blocks(a, &out->u.blocks.block, &out->u.blocks.blocks, p->block, p->n_block));
    return pb_get_bundle(a, &out->u.blocks.proof, p->proof);
}

static enum err get_txs(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    size_t n = f->txs->n_tx;
    if (n > LIMIT_INTAKE_BATCH) {
        return ERR_TOO_LARGE;
    }
    struct bytes *tx = pb_arena_take(a, n * sizeof *tx);
    if (tx == NULL) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(pb_get_upto(&tx[i], LIMIT_TX_BYTES, &f->txs->tx[i]));
    }
    out->u.txs.tx = tx;
    out->u.txs.txs = (uint32_t)n;
    return OK;
}

static enum err get_tx_ack(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    ProtobufCBinaryData p = f->tx_ack->hashes;
    if (p.len % sizeof(struct hash) != 0) {
        return ERR_MALFORMED;
    }
    _Static_assert(LIMIT_FRAME_CONTROL / sizeof(struct hash) <= LIMIT_INTAKE_WAITING,
                   "a frame holds no more hashes than may wait");
    out->u.tx_ack.hash = (struct hash *)p.data; /* bytes only: no alignment to ask for */
    out->u.tx_ack.hashes = (uint32_t)(p.len / sizeof(struct hash));
    return OK;
}

static enum err get_amnesia_ask(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    const Wire__AmnesiaAsk *p = f->amnesia_ask;
    out->u.amnesia.epoch = p->epoch;
    return pb_get_fixed(out->u.amnesia.nonce, sizeof out->u.amnesia.nonce, &p->nonce);
}

static enum err get_amnesia_answer(struct message *out, struct message_arena *a,
                                   const Wire__Frame *f)
{
    (void)a;
    const Wire__AmnesiaAnswer *p = f->amnesia_answer;
    out->u.amnesia.epoch = p->epoch;
    out->u.amnesia.highest_epoch = p->highest_epoch;
    out->u.amnesia.highest_slot = p->highest_slot;
    out->u.amnesia.clearing_epoch = p->clearing_epoch;
    out->u.amnesia.clearing_slot = p->clearing_slot;
    return pb_get_fixed(out->u.amnesia.nonce, sizeof out->u.amnesia.nonce, &p->nonce);
}

static enum err get_own_votes_ask(struct message *out, struct message_arena *a,
                                  const Wire__Frame *f)
{
    (void)a;
    out->u.own_votes_ask.epoch = f->own_votes_ask->epoch;
    out->u.own_votes_ask.above_slot = f->own_votes_ask->above_slot;
    return OK;
}

static enum err get_ready(struct ready_notice *out, const Wire__Ready *p)
{
    if (p->member >= LIMIT_MEMBERS) {
        return ERR_MALFORMED;
    }
    out->epoch = p->epoch;
    out->member = (uint8_t)p->member;
    out->slot = p->slot;
    TRY(pb_get_fixed(out->block.b, sizeof out->block.b, &p->block));
    return pb_get_fixed(out->signature.b, sizeof out->signature.b, &p->signature);
}

static enum err get_leave(struct leave_notice *out, const Wire__Leave *p)
{
    if (p->member >= LIMIT_MEMBERS) {
        return ERR_MALFORMED;
    }
    out->epoch = p->epoch;
    out->member = (uint8_t)p->member;
    out->from_turn = p->from_turn;
    return pb_get_fixed(out->signature.b, sizeof out->signature.b, &p->signature);
}

static enum err get_notices(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    const Wire__Notices *p = f->notices;
    out->u.notices.has_ready = p->ready != NULL;
    out->u.notices.has_leave = p->leave != NULL;
    if (p->ready != NULL) {
        TRY(get_ready(&out->u.notices.ready, p->ready));
    }
    if (p->leave != NULL) {
        TRY(get_leave(&out->u.notices.leave, p->leave));
    }
    return OK;
}

static enum err get_intent(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    out->u.intent.answer = f->intent->answer != 0;
    return pb_get_upto(&out->u.intent.intent, LIMIT_INTENT_BYTES, &f->intent->intent);
}

static enum err get_intent_ack(struct message *out, struct message_arena *a, const Wire__Frame *f)
{
    (void)a;
    struct hash *intent = &out->u.intent_ack.intent;
    out->u.intent_ack.segment = f->intent_ack->segment;
    return pb_get_fixed(intent->b, sizeof intent->b, &f->intent_ack->intent);
}

static enum err (*const getters[MSG_KIND_COUNT])(struct message *, struct message_arena *,
                                                 const Wire__Frame *) = {
    [MSG_STATUS] = get_nothing,
    [MSG_VOTES] = get_votes,
    [MSG_BUNDLE] = get_bundle,
    [MSG_PROPOSAL] = get_proposal,
    [MSG_BODY] = get_body,
    [MSG_FETCH] = get_fetch,
    [MSG_BLOCK] = get_block,
    [MSG_RANGE] = get_range,
    [MSG_BLOCKS] = get_blocks,
    [MSG_TXS] = get_txs,
    [MSG_TX_ACK] = get_tx_ack,
    [MSG_AMNESIA_ASK] = get_amnesia_ask,
    [MSG_AMNESIA_ANSWER] = get_amnesia_answer,
    [MSG_OWN_VOTES_ASK] = get_own_votes_ask,
    [MSG_OWN_VOTES] = get_own_votes,
    [MSG_NOTICES] = get_notices,
    [MSG_INTENT] = get_intent,
    [MSG_INTENT_ACK] = get_intent_ack,
};

/* `n` is the frame's size. */
static enum err get_message(struct message *out, struct message_arena *a, const Wire__Frame *f,
                            size_t n)
{
    memset(out, 0, sizeof *out);
    out->kind = f->kind_case == 0 ? MSG_STATUS : (enum message_kind)f->kind_case;
    if (out->kind >= MSG_KIND_COUNT) {
        return ERR_MALFORMED;
    }
    if (n > message_limit(out->kind)) {
        return ERR_TOO_LARGE;
    }
    out->has_status = f->status != NULL;
    if (out->has_status) {
        TRY(get_status(&out->status, f->status));
    }
    return getters[out->kind](out, a, f);
}

enum err message_decode(struct message *out, struct message_arena *arena, struct bytes in)
{
    if (in.n > LIMIT_FRAME_SYNC) {
        return ERR_TOO_LARGE;
    }
    TRY(pb_arena_reserve(arena, pb_decode_need(in.n)));
    ProtobufCAllocator allocator = pb_arena_allocator(arena);
    const Wire__Frame *frame = wire__frame__unpack(&allocator, in.n, in.p);
    if (frame == NULL) {
        return ERR_MALFORMED;
    }
    TRY(get_message(out, arena, frame, in.n));
    struct pb_sink same;
    pb_sink_compare(&same, in);
    return pb_pack_message(&same, out);
}
