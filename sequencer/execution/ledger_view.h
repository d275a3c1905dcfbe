/* The accounts that a block touches, while it is executed: each is read from the trie once,
 * changed here, and written back once. */
#ifndef SEQUENCER_EXECUTION_LEDGER_VIEW_H
#define SEQUENCER_EXECUTION_LEDGER_VIEW_H

#include "sequencer/execution/account_hash.h"
#include "sequencer/execution/trie.h"

struct view_account {
    struct ledger_account account;
    struct hash key; /* Keccak-256 of the address */
    bool changed;
};

/* A key made before: hashing an address costs more than everything else about reading it. */
struct view_key {
    struct address address;
    struct hash key; /* zero: none */
};

enum { VIEW_KEYS = 16384 };

struct ledger_view {
    const struct trie *base;
    struct account_seed seed;
    struct view_key *known; /* VIEW_KEYS of them by hash of the address, the last one stays */
    struct view_account *entry;
    uint32_t n;
    uint32_t cap;
    uint32_t *slot; /* index + 1 of an entry, 0: free; a power of two of them */
    uint32_t slots;
    uint32_t slots_cap;
};

/* Starts over on `base` with room for `max` accounts. ERR_NO_MEMORY. */
enum err ledger_view_open(struct ledger_view *v, const struct trie *base, uint32_t max) MUST_USE;
/* At most `max` different addresses may be asked for; pointers stay valid until ledger_view_open.
 */
struct view_account *ledger_view_get(struct ledger_view *v, const struct address *a);
/* Writes what changed into `t`, a fork of the base. */
enum err ledger_view_commit(const struct ledger_view *v, struct trie *t) MUST_USE;
void ledger_view_free(struct ledger_view *v);

#endif
