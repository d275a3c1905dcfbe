/* The safety record, laid by hand so that its place on the disk never depends on its content:
 *
 *     0  mark (8)          8  sequence          16  epoch
 *    24  highest notarize  32 highest skip      40  highest finalize
 *    48  genesis (32)      80 member (20)      100  flags     101  votes
 *   102  votes, 115 bytes each: kind, signer, epoch, slot, block, signature; then zeros
 *  4064  Keccak-256 of everything before */
#include "proto/keccak.h"
#include "proto/record.h"

enum {
    AT_SEQUENCE = 8,
    AT_EPOCH = 16,
    AT_NOTARIZE = 24,
    AT_SKIP = 32,
    AT_FINALIZE = 40,
    AT_GENESIS = 48,
    AT_MEMBER = 80,
    AT_FLAGS = 100,
    AT_VOTES = 101,
    AT_VOTE = 102,
    VOTE_BYTES = 115,
    AT_CHECKSUM = SAFETY_SLOT_BYTES - 32
};
_Static_assert(AT_VOTE + LIMIT_STEP_VOTES * VOTE_BYTES <= AT_CHECKSUM, "the votes fit");

enum { FLAG_CLEAN = 1, FLAG_AMNESIAC = 2 };

static const uint8_t mark[8] = {'B', 'A', 'T', 'O', 'N', 'S', 'R', '1'};

static void put_vote(uint8_t *out, const struct vote *v)
{
    out[0] = v->kind;
    out[1] = v->signer;
    store_be64(out + 2, v->epoch);
    store_be64(out + 10, v->slot);
    memcpy(out + 18, v->block.b, sizeof v->block.b);
    memcpy(out + 50, v->signature.b, sizeof v->signature.b);
}

static enum err get_vote(struct vote *out, const uint8_t *in)
{
    out->kind = in[0];
    out->signer = in[1];
    out->epoch = load_be64(in + 2);
    out->slot = load_be64(in + 10);
    memcpy(out->block.b, in + 18, sizeof out->block.b);
    memcpy(out->signature.b, in + 50, sizeof out->signature.b);
    bool known = out->kind >= VOTE_NOTARIZE && out->kind <= VOTE_FINALIZE;
    return known && out->signer < LIMIT_MEMBERS ? OK : ERR_MALFORMED;
}

void safety_record_encode(uint8_t out[SAFETY_SLOT_BYTES], const struct safety_record *r)
{
    uint32_t votes = r->votes < LIMIT_STEP_VOTES ? r->votes : LIMIT_STEP_VOTES;
    memset(out, 0, SAFETY_SLOT_BYTES);
    memcpy(out, mark, sizeof mark);
    store_be64(out + AT_SEQUENCE, r->sequence);
    store_be64(out + AT_EPOCH, r->epoch);
    store_be64(out + AT_NOTARIZE, r->highest_notarize);
    store_be64(out + AT_SKIP, r->highest_skip);
    store_be64(out + AT_FINALIZE, r->highest_finalize);
    memcpy(out + AT_GENESIS, r->genesis.b, sizeof r->genesis.b);
    memcpy(out + AT_MEMBER, r->member.b, sizeof r->member.b);
    out[AT_FLAGS] = (uint8_t)((r->clean ? FLAG_CLEAN : 0) | (r->amnesiac ? FLAG_AMNESIAC : 0));
    out[AT_VOTES] = (uint8_t)votes;
    for (uint32_t i = 0; i < votes; i++) {
        put_vote(out + AT_VOTE + (size_t)i * VOTE_BYTES, &r->vote[i]);
    }
    struct hash sum = keccak256(out, AT_CHECKSUM);
    memcpy(out + AT_CHECKSUM, sum.b, sizeof sum.b);
}

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= p[i];
    }
    return any == 0;
}

static enum err check_frame(const uint8_t in[SAFETY_SLOT_BYTES])
{
    struct hash sum = keccak256(in, AT_CHECKSUM);
    if (memcmp(in + AT_CHECKSUM, sum.b, sizeof sum.b) != 0) {
        return ERR_CORRUPT;
    }
    if (memcmp(in, mark, sizeof mark) != 0 || in[AT_FLAGS] > (FLAG_CLEAN | FLAG_AMNESIAC) ||
        in[AT_VOTES] > LIMIT_STEP_VOTES) {
        return ERR_MALFORMED;
    }
    size_t end = AT_VOTE + (size_t)in[AT_VOTES] * VOTE_BYTES;
    return all_zero(in + end, AT_CHECKSUM - end) ? OK : ERR_MALFORMED;
}

enum err safety_record_decode(struct safety_record *out, const uint8_t in[SAFETY_SLOT_BYTES])
{
    TRY(check_frame(in));
    memset(out, 0, sizeof *out);
    out->sequence = load_be64(in + AT_SEQUENCE);
    out->epoch = load_be64(in + AT_EPOCH);
    out->highest_notarize = load_be64(in + AT_NOTARIZE);
    out->highest_skip = load_be64(in + AT_SKIP);
    out->highest_finalize = load_be64(in + AT_FINALIZE);
    memcpy(out->genesis.b, in + AT_GENESIS, sizeof out->genesis.b);
    memcpy(out->member.b, in + AT_MEMBER, sizeof out->member.b);
    out->clean = (in[AT_FLAGS] & FLAG_CLEAN) != 0;
    out->amnesiac = (in[AT_FLAGS] & FLAG_AMNESIAC) != 0;
    out->votes = in[AT_VOTES];
    for (uint32_t i = 0; i < out->votes; i++) {
        TRY(get_vote(&out->vote[i], in + AT_VOTE + (size_t)i * VOTE_BYTES));
    }
    return OK;
}
