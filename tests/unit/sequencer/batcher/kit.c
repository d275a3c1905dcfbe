#define _GNU_SOURCE
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "proto/rlp.h"

/* ---- vectors ------------------------------------------------------------------------------------ */

struct json_object *vector_read(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", BATON_VECTORS, name);
    struct json_object *o = json_object_from_file(path);
    if (o == NULL) {
        print_error("%s cannot be read\n", path);
    }
    assert_non_null(o);
    return o;
}

struct json_object *vector_at(struct json_object *o, const char *path)
{
    char copy[128];
    snprintf(copy, sizeof copy, "%s", path);
    char *rest = NULL;
    for (char *key = strtok_r(copy, ".", &rest); key != NULL; key = strtok_r(NULL, ".", &rest)) {
        if (json_object_is_type(o, json_type_array)) {
            o = json_object_array_get_idx(o, strtoul(key, NULL, 10));
        } else {
            struct json_object *member = NULL;
            json_object_object_get_ex(o, key, &member);
            o = member;
        }
        if (o == NULL) {
            print_error("no %s\n", path);
        }
        assert_non_null(o);
    }
    return o;
}

uint64_t vector_u64(struct json_object *o, const char *path)
{
    struct json_object *v = vector_at(o, path);
    if (json_object_is_type(v, json_type_string)) {
        return strtoull(json_object_get_string(v), NULL, 10);
    }
    return json_object_get_uint64(v);
}

void vector_hex(struct buffer *out, struct json_object *o, const char *path)
{
    const char *text = json_object_get_string(vector_at(o, path));
    size_t n = strlen(text);
    uint8_t *to = buffer_room(out, n / 2 + 1);
    assert_non_null(to);
    assert_true(hex_decode_upto(to, n / 2, &n, text, n));
    out->n += n;
}

struct hash vector_hash(struct json_object *o, const char *path)
{
    struct hash h;
    assert_true(hex_decode(h.b, sizeof h.b, json_object_get_string(vector_at(o, path))));
    return h;
}

struct batch_chain vector_chain(struct json_object *o)
{
    return (struct batch_chain){vector_u64(o, "chain.l2_chain_id"),
                                vector_u64(o, "chain.l2_genesis_time"),
                                vector_u64(o, "chain.block_time")};
}

void assert_bytes(struct bytes got, struct bytes want)
{
    assert_int_equal(got.n, want.n);
    if (want.n > 0) {
        assert_memory_equal(got.p, want.p, want.n);
    }
}

void assert_fault(const struct fault *f, enum err e, size_t at)
{
    if (f->e != e || f->at != at) {
        print_error("%s at %zu, expected %s\n", err_name(f->e), f->at,
                    f->wanted != NULL ? f->wanted : "nothing");
    }
    assert_int_equal(f->e, e);
    assert_int_equal(f->at, at);
    assert_non_null(f->wanted);
}

/* ---- random content ------------------------------------------------------------------------------ */

uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

uint64_t random_below(uint64_t *state, uint64_t n)
{
    return random_next(state) % n;
}

void random_bytes(uint64_t *state, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)(random_next(state) >> 32);
    }
}

uint64_t random_magnitude(uint64_t *state)
{
    uint64_t v = random_next(state);
    return v >> random_below(state, 64);
}

static void put_wide(uint64_t *seed, struct rlp_out *rlp)
{
    uint8_t be[32];
    random_bytes(seed, be, sizeof be);
    struct u256 v = u256_from_be(be, random_below(seed, 33));
    rlp_put_u256(rlp, &v);
}

static void put_random_string(uint64_t *seed, struct rlp_out *rlp, size_t most)
{
    uint8_t data[600];
    size_t n = random_below(seed, 3) == 0 ? random_below(seed, most) : 0;
    random_bytes(seed, data, n);
    rlp_put_string(rlp, data, n);
}

static void put_address(uint64_t *seed, struct rlp_out *rlp)
{
    uint8_t address[20];
    random_bytes(seed, address, sizeof address);
    rlp_put_string(rlp, address, sizeof address);
}

static void put_access(uint64_t *seed, struct rlp_out *rlp)
{
    size_t list = rlp_list_begin(rlp);
    for (uint64_t i = random_below(seed, 3); i > 0; i--) {
        size_t entry = rlp_list_begin(rlp);
        put_address(seed, rlp);
        size_t slots = rlp_list_begin(rlp);
        for (uint64_t j = random_below(seed, 3); j > 0; j--) {
            uint8_t slot[32];
            random_bytes(seed, slot, sizeof slot);
            rlp_put_string(rlp, slot, sizeof slot);
        }
        rlp_list_end(rlp, slots);
        rlp_list_end(rlp, entry);
    }
    rlp_list_end(rlp, list);
}

