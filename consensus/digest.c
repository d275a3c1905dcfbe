/* One hash over everything that decides what the core does next: equal inputs, equal digests, on
 * every compiler. Padding, pointers and free records do not enter. */
#include "consensus/core.h"
#include "proto/keccak.h"

static void put_u64(struct keccak *k, uint64_t v)
{
    uint8_t be[8];
    store_be64(be, v);
    keccak_update(k, be, sizeof be);
}

static void put_slot(struct keccak *k, const struct slot_record *r, uint32_t n)
{
    put_u64(k, r->slot);
    put_u64(k, r->own_durable);
    put_u64(k, r->has_cert);
    for (int kind = 0; kind < KINDS; kind++) {
        put_u64(k, r->own[kind].kind);
        keccak_update(k, r->own[kind].block.b, 32);
        for (uint32_t i = 0; i < n; i++) {
            put_u64(k, r->vote[kind][i].check);
            keccak_update(k, r->vote[kind][i].block.b, 32);
        }
        if ((r->has_cert & 1u << kind) != 0) {
            put_u64(k, r->cert[kind].signers);
            keccak_update(k, r->cert[kind].block.b, 32);
        }
    }
}

static void put_block(struct keccak *k, const struct block_record *b)
{
    keccak_update(k, b->head.hash.b, 32);
    put_u64(k, b->form);
    put_u64(k, b->body);
    put_u64(k, b->run);
    put_u64(k, b->proposed);
    put_u64(k, b->notarized);
    put_u64(k, b->proof_slot);
    put_u64(k, b->arrival_us);
    put_u64(k, b->ready_us);
}

static void put_peer(struct keccak *k, const struct peer_state *p)
{
    put_u64(k, p->up);
    put_u64(k, p->reset);
    put_u64(k, p->heard_us);
    put_u64(k, p->cur);
    put_u64(k, p->final_slot);
    put_u64(k, p->not_ready);
    put_u64(k, p->pending);
    put_u64(k, p->bundle_us);
    put_u64(k, p->answered);
    put_u64(k, p->amnesia_answered);
}

static void put_notices(struct keccak *k, const struct core *c)
{
    const struct notices *n = &c->notices;
    put_u64(k, n->ready_here);
    put_u64(k, n->leave_here);
    put_u64(k, n->evidence_here);
    put_u64(k, n->told);
    put_u64(k, n->sent_us);
    put_u64(k, n->out_since_us);
    put_u64(k, n->returns);
    for (uint32_t i = 0; i < c->n; i++) {
        put_u64(k, (n->ready_here & 1u << i) != 0 ? n->ready[i].slot : 0);
        put_u64(k, (n->leave_here & 1u << i) != 0 ? n->leave[i].from_turn : 0);
        put_u64(k, (n->evidence_here & 1u << i) != 0 ? n->evidence[i].slot : 0);
    }
}

struct hash core_digest(const struct core *core)
{
    const struct core *c = core;
    struct keccak k;
    struct hash out;
    keccak_init(&k);
    put_u64(&k, c->cur);
    put_u64(&k, c->entered_us);
    put_u64(&k, c->write_us);
    put_u64(&k, c->disk_waited_us);
    put_u64(&k, c->highest_final);
    put_u64(&k, c->highest_notarized);
    put_u64(&k, c->highest_signed);
    put_u64(&k, c->sequence);
    put_u64(&k, c->persisted);
    put_u64(&k, c->floor_slot);
    put_u64(&k, (uint64_t)c->stopped | (uint64_t)c->amnesiac << 1 | (uint64_t)c->asking << 2 |
                    (uint64_t)c->disk_failed << 3 | (uint64_t)c->pending << 4 |
                    (uint64_t)c->draining << 5);
    put_u64(&k, c->lead.turn);
    put_u64(&k, c->lead.proposed);
    put_u64(&k, c->lead.build);
    for (uint32_t i = 0; i < c->slots_used; i++) {
        put_slot(&k, &c->slot[c->slot_list[i]], c->n);
    }
    for (uint32_t i = 0; i < c->turns_used; i++) {
        const struct turn_record *t = &c->turn[c->turn_list[i]];
        put_u64(&k, t->turn);
        put_u64(&k, t->skipped ? t->skip.slot : 0);
        put_u64(&k, (uint64_t)t->proposing | (uint64_t)t->proposing_found << 1);
    }
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        put_block(&k, &c->block[c->block_list[i]]);
    }
    for (uint32_t i = 0; i < c->n; i++) {
        put_peer(&k, &c->peer[i]);
    }
    uint8_t bench[BENCH_BYTES];
    bench_encode(&c->bench, bench);
    keccak_update(&k, bench, sizeof bench);
    put_notices(&k, c);
    keccak_final(&k, &out);
    return out;
}
