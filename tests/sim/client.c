/* The execution client of a node: builds and executes after a while, hangs, errs, disagrees. */
#include "proto/keccak.h"
#include "tests/sim/adversary.h"
#include "tests/sim/sim.h"
#include "tests/sim/users.h"

enum { RETRY_US = 50 * MS, RETRY_MAX_US = 2 * SECOND };

void client_build(struct sim *s, struct node *n, const struct effect *e)
{
    struct built_payload p = {.ok = n->errors == 0, .build = e->u.build.number, .body_len = 64};
    uint8_t seed[80];
    memcpy(seed, e->u.build.parent.b, 32);
    memcpy(seed + 32, e->u.build.payload_parent.b, 32);
    store_be64(seed + 64, e->u.build.timestamp_ms);
    store_be64(seed + 72, (uint64_t)n->index);
    p.payload = keccak256(seed, sizeof seed);
    p.state_root = keccak256(p.payload.b, 32);
    p.body_root = keccak256(seed, 64);
    p.txs = users_select(s, n, &e->u.build.parent, e->u.build.max_txs, &p.body_root);
    n->built[p.build % BUILDS] = p;
    if (n->hangs == 0) {
        queue_push(s, (struct sim_event){.at = s->now + n->build_us + n->slow_client_us,
                                         .kind = SIM_BUILT,
                                         .to = (int8_t)n->index,
                                         .life = n->life,
                                         .value = p.build});
    }
}

void client_built(struct sim *s, struct node *n, uint64_t number)
{
    struct event ev = {.kind = EVENT_BUILT, .peer = -1};
    ev.u.built = n->built[number % BUILDS];
    if (ev.u.built.build == number && n->hangs == 0) {
        node_step(s, n, &ev);
    }
}

void client_execute(struct sim *s, struct node *n, uint32_t block, uint32_t tries)
{
    n->holds[block] |= HOLDS_ASKED;
    if (n->hangs > 0) {
        return;
    }
    uint64_t wait = 0;
    if (tries > 0) {
        wait = (uint64_t)RETRY_US << (tries < 6 ? tries - 1 : 6);
        wait = wait > RETRY_MAX_US ? RETRY_MAX_US : wait;
    }
    queue_push(s, (struct sim_event){.at = s->now + wait + n->execute_us + n->slow_client_us,
                                     .kind = SIM_EXECUTED,
                                     .to = (int8_t)n->index,
                                     .life = n->life,
                                     .block = block,
                                     .value = tries});
}

/* EMPTY blocks need no client. */
static bool invalid(struct sim *s, const struct node *n, uint32_t block)
{
    const struct sim_block *b = &s->block[block];
    uint32_t parent = world_parent(s, block);
    bool parent_bad = parent != NO_BLOCK && (n->holds[parent] & HOLDS_INVALID) != 0;
    bool nonces = users_valid(s, block);
    s->account->marks[MARK_USED_NONCE] += !nonces && !parent_bad && sim_honest(s, n);
    return parent_bad || !nonces || (!world_empty(b) && (b->poison || n->disagreements > 0));
}

void client_executed(struct sim *s, struct node *n, uint32_t block, uint64_t tries)
{
    if (n->hangs > 0 || (n->holds[block] & HOLDS_ASKED) == 0) {
        return;
    }
    if (n->errors > 0 && !world_empty(&s->block[block])) {
        client_execute(s, n, block, (uint32_t)tries + 1);
        return;
    }
    struct event ev = {.kind = EVENT_EXECUTED, .peer = -1};
    bool bad = invalid(s, n, block);
    ev.u.executed.block = s->block[block].head.hash;
    ev.u.executed.verdict = bad ? VERDICT_INVALID : VERDICT_VALID;
    ev.u.executed.took_us = n->execute_us + n->slow_client_us;
    n->holds[block] &= (uint8_t)~HOLDS_ASKED;
    n->holds[block] |= bad ? HOLDS_EXECUTED | HOLDS_INVALID : HOLDS_EXECUTED;
    node_step(s, n, &ev);
}

void client_hang(struct sim *s, struct node *n, bool begin)
{
    if (begin) {
        n->hung_since = n->hangs++ == 0 ? s->now : n->hung_since;
    } else if (n->hangs > 0 && --n->hangs == 0 && n->up) {
        node_health(s, n);
        for (uint32_t i = 0; i < s->blocks; i++) {
            if ((n->holds[i] & HOLDS_ASKED) != 0) {
                client_execute(s, n, i, 0);
            }
        }
    }
}
