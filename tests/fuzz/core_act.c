#define _GNU_SOURCE
#include "tests/fuzz/core_act.h"

#include <sys/mman.h>

#include "proto/keccak.h"

enum { MS = 1000, MEMBERS = 4, TURN_SLOTS = 4 };

/* ---- signatures: a keyed hash stands for one ------------------------------------------------- */

static void sign(struct signature *out, const struct address *a, const struct hash *digest)
{
    uint8_t both[52];
    memcpy(both, a->b, 20);
    memcpy(both + 20, digest->b, 32);
    struct hash tag = keccak256(both, sizeof both);
    memset(out, 0, sizeof *out);
    memcpy(out->b, a->b, 20);
    memcpy(out->b + 32, tag.b, 32);
    out->b[64] = 27;
}

static bool core_sign(void *ctx, struct signature *out, const struct hash *digest)
{
    struct core_run *r = ctx;
    sign(out, &r->config.epoch.member[r->config.self].address, digest);
    return ++r->signatures != r->fail_signature;
}

static bool core_recover(void *ctx, struct address *out, const struct signature *sig,
                         const struct hash *digest)
{
    (void)ctx;
    struct signature want;
    memcpy(out->b, sig->b, 20);
    sign(&want, out, digest);
    return memcmp(&want, sig, sizeof want) == 0;
}

/* ---- start ----------------------------------------------------------------------------------- */

