/* What posting costs: bytes of a simple transfer in a channel, by traffic and effort; how fast blocks
 * become columns, beside memcpy and the compressor alone; KZG, ms a blob.
 *
 *      bench_batch [transfers]
 *
 * Three kinds of traffic, 100 transfers a block: `uniform`, every sender and recipient new, random
 * values and fees; `typical`, 2,000 senders, 5,000 recipients of unequal fame, round values; `load`,
 * 10 senders and 10 recipients in turn, one value. Signatures are random bytes, as incompressible as
 * real ones: 64 bytes and a bit a transfer, and 20 for each recipient that is new, are what no
 * lossless form goes below; they are printed as the floor. `published`: a span batch in one stream
 * of brotli 10, how the published tools post; what is below it counts. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/limits.h"
#include "proto/rlp.h"
#include "sequencer/batcher/batch.h"
#include "sequencer/batcher/kzg.h"
#include "sequencer/batcher/segment.h"

enum { CHAIN = 901, BLOCK_TXS = 100, RAW_MAX = 200, TRANSFERS = 10000, SENDERS = 2000, FAMOUS = 5000 };
enum traffic { UNIFORM, TYPICAL, LOAD };

struct transfer {
    uint64_t nonce;
    uint64_t tip;
    uint64_t max_fee;
    uint64_t to; /* number of the recipient */
    struct u256 value;
};

static uint64_t seed = 20260101;
static uint64_t nonces[SENDERS];

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1du;
}

static uint64_t below(uint64_t n)
{
    return (next() >> 11) % n;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_batch: %s\n", what);
        exit(1);
    }
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The k-th of `n` about k times rarer than the first. */
static uint64_t famous(uint64_t n)
{
    uint64_t span = n;
    while (span > 1 && below(2) == 0) {
        span = (span + 1) / 2;
    }
    return below(span);
}

static struct transfer make(enum traffic kind, size_t i)
{
    static const uint64_t round_value[] = {1, 2, 5, 10, 25, 50, 100};
    struct transfer t;
    if (kind == UNIFORM) {
        return (struct transfer){0, below(1u << 24), 1000000000 + below(1u << 20), next(),
                                 u256_from_u64(below(1000000000000000000u))};
    }
    if (kind == LOAD) {
        return (struct transfer){i / 10, 1, 1000, i % 10, u256_from_u64(1)};
    }
    t.nonce = nonces[below(SENDERS)]++;
    t.to = famous(FAMOUS);
    t.value = u256_from_u64(round_value[below(7)] * 10000000000000000u);
    t.tip = 1000000 * (1 + below(3));
    t.max_fee = 1000000000 + 100000000 * below(4);
    return t;
}

/* The address of a recipient is a hash of its number: 20 bytes without a pattern. */
static void put_address(struct rlp_out *out, uint64_t number)
{
    uint8_t address[20];
    uint64_t x = number * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < sizeof address; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        address[i] = (uint8_t)(x * 0x2545f4914f6cdd1du >> 56);
    }
    rlp_put_string(out, address, sizeof address);
}

static void put_word(struct rlp_out *out)
{
    struct u256 v = {{next(), next(), next(), next() >> 1}};
    rlp_put_u256(out, &v);
}

static size_t write_raw(uint8_t out[RAW_MAX], const struct transfer *t)
{
    static const uint8_t type = TX_FEE_MARKET;
    struct rlp_out rlp = {.p = out, .cap = RAW_MAX};
    rlp_put_raw(&rlp, &type, 1);
    size_t list = rlp_list_begin(&rlp);
    rlp_put_u64(&rlp, CHAIN);
    rlp_put_u64(&rlp, t->nonce);
    rlp_put_u64(&rlp, t->tip);
    rlp_put_u64(&rlp, t->max_fee);
    rlp_put_u64(&rlp, 21000);
    put_address(&rlp, t->to);
    rlp_put_u256(&rlp, &t->value);
    rlp_put_string(&rlp, "", 0);
    rlp_list_end(&rlp, rlp_list_begin(&rlp));
    rlp_put_u64(&rlp, below(2));
    put_word(&rlp);
    put_word(&rlp);
    rlp_list_end(&rlp, list);
    must(rlp_finish(&rlp) == OK, "a transfer is larger than expected");
    return rlp.n;
}

