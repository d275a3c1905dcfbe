#include "proto/genesis.h"

#include "proto/epoch_bytes.h"

/* Told apart from every other thing that is hashed here, and from other versions of itself. */
static const char genesis_tag[] = "baton genesis 2";

static void put_u256(struct keccak *k, const struct u256 *v)
{
    uint8_t be[32];
    u256_to_be(be, v);
    keccak_update(k, be, sizeof be);
}

struct hash genesis_hash(const struct genesis *g)
{
    struct keccak k;
    struct hash out;
    keccak_init(&k);
    keccak_update(&k, genesis_tag, sizeof genesis_tag);
    keccak_put_u64(&k, g->chain_id);
    keccak_put_u64(&k, g->timestamp_ms);
    keccak_put_u32(&k, g->devnet ? 1 : 0);
    keccak_update(&k, g->registry.b, sizeof g->registry.b);
    keccak_put_params(&k, &g->params);
    keccak_put_members(&k, g->member, g->n);
    keccak_put_u32(&k, g->seal_ms);
    put_u256(&k, &g->base_fee);
    keccak_put_u32(&k, g->allocs);
    for (uint32_t i = 0; i < g->allocs; i++) {
        keccak_update(&k, g->alloc[i].address.b, sizeof g->alloc[i].address.b);
        put_u256(&k, &g->alloc[i].balance);
    }
    if (g->execution != EXECUTION_LEDGER) {
        keccak_put_u32(&k, (uint32_t)g->execution);
        keccak_update(&k, g->state_root.b, sizeof g->state_root.b);
        keccak_update(&k, g->payload.b, sizeof g->payload.b);
    }
    keccak_final(&k, &out);
    return out;
}

enum err genesis_epoch_config(struct epoch_config *out, const struct genesis *g, char *why,
                              size_t why_len)
{
    memset(out, 0, sizeof *out);
    out->chain_id = g->chain_id;
    out->genesis = genesis_hash(g);
    out->registry = g->registry;
    out->params = g->params;
    out->n = g->n;
    memcpy(out->member, g->member, sizeof out->member);
    return epoch_config_derive(out, why, why_len);
}

void genesis_anchor(struct header *out, const struct genesis *g, const struct epoch_config *c)
{
    memset(out, 0, sizeof *out);
    out->chain_id = c->chain_id;
    out->genesis = c->genesis;
    out->epoch = c->epoch;
    out->config = c->hash;
    out->timestamp_ms = g->timestamp_ms;
    out->payload = g->payload;
    out->state_root = g->state_root;
    out->body_root = keccak256("", 0);
    out->system_root = keccak256("", 0);
}