/* Fresh zeros each time: what was touched goes back to the system. */
static void *memory_for(const struct core_config *config)
{
    static void *memory;
    static size_t size;
    size_t need = core_footprint(config);
    if (memory == NULL || size < need) {
        memory = mmap(NULL, need, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        DEMAND(memory != MAP_FAILED);
        size = need;
    } else {
        DEMAND(madvise(memory, size, MADV_DONTNEED) == 0);
    }
    return memory;
}

static void make_anchor(struct core_run *r)
{
    const struct epoch_config *c = &r->config.epoch;
    struct header *h = &r->config.anchor;
    *h = (struct header){.chain_id = c->chain_id,
                         .genesis = c->genesis,
                         .epoch = c->epoch,
                         .config = c->hash,
                         .timestamp_ms = r->wall_ms};
    h->body_root = h->system_root = keccak256("", 0);
    r->block[0].head = (struct block_head){.header = *h, .hash = header_hash(h)};
    r->blocks = 1;
}

void core_run_start(struct core_run *r, uint8_t how)
{
    char why[256];
    r->now_us = 1000000 * (uint64_t)MS;
    r->wall_ms = 1700000000000;
    r->build = r->signatures = r->writes = r->answers = 0;
    memset(&r->config, 0, sizeof r->config);
    r->config.epoch = *fuzz_epoch();
    struct epoch_params *p = &r->config.epoch.params;
    p->turn_slots = TURN_SLOTS;
    p->pace = (how & 1) != 0 ? PACE_DEMAND : PACE_FIXED;
    p->max_interval_ms = (how & 1) != 0 ? 1000 : 200;
    p->fault_model = (how & 2) != 0 ? FAULT_CRASH : FAULT_BFT;
    p->execute_before_finalize = (how & 6) != 6;
    DEMAND(epoch_config_derive(&r->config.epoch, why, sizeof why) == OK);
    make_anchor(r);
    r->config.self = (how & 8) != 0 ? -1 : (how >> 4 & 3);
    r->config.observe_until_cleared = (how & 64) != 0;
    r->config.ask_before_signing = (how & 128) != 0;
    r->config.start_us = r->now_us;
    r->config.crypto = (struct core_crypto){r, core_sign, core_recover};
    core_run_again(r);
    core_start(r->core, r->now_us, &r->out);
}

void core_run_again(struct core_run *r)
{
    DEMAND(core_init(&r->core, memory_for(&r->config), &r->config) == OK);
    oracle_start(&r->oracle, &r->config);
}

void core_run_end(struct core_run *r)
{
    message_arena_free(&r->arena);
}

void core_run_step(struct core_run *r, struct event *e);

/* ---- effects --------------------------------------------------------------------------------- */

static uint32_t find_block(const struct core_run *r, const struct hash *hash)
{
    uint32_t i = 0;
    while (i < r->blocks && !hash_equal(&r->block[i].head.hash, hash)) {
        i++;
    }
    return i;
}

static void keep_block(struct core_run *r, const struct block_head *head)
{
    if (r->blocks == CORE_BLOCKS || head->system.n > CORE_SYSTEM ||
        find_block(r, &head->hash) != r->blocks) {
        return;
    }
    struct core_block *b = &r->block[r->blocks++];
    b->head = *head;
    if (head->system.n > 0) {
        memcpy(b->system, head->system.p, head->system.n);
    }
    b->head.system = bytes_of(b->system, head->system.n);
}

/* The disk that fails does so with its k-th write, at once. */
static void on_write(struct core_run *r)
{
    struct event e = {.kind = EVENT_WRITE_FAILED, .peer = -1};
    if (++r->writes == r->fail_write) {
        r->oracle.write_failed = true;
        core_run_step(r, &e);
    }
}

void core_run_step(struct core_run *r, struct event *e)
{
    bool writes = false;
    e->now_us = r->now_us;
    e->wall_ms = r->wall_ms;
    core_step(r->core, e, &r->out);
    oracle_effects(&r->oracle, r->core, &r->out);
    r->oracle.silent |= r->oracle.write_failed;
    r->oracle.silent |= r->fail_signature != 0 && r->signatures >= r->fail_signature;
    for (uint32_t i = 0; i < r->out.n; i++) {
        const struct effect *f = &r->out.effect[i];
        if (f->kind == EFFECT_BUILD) {
            r->build = f->u.build.number;
        } else if (f->kind == EFFECT_SEND && f->u.send.message->kind == MSG_PROPOSAL) {
            keep_block(r, &f->u.send.message->u.proposal.head);
        }
        writes |= f->kind == EFFECT_PERSIST;
    }
    if (writes) {
        on_write(r);
    }
}

/* ---- what the script says -------------------------------------------------------------------- */

static int script_peer(const struct core_run *r, struct bytes *in)
{
    int peer = script_u8(in) % MEMBERS;
    return peer == r->config.self ? (peer + 1) % MEMBERS : peer;
}

static const struct block_head *script_block(const struct core_run *r, struct bytes *in)
{
    uint8_t back = script_u8(in); /* the latest are the likeliest */
    uint32_t i = r->blocks - 1 - back % r->blocks;
    return &r->block[i].head;
}

/* Around the current slot, or anywhere. */
static uint64_t script_slot(const struct core_run *r, struct bytes *in)
{
    uint8_t v = script_u8(in);
    uint64_t cur = r->oracle.cur == 0 ? 1 : r->oracle.cur;
    if (v >= 0xf0) {
        return (uint64_t)script_u16(in) << (v & 3) * 16;
    }
    uint64_t back = v >> 4 & 3;
    return cur + (v & 15) - (back < cur ? back : cur);
}

static void act_time(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_TICK, .peer = -1};
    uint8_t how = script_u8(in);
    uint64_t due = core_deadline(r->core);
    uint64_t by = (uint64_t)script_u8(in) * 20 * MS;
    if ((how & 1) != 0 && due != UINT64_MAX && due > r->now_us) {
        by = due - r->now_us;
    }
    r->now_us += by;
    r->wall_ms += by / MS;
    if ((how & 2) != 0) { /* a clock that was set */
        r->wall_ms += (uint64_t)(int64_t)((int8_t)how * 250);
    }
    e.late_us = (how & 4) != 0 ? by : 0;
    core_run_step(r, &e);
}

static void act_peer(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_PEER, .peer = script_peer(r, in)};
    uint8_t how = script_u8(in);
    e.u.peer.up = (how & 1) != 0;
    e.u.peer.reset = !e.u.peer.up && (how & 2) != 0;
    core_run_step(r, &e);
}

