/* What the ledger of sequencer/execution does about nonces: a transaction runs only with the nonce
 * that its account has on the block's parent. */
#include "tests/sim/users_inside.h"

static void run_body(const struct users *u, const struct user_body *body, struct user_state *state)
{
    for (uint32_t i = 0; body != NULL && state->valid && i < body->txs; i++) {
        const struct user_tx *t = &u->tx[body->tx[i]];
        state->valid = state->nonce[t->user] == t->nonce;
        state->nonce[t->user]++;
    }
}

/* On its parent, whose state is known unless that is the anchor. */
static void run_block(struct sim *s, uint32_t block, uint32_t parent)
{
    struct users *u = s->users;
    struct user_state *state = &u->state[block];
    const struct header *h = &s->block[block].head.header;
    if (parent == NO_BLOCK && h->parent_slot != 0) {
        sim_fail(s, SIM_HARNESS, "slot %llu is to be run without its parent",
                 (unsigned long long)h->slot);
    }
    *state = parent == NO_BLOCK ? (struct user_state){.valid = true} : u->state[parent];
    state->known = true;
    if (!world_empty(&s->block[block])) {
        run_body(u, users_body(u, &h->body_root, false), state);
    }
}

const struct user_state *users_state(struct sim *s, uint32_t block)
{
    static const struct user_state genesis = {.known = true, .valid = true};
    struct users *u = s->users;
    if (block == NO_BLOCK) {
        return &genesis;
    }
    while (!u->state[block].known) {
        uint32_t b = block;
        uint32_t parent = world_parent(s, b);
        while (parent != NO_BLOCK && !u->state[parent].known) {
            b = parent;
            parent = world_parent(s, b);
        }
        run_block(s, b, parent);
    }
    return &u->state[block];
}

bool users_valid(struct sim *s, uint32_t block)
{
    return users_state(s, block)->valid;
}

uint32_t users_runnable(struct sim *s, uint32_t parent, struct mempool_candidate *c, uint32_t count)
{
    struct user_state state = *users_state(s, parent);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct user_tx *t = &s->users->tx[load_be32(c[i].raw.p)];
        if (state.nonce[t->user] == t->nonce) {
            state.nonce[t->user]++;
            c[kept++] = c[i];
        }
    }
    return kept;
}
