#include "derive_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/limits.h"
#include "sequencer/batcher/blob.h"
#include "sequencer/batcher/blob_posting.h"

enum { CHAIN_ID = 41197, MS = 1000, ROOM = 1 << 22, MOST_BLOCKS = 6, BOMB_BYTES = 1 << 26 };

/* ---- the chain ---------------------------------------------------------------------------------- */

/* What stands for execution: a hash of everything that Baton's ledger would bind too. */
void world_execute(const struct derive_content *b, struct derive_executed *out)
{
    struct keccak k;
    uint8_t be[8];
    keccak_init(&k);
    keccak_update(&k, b->parent.b, 32);
    keccak_update(&k, b->fee_recipient.b, 20);
    store_be64(be, b->height);
    keccak_update(&k, be, 8);
    store_be64(be, b->timestamp_ms / MS);
    keccak_update(&k, be, 8);
    for (uint32_t i = 0; i < b->txs; i++) {
        keccak_update(&k, b->tx[i].p, b->tx[i].n);
    }
    keccak_final(&k, &out->hash);
    out->state_root = keccak256(be, 8);
}

static void set_up_config(struct world *w)
{
    char why[256];
    struct epoch_config *c = &w->config;
    c->chain_id = CHAIN_ID;
    c->genesis = keccak256("genesis", 7);
    c->params = (struct epoch_params){FAULT_BFT, PACE_FIXED, 4, 4, 200, 200, 1, 30000000};
    c->n = MEMBERS;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        w->key[i].b[31] = (uint8_t)(i + 1);
        assert_int_equal(key_address(&c->member[i].address, &w->key[i]), OK);
        c->member[i].weight = 1;
        snprintf(c->member[i].name, sizeof c->member[i].name, "node%u", (unsigned)i);
        snprintf(c->member[i].endpoint, sizeof c->member[i].endpoint, "127.0.0.1:%u",
                 30000u + (unsigned)i);
    }
    enum err e = epoch_config_derive(c, why, sizeof why);
    if (e != OK) {
        print_error("%s\n", why);
    }
    assert_int_equal(e, OK);
}

/* A certificate of the last block, or of one above it, down a path of headers. */
static void certify(struct world *w, struct batch_auth *a, uint64_t last_ms, const struct hash *root)
{
    a->headers = 1 + (uint32_t)random_below(&w->seed, 3);
    for (uint32_t i = a->headers; i > 0; i--) {
        struct header *h = &a->header[i - 1];
        *h = (struct header){.chain_id = CHAIN_ID,
                             .genesis = w->config.genesis,
                             .config = w->config.hash,
                             .slot = a->last * 2 + a->headers - i,
                             .height = a->last + a->headers - i,
                             .timestamp_ms = last_ms,
                             .payload = a->last_hash,
                             .state_root = *root};
        if (i < a->headers) {
            h->parent = header_hash(&a->header[i]);
        }
    }
    a->cert = (struct certificate){.kind = VOTE_FINALIZE, .slot = a->header[0].slot, .signers = 11};
    a->cert.block = header_hash(&a->header[0]);
    struct hash digest = vote_digest(&w->config, VOTE_FINALIZE, a->cert.slot, &a->cert.block);
    static const size_t who[] = {0, 1, 3};
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(key_sign(&a->cert.signature[k], &w->key[who[k]], &digest), OK);
    }
}

/* The transactions of a body, as they will come back. */
static uint32_t split_body(struct bytes body, struct bytes tx[8])
{
    struct rlp_in in = {body.p, body.n};
    struct rlp_in list;
    uint32_t n = 0;
    assert_int_equal(rlp_list(&in, &list), OK);
    while (!rlp_at_end(&list)) {
        assert_true(n < 8);
        assert_int_equal(rlp_string(&list, &tx[n++]), OK);
    }
    return n;
}

static void random_body(uint64_t *seed, struct buffer *out)
{
    struct buffer tx;
    struct rlp_out rlp = {.p = buffer_room(out, 1 << 15), .cap = 1 << 15};
    assert_non_null(rlp.p);
    buffer_init(&tx, 1 << 15);
    size_t list = rlp_list_begin(&rlp);
    for (uint64_t i = random_below(seed, 4); i > 0; i--) {
        buffer_clear(&tx);
        random_tx(seed, CHAIN_ID, &tx);
        rlp_put_string(&rlp, tx.p, tx.n);
    }
    rlp_list_end(&rlp, list);
    assert_int_equal(rlp_finish(&rlp), OK);
    out->n += rlp.n;
    buffer_free(&tx);
}

struct blocks {
    size_t n;
    struct buffer body[MOST_BLOCKS];
    struct segment_block block[MOST_BLOCKS];
    struct auth_time time[MOST_BLOCKS];
};

static void blocks_make(struct blocks *b, uint64_t *seed, uint64_t first, size_t n)
{
    b->n = n;
    for (size_t i = 0; i < n; i++) {
        buffer_init(&b->body[i], ROOM);
        random_body(seed, &b->body[i]);
        b->time[i] = (struct auth_time){1700000000000 + (first + i) * 700,
                                        (uint8_t)((first + i) / 4 % MEMBERS)};
        b->block[i] = (struct segment_block){b->time[i].ms, buffer_bytes(&b->body[i])};
    }
}

