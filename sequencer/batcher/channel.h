/* Channels: batches compressed as one stream, under an id, cut into payloads.
 *
 * The id is a hash of the compressed content, so that two posters of the same content make the
 * same frames, and two whose compressors differ make frames that cannot mix. Pure. */
#ifndef SEQUENCER_BATCHER_CHANNEL_H
#define SEQUENCER_BATCHER_CHANNEL_H

#include "sequencer/batcher/compress.h"
#include "sequencer/batcher/frame.h"

/* First 16 bytes of keccak256("l2seq/channel/v1" ++ u64 chain id ++ content). */
struct channel_id channel_id_of(uint64_t chain_id, struct bytes content);

/* Whole payload of one transaction: version byte and every frame, each at most `frame_size`. */
enum err channel_payload(struct buffer *out, const struct channel_id *id, struct bytes content,
                         size_t frame_size) MUST_USE;

/* How many blobs the content takes, one frame each, and the payload of the i-th. */
size_t channel_blobs(size_t content_n);
enum err channel_blob_payload(struct buffer *out, const struct channel_id *id,
                              struct bytes content, size_t i) MUST_USE;

#endif
