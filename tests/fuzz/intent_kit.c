#include "tests/fuzz/intent_kit.h"

#include "proto/key.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 4096, SLOT = 9, BLOCKS = INTENT_KIT_LAST - INTENT_KIT_FIRST + 2 };

static void sign_block(struct batch_auth *a, uint32_t signers)
{
    const struct epoch_config *c = fuzz_epoch();
    size_t n = 0;
    a->cert = (struct certificate){.kind = VOTE_FINALIZE, .epoch = c->epoch, .slot = SLOT};
    a->cert.block = header_hash(&a->header[0]);
    a->cert.signers = signers;
    struct hash digest = vote_digest(c, VOTE_FINALIZE, SLOT, &a->cert.block);
    for (uint8_t i = 0; i < c->n; i++) {
        struct secret_key key = {{[31] = (uint8_t)(i + 1)}};
        if ((signers >> i & 1) != 0) {
            DEMAND(key_sign(&a->cert.signature[n++], &key, &digest) == OK);
        }
    }
}

static void twist_envelope(struct batch_auth *a, int twist)
{
    a->chain_id += twist == 1;
    a->segment += twist == 2;
    a->first -= twist == 3;
    a->last -= twist == 4;
    a->last_hash.b[0] = twist == 5;
    a->root.b[0] = twist == 6;
}

void intent_kit_envelope(struct buffer *out, uint32_t signers, uint8_t commitment, int twist)
{
    const struct epoch_config *c = fuzz_epoch();
    static struct batch_auth a;
    struct auth_time time[BLOCKS];
    a = (struct batch_auth){.chain_id = INTENT_KIT_CHAIN,
                            .segment = INTENT_KIT_SEGMENT,
                            .first = INTENT_KIT_FIRST,
                            .last = INTENT_KIT_LAST,
                            .headers = 1,
                            .config = c->hash,
                            .next_config = c->hash,
                            .commitment = {{commitment}}};
    a.header[0] = (struct header){.chain_id = c->chain_id,
                                  .genesis = c->genesis,
                                  .epoch = c->epoch,
                                  .slot = SLOT,
                                  .height = INTENT_KIT_LAST};
    sign_block(&a, signers);
    twist_envelope(&a, twist);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        time[i] = (struct auth_time){1700000000000 + 200 * i, 0};
    }
    DEMAND(auth_encode(out, &a, time) == OK);
}

void intent_kit_wanted(struct intent_wanted *out, uint8_t kind, int twist, bool proves)
{
    static struct buffer envelopes[INTENT_KIT_TWISTS];
    struct buffer *envelope = &envelopes[twist];
    if (envelope->n == 0) {
        buffer_init(envelope, ROOM);
        intent_kit_envelope(envelope, 7, 8, twist);
    }
    *out = (struct intent_wanted){.chain_id = INTENT_KIT_CHAIN,
                                  .l1_chain_id = INTENT_KIT_L1,
                                  .kind = kind,
                                  .segment = INTENT_KIT_SEGMENT,
                                  .first = INTENT_KIT_FIRST,
                                  .last = INTENT_KIT_LAST,
                                  .to = {{{0xff}}, {{0xfe}}},
                                  .epoch = proves ? fuzz_epoch() : NULL};
    struct bytes payload = bytes_of("payload", 7);
    bool blobs = kind == INTENT_BLOB;
    out->data[0] = blobs ? buffer_bytes(envelope) : payload;
    out->data[1] = buffer_bytes(envelope);
    out->blobs = blobs ? INTENT_KIT_BLOBS : 0;
    for (size_t i = 0; i < out->blobs; i++) {
        out->versioned[i] = (struct hash){{1, (uint8_t)i}};
    }
}
