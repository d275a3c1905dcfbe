#define _GNU_SOURCE
/* Senders that were recovered here, by the hash of the transaction's bytes: a signature says the
 * same wherever the bytes are met again. Most that a node under load meets twice does not wait in
 * the pool: a block may come before the frame whose transactions it holds had its turn, and a peer
 * repeats what was not acknowledged in time. Recovery is most of what a transaction costs. */
#include <stdlib.h>

#include "sequencer/node/parts.h"

struct sender_known {
    struct hash hash; /* zero: none */
    struct address sender;
    uint64_t nonce;
};

/* Those of the last seconds; a newer one takes the place of an older. */
static struct sender_known *place(struct sender_known *slot, const struct hash *hash)
{
    return &slot[parts_hash(hash) & (LIMIT_SENDERS_KNOWN - 1)];
}

void senders_put(struct node *n, const struct hash *hash, const struct address *sender,
                 uint64_t nonce)
{
    if (n->senders == NULL) {
        n->senders = calloc(LIMIT_SENDERS_KNOWN, sizeof *n->senders);
    }
    if (n->senders != NULL) {
        *place(n->senders, hash) = (struct sender_known){*hash, *sender, nonce};
    }
}

bool senders_get(const struct node *n, const struct hash *hash, struct address *sender,
                 uint64_t *nonce)
{
    const struct sender_known *at = n->senders == NULL ? NULL : place(n->senders, hash);
    if (at == NULL || !hash_equal(&at->hash, hash)) {
        return false;
    }
    *sender = at->sender;
    *nonce = at->nonce;
    return true;
}

void senders_close(struct node *n)
{
    free(n->senders);
    n->senders = NULL;
}
