/* Payloads of strangers: frames, channels, what they decompress to, batches. */
#include <stdlib.h>

#include "sequencer/batcher/assembly.h"
#include "sequencer/batcher/batch.h"
#include "sequencer/batcher/channel.h"
#include "sequencer/batcher/segment.h"
#include "tests/fuzz/fuzz.h"

enum { CONTENTS = 1 << 20 };

static const struct batch_chain chain = {1337, 0, 2};

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

static void assemble(const struct frame *f, size_t n)
{
    struct assembly a;
    assembly_init(&a);
    for (size_t i = 0; i < n; i++) {
        if (assembly_push(&a, i, &f[i]) == ASSEMBLY_COMPLETE) {
            read_channel(buffer_bytes(&a.data));
        }
    }
    assembly_free(&a);
}

static void read_segment(struct bytes payload)
{
    struct segment s;
    struct bytes batch;
    struct fault fault;
    segment_init(&s);
    if (segment_open(&s, &chain, payload, &batch, &fault) != OK) {
        DEMAND(fault.wanted != NULL && fault.at <= payload.n);
    }
    segment_free(&s);
}

void fuzz_channel(struct bytes in)
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
    size_t kept = frames_prune(f, n);
    DEMAND(kept >= 1 && kept <= n);
    assemble(f, kept);
    free(f);
}
