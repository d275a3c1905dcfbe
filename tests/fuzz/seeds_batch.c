#define _GNU_SOURCE
/* Seeds of batches, payloads and envelopes, by the encoders of the batcher. */
#include <stdio.h>

#include "proto/key.h"
#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/batch.h"
#include "sequencer/batcher/segment.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

enum { ROOM = 1 << 20 };

static const struct batch_chain chain = {1337, 3, 2};
static const struct hash parent = {{1, 2, 3}};

static struct segment_block blocks_of(struct bytes body, uint64_t ms)
{
    return (struct segment_block){ms, body};
}

/* One that holds: three of four members made the block final, whose parent is the segment's last.
 */
static void seeds_of_proofs(struct batch_auth *a, const struct auth_time *time)
{
    const struct epoch_config *c = fuzz_epoch();
    struct buffer out;
    struct header *h = a->header;
    a->config = a->next_config = c->hash;
    h[1] = (struct header){.chain_id = c->chain_id, .genesis = c->genesis, .epoch = c->epoch};
    h[1].height = a->last;
    h[1].payload = a->last_hash;
    h[0] = h[1];
    h[0].parent = header_hash(&h[1]);
    h[0].slot = a->cert.slot;
    struct hash block = header_hash(&h[0]);
    struct hash digest = vote_digest(c, VOTE_FINALIZE, a->cert.slot, &block);
    for (uint8_t i = 0; i < 3; i++) {
        struct secret_key key = {{[31] = (uint8_t)(i + 1)}};
        DEMAND(key_sign(&a->cert.signature[i], &key, &digest) == OK);
    }
    buffer_init(&out, ROOM);
    DEMAND(auth_encode(&out, a, time) == OK);
    seed_put("envelope", "proof", buffer_bytes(&out));
    buffer_free(&out);
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
    const struct auth_time late[] = {{UINT64_MAX - 3, 0}, {UINT64_MAX - 3, 1}, {UINT64_MAX, 3}};
    buffer_init(&out, ROOM);
    DEMAND(auth_encode(&out, &a, late) == OK);
    seed_put("envelope", "late", buffer_bytes(&out));
    buffer_free(&out);
    seeds_of_proofs(&a, time);
}

/* What a channel holds, to be compressed and named by the target: a batch, two, half of one. */
static void seeds_of_streams(struct bytes stream)
{
    static uint8_t out[ROOM];
    DEMAND(3 + 2 * stream.n <= sizeof out);
    out[0] = 0xfe;
    memcpy(out + 3, stream.p, stream.n);
    memcpy(out + 3 + stream.n, stream.p, stream.n);
    for (uint8_t how = 0; how < 8; how++) {
        char name[16];
        snprintf(name, sizeof name, "made%u", how);
        out[1] = how;
        out[2] = 5;
        size_t n = how < 4 ? stream.n : how < 6 ? 2 * stream.n : stream.n / 2;
        seed_put("channel", name, bytes_of(out, 3 + n));
    }
    out[1] = 0;
    seed_put("channel", "made-nothing", bytes_of(out, 3));
    memcpy(out + 3, "\x81\x80", 2);
    seed_put("channel", "made-odd", bytes_of(out, 5));
    memcpy(out + 3, "\xc0", 1);
    seed_put("channel", "made-list", bytes_of(out, 4));
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
    seeds_of_streams(buffer_bytes(&s->stream));
}

/* A span that changes its epoch, with a transaction of each type that a span can carry. */
static void seeds_of_spans(struct bytes tx)
{
    static const struct batch_block block[] = {{.timestamp = 8, .epoch = 3, .epoch_starts = true},
                                               {.timestamp = 10, .epoch = 3},
                                               {.timestamp = 12, .epoch = 4, .epoch_starts = true}};
    struct span_writer w;
    struct buffer out;
    struct bytes raw[SEED_TXS];
    size_t n = seed_txs(raw);
    span_writer_init(&w, &chain, ROOM);
    buffer_init(&out, ROOM);
    for (size_t i = 0; i < 3; i++) {
        DEMAND(span_writer_block(&w, &block[i]) == OK);
        for (size_t k = 0; k < n && i != 1; k++) {
            DEMAND(span_writer_tx(&w, raw[k]) == OK);
        }
        DEMAND(span_writer_tx(&w, tx) == OK);
    }
    DEMAND(span_writer_close(&w, &parent, &parent, &out) == OK);
    seed_put("batch", "types", buffer_bytes(&out));
    span_writer_free(&w);
    buffer_free(&out);
}

static void seeds_of_singular(struct bytes tx)
{
    struct batch_block block = {.timestamp = 8, .epoch = 3, .txs = 1};
    struct buffer out;
    buffer_init(&out, ROOM);
    singular_write(&out, &parent, &parent, &block, &tx);
    seed_put("batch", "singular", buffer_bytes(&out));
    uint8_t made[512] = {0xfe, 0, 0, 0xb8};
    made[4] = (uint8_t)out.n;
    DEMAND(out.n > 55 && out.n < 256);
    memcpy(made + 5, out.p, out.n);
    seed_put("channel", "made-singular", bytes_of(made, 5 + out.n));
    struct bytes raw[SEED_TXS];
    seed_txs(raw);
    for (size_t i = 0; i < SEED_TXS; i++) {
        char name[16];
        snprintf(name, sizeof name, "carry%zu", i);
        buffer_clear(&out);
        singular_write(&out, &parent, &parent, &block, &raw[i]);
        seed_put("batch", name, buffer_bytes(&out));
    }
    seeds_of_spans(tx);
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
    DEMAND(segment_build(&s, &chain, &parent, block, sizeof block / sizeof block[0]) == OK);
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
