/* A signed Ethereum transaction taken apart into its RLP items, and put together again to the same
 * bytes: types 0 (legacy), 1 (EIP-2930), 2 (EIP-1559) and 4 (EIP-7702), which are all that a span
 * batch can carry. Nothing is hashed here and no signature is looked at; views borrow. */
#ifndef SEQUENCER_BATCHER_TX_PARTS_H
#define SEQUENCER_BATCHER_TX_PARTS_H

#include "proto/rlp.h"
#include "sequencer/batcher/buffer.h"

/* In the order of the raw transaction; types leave some out. PART_PRICE is the gas price, or the
 * fee cap where there is a tip. */
enum tx_part {
    PART_CHAIN,
    PART_NONCE,
    PART_TIP,
    PART_PRICE,
    PART_GAS,
    PART_TO,
    PART_VALUE,
    PART_DATA,
    PART_ACCESS,
    PART_AUTHORISATIONS,
    PART_V,
    PART_R,
    PART_S,
    TX_PARTS
};

enum { TX_LEGACY = 0, TX_ACCESS_LIST = 1, TX_FEE_MARKET = 2, TX_SET_CODE = 4, TX_TYPE_MAX = 0x7f };

struct tx_parts {
    uint8_t type;
    struct bytes item[TX_PARTS]; /* each with its RLP prefix; n = 0 where the type has none */
};

/* True for the four types above. */
bool tx_parts_type_known(uint8_t type);

/* Exactly one raw transaction. ERR_MALFORMED (also another type, or a set-code transaction without
 * a receiver), ERR_NOT_CANONICAL. */
enum err tx_parts_split(struct tx_parts *out, struct bytes raw) MUST_USE;
/* The raw transaction of these items. */
void tx_parts_join(struct buffer *out, const struct tx_parts *t);

/* What a span batch holds of it in tx_datas: value, fees, data and lists, without the rest. `data`
 * is one whole element, type byte included. */
enum err tx_parts_split_data(struct tx_parts *out, struct bytes data) MUST_USE;
void tx_parts_join_data(struct buffer *out, const struct tx_parts *t);

/* Takes an access list (EIP-2930): [[address, [slot, …]], …]. */
enum err tx_parts_check_access(struct rlp_in *in) MUST_USE;

#endif