static void act_latency(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_LATENCY, .peer = script_peer(r, in)};
    e.u.latency.one_way_p50_us = script_u16(in);
    e.u.latency.one_way_p99_us = e.u.latency.one_way_p50_us + script_u16(in);
    core_run_step(r, &e);
}

static void hear(struct core_run *r, int from, const struct message *m)
{
    struct event e = {.kind = EVENT_MESSAGE, .peer = from, .u.message = m};
    core_run_step(r, &e);
}

struct vote core_run_vote(struct core_run *r, int signer, uint8_t kind, uint64_t slot,
                          const struct block_head *b)
{
    struct vote v = {
        .kind = kind, .signer = (uint8_t)signer, .epoch = r->config.epoch.epoch, .slot = slot};
    if (kind != VOTE_SKIP) {
        v.block = b->hash;
    }
    struct hash digest = vote_digest(&r->config.epoch, kind, slot, &v.block);
    sign(&v.signature, &r->config.epoch.member[signer].address, &digest);
    return v;
}

/* Slot and block of a vote: a block at its own slot, or, seldom, at another. */
static uint64_t vote_slot(struct core_run *r, struct bytes *in, uint8_t kind,
                          const struct block_head *b, uint8_t how)
{
    return kind != VOTE_SKIP && (how & 32) == 0 ? b->header.slot : script_slot(r, in);
}

static void act_vote(struct core_run *r, struct bytes *in)
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
    hear(r, from, &m);
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

/* Certificates of everybody else, and the header path that they may need. */
static void act_bundle(struct core_run *r, struct bytes *in)
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
    hear(r, from, &m);
}

/* ---- notices --------------------------------------------------------------------------------- */

static struct ready_notice make_ready(struct core_run *r, int member, const struct block_head *b)
{
    const struct epoch_config *c = &r->config.epoch;
    struct ready_notice n = {
        .epoch = c->epoch, .member = (uint8_t)member, .slot = b->header.slot, .block = b->hash};
    struct hash digest = ready_digest(c, &n);
    sign(&n.signature, &c->member[member].address, &digest);
    return n;
}

static struct leave_notice make_leave(struct core_run *r, int member, uint64_t turn)
{
    const struct epoch_config *c = &r->config.epoch;
    struct leave_notice n = {.epoch = c->epoch, .member = (uint8_t)member, .from_turn = turn};
    struct hash digest = leave_digest(c, &n);
    sign(&n.signature, &c->member[member].address, &digest);
    return n;
}

static void act_notice(struct core_run *r, struct bytes *in)
{
    struct message m = {.kind = MSG_NOTICES};
    int from = script_peer(r, in);
    uint8_t how = script_u8(in);
    m.u.notices.has_ready = (how & 1) != 0;
    m.u.notices.has_leave = (how & 2) != 0;
    if (m.u.notices.has_ready) {
        m.u.notices.ready = make_ready(r, (how & 4) != 0 ? how >> 6 : from, script_block(r, in));
        m.u.notices.ready.signature.b[40] ^= (how & 8) != 0;
    }
    if (m.u.notices.has_leave) {
        m.u.notices.leave = make_leave(r, from, script_slot(r, in) / TURN_SLOTS);
    }
    hear(r, from, &m);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* The turns between parent and block, as the system section lists them. */
static size_t put_system(struct core_run *r, uint8_t out[CORE_SYSTEM],
                         const struct block_head *parent, uint64_t slot, uint8_t twist)
{
    const struct header *p = &parent->header;
    bool list = (twist & 0x80) == 0;
    struct skipped_turn skipped[16];
    struct ready_notice ready = make_ready(r, twist & 3, parent);
    struct leave_notice leave = make_leave(r, twist >> 2 & 3, slot / TURN_SLOTS + 1);
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
    sign(&head->signature, &r->config.epoch.member[leader].address, &digest);
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

static void act_propose(struct core_run *r, struct bytes *in)
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
    r->blocks += find_block(r, &head->hash) == r->blocks;
    hear(r, from, &m);
}

static void act_repeat(struct core_run *r, struct bytes *in)
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
    hear(r, from, &m);
}

