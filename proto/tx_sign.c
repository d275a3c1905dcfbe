#include "proto/keccak.h"
#include "proto/rlp.h"
#include "proto/tx.h"

static void put_fields(struct rlp_out *out, const struct tx_request *r)
{
    rlp_put_u64(out, r->chain_id);
    rlp_put_u64(out, r->nonce);
    rlp_put_u256(out, &r->max_priority_fee);
    rlp_put_u256(out, &r->max_fee);
    rlp_put_u64(out, r->gas);
    rlp_put_string(out, r->to.b, r->creates ? 0 : sizeof r->to.b);
    rlp_put_u256(out, &r->value);
    rlp_put_string(out, r->data.p, r->data.n);
    rlp_list_end(out, rlp_list_begin(out)); /* no access list */
}

static void put_signature(struct rlp_out *out, const struct signature *sig)
{
    struct u256 r = u256_from_be(sig->b, 32);
    struct u256 s = u256_from_be(sig->b + 32, 32);
    rlp_put_u64(out, sig->b[64] - 27u);
    rlp_put_u256(out, &r);
    rlp_put_u256(out, &s);
}

/* 0x02 and the list, with the signature where there is one. */
static enum err put_tx(struct rlp_out *out, const struct tx_request *r, const struct signature *sig)
{
    static const uint8_t type = 2;
    rlp_put_raw(out, &type, 1);
    size_t mark = rlp_list_begin(out);
    put_fields(out, r);
    if (sig != NULL) {
        put_signature(out, sig);
    }
    rlp_list_end(out, mark);
    return rlp_finish(out);
}

enum err tx_sign(uint8_t *out, size_t cap, size_t *out_n, const struct tx_request *r,
                 const struct secret_key *key)
{
    /* First what is signed, then, over it, the whole. */
    struct rlp_out bare = {.p = out, .cap = cap};
    struct rlp_out whole = {.p = out, .cap = cap};
    struct signature sig;
    TRY(put_tx(&bare, r, NULL));
    struct hash digest = keccak256(out, bare.n);
    TRY(key_sign(&sig, key, &digest));
    TRY(put_tx(&whole, r, &sig));
    *out_n = whole.n;
    return OK;
}
