/* Payloads of strangers: frames, channels, what they decompress to, batches. */
#include <stdlib.h>

#include "proto/limits.h"
#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/batch.h"
#include "sequencer/batcher/channel.h"
#include "sequencer/batcher/segment.h"
#include "tests/fuzz/fuzz.h"

enum { CONTENTS = 1 << 20, MADE = 0xfe };

static const struct batch_chain chain = {1337, 3, 2};

static void read_batches(struct bytes stream)
{
    struct cursor c;
    struct bytes one;
    struct batch b;
    struct fault fault;
    cursor_init(&c, stream);
    while (batches_next(&c, &one)) {
        if (batch_open(&b, &chain, one, &fault) != OK) {
            DEMAND(fault.at <= one.n && fault.wanted != NULL);
            return;
        }
    }
    DEMAND(c.fault.e != OK || cursor_left(&c) == 0);
}

static void read_channel(struct bytes content)
{
    struct buffer out;
    struct fault damage;
    buffer_init(&out, CONTENTS + 1);
    enum err e = channel_expand(&out, content, CONTENTS, &damage);
    DEMAND(e == OK || (e == ERR_MALFORMED && out.n == 0));
    DEMAND(out.n <= CONTENTS && damage.at <= content.n);
    read_batches(buffer_bytes(&out));
    buffer_free(&out);
}

/* The frames in, each again; the payload is made of nothing else. */
static void write_again(struct bytes payload, const struct frame *f, size_t n)
{
    struct buffer again;
    buffer_init(&again, payload.n);
    buffer_put_byte(&again, PAYLOAD_VERSION);
    for (size_t i = 0; i < n; i++) {
        frame_put(&again, &f[i]);
    }
    DEMAND(bytes_equal(buffer_bytes(&again), payload));
    buffer_free(&again);
}

/* `every`: blocks of L1 from one frame to the next. */
static void assemble(const struct frame *f, size_t n, uint64_t every)
{
    struct assembly a;
    assembly_init(&a);
    for (size_t i = 0; i < n; i++) {
        assembly_enter(&a, i * every);
        if (assembly_push(&a, i * every, &f[i]) == ASSEMBLY_COMPLETE) {
            read_channel(buffer_bytes(&a.data));
        }
    }
    assembly_free(&a);
}

/* The largest frame, again and again: a channel has an end. */
static void fill_channel(struct frame f)
{
    struct assembly a;
    enum assembly_verdict v = ASSEMBLY_TAKEN;
    assembly_init(&a);
    f.last = false;
    for (f.number = 0; v == ASSEMBLY_TAKEN; f.number++) {
        v = assembly_push(&a, 1, &f);
    }
    DEMAND(v == ASSEMBLY_TOO_LARGE && f.number <= LIMIT_CHANNEL_BYTES / LIMIT_BATCH_FRAME + 1);
    assembly_free(&a);
}

static void read_segment(struct bytes payload)
{
    struct segment s;
    struct bytes batch;
    struct fault fault;
    segment_init(&s);
    DEMAND(segment_open_parts(&s, &chain, NULL, 0, &batch, &fault) == ERR_MALFORMED);
    if (segment_open(&s, &chain, payload, &batch, &fault) != OK) {
        DEMAND(fault.wanted != NULL && fault.at <= payload.n);
    }
    segment_free(&s);
}

static void read_payload(struct bytes in)
{
    struct fault fault;
    size_t n = 0;
    read_segment(in);
    if (payload_count(in, &n, &fault) != OK) {
        DEMAND(fault.at <= in.n && fault.wanted != NULL);
        return;
    }
    struct frame *f = calloc(n, sizeof *f);
    DEMAND(f != NULL);
    payload_split(in, f, n);
    write_again(in, f, n);
    if (f[0].data.n == LIMIT_BATCH_FRAME) {
        fill_channel(f[0]);
    }
    assemble(f, n, 0);
    size_t kept = frames_prune(f, n);
    DEMAND(kept >= 1 && kept <= n);
    assemble(f, kept, in.n % 4 == 0 ? 51 : 1);
    free(f);
}

/* Behind the compression and the hash that is the channel's id: the input is what they hold. One
 * byte of the compressed form may be changed before it is hashed. */
static void make_payload(struct bytes in)
{
    struct buffer content;
    struct buffer payload;
    uint8_t how = script_u8(&in);
    uint8_t twist = script_u8(&in);
    buffer_init(&content, CONTENTS);
    buffer_init(&payload, CONTENTS);
    DEMAND(channel_compress(&content, (how & 1) == 0 ? COMPRESSION_ZLIB : COMPRESSION_BROTLI, 1,
                            in) == OK);
    content.p[twist % content.n] ^= (how & 2) != 0 ? twist : 0;
    struct channel_id id = channel_id_of(chain.chain_id, buffer_bytes(&content));
    id.b[0] ^= (how & 4) != 0;
    DEMAND(channel_payload(&payload, &id, buffer_bytes(&content), 64 + 2 * (size_t)how) == OK);
    read_payload(buffer_bytes(&payload));
    buffer_free(&content);
    buffer_free(&payload);
}

void fuzz_channel(struct bytes in)
{
    if (in.n > 0 && in.p[0] == MADE) {
        script_u8(&in);
        make_payload(in);
    } else {
        read_payload(in);
    }
}
