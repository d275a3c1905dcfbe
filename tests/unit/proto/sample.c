#include "sample.h"

uint64_t sample_number(struct sample *s)
{
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 7;
    s->seed ^= s->seed << 17;
    return s->seed * 0x2545f4914f6cdd1dU;
}

uint32_t sample_below(struct sample *s, uint32_t most)
{
    return (uint32_t)(sample_number(s) >> 33) % (most + 1);
}

/* Numbers of every length, zero among them. */
static uint64_t any_number(struct sample *s)
{
    uint32_t bits = sample_below(s, 64);
    return bits == 0 ? 0 : sample_number(s) >> (64 - bits);
}

void sample_fill(struct sample *s, void *out, size_t n)
{
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)(sample_number(s) >> 56);
    }
}

struct bytes sample_bytes(struct sample *s, uint32_t most)
{
    uint32_t n = sample_below(s, most);
    return bytes_of(s->bytes + sample_below(s, SAMPLE_BYTES - n), n);
}

struct vote sample_vote(struct sample *s)
{
    struct vote v = {
        .kind = (uint8_t)(VOTE_NOTARIZE + sample_below(s, VOTE_FINALIZE - VOTE_NOTARIZE)),
        .signer = (uint8_t)sample_below(s, LIMIT_MEMBERS - 1),
        .epoch = any_number(s),
        .slot = any_number(s),
    };
    sample_fill(s, v.signature.b, sizeof v.signature.b);
    if (v.kind != VOTE_SKIP) {
        sample_fill(s, v.block.b, sizeof v.block.b);
    }
    return v;
}

struct certificate sample_certificate(struct sample *s)
{
    struct vote v = sample_vote(s);
    struct certificate c = {.kind = v.kind, .epoch = v.epoch, .slot = v.slot, .block = v.block};
    while (c.signers == 0) {
        c.signers = (uint32_t)any_number(s);
    }
    sample_fill(s, c.signature, certificate_count(&c) * sizeof c.signature[0]);
    return c;
}

struct block_head sample_head(struct sample *s)
{
    struct block_head h = {.system = sample_bytes(s, 64)};
    struct header *b = &h.header;
    b->chain_id = any_number(s);
    b->epoch = any_number(s);
    b->slot = any_number(s);
    b->attempt = (uint8_t)sample_below(s, 255);
    b->flags = (uint8_t)sample_below(s, FLAG_LAST | FLAG_EMPTY | FLAG_CLOSING);
    b->parent_slot = any_number(s);
    b->height = any_number(s);
    b->timestamp_ms = any_number(s);
    b->leader = (uint8_t)sample_below(s, LIMIT_MEMBERS - 1);
    b->body_len = (uint32_t)sample_number(s);
    struct hash *hash[] = {&b->genesis,    &b->config,    &b->parent,      &b->payload,
                           &b->state_root, &b->body_root, &b->system_root, &b->payload_parent};
    for (size_t i = 0; i < sizeof hash / sizeof *hash; i++) {
        sample_fill(s, hash[i]->b, sizeof hash[i]->b);
    }
    h.hash = header_hash(b);
    sample_fill(s, h.signature.b, sizeof h.signature.b);
    return h;
}

struct block sample_block(struct sample *s)
{
    struct block b = {.head = sample_head(s)};
    b.body = sample_bytes(s, 300);
    return b;
}

struct bundle sample_bundle(struct sample *s)
{
    struct bundle b = {.cert = s->cert, .head = s->head, .vote = s->vote};
    b.certs = sample_below(s, s->most);
    b.heads = sample_below(s, s->most);
    b.votes = sample_below(s, s->most);
    for (uint32_t i = 0; i < s->most; i++) {
        s->cert[i] = sample_certificate(s);
        s->head[i] = sample_head(s);
        s->vote[i] = sample_vote(s);
    }
    return b;
}

