#define _GNU_SOURCE
#include "storage/internal.h"

/* Blocks by hash. Head and body are two keys: they arrive, and are written, one by one.
 * A head is its header, the leader's signature and the system section, in this order. */

enum { HEAD_FIXED_BYTES = HEADER_BYTES + (int)sizeof(struct signature) };

/* No chain has number 0. */
static bool has_head(const struct block *block)
{
    return block->head.header.chain_id != 0;
}

static void put_head(struct op *op, const struct hash *hash, const struct block_head *head)
{
    uint8_t key[KEY_BLOCK_BYTES];
    key_block(key, hash, PART_HEAD);
    uint8_t *at = op_put_room(op, FAMILY_BLOCKS, bytes_of(key, sizeof key),
                              HEAD_FIXED_BYTES + head->system.n);
    header_encode(at, &head->header);
    memcpy(at + HEADER_BYTES, head->signature.b, sizeof head->signature.b);
    if (head->system.n > 0) {
        memcpy(at + HEAD_FIXED_BYTES, head->system.p, head->system.n);
    }
}

enum err storage_submit_block(struct storage *s, const struct hash *hash,
                              const struct block *block)
{
    if (block->body.n > LIMIT_BODY_BYTES || block->head.system.n > LIMIT_SYSTEM_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct op *op = op_new(2, 2 * KEY_BLOCK_BYTES + HEAD_FIXED_BYTES + block->head.system.n +
                                  block->body.n);
    if (op == NULL) {
        return ERR_NO_MEMORY;
    }
    if (has_head(block)) {
        put_head(op, hash, &block->head);
    }
    if (block->body.n > 0) {
        uint8_t key[KEY_BLOCK_BYTES];
        key_block(key, hash, PART_BODY);
        op_put(op, FAMILY_BLOCKS, bytes_of(key, sizeof key), block->body);
    }
    return storage_hand_over(s, op);
}

static enum err read_parts(struct storage *s, const struct hash *hash, struct storage_buffer *buf,
                           size_t *head_n)
{
    uint8_t key[KEY_BLOCK_BYTES];
    key_block(key, hash, PART_HEAD);
    TRY(storage_read_append(s, FAMILY_BLOCKS, bytes_of(key, sizeof key), buf));
    *head_n = buf->n;
    key_block(key, hash, PART_BODY);
    enum err e = storage_read_append(s, FAMILY_BLOCKS, bytes_of(key, sizeof key), buf);
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err storage_get_block(struct storage *s, const struct hash *hash, struct storage_buffer *buf,
                           struct block *out)
{
    size_t head_n = 0;
    buf->n = 0;
    TRY(read_parts(s, hash, buf, &head_n));
    if (head_n < HEAD_FIXED_BYTES) {
        return ERR_CORRUPT;
    }
    *out = (struct block){.head.hash = *hash};
    if (header_decode(&out->head.header, bytes_of(buf->p, HEADER_BYTES)) != OK) {
        return ERR_CORRUPT;
    }
    memcpy(out->head.signature.b, buf->p + HEADER_BYTES, sizeof out->head.signature.b);
    out->head.system = bytes_of(buf->p + HEAD_FIXED_BYTES, head_n - HEAD_FIXED_BYTES);
    out->body = bytes_of(buf->p + head_n, buf->n - head_n);
    return OK;
}
