#include "p2p/hello.h"

struct hello_plain hello_plain_make(const struct epoch_config *c, int self,
                                    const uint8_t instance[16], const uint8_t nonce[32])
{
    struct hello_plain h = {.version = HELLO_VERSION,
                            .chain_id = c->chain_id,
                            .genesis = c->genesis,
                            .epoch = c->epoch,
                            .config = c->hash,
                            .member = (uint8_t)self};
    memcpy(h.instance, instance, sizeof h.instance);
    memcpy(h.nonce, nonce, sizeof h.nonce);
    return h;
}

static uint8_t *put(uint8_t *out, const void *p, size_t n)
{
    memcpy(out, p, n);
    return out + n;
}

static const uint8_t *get(void *out, const uint8_t *p, size_t n)
{
    memcpy(out, p, n);
    return p + n;
}

void hello_plain_encode(uint8_t out[HELLO_BYTES], const struct hello_plain *h)
{
    out[0] = (uint8_t)(h->version >> 8);
    out[1] = (uint8_t)h->version;
    store_be64(out + 2, h->chain_id);
    out = put(out + 10, h->genesis.b, sizeof h->genesis.b);
    store_be64(out, h->epoch);
    out = put(out + 8, h->config.b, sizeof h->config.b);
    out = put(out, &h->member, 1);
    out = put(out, h->instance, sizeof h->instance);
    put(out, h->nonce, sizeof h->nonce);
}

enum err hello_plain_decode(struct hello_plain *out, struct bytes in)
{
    if (in.n != HELLO_BYTES) {
        return ERR_MALFORMED;
    }
    out->version = (uint16_t)(in.p[0] << 8 | in.p[1]);
    out->chain_id = load_be64(in.p + 2);
    const uint8_t *p = get(out->genesis.b, in.p + 10, sizeof out->genesis.b);
    out->epoch = load_be64(p);
    p = get(out->config.b, p + 8, sizeof out->config.b);
    p = get(&out->member, p, 1);
    p = get(out->instance, p, sizeof out->instance);
    get(out->nonce, p, sizeof out->nonce);
    return OK;
}

static enum err refuse(enum err e, const char **why, const char *text)
{
    *why = text;
    return e;
}

enum err hello_plain_check(const struct epoch_config *c, const struct hello_plain *h,
                           const char **why)
{
    if (h->version != HELLO_VERSION) {
        return refuse(ERR_WRONG_VERSION, why, "speaks another version of the peer protocol");
    }
    if (h->chain_id != c->chain_id) {
        return refuse(ERR_WRONG_CHAIN, why, "is of another chain id");
    }
    if (!hash_equal(&h->genesis, &c->genesis)) {
        return refuse(ERR_WRONG_CHAIN, why, "has another genesis");
    }
    if (h->epoch != c->epoch) {
        return refuse(ERR_WRONG_CHAIN, why, "is in another epoch");
    }
    if (!hash_equal(&h->config, &c->hash)) {
        return refuse(ERR_WRONG_CHAIN, why, "has another configuration of this epoch");
    }
    if (h->member >= c->n) {
        return refuse(ERR_NOT_MEMBER, why, "names a member index that does not exist");
    }
    return OK;
}

static struct hello signed_hello(const struct hello_plain *from, const struct hello_plain *to,
                                 const struct hash *exporter, uint64_t journal_sequence)
{
    struct hello h = {.epoch = from->epoch,
                      .member = from->member,
                      .to = to->member,
                      .exporter = *exporter,
                      .journal_sequence = journal_sequence};
    memcpy(h.instance, from->instance, sizeof h.instance);
    memcpy(h.nonce, from->nonce, sizeof h.nonce);
    memcpy(h.peer_nonce, to->nonce, sizeof h.peer_nonce);
    return h;
}

enum err hello_prove(uint8_t out[PROOF_BYTES], const struct epoch_config *c,
                     const struct secret_key *key, const struct hello_plain *mine,
                     const struct hello_plain *theirs, const struct hash *exporter,
                     uint64_t journal_sequence)
{
    struct hello h = signed_hello(mine, theirs, exporter, journal_sequence);
    struct hash digest = hello_digest(c, &h);
    struct signature sig;
    TRY(key_sign(&sig, key, &digest));
    out[0] = h.to;
    store_be64(out + 1, journal_sequence);
    memcpy(out + 9, sig.b, sizeof sig.b);
    return OK;
}

enum err hello_verify(const struct epoch_config *c, struct bytes proof,
                      const struct hello_plain *mine, const struct hello_plain *theirs,
                      const struct hash *exporter, uint64_t *journal_sequence)
{
    if (proof.n != PROOF_BYTES) {
        return ERR_MALFORMED;
    }
    if (proof.p[0] != mine->member) {
        return ERR_BAD_SIGNATURE;
    }
    *journal_sequence = load_be64(proof.p + 1);
    struct hello h = signed_hello(theirs, mine, exporter, *journal_sequence);
    struct hash digest = hello_digest(c, &h);
    struct signature sig;
    struct address who;
    memcpy(sig.b, proof.p + 9, sizeof sig.b);
    TRY(key_recover(&who, &sig, &digest));
    return address_equal(&who, &c->member[theirs->member].address) ? OK : ERR_BAD_SIGNATURE;
}
