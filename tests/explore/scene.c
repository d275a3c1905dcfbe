/* Who there is, and every block, certificate and proposal that exists, each with a number. */
#include <stdlib.h>
#include <string.h>

#include "proto/keccak.h"
#include "tests/explore/explore.h"

enum { BLOCK_MS = 50 };

/* ---- keys: a signature is the signer's address beside what it signed ---------------------------- */

static void toy_sign(struct signature *out, const struct address *a, const struct hash *digest)
{
    memset(out->b, 0, sizeof out->b);
    memcpy(out->b, a->b, sizeof a->b);
    memcpy(out->b + 32, digest->b, 32);
    out->b[64] = 27;
}

static bool core_sign(void *ctx, struct signature *out, const struct hash *digest)
{
    toy_sign(out, ctx, digest);
    return true;
}

static bool core_recover(void *ctx, struct address *out, const struct signature *sig,
                         const struct hash *digest)
{
    (void)ctx;
    memcpy(out->b, sig->b, sizeof out->b);
    return memcmp(sig->b + 32, digest->b, 32) == 0;
}

/* ---- the set ------------------------------------------------------------------------------------ */

static void make_epoch(struct scene *s)
{
    struct epoch_config *e = &s->epoch;
    e->chain_id = 41197;
    e->genesis = keccak256("explore", 7);
    e->params = (struct epoch_params){.fault_model = s->o.n == 4 ? FAULT_BFT : FAULT_CRASH,
                                      .pace = PACE_FIXED,
                                      .turn_slots = s->o.turn_slots,
                                      .depth = 2,
                                      .block_time_ms = BLOCK_MS,
                                      .max_interval_ms = BLOCK_MS,
                                      .execute_before_finalize = 1,
                                      .gas_limit = 30000000};
    e->n = s->o.n;
    for (uint32_t i = 0; i < e->n; i++) {
        memset(e->member[i].address.b, (int)(i + 1), sizeof e->member[i].address.b);
        e->member[i].weight = 1;
        e->member[i].name[0] = (char)('A' + (int)i);
        e->member[i].endpoint[0] = 'x';
        s->crypto[i] = (struct core_crypto){&e->member[i].address, core_sign, core_recover};
    }
    char why[256];
    if (epoch_config_derive(e, why, sizeof why) != OK) {
        broken("the set is refused: %s", why);
    }
}

/* Equal weights and no labels: members lead in the order of their numbers (CONSENSUS 2). */
int scene_leader(const struct scene *s, uint64_t slot)
{
    return (int)((slot - 1) / s->o.turn_slots % s->o.n);
}

/* ---- blocks ------------------------------------------------------------------------------------- */

int scene_block_of(const struct scene *s, const struct hash *hash)
{
    for (int i = 0; i < s->blocks; i++) {
        if (hash_equal(&s->block[i].head.hash, hash)) {
            return i;
        }
    }
    return -1;
}

bool scene_is_ancestor(const struct scene *s, int ancestor, int block)
{
    while (block > ancestor) {
        block = s->block[block].parent;
    }
    return block == ancestor;
}

static int add_block(struct scene *s, const struct block_head *head)
{
    if (s->blocks == BLOCKS || head->system.n > SYSTEM_INLINE) {
        broken("more blocks than there is room for");
    }
    struct block_entry *b = &s->block[s->blocks];
    b->head = *head;
    if (head->system.n > 0) {
        memcpy(b->system, head->system.p, head->system.n);
    }
    b->head.system = bytes_of(b->system, head->system.n);
    b->parent = s->blocks == 0 ? 0 : scene_block_of(s, &head->header.parent);
    if (b->parent < 0) {
        broken("a block at slot %llu without its parent", (unsigned long long)head->header.slot);
    }
    return s->blocks++;
}

/* Every turn between parent and block, as N1 wants it listed: by its first slot, the parent's own by
 * the slot after the parent. */
static size_t list_skips(const struct scene *s, const struct header *parent, uint64_t slot,
                         struct skipped_turn *out)
{
    uint64_t k = s->o.turn_slots;
    uint64_t at = parent->slot + 1; /* the first slot that must be void */
    if (parent->slot != 0 && (parent->flags & FLAG_LAST) != 0) {
        at = (parent->slot - 1) / k * k + k + 1;
    }
    size_t n = 0;
    for (uint64_t turn = (at - 1) / k; turn < (slot - 1) / k; turn++) {
        out[n] = (struct skipped_turn){turn, n == 0 ? at : turn * k + 1};
        n++;
    }
    return n;
}

