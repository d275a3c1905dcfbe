/* N1: what makes a block valid. A function of header, system section, parent chain and
 * certificates alone; never of pools, peers or clocks (CONSENSUS 2, 4). */
#include "consensus/core.h"
#include "proto/keccak.h"

static bool constants_right(const struct core *c, const struct header *h)
{
    return h->chain_id == c->epoch->chain_id && hash_equal(&h->genesis, &c->epoch->genesis) &&
           h->epoch == c->epoch->epoch && hash_equal(&h->config, &c->epoch->hash) &&
           h->attempt == 0 && (h->flags & ~(FLAG_LAST | FLAG_EMPTY)) == 0 &&
           h->leader == rotation_leader(c, turn_of(c, h->slot));
}

static bool follows_parent(const struct core *c, const struct header *h, const struct header *p)
{
    if (h->parent_slot != p->slot || h->parent_slot >= h->slot ||
        !hash_equal(&h->payload_parent, &p->payload) ||
        h->timestamp_ms < p->timestamp_ms + c->epoch->params.block_time_ms) {
        return false;
    }
    if ((h->flags & FLAG_EMPTY) != 0) {
        const struct hash nothing = keccak256("", 0);
        return h->height == p->height && hash_equal(&h->payload, &p->payload) &&
               hash_equal(&h->state_root, &p->state_root) && h->body_len == 0 &&
               hash_equal(&h->body_root, &nothing);
    }
    return h->height == p->height + 1 && h->body_len <= LIMIT_BODY_BYTES;
}

/* First slot after the parent that must be void by a skip of the parent's own turn; 0: none. */
static uint64_t rest_of_turn(const struct core *c, const struct header *p)
{
    if (p->slot == 0 || (p->flags & FLAG_LAST) != 0 ||
        p->slot == turn_last(c, turn_of(c, p->slot))) {
        return 0;
    }
    return p->slot + 1;
}

/* Exactly one entry for each turn between parent and block whose slots are not all void by LAST. */
static bool skips_listed(const struct core *c, const struct header *h, const struct header *p,
                         const struct system_section *s)
{
    uint64_t turn = turn_of(c, h->slot);
    uint64_t at_turn = p->slot == 0 ? 0 : turn_of(c, p->slot);
    uint64_t rest = rest_of_turn(c, p);
    if (p->slot != 0 && rest == 0) {
        at_turn++;
    }
    size_t at = 0;
    struct skipped_turn e;
    for (; at_turn < turn; at_turn++, rest = 0) {
        uint64_t highest = rest != 0 ? rest : turn_first(c, at_turn);
        if (!system_next_skipped(s, &at, &e) || e.turn != at_turn ||
            e.slot < turn_first(c, at_turn) || e.slot > highest) {
            return false;
        }
    }
    return !system_next_skipped(s, &at, &e);
}

static bool inside_turn(const struct header *h, const struct header *p,
                        const struct system_section *s)
{
    return h->parent_slot == h->slot - 1 && (p->flags & FLAG_LAST) == 0 && s->skipped_n == 0 &&
           s->raw.n <= LIMIT_SYSTEM_INSIDE;
}

/* Notices, leaves and evidence follow from the parent chain too. */
static enum form_state announced_right(struct core *c, const struct block_record *b,
                                       const struct block_record *parent,
                                       const struct system_section *s)
{
    if (s->notices_n + s->leaves_n + s->evidence_n == 0) {
        return FORM_VALID;
    }
    struct bench state;
    if (!bench_at(c, &state, parent)) {
        return FORM_UNKNOWN; /* on a branch that ends below the final head */
    }
    return bench_block(c, &state, &b->head, true) ? FORM_VALID : FORM_INVALID;
}

enum form_state validity_check(struct core *c, const struct block_record *b,
                               const struct block_record *parent)
{
    const struct header *h = &b->head.header;
    const struct header *p = &parent->head.header;
    struct hash root = keccak256(b->head.system.p, b->head.system.n);
    struct system_section s;
    if (!constants_right(c, h) || !follows_parent(c, h, p) ||
        !hash_equal(&h->system_root, &root) ||
        system_decode(&s, b->head.system) != OK || s.record.n != 0) {
        return FORM_INVALID; /* records of epochs are not part of this version */
    }
    bool first = h->slot == turn_first(c, turn_of(c, h->slot));
    if (first ? !skips_listed(c, h, p, &s) : !inside_turn(h, p, &s)) {
        return FORM_INVALID;
    }
    return announced_right(c, b, parent, &s);
}

bool validity_timely(const struct core *c, const struct block_record *b,
                     const struct block_record *parent)
{
    uint64_t least = parent->head.header.timestamp_ms + c->epoch->params.block_time_ms;
    return b->head.header.timestamp_ms <= max_u64(least, c->wall_ms + 2000);
}
