/* Checked signatures, remembered: Keccak-256(digest || signature) -> signer (CONSENSUS 3, R1).
 * The digest holds chain, epoch, config and all that was signed, so a hit proves these bytes. */
#include "consensus/core.h"
#include "proto/keccak.h"

static struct hash cache_key(const struct hash *digest, const struct signature *sig)
{
    uint8_t both[32 + 65];
    memcpy(both, digest->b, 32);
    memcpy(both + 32, sig->b, 65);
    return keccak256(both, sizeof both);
}

bool signature_good(struct core *c, const struct hash *digest, const struct signature *sig,
                    int member)
{
    const struct address *want = &c->epoch->member[member].address;
    struct hash key = cache_key(digest, sig);
    struct cached_signature *slot = &c->cache[load_be64(key.b) % LIMIT_SIGNATURE_CACHE];
    if (!hash_equal(&slot->key, &key)) {
        struct address signer;
        if (!c->config.crypto.recover(c->config.crypto.ctx, &signer, sig, digest)) {
            return false;
        }
        slot->key = key;
        slot->signer = signer;
    }
    return address_equal(&slot->signer, want);
}