static void put_authorisations(uint64_t *seed, struct rlp_out *rlp)
{
    size_t list = rlp_list_begin(rlp);
    for (uint64_t i = random_below(seed, 3); i > 0; i--) {
        size_t entry = rlp_list_begin(rlp);
        put_wide(seed, rlp);
        put_address(seed, rlp);
        rlp_put_u64(rlp, random_magnitude(seed));
        rlp_put_u64(rlp, random_below(seed, 2));
        put_wide(seed, rlp);
        put_wide(seed, rlp);
        rlp_list_end(rlp, entry);
    }
    rlp_list_end(rlp, list);
}

static void put_v(uint64_t *seed, struct rlp_out *rlp, uint8_t type, uint64_t chain_id)
{
    uint64_t odd = random_below(seed, 2);
    bool protection = random_below(seed, 4) != 0;
    if (type != TX_LEGACY) {
        rlp_put_u64(rlp, odd);
    } else {
        rlp_put_u64(rlp, odd + (protection ? 35 + 2 * chain_id : 27));
    }
}

static void put_wishes(uint64_t *seed, struct rlp_out *rlp, uint8_t type)
{
    if (type >= TX_FEE_MARKET) {
        put_wide(seed, rlp);
    }
    put_wide(seed, rlp);
    rlp_put_u64(rlp, random_magnitude(seed));
    if (type != TX_SET_CODE && random_below(seed, 5) == 0) {
        rlp_put_string(rlp, "", 0);
    } else {
        put_address(seed, rlp);
    }
    put_wide(seed, rlp);
    put_random_string(seed, rlp, 600);
    if (type != TX_LEGACY) {
        put_access(seed, rlp);
    }
    if (type == TX_SET_CODE) {
        put_authorisations(seed, rlp);
    }
}

void random_tx(uint64_t *seed, uint64_t chain_id, struct buffer *out)
{
    static const uint8_t types[] = {TX_LEGACY, TX_ACCESS_LIST, TX_FEE_MARKET, TX_SET_CODE};
    uint8_t type = types[random_below(seed, 4)];
    struct rlp_out rlp = {.p = buffer_room(out, 4096), .cap = 4096};
    assert_non_null(rlp.p);
    if (type != TX_LEGACY) {
        rlp_put_raw(&rlp, &type, 1);
    }
    size_t list = rlp_list_begin(&rlp);
    if (type != TX_LEGACY) {
        rlp_put_u64(&rlp, chain_id);
    }
    rlp_put_u64(&rlp, random_magnitude(seed));
    put_wishes(seed, &rlp, type);
    put_v(seed, &rlp, type, chain_id);
    put_wide(seed, &rlp);
    put_wide(seed, &rlp);
    rlp_list_end(&rlp, list);
    assert_int_equal(rlp_finish(&rlp), OK);
    out->n += rlp.n;
}

static void add_tx(struct run *r, uint64_t *seed, size_t *end)
{
    random_tx(seed, r->chain.chain_id, &r->bytes);
    r->tx[r->txs].n = r->bytes.n - *end;
    *end = r->bytes.n;
    r->txs++;
}

static void add_block(struct run *r, uint64_t *seed, size_t most_txs, size_t *end)
{
    struct batch_block *b = &r->block[r->blocks];
    const struct batch_block *before = r->blocks > 0 ? b - 1 : NULL;
    b->epoch_starts = random_below(seed, 3) == 0;
    b->epoch = before != NULL ? before->epoch + (b->epoch_starts ? 1 : 0) : random_magnitude(seed) / 2;
    b->timestamp = before != NULL ? before->timestamp + r->chain.block_time
                                  : r->chain.genesis_time + random_below(seed, 1u << 30);
    b->txs = random_below(seed, most_txs + 1);
    for (uint64_t i = 0; i < b->txs; i++) {
        add_tx(r, seed, end);
    }
    r->blocks++;
}

void run_random(struct run *r, uint64_t *seed, size_t blocks, size_t most_txs)
{
    *r = (struct run){.chain = {random_magnitude(seed) / 4 + 1, random_below(seed, 1u << 31),
                                1 + random_below(seed, 12)}};
    random_bytes(seed, r->parent.b, sizeof r->parent.b);
    random_bytes(seed, r->epoch_hash.b, sizeof r->epoch_hash.b);
    buffer_init(&r->bytes, 1u << 28);
    r->block = calloc(blocks + 1, sizeof *r->block);
    r->tx = calloc(blocks * most_txs + 1, sizeof *r->tx);
    assert_true(r->block != NULL && r->tx != NULL);
    size_t end = 0;
    while (r->blocks < blocks) {
        add_block(r, seed, most_txs, &end);
    }
    /* Only now do the bytes stay where they are. */
    size_t at = 0;
    for (size_t i = 0; i < r->txs; i++) {
        r->tx[i].p = r->bytes.p + at;
        at += r->tx[i].n;
    }
}

