#include "proto/tx.h"

#include "proto/keccak.h"
#include "proto/limits.h"
#include "proto/rlp.h"

enum { TYPE_LEGACY = 0, TYPE_ACCESS_LIST = 1, TYPE_FEE_MARKET = 2 };

/* A first byte above this is the prefix of a legacy transaction, else a type (EIP-2718). */
enum { TYPE_MAX = 0x7f };

/* v of a legacy signature: 27 or 28, or 35 + 2 chain id + parity (EIP-155). */
enum { V_PLAIN = 27, V_REPLAY_PROTECTED = 35 };

/* Half the group order as a number: the largest s (EIP-2). */
static const struct u256 half_order = {
    {0xdfe92f46681b20a0, 0x5d576e7357a4501d, 0xffffffffffffffff, 0x7fffffffffffffff}};

/* What the signing hash covers: the fields as they stand in the raw bytes. */
struct fields {
    const uint8_t *first;
    size_t n;
};

static enum err take_to(struct rlp_in *in, struct tx *out)
{
    struct bytes to;
    TRY(rlp_string(in, &to));
    out->creates = to.n == 0;
    if (to.n != 0 && to.n != sizeof out->to.b) {
        return ERR_MALFORMED;
    }
    if (to.n != 0) {
        memcpy(out->to.b, to.p, to.n);
    }
    return OK;
}

/* From `to` on, all types agree. */
static enum err take_call(struct rlp_in *in, struct tx *out)
{
    TRY(rlp_u64(in, &out->gas));
    TRY(take_to(in, out));
    TRY(rlp_u256(in, &out->value));
    return rlp_string(in, &out->data);
}

static enum err take_slots(struct rlp_in *in, struct tx *out)
{
    struct rlp_in slots;
    uint8_t slot[32];
    TRY(rlp_list(in, &slots));
    while (!rlp_at_end(&slots)) {
        TRY(rlp_fixed(&slots, slot, sizeof slot));
        out->access_slots++;
    }
    return OK;
}

static enum err take_access_list(struct rlp_in *in, struct tx *out)
{
    struct rlp_in list;
    uint8_t address[20];
    TRY(rlp_list(in, &list));
    out->access_list = bytes_of(list.p, list.n);
    while (!rlp_at_end(&list)) {
        struct rlp_in entry;
        TRY(rlp_list(&list, &entry));
        TRY(rlp_fixed(&entry, address, sizeof address));
        TRY(take_slots(&entry, out));
        if (!rlp_at_end(&entry)) {
            return ERR_MALFORMED;
        }
        out->access_addresses++;
        if (out->access_addresses + out->access_slots > LIMIT_ACCESS_LIST) {
            return ERR_TOO_LARGE;
        }
    }
    return OK;
}

/* The fields that are signed; the cursor then stands before v. */
static enum err take_fields(struct rlp_in *in, struct tx *out)
{
    if (out->type != TYPE_LEGACY) {
        out->has_chain_id = true;
        TRY(rlp_u64(in, &out->chain_id));
    }
    TRY(rlp_u64(in, &out->nonce));
    TRY(rlp_u256(in, &out->max_priority_fee));
    out->max_fee = out->max_priority_fee;
    if (out->type == TYPE_FEE_MARKET) {
        TRY(rlp_u256(in, &out->max_fee));
    }
    TRY(take_call(in, out));
    return out->type == TYPE_LEGACY ? OK : take_access_list(in, out);
}

/* Reads v; its parity goes into the signature, a legacy chain id to its place. */
static enum tx_error take_v(uint64_t v, struct tx *out)
{
    uint64_t parity = v;
    if (out->type == TYPE_LEGACY && v >= V_REPLAY_PROTECTED) {
        out->has_chain_id = true;
        out->chain_id = (v - V_REPLAY_PROTECTED) / 2;
        parity = (v - V_REPLAY_PROTECTED) % 2;
    } else if (out->type == TYPE_LEGACY) {
        parity = v - V_PLAIN; /* wraps below 27 and is refused */
    }
    out->signature.b[64] = (uint8_t)(V_PLAIN + (parity & 1));
    return parity <= 1 ? TX_OK : TX_SIGNATURE;
}

static enum tx_error take_signature(struct rlp_in *in, struct tx *out)
{
    uint64_t v;
    struct u256 r;
    struct u256 s;
    if (rlp_u64(in, &v) != OK || rlp_u256(in, &r) != OK || rlp_u256(in, &s) != OK ||
        !rlp_at_end(in)) {
        return TX_MALFORMED;
    }
    u256_to_be(out->signature.b, &r);
    u256_to_be(out->signature.b + 32, &s);
    if (u256_is_zero(&r) || u256_is_zero(&s) || u256_cmp(&s, &half_order) > 0) {
        return TX_SIGNATURE;
    }
    return take_v(v, out);
}