/* Columns of all of it; CPU seconds go to `*took`. */
static void write_span(struct buffer *out, const struct buffer *raw, const size_t *n, size_t count,
                       size_t cut[SPAN_CUTS], double *took)
{
    static const struct batch_chain chain = {CHAIN, 0, 2};
    static const struct hash none;
    struct span_writer w;
    struct buffer batch;
    double start = cpu_s();
    const uint8_t *at = raw->p;
    span_writer_init(&w, &chain, LIMIT_CHANNEL_BYTES);
    buffer_init(&batch, LIMIT_CHANNEL_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct batch_block b = {.timestamp = 2 * (i / BLOCK_TXS)};
        must(i % BLOCK_TXS != 0 || span_writer_block(&w, &b) == OK, "a block is refused");
        must(span_writer_tx(&w, bytes_of(at, n[i])) == OK, "a transfer is refused");
        at += n[i];
    }
    must(span_writer_close(&w, &none, &none, &batch) == OK, "the batch is refused");
    batches_put(out, buffer_bytes(&batch));
    *took = cpu_s() - start;
    for (size_t i = 0; i < SPAN_CUTS; i++) {
        cut[i] = out->n - batch.n + w.cut[i];
    }
    buffer_free(&batch);
    span_writer_free(&w);
}

/* What is measured about one way to compress. */
struct way {
    const char *name;
    enum compression compression;
    int quality;           /* in one piece; 0: by `effort`, in columns */
    enum segment_effort effort;
};