void run_free(struct run *r)
{
    buffer_free(&r->bytes);
    free(r->block);
    free(r->tx);
}

void run_write(const struct run *r, struct buffer *out)
{
    struct span_writer w;
    const struct bytes *tx = r->tx;
    span_writer_init(&w, &r->chain, LIMIT_CHANNEL_BYTES);
    for (size_t i = 0; i < r->blocks; i++) {
        assert_int_equal(span_writer_block(&w, &r->block[i]), OK);
        for (uint64_t j = 0; j < r->block[i].txs; j++) {
            assert_int_equal(span_writer_tx(&w, *tx++), OK);
        }
    }
    assert_int_equal(span_writer_close(&w, &r->parent, &r->epoch_hash, out), OK);
    span_writer_free(&w);
}

/* ---- segments ------------------------------------------------------------------------------------- */

/* A body as proto/body.h has it, of random transactions, appended. */
static void put_body(uint64_t *seed, uint64_t chain_id, struct buffer *out)
{
    struct buffer tx;
    struct rlp_out rlp = {.p = buffer_room(out, 1 << 16), .cap = 1 << 16};
    assert_non_null(rlp.p);
    buffer_init(&tx, 1 << 16);
    size_t list = rlp_list_begin(&rlp);
    for (uint64_t i = random_below(seed, 5); i > 0; i--) {
        buffer_clear(&tx);
        random_tx(seed, chain_id, &tx);
        rlp_put_string(&rlp, tx.p, tx.n);
    }
    rlp_list_end(&rlp, list);
    assert_int_equal(rlp_finish(&rlp), OK);
    out->n += rlp.n;
    buffer_free(&tx);
}

static void sample_blocks(struct sample *s, uint64_t *seed, uint64_t chain_id,
                          const struct hash *parent, size_t n)
{
    struct batch_chain chain = {chain_id, 0, 1};
    struct segment_block *block = calloc(n, sizeof *block);
    struct buffer *body = calloc(n, sizeof *body);
    s->time = calloc(n, sizeof *s->time);
    assert_true(block != NULL && body != NULL && s->time != NULL);
    for (size_t i = 0; i < n; i++) {
        buffer_init(&body[i], 1 << 20);
        put_body(seed, chain_id, &body[i]);
        s->time[i] = (struct auth_time){(s->auth.first + i) * 1000 + 7, (uint8_t)(i % 4)};
        block[i] = (struct segment_block){s->time[i].ms, buffer_bytes(&body[i])};
    }
    assert_int_equal(segment_build(&s->segment, &chain, parent, block, n), OK);
    for (size_t i = 0; i < n; i++) {
        buffer_free(&body[i]);
    }
    free(body);
    free(block);
}

void sample_make(struct sample *s, uint64_t *seed, uint64_t chain_id, uint64_t first,
                 size_t blocks, const struct hash *parent)
{
    memset(s, 0, sizeof *s);
    segment_init(&s->segment);
    buffer_init(&s->envelope, 1 << 20);
    struct batch_auth *a = &s->auth;
    a->chain_id = chain_id;
    a->segment = random_magnitude(seed);
    a->first = first;
    a->last = first + blocks - 1;
    a->parent = *parent;
    random_bytes(seed, a->last_hash.b, sizeof a->last_hash.b);
    sample_blocks(s, seed, chain_id, parent, blocks);
    a->channel = s->segment.id;
    a->root = s->segment.root;
    a->commitment = s->segment.commitment;
    random_bytes(seed, a->config.b, sizeof a->config.b);
    a->next_config = a->config;
    a->headers = 1 + (uint32_t)random_below(seed, 3);
    for (uint32_t i = 0; i < a->headers; i++) {
        random_bytes(seed, a->header[i].state_root.b, 32);
        a->header[i].slot = random_magnitude(seed);
        a->header[i].epoch = 3;
    }
    a->cert = (struct certificate){.kind = VOTE_FINALIZE, .epoch = 3, .slot = a->header[0].slot};
    a->cert.block = header_hash(&a->header[0]);
    a->cert.signers = (uint32_t)random_next(seed) | 1;
    for (uint32_t i = 0; i < certificate_count(&a->cert); i++) {
        random_bytes(seed, a->cert.signature[i].b, 65);
    }
    assert_int_equal(auth_encode(&s->envelope, a, s->time), OK);
}

void sample_free(struct sample *s)
{
    segment_free(&s->segment);
    buffer_free(&s->envelope);
    free(s->time);
}
