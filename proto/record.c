#include "proto/record.h"

#include "proto/pb.h"
#include "store.pb-c.h"

/* Bounds of the stored forms, before anything is read from them. */
enum {
    STEP_MAX_BYTES = 10 * PB_NUMBER_BYTES + LIMIT_STEP_VOTES * PB_VOTE_BYTES +
                     LIMIT_BUNDLE_CERTS * CERTIFICATE_MAX_BYTES,
    BLOCK_MAX_BYTES = PB_HEAD_BYTES + LIMIT_SYSTEM_BYTES + LIMIT_BODY_BYTES + 2 * PB_NUMBER_BYTES
};

/* ---- journal steps --------------------------------------------------------------------------- */

static enum err put_step(struct message_arena *s, Store__Step *out, const struct journal_step *in)
{
    if (in->votes > LIMIT_STEP_VOTES) {
        return ERR_TOO_LARGE;
    }
    store__step__init(out);
    out->sequence = in->sequence;
    out->epoch = in->epoch;
    out->amnesiac = in->amnesiac;
    out->cleared = in->cleared;
    out->clearing_slot = in->clearing_slot;
    out->proposing = in->proposing;
    out->proposing_turn = in->proposing_turn;
    TRY(pb_put_votes(s, &out->vote, &out->n_vote, in->vote, in->votes));
    return pb_put_certificates(s, &out->cert, &out->n_cert, in->cert, in->certs);
}

static enum err get_step(struct message_arena *a, struct journal_step *out, const Store__Step *in)
{
    *out = (struct journal_step){
        .sequence = in->sequence,
        .epoch = in->epoch,
        .amnesiac = in->amnesiac != 0,
        .cleared = in->cleared != 0,
        .clearing_slot = in->clearing_slot,
        .proposing = in->proposing != 0,
        .proposing_turn = in->proposing_turn,
    };
    TRY(pb_get_votes(a, &out->vote, &out->votes, in->vote, in->n_vote, LIMIT_STEP_VOTES));
    return pb_get_certificates(a, &out->cert, &out->certs, in->cert, in->n_cert);
}

static enum err pack_step(struct pb_sink *to, const struct journal_step *s)
{
    struct pb_scratch scratch;
    Store__Step tree;
    TRY(pb_scratch_open(&scratch, PB_FIXED_SCRATCH + (size_t)s->votes * PB_VOTE_SCRATCH +
                                      (size_t)s->certs * PB_CERTIFICATE_SCRATCH));
    enum err e = put_step(&scratch.arena, &tree, s);
    if (e == OK) {
        protobuf_c_message_pack_to_buffer(&tree.base, &to->base);
        e = pb_sink_done(to);
    }
    pb_scratch_close(&scratch);
    return e;
}

enum err journal_step_decode(struct journal_step *out, struct message_arena *arena, struct bytes in)
{
    if (in.n > STEP_MAX_BYTES) {
        return ERR_TOO_LARGE;
    }
    TRY(pb_arena_reserve(arena, pb_decode_need(in.n)));
    ProtobufCAllocator allocator = pb_arena_allocator(arena);
    const Store__Step *tree = store__step__unpack(&allocator, in.n, in.p);
    if (tree == NULL) {
        return ERR_MALFORMED;
    }
    TRY(get_step(arena, out, tree));
    struct pb_sink same;
    pb_sink_compare(&same, in);
    return pack_step(&same, out);
}

size_t journal_step_size(const struct journal_step *s)
{
    return 10 * PB_NUMBER_BYTES + (size_t)s->votes * PB_VOTE_BYTES +
           pb_certificates_bytes(s->cert, s->certs);
}

enum err journal_step_encode(uint8_t *out, size_t cap, size_t *out_n, const struct journal_step *s)
{
    struct pb_sink sink;
    pb_sink_write(&sink, out, cap);
    TRY(pack_step(&sink, s));
    *out_n = cap - sink.left;
    return OK;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static enum err pack_block(struct pb_sink *to, const struct block *b)
{
    Wire__Block tree;
    Wire__Head head;
    uint8_t header[HEADER_BYTES];
    TRY(pb_put_block(&tree, &head, header, b));
    protobuf_c_message_pack_to_buffer(&tree.base, &to->base);
    return pb_sink_done(to);
}

static size_t number_bytes(size_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7) {
        n++;
    }
    return n;
}

/* Moves the views of a block into the canonical bytes that it was decoded from: there the body is
 * the last field, and the system section the last of the head before it. */
static void point_into(struct block *b, struct bytes in)
{
    const uint8_t *end = in.p + in.n;
    if (b->body.n > 0) {
        b->body.p = end - b->body.n;
        end = b->body.p - number_bytes(b->body.n) - 1;
    }
    if (b->head.system.n > 0) {
        b->head.system.p = end - b->head.system.n;
    }
}

static enum err decode_block(struct block *out, struct message_arena *a, struct bytes in)
{
    ProtobufCAllocator allocator = pb_arena_allocator(a);
    const Wire__Block *tree = wire__block__unpack(&allocator, in.n, in.p);
    if (tree == NULL) {
        return ERR_MALFORMED;
    }
    TRY(pb_get_block(out, tree));
    struct pb_sink same;
    pb_sink_compare(&same, in);
    TRY(pack_block(&same, out));
    point_into(out, in);
    return OK;
}

enum err stored_block_decode(struct block *out, struct bytes in)
{
    if (in.n > BLOCK_MAX_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct pb_scratch scratch;
    TRY(pb_scratch_open(&scratch, in.n + PB_FIXED_SCRATCH));
    enum err e = decode_block(out, &scratch.arena, in);
    pb_scratch_close(&scratch);
    return e;
}

size_t stored_block_size(const struct block *b)
{
    return PB_HEAD_BYTES + b->head.system.n + b->body.n + PB_NUMBER_BYTES;
}

enum err stored_block_encode(uint8_t *out, size_t cap, size_t *out_n, const struct block *b)
{
    struct pb_sink sink;
    pb_sink_write(&sink, out, cap);
    TRY(pack_block(&sink, b));
    *out_n = cap - sink.left;
    return OK;
}

/* ---- certificates ---------------------------------------------------------------------------- */

static enum err pack_certificate(struct pb_sink *to, const struct certificate *c)
{
    Wire__Certificate tree;
    pb_put_certificate(&tree, c);
    protobuf_c_message_pack_to_buffer(&tree.base, &to->base);
    return pb_sink_done(to);
}

enum err certificate_decode(struct certificate *out, struct bytes in)
{
    if (in.n > CERTIFICATE_MAX_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct pb_scratch scratch;
    TRY(pb_scratch_open(&scratch, 0));
    ProtobufCAllocator allocator = pb_arena_allocator(&scratch.arena);
    const Wire__Certificate *tree = wire__certificate__unpack(&allocator, in.n, in.p);
    enum err e = tree == NULL ? ERR_MALFORMED : pb_get_certificate(out, tree);
    pb_scratch_close(&scratch);
    TRY(e);
    struct pb_sink same;
    pb_sink_compare(&same, in);
    return pack_certificate(&same, out);
}

enum err certificate_encode(uint8_t *out, size_t cap, size_t *out_n, const struct certificate *c)
{
    struct pb_sink sink;
    pb_sink_write(&sink, out, cap);
    TRY(pack_certificate(&sink, c));
    *out_n = cap - sink.left;
    return OK;
}
