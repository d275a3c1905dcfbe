#include "proto/members.h"

#include <stdio.h>

#include "proto/eip712.h"
#include "proto/epoch_bytes.h"

enum { BLOCK_TIME_MIN_MS = 50, TRANSFER_GAS = 21000 };

/* Where the sentence about a refusal goes. */
struct why {
    char *text;
    size_t size;
};

/* Evaluates to ERR_CONFIG, with the sentence written. */
#define REFUSE(why, ...) (snprintf((why)->text, (why)->size, __VA_ARGS__), ERR_CONFIG)

static bool text_ok(const char *text, size_t size)
{
    if (memchr(text, '\0', size) == NULL) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7e) {
            return false;
        }
    }
    return true;
}

static enum err check_texts(const struct member *m, uint32_t i, const struct why *why)
{
    if (!text_ok(m->name, sizeof m->name)) {
        return REFUSE(why, "member %u: write its name in at most %d ASCII characters", i,
                      NAME_SIZE - 1);
    }
    if (!text_ok(m->endpoint, sizeof m->endpoint)) {
        return REFUSE(why, "member %u: write its endpoint as host:port, at most %d characters", i,
                      ENDPOINT_SIZE - 1);
    }
    if (!text_ok(m->domain.provider, NAME_SIZE) || !text_ok(m->domain.region, NAME_SIZE) ||
        !text_ok(m->domain.operator_name, NAME_SIZE)) {
        return REFUSE(why,
                      "member %u: write provider, region and operator in at most %d ASCII "
                      "characters each",
                      i, NAME_SIZE - 1);
    }
    return OK;
}

static enum err check_member(const struct epoch_config *c, uint32_t i, const struct why *why)
{
    static const struct address none;
    const struct member *m = &c->member[i];
    TRY(check_texts(m, i, why));
    if (m->weight == 0 || m->weight > LIMIT_TOTAL_WEIGHT) {
        return REFUSE(why, "member %u: give it a weight between 1 and %d", i, LIMIT_TOTAL_WEIGHT);
    }
    if (address_equal(&m->address, &none)) {
        return REFUSE(why, "member %u has no address: write the one of its key", i);
    }
    for (uint32_t j = 0; j < i; j++) {
        if (address_equal(&m->address, &c->member[j].address)) {
            return REFUSE(why,
                          "members %u and %u have the same address: make a key of its own "
                          "for each member",
                          j, i);
        }
    }
    return OK;
}

static enum err check_members(struct epoch_config *c, const struct why *why)
{
    uint32_t total = 0;
    if (c->chain_id == 0) {
        return REFUSE(why, "the chain id is 0: choose one above 0 (EIP-155)");
    }
    if (c->n == 0 || c->n > LIMIT_MEMBERS) {
        return REFUSE(why, "there are %u members: list between 1 and %d", c->n, LIMIT_MEMBERS);
    }
    for (uint32_t i = 0; i < c->n; i++) {
        TRY(check_member(c, i, why));
        total += c->member[i].weight;
    }
    if (total > LIMIT_TOTAL_WEIGHT) {
        return REFUSE(why, "the weights add up to %u: make them smaller, at most %d together",
                      total, LIMIT_TOTAL_WEIGHT);
    }
    c->total = total;
    return OK;
}

static void derive_thresholds(struct epoch_config *c)
{
    c->faulty = c->params.fault_model == FAULT_BFT ? (c->total - 1) / 3 : 0;
    c->quorum = (c->total + c->faulty) / 2 + 1;
    c->blocking = c->total - c->quorum + 1;
}

/* The label that an operator knows the member by. */
static const char *name_of(const struct member *m)
{
    return m->name[0] == '\0' ? "unnamed" : m->name;
}

static enum err check_faults(const struct epoch_config *c, const struct why *why)
{
    bool bft = c->params.fault_model == FAULT_BFT;
    if (bft && c->faulty == 0) {
        return REFUSE(why,
                      "fault model bft with a total weight of %u survives no fault: list at "
                      "least 4 members, or choose crash",
                      c->total);
    }
    uint32_t tolerated = bft ? c->faulty : c->total - c->quorum;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct member *m = &c->member[i];
        if (m->weight <= tolerated) {
            continue;
        }
        if (bft) {
            return REFUSE(why,
                          "member %u (%s) weighs %u, more than the %u that may fail: lower "
                          "its weight or add members",
                          i, name_of(m), m->weight, c->faulty);
        }
        snprintf(why->text, why->size,
                 "member %u (%s) weighs %u: without it the others, %u, are "
                 "no quorum and the chain stops; lower its weight or add members",
                 i, name_of(m), m->weight, c->total - m->weight);
        return OK;
    }
    return OK;
}

