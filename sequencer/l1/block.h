/* A block with its transactions, checked: the header hashes to its hash, the transactions to the
 * header's root, the senders are who signed. Pure; allocates. */
#ifndef SEQUENCER_L1_BLOCK_H
#define SEQUENCER_L1_BLOCK_H

#include "sequencer/web/json.h"
#include "sequencer/l1/l1.h"

struct block_watch {
    struct address to[L1_WATCHED];
    size_t n;
};

/* Owns what `block` lends. */
struct block_read {
    struct l1_block block;
    struct l1_tx *tx;
    struct hash *versioned;
    struct bytes *item; /* every transaction as it stands in the block */
    uint8_t *raw;
    uint8_t *work; /* one transaction: what is signed */
    uint8_t *scratch;
    size_t room;   /* of each of the three */
};

/* `o` as eth_getBlockBy… (…, true) gives it; `text_n` the length of the answer, which bounds all
 * memory. ERR_MALFORMED, ERR_INVALID_BLOCK, ERR_NO_MEMORY. Release it in every case. */
enum err block_read(struct block_read *out, struct json_object *o, size_t text_n,
                    const struct block_watch *watch) MUST_USE;
void block_release(struct block_read *b);

#endif
