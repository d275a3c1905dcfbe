/* The world of one core: keys, disk and client, and what they do with its effects. */
#include "tests/fuzz/core_parts.h"

#include <stdlib.h>

#include "proto/keccak.h"

/* ---- signatures: a keyed hash stands for one ------------------------------------------------- */

void core_sign_as(struct signature *out, const struct address *a, const struct hash *digest)
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
    core_sign_as(out, &r->config.epoch.member[r->config.self].address, digest);
    return ++r->signatures != r->fail_signature;
}

static bool core_recover(void *ctx, struct address *out, const struct signature *sig,
                         const struct hash *digest)
{
    (void)ctx;
    struct signature want;
    memcpy(out->b, sig->b, 20);
    core_sign_as(&want, out, digest);
    return memcmp(&want, sig, sizeof want) == 0;
}

/* ---- start ----------------------------------------------------------------------------------- */

/* What the run before left in it stays: the core reads nothing that it did not write, or a script
 * that runs twice ends in two states. (Zeros for each run would cost more than the run.) */
static void *memory_for(const struct core_config *config)
{
    static void *memory;
    static size_t size;
    size_t need = (core_footprint(config) + 63) / 64 * 64;
    if (size < need) {
        free(memory);
        memory = aligned_alloc(64, need);
        DEMAND(memory != NULL);
        memset(memory, 0xa5, need);
        size = need;
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

/* ---- effects --------------------------------------------------------------------------------- */

uint32_t core_find_block(const struct core_run *r, const struct hash *hash)
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
        core_find_block(r, &head->hash) != r->blocks) {
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