static enum err check_choices(const struct epoch_params *p, const struct why *why)
{
    if (p->fault_model != FAULT_BFT && p->fault_model != FAULT_CRASH) {
        return REFUSE(why, "the fault model is unknown: choose bft or crash");
    }
    if (p->pace != PACE_FIXED && p->pace != PACE_DEMAND) {
        return REFUSE(why, "the pace is unknown: choose fixed or demand");
    }
    if (p->execute_before_finalize > 1 ||
        (p->execute_before_finalize == 0 && p->fault_model != FAULT_CRASH)) {
        return REFUSE(why,
                      "execute_before_finalize may be false in crash mode only: set it to true");
    }
    if (p->depth == 0 || p->depth > LIMIT_DEPTH) {
        return REFUSE(why, "the pipeline depth is %u: choose one between 1 and %d", p->depth,
                      LIMIT_DEPTH);
    }
    if (p->gas_limit < TRANSFER_GAS || p->gas_limit > INT64_MAX) {
        return REFUSE(why, "the gas limit of a block is %llu: choose one between %d and 2^63 - 1",
                      (unsigned long long)p->gas_limit, TRANSFER_GAS);
    }
    return OK;
}

static enum err check_times(const struct epoch_params *p, uint32_t n, const struct why *why)
{
    uint64_t slots = p->turn_slots;
    if (slots == 0 || slots > LIMIT_TURN_SLOTS) {
        return REFUSE(why, "a turn has %u slots: choose between 1 and %d", p->turn_slots,
                      LIMIT_TURN_SLOTS);
    }
    if (slots * (n + 1) > LIMIT_AHEAD_SLOTS) {
        return REFUSE(why,
                      "%u slots a turn with %u members look too far ahead: choose at most %u "
                      "slots a turn",
                      p->turn_slots, n, LIMIT_AHEAD_SLOTS / (n + 1));
    }
    if (p->block_time_ms < BLOCK_TIME_MIN_MS) {
        return REFUSE(why, "the block time is %u ms: choose at least %d ms", p->block_time_ms,
                      BLOCK_TIME_MIN_MS);
    }
    if (p->max_interval_ms < p->block_time_ms ||
        (p->pace == PACE_FIXED && p->max_interval_ms != p->block_time_ms)) {
        return REFUSE(why,
                      "the maximum interval is %u ms at a block time of %u ms: set it to the "
                      "block time under pace fixed, to at least that under demand",
                      p->max_interval_ms, p->block_time_ms);
    }
    if (slots * p->max_interval_ms > LIMIT_TURN_MS) {
        return REFUSE(why,
                      "a turn of %u slots of up to %u ms lasts longer than %d ms, for which a "
                      "lying leader could hold the chain: choose fewer slots or a shorter interval",
                      p->turn_slots, p->max_interval_ms, LIMIT_TURN_MS);
    }
    return OK;
}

static struct hash config_hash(const struct epoch_config *c)
{
    static const char tag[] = "baton epoch 1";
    struct keccak k;
    struct hash out;
    keccak_init(&k);
    keccak_update(&k, tag, sizeof tag);
    keccak_put_u64(&k, c->chain_id);
    keccak_update(&k, c->genesis.b, sizeof c->genesis.b);
    keccak_put_u64(&k, c->epoch);
    keccak_update(&k, c->registry.b, sizeof c->registry.b);
    keccak_put_params(&k, &c->params);
    keccak_put_members(&k, c->member, c->n);
    keccak_final(&k, &out);
    return out;
}

enum err epoch_config_derive(struct epoch_config *c, char *why, size_t why_len)
{
    struct why sentence = {why, why_len};
    if (why_len > 0) {
        why[0] = '\0';
    }
    TRY(check_members(c, &sentence));
    TRY(check_choices(&c->params, &sentence));
    TRY(check_times(&c->params, c->n, &sentence));
    derive_thresholds(c);
    TRY(check_faults(c, &sentence));
    c->hash = config_hash(c);
    c->domain_separator = domain_separator(c->chain_id, &c->registry);
    return OK;
}

uint32_t members_weight(const struct epoch_config *c, uint32_t mask)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if ((mask >> i & 1) != 0) {
            sum += c->member[i].weight;
        }
    }
    return sum;
}

int members_find(const struct epoch_config *c, const struct address *a)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (address_equal(&c->member[i].address, a)) {
            return (int)i;
        }
    }
    return -1;
}