static void blocks_free(struct blocks *b)
{
    for (size_t i = 0; i < b->n; i++) {
        buffer_free(&b->body[i]);
    }
}

/* Executes them on the world's chain; the last one's result. */
static struct derive_executed run_blocks(struct world *w, const struct blocks *b, uint64_t first)
{
    struct derive_executed done = {.hash = w->hash[first - 1]};
    for (size_t i = 0; i < b->n; i++) {
        struct bytes tx[8];
        struct derive_content c = {.height = first + i,
                                   .parent = done.hash,
                                   .timestamp_ms = b->time[i].ms,
                                   .fee_recipient = w->config.member[b->time[i].leader].address,
                                   .tx = tx,
                                   .txs = split_body(b->block[i].body, tx)};
        world_execute(&c, &done);
        w->hash[first + i] = done.hash;
    }
    return done;
}

static void make_blob_form(struct world *w, struct piece *p)
{
    struct blob_posting cut;
    struct batch_auth *a = malloc(sizeof *a);
    assert_non_null(a);
    assert_int_equal(blob_posting_cut(&cut, WRAPPER_7594, &p->segment.id,
                                      buffer_bytes(&p->segment.content)), OK);
    assert_int_equal(cut.blobs, 1);
    p->blob = cut.blob[0];
    cut.blob[0] = NULL;
    blob_posting_free(&cut);
    p->versioned = blob_hash(p->blob);
    *a = p->auth;
    a->commitment = blob_hashes_commitment(&p->versioned, 1);
    assert_int_equal(auth_encode(&p->blob_envelope, a, p->time), OK);
    free(a);
    (void)w;
}

static void make_piece(struct world *w, size_t i, uint64_t first)
{
    struct piece *p = &w->piece[i];
    struct blocks b;
    blocks_make(&b, &w->seed, first, 1 + random_below(&w->seed, MOST_BLOCKS));
    struct derive_executed done = run_blocks(w, &b, first);
    segment_init(&p->segment);
    buffer_init(&p->envelope, ROOM);
    buffer_init(&p->blob_envelope, ROOM);
    p->time = malloc(sizeof b.time);
    assert_non_null(p->time);
    memcpy(p->time, b.time, sizeof b.time);
    struct batch_auth *a = &p->auth;
    *a = (struct batch_auth){.chain_id = CHAIN_ID, .segment = i, .first = first,
                             .last = first + b.n - 1, .parent = w->hash[first - 1],
                             .last_hash = done.hash, .config = w->config.hash,
                             .next_config = w->config.hash};
    assert_int_equal(segment_build(&p->segment, &w->chain, &a->parent, b.block, b.n), OK);
    a->channel = p->segment.id;
    a->root = p->segment.root;
    a->commitment = p->segment.commitment;
    certify(w, a, b.time[b.n - 1].ms, &done.state_root);
    assert_int_equal(auth_encode(&p->envelope, a, p->time), OK);
    make_blob_form(w, p);
    blocks_free(&b);
}

void world_open(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    set_up_config(w);
    w->chain = (struct batch_chain){CHAIN_ID, 1600000000, 0};
    w->hash[0] = keccak256("block 0", 7);
    uint64_t first = 1;
    for (size_t i = 0; i < SEGMENTS; i++) {
        make_piece(w, i, first);
        first = w->piece[i].auth.last + 1;
    }
    w->l1[0].at = (struct derive_ref){L1_FIRST - 1, keccak256("before", 6)};
    w->l1_n = 1;
}

void world_close(struct world *w)
{
    for (size_t i = 0; i < SEGMENTS; i++) {
        struct piece *p = &w->piece[i];
        segment_free(&p->segment);
        buffer_free(&p->envelope);
        buffer_free(&p->blob_envelope);
        free(p->time);
        free(p->blob);
    }
    while (w->made != NULL) {
        struct made *next = w->made->next;
        buffer_free(&w->made->input);
        free(w->made->blob);
        free(w->made);
        w->made = next;
    }
}

/* ---- transactions ------------------------------------------------------------------------------- */

struct address world_inbox(void)
{
    return (struct address){{0xff, 1}};
}

struct address world_auth(void)
{
    return (struct address){{0xff, 2}};
}

struct made *make_tx(struct world *w, const struct address *to, struct bytes input, uint8_t from)
{
    struct made *m = calloc(1, sizeof *m);
    assert_non_null(m);
    buffer_init(&m->input, ROOM);
    buffer_put_bytes(&m->input, input);
    m->tx = (struct derive_tx){.type = 2, .from = {{from}}, .to = *to,
                               .input = buffer_bytes(&m->input)};
    m->next = w->made;
    w->made = m;
    return m;
}

struct made *make_half(struct world *w, size_t piece, enum half half, uint8_t from)
{
    const struct piece *p = &w->piece[piece];
    struct address to = half == HALF_PAYLOAD ? world_inbox() : world_auth();
    return make_tx(w, &to, buffer_bytes(half == HALF_PAYLOAD ? &p->segment.payload : &p->envelope),
                   from);
}

