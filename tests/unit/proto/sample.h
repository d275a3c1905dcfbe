/* Random but reproducible content of messages and records for the tests of proto/. */
#ifndef TESTS_UNIT_PROTO_SAMPLE_H
#define TESTS_UNIT_PROTO_SAMPLE_H

#include "proto/message.h"
#include "proto/record.h"

enum { SAMPLE_BYTES = 4096, SAMPLE_TXS = 16 };

/* Memory that a sample's pointers lead into. Reused by the next sample. */
struct sample {
    uint64_t seed; /* not 0 */
    uint32_t most; /* elements in an array: 0 … most; at most 8 */
    struct certificate cert[8];
    struct block_head head[8];
    struct vote vote[8];
    struct block block[8];
    struct bytes tx[SAMPLE_TXS];
    struct hash hash[SAMPLE_TXS];
    uint8_t bytes[SAMPLE_BYTES];
};

uint64_t sample_number(struct sample *s);
/* 0 … most, both included. */
uint32_t sample_below(struct sample *s, uint32_t most);
void sample_fill(struct sample *s, void *out, size_t n);
struct bytes sample_bytes(struct sample *s, uint32_t most);
struct vote sample_vote(struct sample *s);
struct certificate sample_certificate(struct sample *s);
struct block_head sample_head(struct sample *s);
struct block sample_block(struct sample *s);
struct bundle sample_bundle(struct sample *s);
struct status sample_status(struct sample *s);
struct message sample_message(struct sample *s, enum message_kind kind, bool with_status);

bool same_vote(const struct vote *a, const struct vote *b);
bool same_certificate(const struct certificate *a, const struct certificate *b);
bool same_head(const struct block_head *a, const struct block_head *b);
bool same_block(const struct block *a, const struct block *b);
bool same_bundle(const struct bundle *a, const struct bundle *b);
bool same_message(const struct message *a, const struct message *b);

#endif
