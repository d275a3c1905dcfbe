/* Certificates as they are stored, and what is demanded of one before it counts. */
#include "proto/record.h"
#include "tests/fuzz/fuzz.h"

/* What the decoder lets through no more than this does: kinds and members that do not exist. */
static void check_forms(const struct epoch_config *epoch, struct certificate c)
{
    uint32_t signers = c.signers;
    c.signers |= 1u << epoch->n;
    DEMAND(certificate_check_form(epoch, &c) != OK);
    c.signers = signers;
    c.kind = 0;
    DEMAND(certificate_check_form(epoch, &c) != OK);
}

void fuzz_certificate(struct bytes in)
{
    struct certificate c;
    size_t n = 0;
    uint8_t again[CERTIFICATE_MAX_BYTES];
    if (certificate_decode(&c, in) != OK) {
        return;
    }
    DEMAND(certificate_encode(again, sizeof again, &n, &c) == OK);
    DEMAND(bytes_equal(bytes_of(again, n), in));
    const struct epoch_config *epoch = fuzz_epoch();
    check_forms(epoch, c);
    if (certificate_verify(epoch, &c) != OK) {
        return;
    }
    DEMAND(certificate_check_form(epoch, &c) == OK);
    DEMAND(members_weight(epoch, c.signers) >= epoch->quorum);
    DEMAND((c.kind == VOTE_SKIP) == hash_is_zero(&c.block));
    c.slot++; /* what is signed is what stands there */
    DEMAND(certificate_verify(epoch, &c) != OK);
}
