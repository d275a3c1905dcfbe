/* What the Engine API's calls and answers look like in JSON. Answers: bounds before anything is
 * allocated, a missing or odd field is refused, unknown ones are ignored (clients add their own). */
#ifndef SEQUENCER_ENGINE_ENGINE_JSON_H
#define SEQUENCER_ENGINE_ENGINE_JSON_H

#include "sequencer/engine/engine_body.h"
#include "sequencer/web/request.h"

/* The three calls by fork. */
enum { ENGINE_FORKCHOICE, ENGINE_GET, ENGINE_NEW, ENGINE_METHODS };
extern const char *const engine_method[][ENGINE_METHODS];

/* ---- out: each makes a whole request; request_body is empty when there was no memory ---------- */

struct engine_heads {
    struct hash head, safe, finalized; /* payload hashes; zero: none yet */
};

struct engine_attributes {
    uint64_t timestamp; /* s */
    struct hash prev_randao;
    struct address fee_recipient;
    bool given;       /* exactly these transactions, no others: op-geth's extension */
    struct bytes txs; /* as body.h */
};

enum { ENGINE_ID_BYTES = 8 };

struct engine_id {
    uint8_t b[ENGINE_ID_BYTES];
};

void engine_put_capabilities(struct request *r, uint64_t id, enum engine_fork fork);
/* attributes NULL: heads alone. */
void engine_put_forkchoice(struct request *r, uint64_t id, const struct engine_heads *h,
                           const struct engine_attributes *a);
void engine_put_get(struct request *r, uint64_t id, enum engine_fork fork,
                    const struct engine_id *payload);
void engine_put_new(struct request *r, uint64_t id, enum engine_fork fork,
                    const struct engine_payload *p);

/* ---- in ---------------------------------------------------------------------------------------- */

/* Every method that the fork needs; else `missing` names one that is not there. */
bool engine_get_capabilities(struct json_object *result, enum engine_fork fork,
                             const char **missing);

/* A payload that was built here: `memory` holds what it borrows, the caller frees it. */
struct engine_built {
    struct engine_payload payload;
    uint8_t *memory;
};
/* The answer to engine_getPayload. ERR_MALFORMED; ERR_TOO_LARGE; ERR_INVALID_BLOCK: withdrawals,
 * blobs, requests out of order; ERR_NO_MEMORY. On error nothing is to be freed. */
enum err engine_get_built(struct engine_built *out, enum engine_fork fork,
                          struct json_object *result) MUST_USE;
/* payloadId of an answer to forkchoiceUpdated; false: null or odd. */
bool engine_get_id(struct json_object *result, struct engine_id *out);

/* A block of the eth_ namespace, as far as it matters here. */
struct engine_head {
    struct hash hash;
    uint64_t number;
    uint64_t timestamp;
};
bool engine_get_head(struct json_object *result, struct engine_head *out);

#endif
