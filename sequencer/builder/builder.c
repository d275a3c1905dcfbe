#include "sequencer/builder/builder.h"

void builder_init(struct builder *b, uint32_t most)
{
    *b = (struct builder){.most = most, .limit = most};
}

uint32_t builder_max_txs(const struct builder *b)
{
    return b->limit;
}

bool builder_block_failed(struct builder *b, const struct hash *tx, uint32_t n)
{
    if (n == 0) {
        return false;
    }
    if (n == 1) {
        b->set_aside[b->aside++ % LIMIT_BUILDER_ASIDE] = tx[0];
        return true;
    }
    if (n / 2 < b->limit) {
        b->limit = n / 2;
    }
    return false;
}

void builder_block_ok(struct builder *b, uint32_t n)
{
    if (n > 0) {
        b->limit = b->limit > b->most / 2 ? b->most : 2 * b->limit;
    }
}

static uint32_t remembered(const struct builder *b)
{
    return b->aside < LIMIT_BUILDER_ASIDE ? b->aside : LIMIT_BUILDER_ASIDE;
}

bool builder_is_aside(const struct builder *b, const struct hash *tx)
{
    for (uint32_t i = 0; i < remembered(b); i++) {
        if (hash_equal(&b->set_aside[i], tx)) {
            return true;
        }
    }
    return false;
}

void builder_release(struct builder *b, const struct hash *tx)
{
    for (uint32_t i = 0; i < remembered(b); i++) {
        if (hash_equal(&b->set_aside[i], tx)) {
            memset(&b->set_aside[i], 0, sizeof b->set_aside[i]);
        }
    }
}