struct status sample_status(struct sample *s)
{
    struct status t;
    memset(&t, 0, sizeof t);
    uint64_t *number[] = {&t.epoch,        &t.cur,           &t.highest_signed,  &t.notarized_slot,
                          &t.final_slot,   &t.final_height,  &t.executed_height, &t.clock_ms,
                          &t.ping_us,      &t.pong_us,       &t.pong_held_us};
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        *number[i] = any_number(s);
    }
    t.not_ready = sample_below(s, 255);
    t.pending = sample_below(s, 1) != 0;
    sample_fill(s, t.notarized.b, sizeof t.notarized.b);
    sample_fill(s, t.final.b, sizeof t.final.b);
    sample_fill(s, t.instance, sizeof t.instance);
    return t;
}

static void fill_blocks(struct sample *s, struct message *m)
{
    m->u.blocks.block = s->block;
    m->u.blocks.blocks = sample_below(s, s->most);
    for (uint32_t i = 0; i < m->u.blocks.blocks; i++) {
        s->block[i] = sample_block(s);
    }
    m->u.blocks.proof = sample_bundle(s);
}

static void fill_txs(struct sample *s, struct message *m)
{
    m->u.txs.tx = s->tx;
    m->u.txs.txs = sample_below(s, s->most);
    for (uint32_t i = 0; i < m->u.txs.txs; i++) {
        s->tx[i] = sample_bytes(s, 200);
    }
}

static void fill_amnesia(struct sample *s, struct message *m)
{
    m->u.amnesia.epoch = any_number(s);
    sample_fill(s, m->u.amnesia.nonce, sizeof m->u.amnesia.nonce);
    if (m->kind == MSG_AMNESIA_ANSWER) {
        m->u.amnesia.highest_epoch = any_number(s);
        m->u.amnesia.highest_slot = any_number(s);
        m->u.amnesia.clearing_epoch = any_number(s);
        m->u.amnesia.clearing_slot = any_number(s);
    }
}

static void fill_notices(struct sample *s, struct message *m)
{
    struct ready_notice *r = &m->u.notices.ready;
    struct leave_notice *l = &m->u.notices.leave;
    m->u.notices.has_ready = sample_below(s, 2) != 0;
    m->u.notices.has_leave = sample_below(s, 2) != 0;
    if (m->u.notices.has_ready) {
        r->epoch = any_number(s);
        r->member = (uint8_t)sample_below(s, LIMIT_MEMBERS - 1);
        r->slot = any_number(s);
        sample_fill(s, r->block.b, sizeof r->block.b);
        sample_fill(s, r->signature.b, sizeof r->signature.b);
    }
    if (m->u.notices.has_leave) {
        l->epoch = any_number(s);
        l->member = (uint8_t)sample_below(s, LIMIT_MEMBERS - 1);
        l->from_turn = any_number(s);
        sample_fill(s, l->signature.b, sizeof l->signature.b);
    }
}

static void fill_kind(struct sample *s, struct message *m)
{
    switch (m->kind) {
    case MSG_STATUS:
    case MSG_KIND_COUNT:
        break;
    case MSG_VOTES:
    case MSG_OWN_VOTES:
    case MSG_BUNDLE:
        m->u.bundle = sample_bundle(s);
        break;
    case MSG_PROPOSAL:
        m->u.proposal.head = sample_head(s);
        m->u.proposal.justification = sample_bundle(s);
        break;
    case MSG_BODY:
        sample_fill(s, m->u.body.block.b, sizeof m->u.body.block.b);
        m->u.body.body = sample_bytes(s, 300);
        break;
    case MSG_FETCH:
        sample_fill(s, m->u.fetch.block.b, sizeof m->u.fetch.block.b);
        break;
    case MSG_BLOCK:
        m->u.block = sample_block(s);
        break;
    case MSG_RANGE:
        m->u.range.epoch = any_number(s);
        m->u.range.above_slot = any_number(s);
        m->u.range.max_blocks = (uint32_t)any_number(s);
        break;
    case MSG_BLOCKS:
        fill_blocks(s, m);
        break;
    case MSG_TXS:
        fill_txs(s, m);
        break;
    case MSG_TX_ACK:
        m->u.tx_ack.hash = s->hash;
        m->u.tx_ack.hashes = sample_below(s, SAMPLE_TXS);
        break;
    case MSG_AMNESIA_ASK:
    case MSG_AMNESIA_ANSWER:
        fill_amnesia(s, m);
        break;
    case MSG_OWN_VOTES_ASK:
        m->u.own_votes_ask.epoch = any_number(s);
        m->u.own_votes_ask.above_slot = any_number(s);
        break;
    case MSG_NOTICES:
        fill_notices(s, m);
        break;
    case MSG_INTENT:
        m->u.intent.intent = bytes_of(s->bytes, 1 + sample_below(s, 300));
        m->u.intent.answer = sample_below(s, 2) != 0;
        break;
    case MSG_INTENT_ACK:
        m->u.intent_ack.segment = any_number(s);
        sample_fill(s, m->u.intent_ack.intent.b, sizeof m->u.intent_ack.intent.b);
        break;
    }
}

