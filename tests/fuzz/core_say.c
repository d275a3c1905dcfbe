/* Acts of peers: what they say, true or not. */
#include "proto/keccak.h"
#include "tests/fuzz/core_parts.h"

static void core_hear(struct core_run *r, int from, const struct message *m)
{
    struct event e = {.kind = EVENT_MESSAGE, .peer = from, .u.message = m};
    core_run_step(r, &e);
}

/* Slot and block of a vote: a block at its own slot, or, seldom, at another. */
static uint64_t vote_slot(struct core_run *r, struct bytes *in, uint8_t kind,
                          const struct block_head *b, uint8_t how)
{
    return kind != VOTE_SKIP && (how & 32) == 0 ? b->header.slot : script_slot(r, in);
}

void core_act_vote(struct core_run *r, struct bytes *in)
{
    int from = script_peer(r, in);
    uint8_t how = script_u8(in);
    const struct block_head *b = script_block(r, in);
    uint8_t kind = (uint8_t)(VOTE_NOTARIZE + how % 3);
    struct vote v = core_run_vote(r, from, kind, vote_slot(r, in, kind, b, how), b);
    v.signature.b[40] ^= (how & 64) != 0; /* a signature that does not hold */
    struct message m = {.kind = (how & 128) != 0 ? MSG_OWN_VOTES : MSG_VOTES};
    m.u.bundle.vote = &v;
    m.u.bundle.votes = 1;
    core_hear(r, from, &m);
}

/* Certificates of everybody else, and the header path that they may need. */
void core_act_bundle(struct core_run *r, struct bytes *in)
{
    struct certificate cert[4];
    struct block_head head[8];
    struct bundle b = {.cert = cert, .head = head};
    int from = script_peer(r, in);
    uint8_t count = script_u8(in);
    for (; b.certs < 1u + (count & 3); b.certs++) {
        uint8_t how = script_u8(in);
        const struct block_head *on = script_block(r, in);
        uint8_t kind = (uint8_t)(VOTE_NOTARIZE + how % 3);
        cert[b.certs] = core_run_certificate(r, kind, vote_slot(r, in, kind, on, how), on);
        cert[b.certs].signature[0].b[40] ^= (how & 64) != 0;
    }
    uint32_t first = r->blocks - 1 - script_u8(in) % r->blocks;
    for (; b.heads < (uint32_t)(count >> 2 & 7) && first + b.heads < r->blocks; b.heads++) {
        head[b.heads] = r->block[first + b.heads].head;
    }
    struct message m = {.kind = MSG_BUNDLE, .u.bundle = b};
    core_hear(r, from, &m);
}

void core_act_notice(struct core_run *r, struct bytes *in)
{
    struct message m = {.kind = MSG_NOTICES};
    int from = script_peer(r, in);
    uint8_t how = script_u8(in);
    m.u.notices.has_ready = (how & 1) != 0;
    m.u.notices.has_leave = (how & 2) != 0;
    if (m.u.notices.has_ready) {
        m.u.notices.ready =
            core_make_ready(r, (how & 4) != 0 ? how >> 6 : from, script_block(r, in));
        m.u.notices.ready.signature.b[40] ^= (how & 8) != 0;
    }
    if (m.u.notices.has_leave) {
        m.u.notices.leave = core_make_leave(r, from, script_slot(r, in) / TURN_SLOTS);
    }
    core_hear(r, from, &m);
}

void core_act_propose(struct core_run *r, struct bytes *in)
{
    int from = script_peer(r, in);
    uint8_t flags = script_u8(in);
    uint8_t twist = script_u8(in);
    const struct block_head *parent = script_block(r, in);
    uint64_t slot = (flags & 16) != 0 ? script_slot(r, in) : parent->header.slot + 1;
    if (r->blocks == CORE_BLOCKS || slot == 0) {
        return;
    }
    struct block_head *head = core_run_block(r, parent, slot, flags, twist);
    if (head->header.leader == r->config.self) {
        return; /* a leader's own proposals come from itself */
    }
    head->signature.b[40] ^= (flags & 32) != 0;
    struct message m = {.kind = MSG_PROPOSAL};
    m.u.proposal.head = *head;
    r->blocks += core_find_block(r, &head->hash) == r->blocks;
    core_hear(r, from, &m);
}

void core_act_repeat(struct core_run *r, struct bytes *in)
{
    int from = script_peer(r, in);
    struct block block[4];
    uint8_t how = script_u8(in);
    struct message m = {.kind = (how & 1) != 0 ? MSG_BLOCKS : MSG_BLOCK};
    if (m.kind == MSG_BLOCK) {
        m.u.block.head = *script_block(r, in);
    } else {
        m.u.blocks.block = block;
        m.u.blocks.blocks = 1u + (how >> 1 & 3);
        for (uint32_t i = 0; i < m.u.blocks.blocks; i++) {
            block[i] = (struct block){.head = *script_block(r, in)};
        }
    }
    core_hear(r, from, &m);
}

void core_act_status(struct core_run *r, struct bytes *in)
{
    struct message m = {.kind = MSG_STATUS, .has_status = true};
    int from = script_peer(r, in);
    const struct block_head *b = script_block(r, in);
    m.status.epoch = r->config.epoch.epoch;
    m.status.cur = script_slot(r, in);
    m.status.final_slot = script_slot(r, in);
    m.status.notarized_slot = b->header.slot;
    m.status.notarized = b->hash;
    m.status.not_ready = script_u8(in);
    m.status.pending = (m.status.not_ready & 1) != 0;
    core_hear(r, from, &m);
}

void core_act_amnesia(struct core_run *r, struct bytes *in)
{
    static const enum message_kind kinds[] = {MSG_AMNESIA_ASK, MSG_AMNESIA_ANSWER,
                                              MSG_OWN_VOTES_ASK, MSG_OWN_VOTES};
    struct message m = {.kind = kinds[script_u8(in) & 3]};
    int from = script_peer(r, in);
    if (m.kind == MSG_OWN_VOTES_ASK) {
        m.u.own_votes_ask.epoch = r->config.epoch.epoch;
        m.u.own_votes_ask.above_slot = script_slot(r, in);
    } else if (m.kind != MSG_OWN_VOTES) {
        struct hash nonce = keccak256(r->config.instance, sizeof r->config.instance);
        memcpy(m.u.amnesia.nonce, nonce.b, sizeof m.u.amnesia.nonce);
        m.u.amnesia.nonce[0] ^= script_u8(in) == 0xff;
        m.u.amnesia.epoch = m.u.amnesia.highest_epoch = r->config.epoch.epoch;
        m.u.amnesia.highest_slot = script_slot(r, in);
        m.u.amnesia.clearing_slot = script_slot(r, in);
    }
    core_hear(r, from, &m);
}

/* Any message at all, as long as the codec takes it. */
void core_act_bytes(struct core_run *r, struct bytes *in)
{
    int from = script_peer(r, in);
    struct message m;
    struct bytes frame = script_bytes(in, script_u16(in) % 2048);
    if (message_decode(&m, &r->arena, frame) == OK && m.kind != MSG_TXS && m.kind != MSG_TX_ACK &&
        m.kind != MSG_BODY && m.kind != MSG_FETCH && m.kind != MSG_RANGE) {
        core_hear(r, from, &m);
    }
    message_arena_reset(&r->arena);
}