/* Prefix of the list that is signed: its payload is not contiguous, so it is hashed in pieces. */
static size_t list_prefix(uint8_t head[9], size_t n)
{
    if (n <= 55) {
        head[0] = (uint8_t)(0xc0 + n);
        return 1;
    }
    size_t width = 1;
    while (n >> (8 * width) != 0) { /* a transaction is far below 2^32 bytes */
        width++;
    }
    head[0] = (uint8_t)(0xf7 + width);
    for (size_t i = 0; i < width; i++) {
        head[1 + i] = (uint8_t)(n >> (8 * (width - 1 - i)));
    }
    return 1 + width;
}

static struct hash signing_hash(const struct tx *tx, const struct fields *f)
{
    uint8_t tail[16];
    uint8_t head[9];
    struct rlp_out protection = {.p = tail, .cap = sizeof tail};
    if (tx->type == TYPE_LEGACY && tx->has_chain_id) {
        rlp_put_u64(&protection, tx->chain_id);
        rlp_put_u64(&protection, 0);
        rlp_put_u64(&protection, 0);
    }
    struct keccak k;
    struct hash out;
    keccak_init(&k);
    if (tx->type != TYPE_LEGACY) {
        keccak_update(&k, &tx->type, 1);
    }
    keccak_update(&k, head, list_prefix(head, f->n + protection.n));
    keccak_update(&k, f->first, f->n);
    keccak_update(&k, tail, protection.n);
    keccak_final(&k, &out);
    return out;
}

/* Sets the type and leaves the cursor at the list; geth's answers for what is neither. */
static enum tx_error take_type(struct rlp_in *in, struct tx *out)
{
    if (in->n < 2) {
        return TX_MALFORMED;
    }
    if (in->p[0] > TYPE_MAX) {
        out->type = TYPE_LEGACY;
        return TX_OK;
    }
    out->type = in->p[0];
    in->p++;
    in->n--;
    return out->type == TYPE_ACCESS_LIST || out->type == TYPE_FEE_MARKET ? TX_OK : TX_TYPE;
}

static enum tx_error read_all(struct tx *out, struct bytes raw, struct fields *signed_fields)
{
    struct rlp_in in = {raw.p, raw.n};
    struct rlp_in list;
    memset(out, 0, sizeof *out);
    out->raw = raw;
    if (raw.n > LIMIT_TX_BYTES) {
        return TX_TOO_LARGE;
    }
    enum tx_error e = take_type(&in, out);
    if (e != TX_OK) {
        return e;
    }
    if (rlp_list(&in, &list) != OK || !rlp_at_end(&in)) {
        return TX_MALFORMED;
    }
    struct fields fields = {list.p, list.n};
    enum err bad = take_fields(&list, out);
    if (bad != OK) {
        return bad == ERR_TOO_LARGE ? TX_TOO_LARGE : TX_MALFORMED;
    }
    *signed_fields = (struct fields){fields.first, fields.n - list.n};
    return take_signature(&list, out);
}

enum tx_error tx_read(struct tx *out, struct bytes raw)
{
    struct fields f;
    return read_all(out, raw, &f);
}

enum tx_error tx_decode_hashed(struct tx *out, struct bytes raw, const struct hash *hash)
{
    struct fields f;
    enum tx_error e = read_all(out, raw, &f);
    if (e == TX_OK) {
        out->signing_hash = signing_hash(out, &f);
        out->hash = *hash;
    }
    return e;
}

enum tx_error tx_decode(struct tx *out, struct bytes raw)
{
    static const struct hash none;
    enum tx_error e = tx_decode_hashed(out, raw, &none);
    if (e == TX_OK) {
        out->hash = keccak256(raw.p, raw.n);
    }
    return e;
}

enum tx_error tx_sender(struct address *out, const struct tx *tx)
{
    return key_recover(out, &tx->signature, &tx->signing_hash) == OK ? TX_OK : TX_SIGNATURE;
}

const char *tx_error_text(enum tx_error e)
{
    switch (e) {
    case TX_OK:
        return "no error";
    case TX_MALFORMED:
        return "rlp: input is not a canonical transaction";
    case TX_TYPE:
        return "transaction type not supported";
    case TX_TOO_LARGE:
        return "oversized data";
    case TX_SIGNATURE:
        return "invalid sender";
    case TX_CHAIN_ID:
        return "invalid chain id for signer";
    }
    return "unknown transaction error";
}