struct message sample_message(struct sample *s, enum message_kind kind, bool with_status)
{
    struct message m;
    memset(&m, 0, sizeof m);
    m.kind = kind;
    m.has_status = with_status || kind == MSG_STATUS;
    if (m.has_status) {
        m.status = sample_status(s);
    }
    sample_fill(s, s->bytes, sizeof s->bytes);
    sample_fill(s, s->hash, sizeof s->hash);
    fill_kind(s, &m);
    return m;
}

bool same_vote(const struct vote *a, const struct vote *b)
{
    return a->kind == b->kind && a->signer == b->signer && a->epoch == b->epoch &&
           a->slot == b->slot && hash_equal(&a->block, &b->block) &&
           memcmp(a->signature.b, b->signature.b, sizeof a->signature.b) == 0;
}

bool same_certificate(const struct certificate *a, const struct certificate *b)
{
    return a->kind == b->kind && a->epoch == b->epoch && a->slot == b->slot &&
           hash_equal(&a->block, &b->block) && a->signers == b->signers &&
           memcmp(a->signature, b->signature, sizeof a->signature) == 0;
}

bool same_head(const struct block_head *a, const struct block_head *b)
{
    uint8_t one[HEADER_BYTES];
    uint8_t two[HEADER_BYTES];
    header_encode(one, &a->header);
    header_encode(two, &b->header);
    return memcmp(one, two, sizeof one) == 0 && hash_equal(&a->hash, &b->hash) &&
           memcmp(a->signature.b, b->signature.b, sizeof a->signature.b) == 0 &&
           bytes_equal(a->system, b->system);
}

bool same_block(const struct block *a, const struct block *b)
{
    return same_head(&a->head, &b->head) && bytes_equal(a->body, b->body);
}

static bool same_votes(const struct bundle *a, const struct bundle *b)
{
    bool same = a->votes == b->votes;
    for (uint32_t i = 0; same && i < a->votes; i++) {
        same = same_vote(&a->vote[i], &b->vote[i]);
    }
    return same;
}

bool same_bundle(const struct bundle *a, const struct bundle *b)
{
    bool same = a->certs == b->certs && a->heads == b->heads && same_votes(a, b);
    for (uint32_t i = 0; same && i < a->certs; i++) {
        same = same_certificate(&a->cert[i], &b->cert[i]);
    }
    for (uint32_t i = 0; same && i < a->heads; i++) {
        same = same_head(&a->head[i], &b->head[i]);
    }
    return same;
}

static bool same_blocks(const struct message *a, const struct message *b)
{
    bool same = a->u.blocks.blocks == b->u.blocks.blocks;
    for (uint32_t i = 0; same && i < a->u.blocks.blocks; i++) {
        same = same_block(&a->u.blocks.block[i], &b->u.blocks.block[i]);
    }
    return same && same_bundle(&a->u.blocks.proof, &b->u.blocks.proof);
}

static bool same_txs(const struct message *a, const struct message *b)
{
    bool same = a->u.txs.txs == b->u.txs.txs;
    for (uint32_t i = 0; same && i < a->u.txs.txs; i++) {
        same = bytes_equal(a->u.txs.tx[i], b->u.txs.tx[i]);
    }
    return same;
}

