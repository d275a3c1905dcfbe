/* Makes a signed blob transaction, with its blobs and their proofs, of a segment's file: what an L1
 * takes by eth_sendRawTransaction. anvil's first account pays.
 *
 *      blob_sender FILE.seg 4844|7594 CHAIN-ID NONCE INBOX
 *
 * Prints the raw transaction in hex. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sequencer/batcher/blob_posting.h"

enum { LARGE = 1 << 24, GAS = 100000 };

static const char *const first_key =
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "blob_sender: %s\n", what);
        exit(1);
    }
}

static void read_file(struct buffer *out, const char *path)
{
    FILE *f = fopen(path, "rb");
    must(f != NULL, "the file cannot be opened");
    uint8_t *to = buffer_room(out, LARGE);
    must(to != NULL, "out of memory");
    out->n = fread(to, 1, LARGE, f);
    fclose(f);
}

/* What the payload's frames hold, put together. */
static struct channel_id take_content(struct buffer *content, struct bytes payload)
{
    struct fault fault;
    size_t n;
    must(payload_count(payload, &n, &fault) == OK, "no payload");
    struct frame *frame = calloc(n, sizeof *frame);
    must(frame != NULL, "out of memory");
    payload_split(payload, frame, n);
    for (size_t i = 0; i < n; i++) {
        buffer_put_bytes(content, frame[i].data);
    }
    struct channel_id id = frame[0].id;
    free(frame);
    return id;
}

static void make_blobs(struct blob_posting *p, const char *wrapper, const char *path)
{
    struct buffer payload;
    struct buffer content;
    struct kzg *k;
    buffer_init(&payload, LARGE);
    buffer_init(&content, LARGE);
    read_file(&payload, path);
    struct channel_id id = take_content(&content, buffer_bytes(&payload));
    enum blob_wrapper w = strcmp(wrapper, "4844") == 0 ? WRAPPER_4844 : WRAPPER_7594;
    must(blob_posting_cut(p, w, &id, buffer_bytes(&content)) == OK, "more than six blobs");
    must(kzg_load(&k) == OK, "this build has no blobs");
    for (size_t i = 0; i < p->blobs; i++) {
        must(blob_posting_prove(p, k, i) == OK, "no proof");
    }
    kzg_free(k);
    buffer_free(&payload);
    buffer_free(&content);
}

static void print_tx(const struct blob_posting *p, struct blob_tx *t)
{
    struct secret_key key;
    struct buffer bare;
    struct buffer wrapped;
    struct blob_sidecar sidecar = blob_posting_sidecar(p);
    buffer_init(&bare, LARGE);
    buffer_init(&wrapped, LARGE);
    t->blobs = p->blobs;
    memcpy(t->versioned, p->versioned, sizeof t->versioned);
    must(hex_decode(key.b, sizeof key.b, first_key), "no key");
    must(blob_tx_sign(&bare, t, &key) == OK, "it cannot be signed");
    must(blob_tx_wrap(&wrapped, buffer_bytes(&bare), &sidecar) == OK, "it cannot be wrapped");
    char *text = malloc(HEX_SIZE(wrapped.n));
    must(text != NULL, "out of memory");
    hex_encode(text, wrapped.p, wrapped.n);
    printf("%s\n", text);
    free(text);
    buffer_free(&bare);
    buffer_free(&wrapped);
}

int main(int argc, char **argv)
{
    struct blob_posting p;
    must(argc == 6, "expected FILE.seg 4844|7594 CHAIN-ID NONCE INBOX");
    struct blob_tx t = {.chain_id = strtoull(argv[3], NULL, 10),
                        .nonce = strtoull(argv[4], NULL, 10),
                        .max_fee = u256_from_u64(100000000000),
                        .max_priority_fee = u256_from_u64(1000000000),
                        .max_blob_fee = u256_from_u64(10000000000),
                        .gas = GAS};
    must(hex_decode(t.to.b, sizeof t.to.b, argv[5]), "the inbox is no address");
    must(key_library_init() == OK, "no signatures here");
    make_blobs(&p, argv[2], argv[1]);
    print_tx(&p, &t);
    blob_posting_free(&p);
    return 0;
}