struct made *make_blob(struct world *w, struct bytes envelope, const uint8_t *blob, uint8_t from)
{
    struct address to = world_inbox();
    struct made *m = make_tx(w, &to, envelope, from);
    m->blob = malloc(BLOB_BYTES);
    assert_non_null(m->blob);
    memcpy(m->blob, blob, BLOB_BYTES);
    m->versioned = blob_hash(blob);
    m->tx.type = 3;
    m->tx.versioned = &m->versioned;
    m->tx.blobs = 1;
    return m;
}

struct made *make_blob_posting(struct world *w, size_t piece, uint8_t from)
{
    return make_blob(w, buffer_bytes(&w->piece[piece].blob_envelope), w->piece[piece].blob, from);
}

struct hash blob_hash(const uint8_t *blob)
{
    struct hash h = keccak256(blob, BLOB_BYTES);
    h.b[0] = 1;
    return h;
}

/* Content that others than the members made, in place of the piece's. */
static void other_content(struct world *w, struct segment *s, const struct piece *p)
{
    struct blocks b;
    blocks_make(&b, &w->seed, p->auth.first, p->auth.last - p->auth.first + 1);
    assert_int_equal(segment_build(s, &w->chain, &p->auth.parent, b.block, b.n), OK);
    blocks_free(&b);
}

static void bomb_content(struct world *w, struct segment *s)
{
    uint8_t *zeros = calloc(1, BOMB_BYTES);
    struct buffer small;
    assert_non_null(zeros);
    buffer_init(&small, 2 * (size_t)BOMB_BYTES); /* room for zeros that do not compress */
    assert_int_equal(channel_compress(&small, COMPRESSION_BROTLI, 1, bytes_of(zeros, BOMB_BYTES)),
                     OK);
    buffer_put_bytes(&s->content, buffer_bytes(&small));
    buffer_free(&small);
    free(zeros);
    s->id = channel_id_of(w->chain.chain_id, buffer_bytes(&s->content));
    assert_int_equal(channel_payload(&s->payload, &s->id, buffer_bytes(&s->content), 100000), OK);
    s->commitment = keccak256(s->payload.p, s->payload.n);
}

static void forge_content(struct world *w, struct forged *f, struct batch_auth *a,
                          const struct piece *p, enum forgery how)
{
    struct segment s;
    segment_init(&s);
    if (how == FORGE_BLOCKS) {
        other_content(w, &s, p);
    } else {
        bomb_content(w, &s);
    }
    a->channel = s.id;
    a->root = s.root;
    a->commitment = s.commitment;
    buffer_put_bytes(&f->payload, buffer_bytes(&s.payload));
    segment_free(&s);
}

void forge(struct world *w, struct forged *f, size_t piece, enum forgery how)
{
    const struct piece *p = &w->piece[piece];
    struct batch_auth *a = malloc(sizeof *a);
    struct auth_time time[MOST_BLOCKS];
    assert_non_null(a);
    *a = p->auth;
    memcpy(time, p->time, sizeof time);
    buffer_init(&f->payload, ROOM);
    buffer_init(&f->envelope, ROOM);
    if (how == FORGE_BLOCKS || how == FORGE_BOMB) {
        forge_content(w, f, a, p, how);
    } else {
        buffer_put_bytes(&f->payload, buffer_bytes(&p->segment.payload));
    }
    if (how == FORGE_LEADER) {
        time[0].leader = time[0].leader == 0 ? 1 : 0;
    }
    time[a->last - a->first].ms += how == FORGE_MS;
    a->root.b[5] ^= how == FORGE_NAME;
    a->chain_id += how == FORGE_CHAIN;
    a->cert.signature[1].b[40] ^= how == FORGE_SIGNER;
    a->parent.b[30] ^= how == FORGE_PARENT;
    assert_int_equal(auth_encode(&f->envelope, a, time), OK);
    free(a);
}

void forged_free(struct forged *f)
{
    buffer_free(&f->payload);
    buffer_free(&f->envelope);
}

/* ---- the L1 ------------------------------------------------------------------------------------- */

struct l1_slot *l1_mine(struct world *w)
{
    assert_true(w->l1_n < L1_BLOCKS);
    const struct l1_slot *before = &w->l1[w->l1_n - 1];
    struct l1_slot *s = &w->l1[w->l1_n++];
    uint64_t seen[2] = {before->at.number, w->branch};
    struct keccak k;
    *s = (struct l1_slot){.at.number = before->at.number + 1, .parent = before->at.hash};
    keccak_init(&k);
    keccak_update(&k, before->at.hash.b, 32);
    keccak_update(&k, seen, sizeof seen);
    keccak_final(&k, &s->at.hash);
    return s;
}

void l1_put(struct l1_slot *slot, struct made *tx)
{
    assert_true(slot->n < L1_TXS);
    slot->tx[slot->n++] = tx;
}

void l1_reorg(struct world *w, size_t depth)
{
    assert_true(depth < w->l1_n);
    w->l1_n -= depth;
    w->branch++;
}
