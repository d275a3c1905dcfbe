/* Who leads a slot: two-level smooth weighted round robin over failure domains and members,
 * computed once an epoch and never changed inside it (CONSENSUS 2, Leaders). */
#include "consensus/core.h"

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static uint32_t weights_gcd(const struct epoch_config *e)
{
    uint32_t g = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        g = gcd(e->member[i].weight, g);
    }
    return g;
}

size_t rotation_size(const struct epoch_config *e)
{
    return e->total / weights_gcd(e);
}

/* A member's domain is provider/region of its labels; without labels, itself. */
static bool same_domain(const struct member *a, const struct member *b)
{
    bool labelled = a->domain.provider[0] != 0 || a->domain.region[0] != 0;
    return labelled && strncmp(a->domain.provider, b->domain.provider, NAME_SIZE) == 0 &&
           strncmp(a->domain.region, b->domain.region, NAME_SIZE) == 0;
}

/* Numbers domains by their first member; returns how many there are. */
static uint32_t number_domains(const struct epoch_config *e, uint32_t domain[LIMIT_MEMBERS])
{
    uint32_t domains = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        uint32_t j = 0;
        while (j < i && !same_domain(&e->member[i], &e->member[j])) {
            j++;
        }
        domain[i] = j < i ? domain[j] : domains++;
    }
    return domains;
}

static uint32_t largest(const int64_t *credit, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (credit[i] > credit[best]) {
            best = i;
        }
    }
    return best;
}

/* The member of domain `d` with the largest credit after each got its weight. */
static uint32_t pick_member(const struct epoch_config *e, const uint32_t *domain, uint32_t d,
                            uint32_t g, int64_t *credit, int64_t domain_weight)
{
    uint32_t best = LIMIT_MEMBERS;
    for (uint32_t i = 0; i < e->n; i++) {
        if (domain[i] != d) {
            continue;
        }
        credit[i] += e->member[i].weight / g;
        if (best == LIMIT_MEMBERS || credit[i] > credit[best]) {
            best = i;
        }
    }
    credit[best] -= domain_weight;
    return best;
}

void rotation_fill(uint8_t *table, size_t n, const struct epoch_config *e)
{
    uint32_t domain[LIMIT_MEMBERS];
    uint32_t domains = number_domains(e, domain);
    uint32_t g = weights_gcd(e);
    int64_t weight[LIMIT_MEMBERS] = {0};
    int64_t domain_credit[LIMIT_MEMBERS] = {0};
    int64_t member_credit[LIMIT_MEMBERS] = {0};
    for (uint32_t i = 0; i < e->n; i++) {
        weight[domain[i]] += e->member[i].weight / g;
    }
    for (size_t t = 0; t < n; t++) {
        for (uint32_t d = 0; d < domains; d++) {
            domain_credit[d] += weight[d];
        }
        uint32_t d = largest(domain_credit, domains);
        domain_credit[d] -= (int64_t)n;
        table[t] = (uint8_t)pick_member(e, domain, d, g, member_credit, weight[d]);
    }
}

int rotation_leader(const struct core *c, uint64_t turn)
{
    return c->leaders[turn % c->leaders_n];
}

int core_leader(const struct core *core, uint64_t turn)
{
    return rotation_leader(core, turn);
}