static double measure(const struct way *w, struct bytes raw, const size_t *cut, size_t count)
{
    struct buffer out;
    buffer_init(&out, (size_t)2 * LIMIT_CHANNEL_BYTES);
    double start = cpu_s();
    enum err e = w->quality != 0
                     ? channel_compress(&out, w->compression, w->quality, raw)
                     : channel_compress_cut(&out, raw, cut, SPAN_CUTS, segment_quality(w->effort));
    must(e == OK, "cannot compress");
    double took = cpu_s() - start;
    double each = (double)out.n / (double)count;
    printf("  %-22s %6.2f bytes each, %7.1f MB/s\n", w->name, each, (double)raw.n / took / 1e6);
    buffer_free(&out);
    return each;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Bytes each that stay however clever the form is: signatures, parity, addresses never seen. */
static double floor_of(uint64_t *to, size_t count)
{
    size_t fresh = 0;
    qsort(to, count, sizeof *to, by_number);
    for (size_t i = 0; i < count; i++) {
        fresh += i == 0 || to[i] != to[i - 1] ? 1 : 0;
    }
    return 64.125 + 20.0 * (double)fresh / (double)count;
}

static double memcpy_speed(struct bytes raw)
{
    enum { TIMES = 20 };
    uint8_t *to = malloc(raw.n);
    must(to != NULL, "out of memory");
    double start = cpu_s();
    for (size_t i = 0; i < TIMES; i++) {
        memcpy(to, raw.p, raw.n);
        __asm__ volatile("" : : "r"(to) : "memory"); /* or it would be done once */
    }
    double took = cpu_s() - start;
    free(to);
    return TIMES * (double)raw.n / took / 1e6;
}

static void compare(const struct buffer *span, const size_t *cut, size_t count)
{
    static const struct way ways[] = {
        {"zlib 9", COMPRESSION_ZLIB, 9, SEGMENT_QUICK},
        {"published", COMPRESSION_BROTLI, 10, SEGMENT_QUICK},
        {"quick (files)", COMPRESSION_BROTLI, 0, SEGMENT_QUICK},
        {"small (on an L1)", COMPRESSION_BROTLI, 0, SEGMENT_SMALL},
    };
    double each[4];
    for (size_t i = 0; i < 4; i++) {
        each[i] = measure(&ways[i], buffer_bytes(span), cut, count);
    }
    printf("  against published: quick %+.2f %%, small %+.2f %%\n",
           100 * (each[2] / each[1] - 1), 100 * (each[3] / each[1] - 1));
}

static void run(const char *name, enum traffic kind, size_t count)
{
    struct buffer raw;
    struct buffer span;
    double took;
    size_t cut[SPAN_CUTS];
    size_t *n = calloc(count, sizeof *n);
    uint64_t *to = calloc(count, sizeof *to);
    must(n != NULL && to != NULL, "out of memory");
    buffer_init(&raw, LIMIT_CHANNEL_BYTES);
    buffer_init(&span, LIMIT_CHANNEL_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct transfer t = make(kind, i);
        uint8_t *room = buffer_room(&raw, RAW_MAX);
        must(room != NULL, "too many transfers");
        n[i] = write_raw(room, &t);
        raw.n += n[i];
        to[i] = t.to;
    }
    write_span(&span, &raw, n, count, cut, &took);
    printf("%s: %zu transfers of %.1f bytes, %.1f in columns, floor %.1f\n", name, count,
           (double)raw.n / (double)count, (double)span.n / (double)count, floor_of(to, count));
    printf("  into columns: %.0f MB/s of a core before compression; memcpy alone %.0f\n",
           (double)raw.n / took / 1e6, memcpy_speed(buffer_bytes(&raw)));
    compare(&span, cut, count);
    buffer_free(&raw);
    buffer_free(&span);
    free(n);
    free(to);
}

/* ---- blobs -------------------------------------------------------------------------------------- */

static double since_ms(double *start)
{
    double now = cpu_s();
    double took = (now - *start) * 1000;
    *start = now;
    return took;
}

static void run_blobs(void)
{
    static uint8_t data[BLOB_DATA_BYTES];
    static uint8_t blob[BLOB_BYTES];
    static uint8_t cells[CELL_PROOFS_BYTES];
    uint8_t commitment[KZG_BYTES];
    struct hash versioned;
    struct kzg *k;
    double start = cpu_s();
    if (kzg_load(&k) != OK) {
        printf("blobs: this build has none\n");
        return;
    }
    printf("blobs: set-up %.0f ms", since_ms(&start));
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)next();
    }
    must(blob_encode(blob, bytes_of(data, sizeof data)) == OK, "no blob");
    start = cpu_s();
    must(kzg_commit(k, commitment, blob) == OK, "no commitment");
    printf("; a blob: commitment %.0f ms", since_ms(&start));
    must(kzg_prove_cells(k, cells, blob) == OK, "no proofs");
    printf(", %d cell proofs %.0f ms", CELL_PROOFS, since_ms(&start));
    must(kzg_prove(k, cells, blob, commitment) == OK, "no proof");
    printf(", proof of 4844 %.0f ms", since_ms(&start));
    must(blob_versioned_hash(&versioned, commitment) == OK, "no hash");
    must(kzg_check_blob(k, blob, &versioned) == OK, "not its own blob");
    printf("; checked by hash %.0f ms", since_ms(&start));
    must(kzg_check_proof(k, blob, commitment, cells, &versioned) == OK, "not its own proof");
    printf(", by proof %.1f ms\n", since_ms(&start));
    kzg_free(k);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : TRANSFERS;
    must(count > 0 && count <= 500000, "expected 1 to 500000 transfers");
    run("uniform", UNIFORM, count);
    run("typical", TYPICAL, count);
    run("load", LOAD, count);
    run_blobs();
    return 0;
}
