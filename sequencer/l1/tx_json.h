/* A transaction as JSON-RPC shows it, back into the bytes that the block's transactions root
 * covers: types 0 to 4 (EIP-155, 2930, 1559, 4844, 7702). Pure. */
#ifndef SEQUENCER_L1_TX_JSON_H
#define SEQUENCER_L1_TX_JSON_H

#include "proto/rlp.h"
#include "sequencer/web/json.h"

enum { TX_JSON_LEGACY, TX_JSON_LIST, TX_JSON_FEE_MARKET, TX_JSON_BLOB, TX_JSON_CODE };

/* False: no type that is known here. */
bool tx_json_type(struct json_object *o, uint8_t *type);
/* Appends the transaction as it stands in the block. `scratch` holds what of it is decoded on the
 * way, LIMIT: half of the JSON's length. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err tx_json_raw(struct rlp_out *out, struct json_object *o, uint8_t *scratch, size_t scratch_n)
    MUST_USE;
/* anvil shows a blob transaction's sidecar in its blocks, and hashes it into the root: the
 * transaction as it was sent, from `bare` and what stands beside it. False: there is no sidecar. */
bool tx_json_wrapped(struct rlp_out *out, struct json_object *o, struct bytes bare,
                     uint8_t *scratch, size_t scratch_n);
/* Recovers the sender (42 us). The same buffers; what stands in `out` is overwritten.
 * ERR_BAD_SIGNATURE. */
enum err tx_json_sender(struct address *sender, struct json_object *o, struct rlp_out *out,
                        uint8_t *scratch, size_t scratch_n) MUST_USE;
/* The input inside the raw bytes. */
enum err tx_json_input(struct bytes *input, struct bytes raw, uint8_t type) MUST_USE;

#endif