static bool same_amnesia(const struct message *a, const struct message *b)
{
    return a->u.amnesia.epoch == b->u.amnesia.epoch &&
           memcmp(a->u.amnesia.nonce, b->u.amnesia.nonce, sizeof a->u.amnesia.nonce) == 0 &&
           a->u.amnesia.highest_epoch == b->u.amnesia.highest_epoch &&
           a->u.amnesia.highest_slot == b->u.amnesia.highest_slot &&
           a->u.amnesia.clearing_epoch == b->u.amnesia.clearing_epoch &&
           a->u.amnesia.clearing_slot == b->u.amnesia.clearing_slot;
}

static bool same_notices(const struct message *a, const struct message *b)
{
    const struct ready_notice *r = &a->u.notices.ready;
    const struct ready_notice *q = &b->u.notices.ready;
    const struct leave_notice *l = &a->u.notices.leave;
    const struct leave_notice *k = &b->u.notices.leave;
    bool ready = r->epoch == q->epoch && r->member == q->member && r->slot == q->slot &&
                 hash_equal(&r->block, &q->block) &&
                 memcmp(r->signature.b, q->signature.b, sizeof r->signature.b) == 0;
    bool leave = l->epoch == k->epoch && l->member == k->member && l->from_turn == k->from_turn &&
                 memcmp(l->signature.b, k->signature.b, sizeof l->signature.b) == 0;
    return a->u.notices.has_ready == b->u.notices.has_ready &&
           a->u.notices.has_leave == b->u.notices.has_leave && ready && leave;
}

static bool same_kind(const struct message *a, const struct message *b)
{
    switch (a->kind) {
    case MSG_STATUS:
        return true;
    case MSG_VOTES:
    case MSG_OWN_VOTES:
        return same_votes(&a->u.bundle, &b->u.bundle);
    case MSG_BUNDLE:
        return same_bundle(&a->u.bundle, &b->u.bundle);
    case MSG_PROPOSAL:
        return same_head(&a->u.proposal.head, &b->u.proposal.head) &&
               same_bundle(&a->u.proposal.justification, &b->u.proposal.justification);
    case MSG_BODY:
        return hash_equal(&a->u.body.block, &b->u.body.block) &&
               bytes_equal(a->u.body.body, b->u.body.body);
    case MSG_FETCH:
        return hash_equal(&a->u.fetch.block, &b->u.fetch.block);
    case MSG_BLOCK:
        return same_block(&a->u.block, &b->u.block);
    case MSG_RANGE:
        return a->u.range.epoch == b->u.range.epoch &&
               a->u.range.above_slot == b->u.range.above_slot &&
               a->u.range.max_blocks == b->u.range.max_blocks;
    case MSG_BLOCKS:
        return same_blocks(a, b);
    case MSG_TXS:
        return same_txs(a, b);
    case MSG_TX_ACK:
        return bytes_equal(bytes_of(a->u.tx_ack.hash, a->u.tx_ack.hashes * sizeof(struct hash)),
                           bytes_of(b->u.tx_ack.hash, b->u.tx_ack.hashes * sizeof(struct hash)));
    case MSG_AMNESIA_ASK:
    case MSG_AMNESIA_ANSWER:
        return same_amnesia(a, b);
    case MSG_OWN_VOTES_ASK:
        return a->u.own_votes_ask.epoch == b->u.own_votes_ask.epoch &&
               a->u.own_votes_ask.above_slot == b->u.own_votes_ask.above_slot;
    case MSG_NOTICES:
        return same_notices(a, b);
    case MSG_INTENT:
        return bytes_equal(a->u.intent.intent, b->u.intent.intent) &&
               a->u.intent.answer == b->u.intent.answer;
    case MSG_INTENT_ACK:
        return a->u.intent_ack.segment == b->u.intent_ack.segment &&
               hash_equal(&a->u.intent_ack.intent, &b->u.intent_ack.intent);
    case MSG_KIND_COUNT:
        break;
    }
    return false;
}

bool same_message(const struct message *a, const struct message *b)
{
    return a->kind == b->kind && a->has_status == b->has_status &&
           memcmp(&a->status, &b->status, sizeof a->status) == 0 && same_kind(a, b);
}
