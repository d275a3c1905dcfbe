#include "proto/pb.h"

/* The parts of a frame's tree of which there is one. */
struct tree {
    Wire__Frame frame;
    Wire__Status status;
    Wire__Bundle bundle; /* also justification and proof */
    Wire__Head head;
    uint8_t header[HEADER_BYTES];
    union {
        Wire__Votes votes;
        Wire__Proposal proposal;
        Wire__Body body;
        Wire__Fetch fetch;
        Wire__Block block;
        Wire__Range range;
        Wire__Blocks blocks;
        Wire__Txs txs;
        Wire__TxAck tx_ack;
        Wire__AmnesiaAsk amnesia_ask;
        Wire__AmnesiaAnswer amnesia_answer;
        Wire__OwnVotesAsk own_votes_ask;
        struct {
            Wire__Notices both;
            Wire__Ready ready;
            Wire__Leave leave;
        } notices;
        Wire__Intent intent;
        Wire__IntentAck intent_ack;
    } kind;
};

static ProtobufCBinaryData hash_bytes(const struct hash *h)
{
    return pb_bytes(h->b, sizeof h->b);
}

static void put_status(Wire__Status *p, const struct status *s)
{
    wire__status__init(p);
    p->epoch = s->epoch;
    p->cur = s->cur;
    p->highest_signed = s->highest_signed;
    p->notarized_slot = s->notarized_slot;
    p->notarized = hash_bytes(&s->notarized);
    p->final_slot = s->final_slot;
    p->final = hash_bytes(&s->final);
    p->final_height = s->final_height;
    p->executed_height = s->executed_height;
    p->not_ready = s->not_ready;
    p->pending = s->pending;
    p->instance = pb_bytes(s->instance, sizeof s->instance);
    p->clock_ms = s->clock_ms;
    p->ping_us = s->ping_us;
    p->pong_us = s->pong_us;
    p->pong_held_us = s->pong_held_us;
}

static enum err put_nothing(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    (void)t;
    return m->has_status ? OK : ERR_INVARIANT;
}

static enum err put_votes(struct message_arena *s, struct tree *t, const struct message *m)
{
    Wire__Votes *p = &t->kind.votes;
    wire__votes__init(p);
    t->frame.votes = p;
    return pb_put_votes(s, &p->vote, &p->n_vote, m->u.bundle.vote, m->u.bundle.votes);
}

static enum err put_bundle(struct message_arena *s, struct tree *t, const struct message *m)
{
    t->frame.bundle = &t->bundle;
    return pb_put_bundle(s, &t->bundle, &m->u.bundle);
}

/* A bundle that may be left out: NULL when empty. */
static enum err put_optional(struct message_arena *s, struct tree *t, Wire__Bundle **out,
                             const struct bundle *b)
{
    *out = b->certs + b->heads + b->votes > 0 ? &t->bundle : NULL;
    return *out == NULL ? OK : pb_put_bundle(s, *out, b);
}

static enum err put_proposal(struct message_arena *s, struct tree *t, const struct message *m)
{
    Wire__Proposal *p = &t->kind.proposal;
    wire__proposal__init(p);
    p->head = &t->head;
    t->frame.proposal = p;
    TRY(pb_put_head(p->head, t->header, &m->u.proposal.head));
    return put_optional(s, t, &p->justification, &m->u.proposal.justification);
}

static enum err put_body(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__Body *p = &t->kind.body;
    wire__body__init(p);
    p->block = hash_bytes(&m->u.body.block);
    p->body = pb_bytes(m->u.body.body.p, m->u.body.body.n);
    t->frame.body = p;
    return p->body.len > LIMIT_BODY_BYTES ? ERR_TOO_LARGE : OK;
}

static enum err put_fetch(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__Fetch *p = &t->kind.fetch;
    wire__fetch__init(p);
    p->block = hash_bytes(&m->u.fetch.block);
    t->frame.fetch = p;
    return OK;
}

