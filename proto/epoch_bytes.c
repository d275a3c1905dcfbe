#include "proto/epoch_bytes.h"

void keccak_put_u32(struct keccak *k, uint32_t v)
{
    uint8_t be[4];
    store_be32(be, v);
    keccak_update(k, be, sizeof be);
}

void keccak_put_u64(struct keccak *k, uint64_t v)
{
    uint8_t be[8];
    store_be64(be, v);
    keccak_update(k, be, sizeof be);
}

/* What stands behind the closing zero is nobody's business, so the length goes first. */
static void put_text(struct keccak *k, const char *text, size_t size)
{
    const char *end = memchr(text, '\0', size);
    size_t n = end == NULL ? size : (size_t)(end - text);
    uint8_t length = (uint8_t)n;
    keccak_update(k, &length, 1);
    keccak_update(k, text, n);
}

void keccak_put_params(struct keccak *k, const struct epoch_params *p)
{
    keccak_put_u32(k, p->fault_model);
    keccak_put_u32(k, p->pace);
    keccak_put_u32(k, p->turn_slots);
    keccak_put_u32(k, p->depth);
    keccak_put_u32(k, p->block_time_ms);
    keccak_put_u32(k, p->max_interval_ms);
    keccak_put_u32(k, p->execute_before_finalize);
    keccak_put_u64(k, p->gas_limit);
}

static void put_member(struct keccak *k, const struct member *m)
{
    keccak_update(k, m->address.b, sizeof m->address.b);
    keccak_put_u32(k, m->weight);
    put_text(k, m->name, sizeof m->name);
    put_text(k, m->endpoint, sizeof m->endpoint);
    put_text(k, m->domain.provider, sizeof m->domain.provider);
    put_text(k, m->domain.region, sizeof m->domain.region);
    put_text(k, m->domain.operator_name, sizeof m->domain.operator_name);
}

void keccak_put_members(struct keccak *k, const struct member *m, uint32_t n)
{
    keccak_put_u32(k, n);
    for (uint32_t i = 0; i < n && i < LIMIT_MEMBERS; i++) {
        put_member(k, &m[i]);
    }
}
