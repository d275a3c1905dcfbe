#include "sequencer/execution/ledger_mirror.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 1024 };

static bool is_free(const struct ledger_account *a)
{
    return a->nonce == 0 && u256_is_zero(&a->balance);
}

/* The slot of this address, or the free one where it belongs. */
static struct ledger_account *place(const struct ledger_mirror *m, const struct address *a)
{
    uint32_t at = (uint32_t)account_hash(&m->seed, a) & (m->slots - 1);
    while (!is_free(&m->slot[at]) && !address_equal(&m->slot[at].address, a)) {
        at = (at + 1) & (m->slots - 1);
    }
    return &m->slot[at];
}

enum err ledger_mirror_init(struct ledger_mirror *m)
{
    *m = (struct ledger_mirror){.slots = FIRST_SLOTS};
    TRY(account_seed_init(&m->seed));
    m->slot = calloc(m->slots, sizeof *m->slot);
    return m->slot == NULL ? ERR_NO_MEMORY : OK;
}

static enum err grow(struct ledger_mirror *m)
{
    struct ledger_mirror wide = {.seed = m->seed, .slots = 2 * m->slots, .n = m->n};
    wide.slot = calloc(wide.slots, sizeof *wide.slot);
    if (wide.slot == NULL) {
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < m->slots; i++) {
        if (!is_free(&m->slot[i])) {
            *place(&wide, &m->slot[i].address) = m->slot[i];
        }
    }
    free(m->slot);
    *m = wide;
    return OK;
}

enum err ledger_mirror_set(struct ledger_mirror *m, const struct ledger_account *a)
{
    if (m->n + 1 > m->slots / 4 * 3) {
        TRY(grow(m));
    }
    struct ledger_account *at = place(m, &a->address);
    m->n += is_free(at) ? 1 : 0;
    *at = *a;
    return OK;
}

void ledger_mirror_get(const struct ledger_mirror *m, const struct address *a,
                       struct ledger_account *out)
{
    const struct ledger_account *at = place(m, a);
    *out = is_free(at) ? (struct ledger_account){.address = *a} : *at;
}

void ledger_mirror_free(struct ledger_mirror *m)
{
    free(m->slot);
    *m = (struct ledger_mirror){0};
}