static enum err put_block(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    t->frame.block = &t->kind.block;
    return pb_put_block(&t->kind.block, &t->head, t->header, &m->u.block);
}

static enum err put_range(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__Range *p = &t->kind.range;
    wire__range__init(p);
    p->epoch = m->u.range.epoch;
    p->above_slot = m->u.range.above_slot;
    p->max_blocks = m->u.range.max_blocks;
    t->frame.range = p;
    return OK;
}

static enum err put_blocks(struct message_arena *s, struct tree *t, const struct message *m)
{
    Wire__Blocks *p = &t->kind.blocks;
    wire__blocks__init(p);
    t->frame.blocks = p;
    TRY(pb_put_blocks(s, &p->block, &p->n_block, m->u.blocks.block, m->u.blocks.blocks));
    return put_optional(s, t, &p->proof, &m->u.blocks.proof);
}

static enum err put_txs(struct message_arena *s, struct tree *t, const struct message *m)
{
    Wire__Txs *p = &t->kind.txs;
    uint32_t n = m->u.txs.txs;
    wire__txs__init(p);
    t->frame.txs = p;
    if (n > LIMIT_INTAKE_BATCH) {
        return ERR_TOO_LARGE;
    }
    p->tx = pb_arena_take(s, n * sizeof *p->tx);
    if (p->tx == NULL) {
        return ERR_INVARIANT;
    }
    for (; p->n_tx < n; p->n_tx++) {
        struct bytes tx = m->u.txs.tx[p->n_tx];
        if (tx.n > LIMIT_TX_BYTES) {
            return ERR_TOO_LARGE;
        }
        p->tx[p->n_tx] = pb_bytes(tx.p, tx.n);
    }
    return OK;
}

static enum err put_tx_ack(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__TxAck *p = &t->kind.tx_ack;
    wire__tx_ack__init(p);
    p->hashes = pb_bytes(m->u.tx_ack.hash, m->u.tx_ack.hashes * sizeof(struct hash));
    t->frame.tx_ack = p;
    return m->u.tx_ack.hashes > LIMIT_INTAKE_WAITING ? ERR_TOO_LARGE : OK;
}

static enum err put_amnesia_ask(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__AmnesiaAsk *p = &t->kind.amnesia_ask;
    wire__amnesia_ask__init(p);
    p->epoch = m->u.amnesia.epoch;
    p->nonce = pb_bytes(m->u.amnesia.nonce, sizeof m->u.amnesia.nonce);
    t->frame.amnesia_ask = p;
    return OK;
}

static enum err put_amnesia_answer(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__AmnesiaAnswer *p = &t->kind.amnesia_answer;
    wire__amnesia_answer__init(p);
    p->epoch = m->u.amnesia.epoch;
    p->nonce = pb_bytes(m->u.amnesia.nonce, sizeof m->u.amnesia.nonce);
    p->highest_epoch = m->u.amnesia.highest_epoch;
    p->highest_slot = m->u.amnesia.highest_slot;
    p->clearing_epoch = m->u.amnesia.clearing_epoch;
    p->clearing_slot = m->u.amnesia.clearing_slot;
    t->frame.amnesia_answer = p;
    return OK;
}

static enum err put_own_votes_ask(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__OwnVotesAsk *p = &t->kind.own_votes_ask;
    wire__own_votes_ask__init(p);
    p->epoch = m->u.own_votes_ask.epoch;
    p->above_slot = m->u.own_votes_ask.above_slot;
    t->frame.own_votes_ask = p;
    return OK;
}

static Wire__Ready *put_ready(Wire__Ready *p, const struct ready_notice *r)
{
    wire__ready__init(p);
    p->epoch = r->epoch;
    p->member = r->member;
    p->slot = r->slot;
    p->block = hash_bytes(&r->block);
    p->signature = pb_bytes(r->signature.b, sizeof r->signature.b);
    return p;
}