static void liar_block(struct scene *s, uint64_t slot, int parent, uint8_t flags, uint8_t twist)
{
    uint8_t system[SYSTEM_INLINE];
    struct skipped_turn skipped[SLOTS_MOST];
    const struct header *p = &s->block[parent].head.header;
    struct system_parts parts = {.skipped = skipped,
                                 .skipped_n = list_skips(s, p, slot, skipped)};
    size_t n = 0;
    if (system_encode(system, sizeof system, &n, &parts) != OK) {
        broken("a system section that does not fit");
    }
    struct block_head head = {.system = bytes_of(system, n)};
    head.header = *p;
    struct header *h = &head.header;
    h->slot = slot;
    h->flags = (uint8_t)(FLAG_EMPTY | flags);
    h->parent_slot = p->slot;
    h->parent = s->block[parent].head.hash;
    h->timestamp_ms = p->timestamp_ms + BLOCK_MS + twist;
    h->leader = (uint8_t)s->o.liar;
    h->payload_parent = p->payload;
    h->system_root = keccak256(system, n);
    head.hash = header_hash(h);
    struct hash digest = propose_digest(&s->epoch, slot, 0, &head.hash);
    toy_sign(&head.signature, &s->epoch.member[s->o.liar].address, &digest);
    scene_proposal(s, scene_block(s, &head), 0);
}

/* What a liar that leads later could put on a block: twins at the first slot of its turn and inside,
 * and the same with LAST. */
static void liar_on_top(struct scene *s, int parent)
{
    const struct header *p = &s->block[parent].head.header;
    for (uint64_t slot = p->slot + 1; slot <= s->o.slots; slot++) {
        bool first = (slot - 1) % s->o.turn_slots == 0;
        bool inside = slot == p->slot + 1 && (p->flags & FLAG_LAST) == 0;
        if (scene_leader(s, slot) != s->o.liar || (!first && !inside)) {
            continue;
        }
        /* Inside its turn one child for each twin, and a second one for the first of them. */
        bool twins = first || p->timestamp_ms % BLOCK_MS == 0;
        liar_block(s, slot, parent, 0, 0);
        if (twins) {
            liar_block(s, slot, parent, 0, 1);
        }
        if (s->o.last && first && s->o.turn_slots > 1) {
            liar_block(s, slot, parent, FLAG_LAST, 0);
        }
    }
}

int scene_block(struct scene *s, const struct block_head *head)
{
    int known = scene_block_of(s, &head->hash);
    if (known >= 0) {
        return known;
    }
    int i = add_block(s, head);
    if (s->o.liar >= 0) {
        liar_on_top(s, i);
    }
    return i;
}

/* ---- certificates and proposals ------------------------------------------------------------------- */

int scene_cert(struct scene *s, int kind, uint64_t slot, int block)
{
    for (int i = 0; i < s->certs; i++) {
        const struct cert_entry *c = &s->cert[i];
        if (c->kind == kind && c->slot == slot && c->block == block) {
            return i;
        }
    }
    if (s->certs == CERTS) {
        broken("more certificates than there is room for");
    }
    s->cert[s->certs] = (struct cert_entry){(uint8_t)kind, slot, block};
    return s->certs++;
}

int scene_proposal(struct scene *s, int block, uint64_t certs)
{
    for (int i = 0; i < s->proposals; i++) {
        if (s->proposal[i].block == block && s->proposal[i].certs == certs) {
            return i;
        }
    }
    if (s->proposals == PROPOSALS) {
        broken("more proposals than there is room for");
    }
    s->proposal[s->proposals] = (struct proposal_entry){block, certs};
    return s->proposals++;
}

void scene_make_vote(const struct scene *s, int signer, const struct cert_entry *what,
                     struct vote *out)
{
    memset(out, 0, sizeof *out);
    out->kind = (uint8_t)(what->kind + 1);
    out->signer = (uint8_t)signer;
    out->slot = what->slot;
    if (what->kind != SKIP) {
        out->block = s->block[what->block].head.hash;
    }
    struct hash digest = vote_digest(&s->epoch, out->kind, out->slot, &out->block);
    toy_sign(&out->signature, &s->epoch.member[signer].address, &digest);
}

void scene_make_cert(const struct scene *s, int cert, int to, struct certificate *out)
{
    const struct cert_entry *what = &s->cert[cert];
    uint32_t weight = 0;
    memset(out, 0, sizeof *out);
    for (int i = 0; i < (int)s->o.n && weight < s->epoch.quorum; i++) {
        struct vote v;
        if (i == to) {
            continue;
        }
        scene_make_vote(s, i, what, &v);
        out->kind = v.kind;
        out->slot = v.slot;
        out->block = v.block;
        out->signers |= 1u << i;
        out->signature[weight++] = v.signature;
    }
}

void scene_init(struct scene *s, const struct scene_options *o)
{
    memset(s, 0, sizeof *s);
    s->o = *o;
    make_epoch(s);
    struct block_head anchor = {
        .header = {.chain_id = s->epoch.chain_id,
                   .genesis = s->epoch.genesis,
                   .config = s->epoch.hash,
                   .timestamp_ms = 1700000000000,
                   .body_root = keccak256("", 0)}};
    anchor.hash = header_hash(&anchor.header);
    scene_block(s, &anchor);
}
