#include "sequencer/batcher/channel.h"

#include "proto/keccak.h"
#include "sequencer/batcher/blob.h"

/* A blob's payload is the version byte and one frame. */
enum { BLOB_PIECE = BLOB_DATA_BYTES - 1 - FRAME_OVERHEAD };

struct channel_id channel_id_of(uint64_t chain_id, struct bytes content)
{
    static const char domain[] = "l2seq/channel/v1";
    uint8_t be[8];
    struct keccak k;
    struct hash h;
    struct channel_id id;
    store_be64(be, chain_id);
    keccak_init(&k);
    keccak_update(&k, domain, sizeof domain - 1);
    keccak_update(&k, be, sizeof be);
    keccak_update(&k, content.p, content.n);
    keccak_final(&k, &h);
    memcpy(id.b, h.b, sizeof id.b);
    return id;
}

enum err channel_payload(struct buffer *out, const struct channel_id *id, struct bytes content,
                         size_t frame_size)
{
    buffer_put_byte(out, PAYLOAD_VERSION);
    return frames_put(out, id, content, frame_size);
}

size_t channel_blobs(size_t content_n)
{
    return content_n == 0 ? 1 : (content_n + BLOB_PIECE - 1) / BLOB_PIECE;
}

enum err channel_blob_payload(struct buffer *out, const struct channel_id *id,
                              struct bytes content, size_t i)
{
    size_t blobs = channel_blobs(content.n);
    if (i >= blobs || i > UINT16_MAX) {
        return ERR_REFUSED;
    }
    size_t at = i * BLOB_PIECE;
    size_t left = content.n - at;
    struct frame f = {
        .id = *id,
        .number = (uint16_t)i,
        .last = i + 1 == blobs,
        .data = bytes_of(content.p + at, left < BLOB_PIECE ? left : BLOB_PIECE),
    };
    buffer_put_byte(out, PAYLOAD_VERSION);
    frame_put(out, &f);
    return out->bad;
}
