/* The layout of every key and of the small values in the database. Numbers are big-endian, so
 * that the order of keys is the order of numbers. Pure. */
#ifndef STORAGE_KEYS_H
#define STORAGE_KEYS_H

#include "proto/bytes.h"
#include "proto/limits.h"

enum family {
#define FAMILY(name, text, purpose) FAMILY_##name,
#include "storage/schema.def"
#undef FAMILY
    FAMILY_COUNT
};

extern const char *const family_names[FAMILY_COUNT];

/* Family META: one key a name. */
#define META_VERSION "version"   /* u32: FORMAT_VERSION */
#define META_GENESIS "genesis"   /* hash of the chain's genesis */
#define META_MEMBER "member"     /* address; zero: observer */
#define META_AMNESIAC "amnesiac" /* one byte; there while the member is amnesiac */
#define META_FLOOR "floor"       /* epoch u64, slot u64: own votes are complete above */
#define META_FINAL "final"       /* epoch u64, slot u64, hash, benching state: highest final */

enum { FORMAT_VERSION = 2 };

enum { KEY_SEQUENCE_BYTES = 8, KEY_BLOCK_BYTES = 33, KEY_SLOT_BYTES = 17, KEY_HEIGHT_BYTES = 9 };
enum { KEY_TABLE_MAX = 1 + LIMIT_STORAGE_KEY };

/* Family BLOCKS. */
enum block_part { PART_BODY = 'b', PART_HEAD = 'h' };
void key_block(uint8_t out[KEY_BLOCK_BYTES], const struct hash *hash, enum block_part part);

/* Family CHAIN. */
enum chain_index { INDEX_CERTIFICATE = 'c', INDEX_HEIGHT = 'h', INDEX_SLOT = 's' };
void key_slot(uint8_t out[KEY_SLOT_BYTES], enum chain_index index, uint64_t epoch, uint64_t slot);
void key_height(uint8_t out[KEY_HEIGHT_BYTES], uint64_t height);

/* A family META key as bytes. */
struct bytes key_meta(const char *name);

#endif