static void act_status(struct core_run *r, struct bytes *in)
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
    hear(r, from, &m);
}

static void act_amnesia(struct core_run *r, struct bytes *in)
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
    hear(r, from, &m);
}

/* Any message at all, as long as the codec takes it. */
static void act_bytes(struct core_run *r, struct bytes *in)
{
    int from = script_peer(r, in);
    struct message m;
    struct bytes frame = script_bytes(in, script_u16(in) % 2048);
    if (message_decode(&m, &r->arena, frame) == OK && m.kind != MSG_TXS && m.kind != MSG_TX_ACK &&
        m.kind != MSG_BODY && m.kind != MSG_FETCH && m.kind != MSG_RANGE) {
        hear(r, from, &m);
    }
    message_arena_reset(&r->arena);
}

static void act_body(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_BODY, .peer = -1};
    e.u.body.block = script_block(r, in)->hash;
    e.u.body.ok = (script_u8(in) & 15) != 15;
    core_run_step(r, &e);
}

static void act_executed(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_EXECUTED, .peer = -1};
    e.u.executed.block = script_block(r, in)->hash;
    uint8_t how = script_u8(in);
    bool fails = ++r->answers == r->fail_answer;
    e.u.executed.verdict = fails || (how & 15) == 15 ? VERDICT_INVALID : VERDICT_VALID;
    e.u.executed.took_us = (uint64_t)how * 1000;
    core_run_step(r, &e);
}

static void act_built(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_BUILT, .peer = -1};
    uint8_t how = script_u8(in);
    bool fails = ++r->answers == r->fail_answer;
    e.u.built = (struct built_payload){.ok = !fails && (how & 7) != 7,
                                       .build = r->build - (how >> 6),
                                       .body_len = 64,
                                       .txs = how & 1};
    memset(e.u.built.payload.b, how, 32);
    e.u.built.payload.b[0] = (uint8_t)r->build;
    e.u.built.state_root = keccak256(e.u.built.payload.b, 32);
    e.u.built.body_root = keccak256(&how, 1);
    core_run_step(r, &e);
}

static void act_persisted(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_PERSISTED, .peer = -1};
    uint64_t waiting = r->oracle.sequence - r->oracle.persisted;
    uint64_t n = script_u8(in) % 4;
    if (r->oracle.write_failed || waiting == 0) {
        return;
    }
    r->oracle.persisted += n == 0 || n > waiting ? waiting : n;
    e.u.persisted = r->oracle.persisted;
    core_run_step(r, &e);
}

static void act_health(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_HEALTH, .peer = -1};
    uint8_t how = script_u8(in);
    e.u.health.not_ready = (how & 1) != 0 ? script_u8(in) : 0;
    e.u.health.pending = (how & 2) != 0;
    e.u.health.draining = (how & 12) == 12;
    e.u.health.client_silent_us = (how & 16) != 0 ? (uint64_t)script_u16(in) * 100 : 0;
    core_run_step(r, &e);
}

static void act_fail(struct core_run *r, struct bytes *in)
{
    uint8_t how = script_u8(in);
    struct event e = {.kind = how == 0x80 ? EVENT_OWN_KEY_SEEN : EVENT_WRITE_FAILED, .peer = -1};
    if (how != 0x80 && how != 0x81) {
        return; /* both end the signing: seldom */
    }
    r->oracle.write_failed |= e.kind == EVENT_WRITE_FAILED;
    core_run_step(r, &e);
}

void core_run_act(struct core_run *r, struct bytes *script)
{
    static void (*const acts[])(struct core_run *, struct bytes *) = {
        act_time,    act_propose,   act_body,  act_executed, act_vote,   act_bundle,
        act_built,   act_persisted, act_peer,  act_health,   act_status, act_repeat,
        act_latency, act_amnesia,   act_bytes, act_fail,     act_notice};
    acts[script_u8(script) % (sizeof acts / sizeof acts[0])](r, script);
}
