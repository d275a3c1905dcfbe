#include "sequencer/rpc/render.h"

#include "proto/rlp.h"

#define ZEROS_32 "00000000000000000000000000000000"
#define ZEROS_512                                                                                  \
    ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32      \
        ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32

static const char no_bloom[] = "\"0x" ZEROS_512 "\"";
static const char zero_hash[] = "\"0x" ZEROS_32 ZEROS_32 "\"";
/* Keccak-256 of the RLP of an empty list, and the root of an empty trie. */
static const char no_uncles[] =
    "\"0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347\"";
static const char empty_root[] =
    "\"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421\"";

/* ---- blocks --------------------------------------------------------------------------------- */

static size_t rlp_number_size(uint64_t v)
{
    size_t n = 0;
    for (uint64_t rest = v; rest != 0; rest >>= 8) {
        n++;
    }
    return v < 0x80 ? 1 : 1 + n;
}

static size_t rlp_list_size(size_t payload)
{
    return payload < 56 ? 1 + payload : rlp_number_size(payload) + payload;
}

/* Bytes of the whole block in RLP: header, transactions, no uncles, no withdrawals. */
static uint64_t block_size(const struct rpc_block *b)
{
    size_t fee = u256_byte_len(&b->base_fee);
    uint8_t be[32];
    u256_to_be(be, &b->base_fee);
    size_t header = 6 * 33 + 21 + 259 + 33 + 9 + 2 /* hashes, miner, bloom, withdrawals, nonce */
                    + rlp_number_size(b->number) + rlp_number_size(b->gas_limit) +
                    rlp_number_size(b->gas_used) + rlp_number_size(b->timestamp) +
                    (fee == 1 && be[31] < 0x80 ? 1 : 1 + fee);
    return rlp_list_size(rlp_list_size(header) + (b->body.n > 0 ? b->body.n : 1) + 2);
}

static void render_constants(struct text *t)
{
    text_key_raw(t, "sha3Uncles", no_uncles);
    text_key_raw(t, "logsBloom", no_bloom);
    text_key_raw(t, "difficulty", "\"0x0\"");
    text_key_raw(t, "extraData", "\"0x\"");
    text_key_raw(t, "mixHash", zero_hash);
    text_key_raw(t, "withdrawalsRoot", empty_root);
}

void render_header(struct text *t, const struct rpc_block *b)
{
    TEXT_LITERAL(t, "{");
    text_key_quantity(t, "number", b->number);
    text_key_hash(t, "hash", &b->hash);
    text_key_hash(t, "parentHash", &b->parent);
    text_key_raw(t, "nonce", "\"0x0000000000000000\"");
    render_constants(t);
    text_key_hash(t, "transactionsRoot", &b->transactions_root);
    text_key_hash(t, "stateRoot", &b->state_root);
    text_key_hash(t, "receiptsRoot", &b->receipts_root);
    text_key_address(t, "miner", &b->miner);
    text_key_quantity(t, "gasLimit", b->gas_limit);
    text_key_quantity(t, "gasUsed", b->gas_used);
    text_key_quantity(t, "timestamp", b->timestamp);
    text_key_u256(t, "baseFeePerGas", &b->base_fee);
    text_key_quantity(t, "size", block_size(b));
}

void render_pending_block(struct text *t, const struct rpc_block *parent,
                          const struct u256 *base_fee, uint64_t now_s)
{
    TEXT_LITERAL(t, "{");
    text_key_quantity(t, "number", parent->number + 1);
    text_key_raw(t, "hash", "null");
    text_key_hash(t, "parentHash", &parent->hash);
    text_key_raw(t, "nonce", "null");
    render_constants(t);
    text_key_raw(t, "transactionsRoot", empty_root);
    text_key_hash(t, "stateRoot", &parent->state_root);
    text_key_raw(t, "receiptsRoot", empty_root);
    text_key_address(t, "miner", &(struct address){0});
    text_key_quantity(t, "gasLimit", parent->gas_limit);
    text_key_quantity(t, "gasUsed", 0);
    text_key_quantity(t, "timestamp", now_s > parent->timestamp ? now_s : parent->timestamp);
    text_key_u256(t, "baseFeePerGas", base_fee);
    text_key_raw(t, "size", "\"0x0\"");
    text_key_raw(t, "transactions", "[]");
    text_key_raw(t, "uncles", "[]");
    text_key_raw(t, "withdrawals", "[]");
    TEXT_LITERAL(t, "}");
}

void render_summary(struct text *t, const struct rpc_block *b)
{
    TEXT_LITERAL(t, "{");
    text_key(t, "number");
    text_u64(t, b->number);
    text_key_hash(t, "hash", &b->hash);
    text_key(t, "slot");
    text_u64(t, b->slot);
    text_key(t, "leader");
    text_u64(t, b->leader);
    text_key(t, "timestampMs");
    text_u64(t, b->timestamp_ms);
    text_key(t, "transactions");
    text_u64(t, b->txs);
    text_key(t, "gasUsed");
    text_u64(t, b->gas_used);
    text_key(t, "gasLimit");
    text_u64(t, b->gas_limit);
    TEXT_LITERAL(t, "}");
}

/* ---- transactions --------------------------------------------------------------------------- */

