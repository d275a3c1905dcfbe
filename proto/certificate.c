#include "proto/key.h"
#include "proto/vote.h"

static bool kind_known(uint8_t kind)
{
    return kind == VOTE_NOTARIZE || kind == VOTE_SKIP || kind == VOTE_FINALIZE;
}

/* A skip names no block, every other vote names one (CONSENSUS 3). */
static bool block_fits(uint8_t kind, const struct hash *block)
{
    return (kind == VOTE_SKIP) == hash_is_zero(block);
}

static bool signed_by(const struct epoch_config *c, uint32_t member, const struct signature *sig,
                      const struct hash *digest)
{
    struct address a;
    return key_recover(&a, sig, digest) == OK && address_equal(&a, &c->member[member].address);
}

uint32_t certificate_count(const struct certificate *cert)
{
    uint32_t n = 0;
    for (uint32_t mask = cert->signers; mask != 0; mask &= mask - 1) {
        n++;
    }
    return n;
}

enum err certificate_check_form(const struct epoch_config *c, const struct certificate *cert)
{
    uint32_t known = c->n >= 32 ? UINT32_MAX : ((uint32_t)1 << c->n) - 1;
    if (cert->epoch != c->epoch) {
        return ERR_WRONG_CHAIN;
    }
    if (!kind_known(cert->kind) || !block_fits(cert->kind, &cert->block) ||
        (cert->signers & ~known) != 0 || members_weight(c, cert->signers) < c->quorum) {
        return ERR_BAD_CERTIFICATE;
    }
    return OK;
}

enum err certificate_verify(const struct epoch_config *c, const struct certificate *cert)
{
    TRY(certificate_check_form(c, cert));
    struct hash digest = vote_digest(c, cert->kind, cert->slot, &cert->block);
    uint32_t k = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if ((cert->signers >> i & 1) == 0) {
            continue;
        }
        if (!signed_by(c, i, &cert->signature[k++], &digest)) {
            return ERR_BAD_CERTIFICATE;
        }
    }
    return OK;
}

enum err vote_verify(const struct epoch_config *c, const struct vote *v)
{
    if (v->epoch != c->epoch || v->signer >= c->n || !kind_known(v->kind) ||
        !block_fits(v->kind, &v->block)) {
        return ERR_BAD_SIGNATURE;
    }
    struct hash digest = vote_digest(c, v->kind, v->slot, &v->block);
    return signed_by(c, v->signer, &v->signature, &digest) ? OK : ERR_BAD_SIGNATURE;
}
