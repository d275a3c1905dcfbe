/* Seeds of batches, payloads and envelopes, by the encoders of the batcher. */
#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/batch.h"
#include "sequencer/batcher/segment.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

enum { ROOM = 1 << 20 };

static const struct batch_chain chain = {1337, 0, 2};
static const struct hash parent = {{1, 2, 3}};

static struct segment_block blocks_of(struct bytes body, uint64_t ms)
{
    return (struct segment_block){ms, body};
}

static void seeds_of_envelopes(const struct segment *s)
{
    static struct batch_auth a = {.chain_id = 1337,
                                  .first = 4,
                                  .last = 6,
                                  .headers = 2,
                                  .cert = {.kind = VOTE_FINALIZE, .slot = 9, .signers = 7}};
    const struct auth_time time[] = {{8000, 0}, {10000, 1}, {12345, 3}};
    struct buffer out;
    a.channel = s->id;
    a.root = s->root;
    a.commitment = s->commitment;
    buffer_init(&out, ROOM);
    DEMAND(auth_encode(&out, &a, time) == OK);
    seed_put("envelope", "three", buffer_bytes(&out));
    buffer_free(&out);
}

static void seeds_of_channels(const struct segment *s)
{
    static const char *const name[] = {"zlib", "brotli"};
    for (int kind = COMPRESSION_ZLIB; kind <= COMPRESSION_BROTLI; kind++) {
        struct buffer content;
        struct buffer payload;
        buffer_init(&content, ROOM);
        buffer_init(&payload, ROOM);
        DEMAND(channel_compress(&content, (enum compression)kind, 6, buffer_bytes(&s->stream)) ==
               OK);
        struct channel_id id = channel_id_of(chain.chain_id, buffer_bytes(&content));
        DEMAND(channel_payload(&payload, &id, buffer_bytes(&content), 100) == OK);
        seed_put("channel", name[kind], buffer_bytes(&payload));
        buffer_free(&content);
        buffer_free(&payload);
    }
    seed_put("channel", "segment", buffer_bytes(&s->payload));
}

static void seeds_of_singular(struct bytes tx)
{
    struct batch_block block = {.timestamp = 8, .epoch = 3, .txs = 1};
    struct buffer out;
    buffer_init(&out, ROOM);
    singular_write(&out, &parent, &parent, &block, &tx);
    seed_put("batch", "singular", buffer_bytes(&out));
    buffer_free(&out);
}

void seeds_of_batches(struct bytes body, struct bytes tx)
{
    struct segment s;
    struct bytes inside;
    struct fault fault;
    struct segment_block block[] = {blocks_of(body, 8000), blocks_of(bytes_of("\xc0", 1), 10000),
                                    blocks_of(body, 12000)};
    segment_init(&s);
    DEMAND(segment_build(&s, &chain, &parent, block, 3) == OK);
    seeds_of_channels(&s);
    seeds_of_envelopes(&s);
    struct segment again;
    segment_init(&again);
    DEMAND(segment_open(&again, &chain, buffer_bytes(&s.payload), &inside, &fault) == OK);
    seed_put("batch", "span", inside);
    segment_free(&again);
    segment_free(&s);
    seeds_of_singular(tx);
}
