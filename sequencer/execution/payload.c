#include "sequencer/execution/payload.h"

#include "proto/keccak.h"
#include "proto/rlp.h"

/* Keccak-256 of the RLP of an empty list (no uncles) and of an empty string (an empty trie). */
static const struct hash no_uncles = {{0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a,
                                       0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
                                       0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13,
                                       0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47}};
static const struct hash no_withdrawals = {{0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6,
                                            0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e,
                                            0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0,
                                            0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21}};
static const uint8_t zeros[PAYLOAD_BLOOM_BYTES];

size_t payload_header_encode(uint8_t out[PAYLOAD_HEADER_MAX_BYTES], const struct payload_info *p)
{
    struct rlp_out rlp = {.p = out, .cap = PAYLOAD_HEADER_MAX_BYTES};
    size_t mark = rlp_list_begin(&rlp);
    rlp_put_string(&rlp, p->parent.b, sizeof p->parent.b);
    rlp_put_string(&rlp, no_uncles.b, sizeof no_uncles.b);
    rlp_put_string(&rlp, p->fee_recipient.b, sizeof p->fee_recipient.b);
    rlp_put_string(&rlp, p->state_root.b, sizeof p->state_root.b);
    rlp_put_string(&rlp, p->transactions_root.b, sizeof p->transactions_root.b);
    rlp_put_string(&rlp, p->receipts_root.b, sizeof p->receipts_root.b);
    rlp_put_string(&rlp, zeros, PAYLOAD_BLOOM_BYTES);
    rlp_put_u64(&rlp, 0); /* difficulty */
    rlp_put_u64(&rlp, p->number);
    rlp_put_u64(&rlp, p->gas_limit);
    rlp_put_u64(&rlp, p->gas_used);
    rlp_put_u64(&rlp, p->timestamp);
    rlp_put_string(&rlp, zeros, 0);  /* extraData */
    rlp_put_string(&rlp, zeros, 32); /* mixHash */
    rlp_put_string(&rlp, zeros, 8);  /* nonce */
    rlp_put_u256(&rlp, &p->base_fee);
    rlp_put_string(&rlp, no_withdrawals.b, sizeof no_withdrawals.b);
    rlp_list_end(&rlp, mark);
    return rlp.n;
}

struct hash payload_hash(const struct payload_info *p)
{
    uint8_t header[PAYLOAD_HEADER_MAX_BYTES];
    return keccak256(header, payload_header_encode(header, p));
}

size_t payload_receipt_encode(uint8_t out[PAYLOAD_RECEIPT_MAX_BYTES], uint8_t type,
                              uint64_t cumulative_gas)
{
    struct rlp_out rlp = {.p = out, .cap = PAYLOAD_RECEIPT_MAX_BYTES};
    if (type != 0) {
        rlp_put_raw(&rlp, &type, 1); /* EIP-2718 */
    }
    size_t mark = rlp_list_begin(&rlp);
    rlp_put_u64(&rlp, 1); /* status */
    rlp_put_u64(&rlp, cumulative_gas);
    rlp_put_string(&rlp, zeros, PAYLOAD_BLOOM_BYTES);
    rlp_list_end(&rlp, rlp_list_begin(&rlp)); /* logs */
    rlp_list_end(&rlp, mark);
    return rlp.n;
}

/* EIP-1559. Where the product would not fit, no one can pay such a fee: it stays as it is. */
void payload_next_base_fee(struct u256 *out, const struct payload_info *parent)
{
    uint64_t target = parent->gas_limit / PAYLOAD_ELASTICITY;
    *out = parent->base_fee;
    if (target == 0 || parent->gas_used == target) {
        return;
    }
    bool up = parent->gas_used > target;
    uint64_t distance = up ? parent->gas_used - target : target - parent->gas_used;
    struct u256 delta;
    struct u256 moved;
    if (u256_mul_u64(&delta, &parent->base_fee, distance)) {
        return;
    }
    u256_div_u64(&delta, &delta, target, NULL);
    u256_div_u64(&delta, &delta, PAYLOAD_BASE_FEE_DENOMINATOR, NULL);
    if (up && u256_is_zero(&delta)) {
        delta = u256_from_u64(1);
    }
    bool overflow = up ? u256_add(&moved, &parent->base_fee, &delta)
                       : u256_sub(&moved, &parent->base_fee, &delta);
    if (!overflow) {
        *out = moved;
    }
}

/* The stored form: one version byte, then every field at a fixed place. */
enum { INFO_VERSION = 1, INFO_BYTES = 1 + 5 * 32 + 20 + 6 * 8 + 32 + 4 };
_Static_assert((int)INFO_BYTES <= (int)PAYLOAD_INFO_MAX_BYTES, "the announced size must suffice");

static uint8_t *put(uint8_t *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return to + n;
}

static uint8_t *put_u64(uint8_t *to, uint64_t v)
{
    store_be64(to, v);
    return to + 8;
}

size_t payload_info_encode(uint8_t out[PAYLOAD_INFO_MAX_BYTES], const struct payload_info *p)
{
    uint8_t *to = out;
    *to++ = INFO_VERSION;
    to = put(to, p->hash.b, 32);
    to = put(to, p->parent.b, 32);
    to = put(to, p->state_root.b, 32);
    to = put(to, p->transactions_root.b, 32);
    to = put(to, p->receipts_root.b, 32);
    to = put(to, p->fee_recipient.b, 20);
    to = put_u64(to, p->number);
    to = put_u64(to, p->timestamp);
    to = put_u64(to, p->timestamp_ms);
    to = put_u64(to, p->gas_limit);
    to = put_u64(to, p->gas_used);
    to = put_u64(to, p->body_len);
    u256_to_be(to, &p->base_fee);
    store_be32(to + 32, p->txs);
    return INFO_BYTES;
}

static const uint8_t *get(void *to, const uint8_t *from, size_t n)
{
    memcpy(to, from, n);
    return from + n;
}

static const uint8_t *get_u64(uint64_t *to, const uint8_t *from)
{
    *to = load_be64(from);
    return from + 8;
}

enum err payload_info_decode(struct payload_info *out, struct bytes in)
{
    if (in.n != INFO_BYTES || in.p[0] != INFO_VERSION) {
        return ERR_MALFORMED;
    }
    const uint8_t *from = in.p + 1;
    from = get(out->hash.b, from, 32);
    from = get(out->parent.b, from, 32);
    from = get(out->state_root.b, from, 32);
    from = get(out->transactions_root.b, from, 32);
    from = get(out->receipts_root.b, from, 32);
    from = get(out->fee_recipient.b, from, 20);
    from = get_u64(&out->number, from);
    from = get_u64(&out->timestamp, from);
    from = get_u64(&out->timestamp_ms, from);
    from = get_u64(&out->gas_limit, from);
    from = get_u64(&out->gas_used, from);
    from = get_u64(&out->body_len, from);
    out->base_fee = u256_from_be(from, 32);
    out->txs = load_be32(from + 32);
    return OK;
}
