#include "storage/keys.h"

const char *const family_names[FAMILY_COUNT] = {
#define FAMILY(name, text, purpose) [FAMILY_##name] = (text),
#include "storage/schema.def"
#undef FAMILY
};

void key_block(uint8_t out[KEY_BLOCK_BYTES], const struct hash *hash, enum block_part part)
{
    memcpy(out, hash->b, sizeof hash->b);
    out[32] = (uint8_t)part;
}

void key_slot(uint8_t out[KEY_SLOT_BYTES], enum chain_index index, uint64_t epoch, uint64_t slot)
{
    out[0] = (uint8_t)index;
    store_be64(out + 1, epoch);
    store_be64(out + 9, slot);
}

void key_height(uint8_t out[KEY_HEIGHT_BYTES], uint64_t height)
{
    out[0] = INDEX_HEIGHT;
    store_be64(out + 1, height);
}

struct bytes key_meta(const char *name)
{
    return bytes_of(name, strlen(name));
}
