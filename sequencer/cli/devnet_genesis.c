#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "proto/keccak.h"
#include "sequencer/cli/devnet.h"
#include "sequencer/cli/mnemonic.h"
#include "sequencer/node/genesis_file.h"

/* 60 million gas for 200 ms: a full block of transfers is built and executed in a fraction of its
 * interval; at half of it the base fee stays put (EIP-1559). */
enum { GAS_PER_MS = 300000, GAS_PER_MS_CLIENT = 30000 }; /* who executes contracts takes longer */
static const uint64_t GWEI = 1000000000ull;
enum { DEPTH = 3, IDLE_MS = 1000 };

/* Made-up places: three regions at two providers. */
static const struct domain places[] = {
    {"alder", "north", "op-one"},
    {"alder", "south", "op-two"},
    {"birch", "west", "op-three"},
};
enum { PLACES = sizeof places / sizeof places[0] };

enum err devnet_key(struct secret_key *out, uint64_t seed, uint32_t i)
{
    uint8_t text[32] = "baton devnet key";
    store_be64(text + 16, seed);
    store_be64(text + 24, i);
    struct hash h = keccak256(text, sizeof text);
    memcpy(out->b, h.b, 32);
    while (key_check(out) != OK) { /* zero or above the group order: 2^-128 */
        h = keccak256(h.b, 32);
        memcpy(out->b, h.b, 32);
    }
    return OK;
}

enum err devnet_accounts(struct devnet *d)
{
    uint8_t seed[64];
    TRY(mnemonic_seed(seed, MNEMONIC_TEST));
    for (uint32_t i = 0; i < DEVNET_ACCOUNTS; i++) {
        TRY(mnemonic_key(&d->account[i].key, seed, i));
        TRY(key_address(&d->account[i].address, &d->account[i].key));
    }
    return OK;
}

static enum err make_allocs(struct devnet *d)
{
    struct genesis *g = &d->genesis;
    g->alloc = calloc(DEVNET_ACCOUNTS, sizeof *g->alloc);
    if (g->alloc == NULL || !u256_parse(&g->alloc[0].balance, "10000000000000000000000")) {
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < DEVNET_ACCOUNTS; i++) {
        g->alloc[i].address = d->account[i].address;
        g->alloc[i].balance = g->alloc[0].balance;
    }
    g->allocs = DEVNET_ACCOUNTS;
    genesis_sort(g);
    return OK;
}

static enum err make_member(struct devnet *d, uint32_t i)
{
    struct member *m = &d->genesis.member[i];
    struct secret_key key;
    TRY(devnet_key(&key, d->options.seed, i));
    TRY(key_address(&m->address, &key));
    m->weight = 1;
    m->domain = places[i % PLACES];
    snprintf(m->name, sizeof m->name, "node%u", i);
    snprintf(m->endpoint, sizeof m->endpoint, "127.0.0.1:%u", d->base_port + DEVNET_P2P_PORT + i);
    return OK;
}

static struct epoch_params params_of(const struct devnet_options *o, bool is_ledger)
{
    bool demand = strcmp(o->pace, "demand") == 0;
    uint64_t longest = LIMIT_TURN_MS / o->turn;
    uint64_t idle = longest < IDLE_MS ? longest : IDLE_MS;
    uint64_t max = demand && idle > o->block_ms ? idle : o->block_ms;
    return (struct epoch_params){
        .fault_model = strcmp(o->fault, "bft") == 0 ? FAULT_BFT : FAULT_CRASH,
        .pace = demand ? PACE_DEMAND : PACE_FIXED,
        .turn_slots = (uint32_t)o->turn,
        .depth = DEPTH,
        .block_time_ms = (uint32_t)o->block_ms,
        .max_interval_ms = (uint32_t)max,
        .execute_before_finalize = 1,
        .gas_limit = o->block_ms * (is_ledger ? GAS_PER_MS : GAS_PER_MS_CLIENT),
    };
}

static uint64_t now_ms(void)
{
    struct timeval tv;
    gettimeofday(&tv, NULL);
    return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

enum err devnet_genesis_make(struct devnet *d, char *why, size_t why_len)
{
    struct genesis *g = &d->genesis;
    struct epoch_config config;
    *g = (struct genesis){
        .chain_id = d->options.chain_id,
        .timestamp_ms = now_ms(),
        .devnet = true,
        .params = params_of(&d->options, !devnet_el_wanted(d)),
        .seal_ms = (uint32_t)d->options.seal_ms,
        .n = (uint32_t)d->options.nodes,
        .base_fee = u256_from_u64(GWEI),
    };
    for (uint32_t i = 0; i < g->n; i++) {
        TRY(make_member(d, i));
    }
    TRY(make_allocs(d));
    return genesis_epoch_config(&config, g, why, why_len);
}
