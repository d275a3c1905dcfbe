/* Hellos and proofs: a hello is its bytes; no proof holds but the member's own over this channel.
 * A proof that begins with 0xff is replaced by a right one, which must hold, and must not with any
 * one byte of the rest of the input added to the channel's exporter. */
#include "p2p/hello.h"

#include "tests/fuzz/fuzz.h"

static struct hello_plain side(int member, uint8_t fill)
{
    uint8_t instance[16];
    uint8_t nonce[32];
    memset(instance, fill, sizeof instance);
    memset(nonce, fill ^ 0x55, sizeof nonce);
    return hello_plain_make(fuzz_epoch(), member, instance, nonce);
}

static void check_plain(struct bytes in)
{
    struct hello_plain h;
    uint8_t again[HELLO_BYTES];
    const char *why = NULL;
    if (hello_plain_decode(&h, in) != OK) {
        return;
    }
    hello_plain_encode(again, &h);
    DEMAND(bytes_equal(bytes_of(again, sizeof again), in));
    if (hello_plain_check(fuzz_epoch(), &h, &why) == OK) {
        DEMAND(h.member < fuzz_epoch()->n);
    } else {
        DEMAND(why != NULL);
    }
}

static void check_proof(struct bytes proof, struct bytes more)
{
    const struct epoch_config *c = fuzz_epoch();
    struct hello_plain mine = side(0, 1);
    struct hello_plain theirs = side(1, 2);
    struct hash exporter = {{0x42}};
    uint8_t made[PROOF_BYTES];
    uint64_t sequence = 0;
    bool right = proof.n > 0 && proof.p[0] == 0xff;
    if (right) {
        struct secret_key key = {{0}};
        key.b[31] = 2;
        DEMAND(hello_prove(made, c, &key, &theirs, &mine, &exporter, more.n) == OK);
        proof = bytes_of(made, sizeof made);
        DEMAND(hello_verify(c, proof, &mine, &theirs, &exporter, &sequence) == OK);
        DEMAND(sequence == more.n);
    }
    if (right && more.n > 0 && more.p[0] != 0) {
        exporter.b[more.n % 32] ^= more.p[0];
        DEMAND(hello_verify(c, proof, &mine, &theirs, &exporter, &sequence) != OK);
    } else if (!right) {
        DEMAND(hello_verify(c, proof, &mine, &theirs, &exporter, &sequence) != OK);
    }
}

void fuzz_hello(struct bytes in)
{
    check_plain(in);
    struct bytes proof = script_bytes(&in, PROOF_BYTES);
    check_proof(proof, in);
}