static Wire__Leave *put_leave(Wire__Leave *p, const struct leave_notice *l)
{
    wire__leave__init(p);
    p->epoch = l->epoch;
    p->member = l->member;
    p->from_turn = l->from_turn;
    p->signature = pb_bytes(l->signature.b, sizeof l->signature.b);
    return p;
}

static enum err put_notices(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__Notices *p = &t->kind.notices.both;
    wire__notices__init(p);
    if (m->u.notices.has_ready) {
        p->ready = put_ready(&t->kind.notices.ready, &m->u.notices.ready);
    }
    if (m->u.notices.has_leave) {
        p->leave = put_leave(&t->kind.notices.leave, &m->u.notices.leave);
    }
    t->frame.notices = p;
    return OK;
}

static enum err put_intent(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__Intent *p = &t->kind.intent;
    size_t n = m->u.intent.intent.n;
    wire__intent__init(p);
    p->intent = pb_bytes(m->u.intent.intent.p, n);
    p->answer = m->u.intent.answer;
    t->frame.intent = p;
    return n <= LIMIT_INTENT_BYTES ? OK : ERR_TOO_LARGE;
}

static enum err put_intent_ack(struct message_arena *s, struct tree *t, const struct message *m)
{
    (void)s;
    Wire__IntentAck *p = &t->kind.intent_ack;
    wire__intent_ack__init(p);
    p->segment = m->u.intent_ack.segment;
    p->intent = hash_bytes(&m->u.intent_ack.intent);
    t->frame.intent_ack = p;
    return OK;
}

static enum err (*const putters[MSG_KIND_COUNT])(struct message_arena *, struct tree *,
                                                 const struct message *) = {
    [MSG_STATUS] = put_nothing,
    [MSG_VOTES] = put_votes,
    [MSG_BUNDLE] = put_bundle,
    [MSG_PROPOSAL] = put_proposal,
    [MSG_BODY] = put_body,
    [MSG_FETCH] = put_fetch,
    [MSG_BLOCK] = put_block,
    [MSG_RANGE] = put_range,
    [MSG_BLOCKS] = put_blocks,
    [MSG_TXS] = put_txs,
    [MSG_TX_ACK] = put_tx_ack,
    [MSG_AMNESIA_ASK] = put_amnesia_ask,
    [MSG_AMNESIA_ANSWER] = put_amnesia_answer,
    [MSG_OWN_VOTES_ASK] = put_own_votes_ask,
    [MSG_OWN_VOTES] = put_votes,
    [MSG_NOTICES] = put_notices,
    [MSG_INTENT] = put_intent,
    [MSG_INTENT_ACK] = put_intent_ack,
};

static enum err put_message(struct message_arena *s, struct tree *t, const struct message *m)
{
    if (m->kind < MSG_STATUS || m->kind >= MSG_KIND_COUNT) {
        return ERR_INVARIANT;
    }
    wire__frame__init(&t->frame);
    if (m->has_status) {
        put_status(&t->status, &m->status);
        t->frame.status = &t->status;
    }
    if (m->kind != MSG_STATUS) {
        t->frame.kind_case = (Wire__Frame__KindCase)m->kind;
    }
    return putters[m->kind](s, t, m);
}

static const struct bundle *bundle_of(const struct message *m)
{
    static const struct bundle none;
    if (m->kind == MSG_VOTES || m->kind == MSG_OWN_VOTES || m->kind == MSG_BUNDLE) {
        return &m->u.bundle;
    }
    if (m->kind == MSG_PROPOSAL) {
        return &m->u.proposal.justification;
    }
    return m->kind == MSG_BLOCKS ? &m->u.blocks.proof : &none;
}

/* MSG_VOTES and MSG_OWN_VOTES define the votes of their bundle only. */
static bool votes_only(const struct message *m)
{
    return m->kind == MSG_VOTES || m->kind == MSG_OWN_VOTES;
}