struct u256 render_gas_price(const struct tx *tx, const struct u256 *base_fee)
{
    struct u256 price;
    bool overflow = u256_add(&price, &tx->max_priority_fee, base_fee);
    return overflow || tx->type < 2 || u256_cmp(&price, &tx->max_fee) > 0 ? tx->max_fee : price;
}

struct u256 render_tip(const struct tx *tx, const struct u256 *base_fee)
{
    struct u256 price = render_gas_price(tx, base_fee);
    struct u256 tip;
    return u256_sub(&tip, &price, base_fee) ? u256_from_u64(0) : tip;
}

/* The list was walked by tx_decode before; a failure here only ends it. */
static void render_access_list(struct text *t, const struct tx *tx)
{
    struct rlp_in list = {tx->access_list.p, tx->access_list.n};
    struct rlp_in entry;
    struct rlp_in keys;
    struct address a;
    struct hash key;
    text_key(t, "accessList");
    TEXT_LITERAL(t, "[");
    while (!rlp_at_end(&list) && rlp_list(&list, &entry) == OK &&
           rlp_fixed(&entry, a.b, sizeof a.b) == OK && rlp_list(&entry, &keys) == OK) {
        text_item(t);
        TEXT_LITERAL(t, "{");
        text_key_address(t, "address", &a);
        text_key(t, "storageKeys");
        TEXT_LITERAL(t, "[");
        while (!rlp_at_end(&keys) && rlp_fixed(&keys, key.b, sizeof key.b) == OK) {
            text_item(t);
            text_hash(t, &key);
        }
        TEXT_LITERAL(t, "]}");
    }
    TEXT_LITERAL(t, "]");
}

static void render_signature(struct text *t, const struct tx *tx)
{
    const uint8_t *s = tx->signature.b;
    uint64_t parity = s[64] == 28;
    struct u256 part = u256_from_be(s, 32);
    if (tx->type > 0) {
        text_key_quantity(t, "v", parity);
    } else {
        text_key_quantity(t, "v", tx->has_chain_id ? tx->chain_id * 2 + 35 + parity : s[64]);
    }
    text_key_u256(t, "r", &part);
    part = u256_from_be(s + 32, 32);
    text_key_u256(t, "s", &part);
    if (tx->type > 0) {
        text_key_quantity(t, "yParity", parity);
    }
}

static void render_place(struct text *t, const struct rpc_block *b, uint32_t index)
{
    if (b == NULL) {
        text_key_raw(t, "blockHash", "null");
        text_key_raw(t, "blockNumber", "null");
        text_key_raw(t, "transactionIndex", "null");
        return;
    }
    text_key_hash(t, "blockHash", &b->hash);
    text_key_quantity(t, "blockNumber", b->number);
    text_key_quantity(t, "transactionIndex", index);
}

static void render_to(struct text *t, const struct tx *tx)
{
    if (tx->creates) {
        text_key_raw(t, "to", "null");
    } else {
        text_key_address(t, "to", &tx->to);
    }
}

void render_tx(struct text *t, const struct tx *tx, const struct address *from,
               const struct rpc_block *b, uint32_t index)
{
    TEXT_LITERAL(t, "{");
    render_place(t, b, index);
    text_key_address(t, "from", from);
    text_key_quantity(t, "gas", tx->gas);
    struct u256 price = b != NULL ? render_gas_price(tx, &b->base_fee) : tx->max_fee;
    text_key_u256(t, "gasPrice", &price);
    if (tx->type == 2) {
        text_key_u256(t, "maxFeePerGas", &tx->max_fee);
        text_key_u256(t, "maxPriorityFeePerGas", &tx->max_priority_fee);
    }
    text_key_hash(t, "hash", &tx->hash);
    text_key(t, "input");
    text_hex(t, tx->data.p, tx->data.n);
    text_key_quantity(t, "nonce", tx->nonce);
    render_to(t, tx);
    text_key_u256(t, "value", &tx->value);
    text_key_quantity(t, "type", tx->type);
    if (tx->type > 0) {
        render_access_list(t, tx);
    }
    if (tx->has_chain_id) {
        text_key_quantity(t, "chainId", tx->chain_id);
    }
    render_signature(t, tx);
    TEXT_LITERAL(t, "}");
}

void render_receipt(struct text *t, const struct tx *tx, const struct address *from,
                    const struct rpc_block *b, uint32_t index, uint64_t gas_upto)
{
    TEXT_LITERAL(t, "{");
    render_place(t, b, index);
    text_key_raw(t, "contractAddress", "null");
    text_key_quantity(t, "cumulativeGasUsed", gas_upto);
    struct u256 price = render_gas_price(tx, &b->base_fee);
    text_key_u256(t, "effectiveGasPrice", &price);
    text_key_address(t, "from", from);
    text_key_quantity(t, "gasUsed", tx_intrinsic_gas(tx));
    text_key_raw(t, "logs", "[]");
    text_key_raw(t, "logsBloom", no_bloom);
    text_key_raw(t, "status", "\"0x1\"");
    render_to(t, tx);
    text_key_hash(t, "transactionHash", &tx->hash);
    text_key_quantity(t, "type", tx->type);
    TEXT_LITERAL(t, "}");
}
