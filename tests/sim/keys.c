/* Keys: a keyed mix stands for a signature, so that millions are cheap. Nobody but keys_sign makes
 * one, and liars call it for their own keys alone. */
#include "tests/sim/sim.h"

static uint64_t secret_of(const struct address *a)
{
    return dice_mix(load_be64(a->b) ^ 0x5ec2e7);
}

static uint64_t tag_of(const struct address *a, const struct hash *digest)
{
    uint64_t x = secret_of(a);
    for (int i = 0; i < 32; i += 8) {
        x = dice_mix(x ^ load_be64(digest->b + i));
    }
    return x;
}

void keys_sign(struct signature *out, const struct address *a, const struct hash *digest)
{
    memset(out, 0, sizeof *out);
    memcpy(out->b, a->b, sizeof a->b);
    store_be64(out->b + 32, tag_of(a, digest));
    out->b[64] = 27;
}

bool keys_good(const struct address *a, const struct signature *sig, const struct hash *digest)
{
    return memcmp(sig->b, a->b, sizeof a->b) == 0 && load_be64(sig->b + 32) == tag_of(a, digest);
}

static bool core_sign(void *ctx, struct signature *out, const struct hash *digest)
{
    keys_sign(out, ctx, digest);
    return true;
}

static bool core_recover(void *ctx, struct address *out, const struct signature *sig,
                         const struct hash *digest)
{
    (void)ctx;
    memcpy(out->b, sig->b, sizeof out->b);
    return load_be64(sig->b + 32) == tag_of(out, digest);
}

struct core_crypto keys_of(struct sim *s, int member)
{
    return (struct core_crypto){&s->epoch.member[member].address, core_sign, core_recover};
}

/* Re-implemented: signers known, weight, every signature. */
bool keys_certificate(const struct sim *s, const struct certificate *cert)
{
    uint32_t weight = 0;
    uint32_t k = 0;
    struct hash digest = vote_digest(&s->epoch, cert->kind, cert->slot, &cert->block);
    for (uint32_t i = 0; i < 32; i++) {
        if ((cert->signers >> i & 1) == 0) {
            continue;
        }
        if (i >= s->epoch.n ||
            !keys_good(&s->epoch.member[i].address, &cert->signature[k++], &digest)) {
            return false;
        }
        weight += s->plan->weight[i];
    }
    uint32_t total = plan_total(s->plan);
    return weight >= (total + plan_spare(s->plan)) / 2 + 1;
}
