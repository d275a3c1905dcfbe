/* `baton batch`: batches as JSON, for people and scripts.
 *
 *   {"chain": {chainId, genesisTime, blockTime},
 *    "frames": [{channelId, number, last, bytes}],
 *    "channels": [{id, compression, batches: [{type, parentHash, epochHash,
 *                  blocks: [{number, timestamp, epoch, epochStarts, txs: [hex]}]}]}],
 *    "ignored": [{what, at, reason}]}
 *
 * `bytes` is a frame's data. A span batch knows 20 bytes of its two hashes. `number` counts from
 * the genesis in block times and is null without one; times are seconds. `ignored` lists what a
 * verifier passes over, `at` the byte in the layer that `what` names. */
#ifndef SEQUENCER_CLI_BATCH_TEXT_H
#define SEQUENCER_CLI_BATCH_TEXT_H

#include <json-c/json.h>

#include "sequencer/batcher/channel.h"
#include "sequencer/batcher/span.h"

enum batch_kind {
    BATCH_KIND_PAYLOAD, /* version byte and frames: calldata, or what a blob holds */
    BATCH_KIND_FRAMES,  /* frames without the version byte */
    BATCH_KIND_CHANNEL, /* the compressed channel */
    BATCH_KIND_BATCHES, /* the stream inside it: RLP strings */
    BATCH_KIND_BLOB     /* 131,072 bytes of field elements */
};

/* The document that `in` says. On failure nothing counts: `fault` has the place. */
enum err batch_to_json(struct json_object **out, const struct batch_chain *chain,
                       enum batch_kind kind, struct bytes in, struct fault *fault) MUST_USE;

struct batch_making {
    struct batch_chain chain;     /* where the document has none */
    enum batch_kind kind;
    enum compression compression; /* UNKNOWN: what the channel says, else brotli */
    int quality;                  /* -1: the compression's own */
    size_t frame_size;
    bool rebuild;                 /* frames from the channels, whatever frames the document has */
};

/* The bytes that a document describes. A sentence with the place in `why`; ERR_MALFORMED,
 * ERR_WRONG_CHAIN, ERR_REFUSED, ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err batch_from_json(struct buffer *out, const struct batch_making *making,
                         struct json_object *document, char *why, size_t why_len) MUST_USE;

#endif
