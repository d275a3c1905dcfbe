/* Envelopes and payloads that came as calldata and wait for each other. What is in here is a
 * function of the last CHANNEL_TIMEOUT_BLOCKS L1 blocks alone (everything of a passable form, used
 * or not, newest first until a limit), so that it can be built again from them after a restart or a
 * reorg, and every verifier holds the same. Pure but for memory. */
#ifndef SEQUENCER_BATCHER_DERIVE_POOL_H
#define SEQUENCER_BATCHER_DERIVE_POOL_H

#include "proto/limits.h"
#include "sequencer/batcher/buffer.h"

struct pool_item {
    bool envelope;       /* else a payload */
    bool used;           /* its other half came: for counting only */
    uint64_t l1;         /* block and index of its transaction */
    uint32_t tx;
    struct address from; /* who sent it */
    struct hash key;     /* the payload's hash; an envelope's commitment */
    struct bytes bytes;
};

struct derive_pool {
    struct pool_item item[LIMIT_DERIVE_POOL]; /* oldest first; the pool owns their bytes */
    size_t n;
    size_t bytes;
};

void derive_pool_clear(struct derive_pool *p);
/* Enters an L1 block: what is older than the time-out goes. Returns how much of it was unused. */
size_t derive_pool_enter(struct derive_pool *p, uint64_t l1);
/* Copies the item in; the oldest make room. The same transaction twice is one. `*crowded` grows by
 * those that were unused. ERR_TOO_LARGE: it alone is more than the pool; ERR_NO_MEMORY. */
enum err derive_pool_put(struct derive_pool *p, const struct pool_item *item,
                         size_t *crowded) MUST_USE;
/* The payload of this hash, or NULL. */
struct pool_item *derive_pool_payload(struct derive_pool *p, const struct hash *key);
/* Envelopes for this hash: first those that `from` sent, then the others, each oldest first.
 * `*at` starts as 0. NULL after the last one. */
struct pool_item *derive_pool_envelope(struct derive_pool *p, const struct hash *key,
                                       const struct address *from, size_t *at);

#endif
