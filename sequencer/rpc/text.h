/* Growing text for answers: hex, decimals and JSON are written by hand, because answers are most
 * of what a node says and a tree of objects would cost more than the answer itself.
 *
 * A zeroed struct is an empty text. After a failed allocation `failed` stays set and nothing more
 * is put: callers look once, at the end. */
#ifndef SEQUENCER_RPC_TEXT_H
#define SEQUENCER_RPC_TEXT_H

#include "proto/bytes.h"
#include "proto/u256.h"

struct text {
    char *p;
    size_t n;
    size_t cap;
    bool failed;
};

void text_free(struct text *t);
/* Empties and keeps the memory when it is small. */
void text_clear(struct text *t);
void text_put(struct text *t, const void *p, size_t n);
void text_str(struct text *t, const char *s);
#define TEXT_LITERAL(t, literal) text_put((t), (literal), sizeof(literal) - 1)
void text_format(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_u64(struct text *t, uint64_t v); /* 31 */

/* JSON values; hex ones with their quotes. */
void text_quantity(struct text *t, uint64_t v); /* "0x1f" */
void text_quantity_u256(struct text *t, const struct u256 *v);
void text_hex(struct text *t, const void *p, size_t n); /* "0x001f" */
void text_hash(struct text *t, const struct hash *h);
void text_address(struct text *t, const struct address *a);
void text_json(struct text *t, const char *p, size_t n); /* a string, escaped, valid UTF-8 */
/* Length of the well-formed UTF-8 sequence at `p` (RFC 3629), 0 where there is none. */
size_t text_utf8(const char *p, size_t n);

/* The next member of an object, or element of an array: puts the comma where one is due. */
void text_key(struct text *t, const char *key);
void text_item(struct text *t);

/* key and value in one. */
void text_key_quantity(struct text *t, const char *key, uint64_t v);
void text_key_u256(struct text *t, const char *key, const struct u256 *v);
void text_key_hash(struct text *t, const char *key, const struct hash *h);
void text_key_address(struct text *t, const char *key, const struct address *a);
void text_key_raw(struct text *t, const char *key, const char *json);

#endif