static size_t scratch_need(const struct message *m)
{
    const struct bundle *b = bundle_of(m);
    size_t need = PB_FIXED_SCRATCH + (size_t)b->votes * PB_VOTE_SCRATCH;
    if (!votes_only(m)) {
        need += (size_t)b->certs * PB_CERTIFICATE_SCRATCH + (size_t)b->heads * PB_HEAD_SCRATCH;
    }
    if (m->kind == MSG_BLOCKS) {
        need += (size_t)m->u.blocks.blocks * PB_BLOCK_SCRATCH;
    } else if (m->kind == MSG_TXS) {
        need += m->u.txs.txs * sizeof(ProtobufCBinaryData);
    }
    return need;
}

enum err pb_pack_message(struct pb_sink *to, const struct message *m)
{
    struct pb_scratch scratch;
    struct tree tree;
    TRY(pb_scratch_open(&scratch, scratch_need(m)));
    enum err e = put_message(&scratch.arena, &tree, m);
    if (e == OK) {
        protobuf_c_message_pack_to_buffer(&tree.frame.base, &to->base);
        e = pb_sink_done(to);
    }
    pb_scratch_close(&scratch);
    return e;
}

static size_t head_size(const struct block_head *h)
{
    return PB_HEAD_BYTES + h->system.n;
}

static size_t bundle_size(const struct message *m)
{
    const struct bundle *b = bundle_of(m);
    size_t n = (size_t)b->votes * PB_VOTE_BYTES;
    if (votes_only(m)) {
        return n;
    }
    for (uint32_t i = 0; i < b->heads; i++) {
        n += head_size(&b->head[i]);
    }
    return n + pb_certificates_bytes(b->cert, b->certs);
}

static size_t blocks_size(const struct message *m)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->u.blocks.blocks; i++) {
        const struct block *b = &m->u.blocks.block[i];
        n += head_size(&b->head) + b->body.n + PB_NUMBER_BYTES;
    }
    return n;
}

static size_t txs_size(const struct message *m)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->u.txs.txs; i++) {
        n += m->u.txs.tx[i].n + PB_NUMBER_BYTES;
    }
    return n;
}

/* What a kind holds beside status, bundle and the frame's fixed part. */
static size_t kind_size(const struct message *m)
{
    switch (m->kind) {
    case MSG_PROPOSAL:
        return head_size(&m->u.proposal.head);
    case MSG_BODY:
        return m->u.body.body.n + sizeof(struct hash);
    case MSG_BLOCK:
        return head_size(&m->u.block.head) + m->u.block.body.n;
    case MSG_BLOCKS:
        return blocks_size(m);
    case MSG_TXS:
        return txs_size(m);
    case MSG_TX_ACK:
        return m->u.tx_ack.hashes * sizeof(struct hash);
    case MSG_INTENT:
        return m->u.intent.intent.n + 2 * PB_NUMBER_BYTES;
    case MSG_INTENT_ACK:
    case MSG_FETCH:
    case MSG_RANGE:
    case MSG_AMNESIA_ASK:
    case MSG_AMNESIA_ANSWER:
    case MSG_OWN_VOTES_ASK:
        return sizeof(struct hash) + 5 * PB_NUMBER_BYTES;
    case MSG_NOTICES:
        return NOTICE_BYTES + LEAVE_BYTES + 8 * PB_NUMBER_BYTES;
    case MSG_STATUS:
    case MSG_VOTES:
    case MSG_BUNDLE:
    case MSG_OWN_VOTES:
    case MSG_KIND_COUNT:
        break;
    }
    return 0;
}

size_t message_size(const struct message *m)
{
    size_t status = m->has_status ? PB_STATUS_BYTES : 0;
    return PB_FRAME_BYTES + status + bundle_size(m) + kind_size(m);
}

enum err message_encode(uint8_t *out, size_t cap, size_t *out_n, const struct message *m)
{
    struct pb_sink sink;
    pb_sink_write(&sink, out, cap);
    TRY(pb_pack_message(&sink, m));
    *out_n = cap - sink.left;
    return *out_n > message_limit(m->kind) ? ERR_TOO_LARGE : OK;
}
