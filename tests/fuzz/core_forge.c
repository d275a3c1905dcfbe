/* Votes, certificates, notices and blocks of the members, signed. */
#include "proto/keccak.h"
#include "tests/fuzz/core_parts.h"

struct vote core_run_vote(struct core_run *r, int signer, uint8_t kind, uint64_t slot,
                          const struct block_head *b)
{
    struct vote v = {
        .kind = kind, .signer = (uint8_t)signer, .epoch = r->config.epoch.epoch, .slot = slot};
    if (kind != VOTE_SKIP) {
        v.block = b->hash;
    }
    struct hash digest = vote_digest(&r->config.epoch, kind, slot, &v.block);
    core_sign_as(&v.signature, &r->config.epoch.member[signer].address, &digest);
    return v;
}

struct certificate core_run_certificate(struct core_run *r, uint8_t kind, uint64_t slot,
                                        const struct block_head *b)
{
    struct certificate c = {.kind = kind, .epoch = r->config.epoch.epoch, .slot = slot};
    uint32_t n = 0;
    for (int i = 0; i < MEMBERS; i++) {
        if (i != r->config.self) {
            struct vote v = core_run_vote(r, i, kind, slot, b);
            c.signers |= 1u << i;
            c.block = v.block;
            c.signature[n++] = v.signature;
        }
    }
    return c;
}

/* ---- notices --------------------------------------------------------------------------------- */

struct ready_notice core_make_ready(struct core_run *r, int member, const struct block_head *b)
{
    const struct epoch_config *c = &r->config.epoch;
    struct ready_notice n = {
        .epoch = c->epoch, .member = (uint8_t)member, .slot = b->header.slot, .block = b->hash};
    struct hash digest = ready_digest(c, &n);
    core_sign_as(&n.signature, &c->member[member].address, &digest);
    return n;
}

struct leave_notice core_make_leave(struct core_run *r, int member, uint64_t turn)
{
    const struct epoch_config *c = &r->config.epoch;
    struct leave_notice n = {.epoch = c->epoch, .member = (uint8_t)member, .from_turn = turn};
    struct hash digest = leave_digest(c, &n);
    core_sign_as(&n.signature, &c->member[member].address, &digest);
    return n;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* The turns between parent and block, as the system section lists them. */
static size_t put_system(struct core_run *r, uint8_t out[CORE_SYSTEM],
                         const struct block_head *parent, uint64_t slot, uint8_t twist)
{
    const struct header *p = &parent->header;
    bool list = (twist & 0x80) == 0;
    struct skipped_turn skipped[16];
    struct ready_notice ready = core_make_ready(r, twist & 3, parent);
    struct leave_notice leave = core_make_leave(r, twist >> 2 & 3, slot / TURN_SLOTS + 1);
    struct system_parts parts = {.skipped = skipped,
                                 .notices = &ready,
                                 .leaves = &leave,
                                 .notices_n = (twist & 0x30) == 0x10,
                                 .leaves_n = (twist & 0x30) == 0x20};
    bool rest = p->slot != 0 && p->slot % TURN_SLOTS != 0 && (p->flags & FLAG_LAST) == 0;
    uint64_t t = p->slot == 0 ? 0 : (p->slot - 1) / TURN_SLOTS + (rest ? 0 : 1);
    for (; list && t < (slot - 1) / TURN_SLOTS && parts.skipped_n < 16; t++, rest = false) {
        uint64_t at = rest ? p->slot + 1 : t * TURN_SLOTS + 1;
        skipped[parts.skipped_n++] = (struct skipped_turn){t, at};
    }
    size_t n = 0;
    DEMAND(system_encode(out, CORE_SYSTEM, &n, &parts) == OK);
    return n;
}

void core_run_seal(struct core_run *r, struct block_head *head)
{
    const struct header *h = &head->header;
    int leader = core_leader(r->core, (h->slot - 1) / TURN_SLOTS);
    head->hash = header_hash(h);
    struct hash digest = propose_digest(&r->config.epoch, h->slot, h->attempt, &head->hash);
    core_sign_as(&head->signature, &r->config.epoch.member[leader].address, &digest);
}

struct block_head *core_run_block(struct core_run *r, const struct block_head *parent,
                                  uint64_t slot, uint8_t flags, uint8_t twist)
{
    struct core_block *b = &r->block[r->blocks];
    const struct header *p = &parent->header;
    struct header *h = &b->head.header;
    size_t n = put_system(r, b->system, parent, slot, twist);
    *h = (struct header){.chain_id = p->chain_id,
                         .genesis = p->genesis,
                         .epoch = p->epoch,
                         .config = p->config,
                         .slot = slot,
                         .flags = flags & 3,
                         .parent_slot = p->slot,
                         .parent = parent->hash,
                         .height = p->height + 1,
                         .timestamp_ms = p->timestamp_ms + 200 + (twist & 0x40) * 64u,
                         .leader = (uint8_t)core_leader(r->core, (slot - 1) / TURN_SLOTS),
                         .payload_parent = p->payload,
                         .body_len = 64};
    uint8_t seed[41] = {0};
    memcpy(seed, parent->hash.b, 32);
    store_be64(seed + 32, slot);
    seed[40] = twist & 3;
    h->payload = keccak256(seed, sizeof seed);
    h->state_root = keccak256(h->payload.b, 32);
    h->body_root = keccak256(seed, 16);
    h->system_root = keccak256(b->system, n);
    if ((flags & FLAG_EMPTY) != 0) {
        h->height = p->height;
        h->payload = p->payload;
        h->state_root = p->state_root;
        h->body_root = keccak256("", 0);
        h->body_len = 0;
    }
    b->head.system = bytes_of(b->system, n);
    core_run_seal(r, &b->head);
    return &b->head;
}
