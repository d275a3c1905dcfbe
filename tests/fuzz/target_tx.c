/* Transactions: the fields that were read, laid again by a writer of the test's own, are the same
 * bytes; the sender is an address or none, every time the same. */
#include "proto/limits.h"
#include "proto/rlp.h"
#include "proto/tx.h"
#include "tests/fuzz/fuzz.h"

static void put_fields(struct rlp_out *out, const struct tx *tx)
{
    if (tx->type != 0) {
        rlp_put_u64(out, tx->chain_id);
    }
    rlp_put_u64(out, tx->nonce);
    rlp_put_u256(out, &tx->max_priority_fee);
    if (tx->type == 2) {
        rlp_put_u256(out, &tx->max_fee);
    }
    rlp_put_u64(out, tx->gas);
    rlp_put_string(out, tx->to.b, tx->creates ? 0 : sizeof tx->to.b);
    rlp_put_u256(out, &tx->value);
    rlp_put_string(out, tx->data.p, tx->data.n);
    if (tx->type != 0) {
        size_t mark = rlp_list_begin(out);
        rlp_put_raw(out, tx->access_list.p, tx->access_list.n);
        rlp_list_end(out, mark);
    }
}

static uint64_t v_of(const struct tx *tx)
{
    uint64_t parity = tx->signature.b[64] - 27u;
    if (tx->type != 0) {
        return parity;
    }
    return tx->has_chain_id ? 35 + 2 * tx->chain_id + parity : 27 + parity;
}

static void check_bytes(const struct tx *tx)
{
    struct rlp_out out = {.p = fuzz_room(tx->raw.n), .cap = tx->raw.n};
    struct u256 r = u256_from_be(tx->signature.b, 32);
    struct u256 s = u256_from_be(tx->signature.b + 32, 32);
    if (tx->type != 0) {
        rlp_put_raw(&out, &tx->type, 1);
    }
    size_t mark = rlp_list_begin(&out);
    put_fields(&out, tx);
    rlp_put_u64(&out, v_of(tx));
    rlp_put_u256(&out, &r);
    rlp_put_u256(&out, &s);
    rlp_list_end(&out, mark);
    DEMAND(rlp_finish(&out) == OK && bytes_equal(bytes_of(out.p, out.n), tx->raw));
}

void fuzz_tx(struct bytes in)
{
    struct tx tx;
    struct address one;
    struct address two;
    fuzz_epoch(); /* the key library */
    enum tx_error e = tx_decode(&tx, in);
    DEMAND(tx_error_text(e)[0] != '\0');
    if (e != TX_OK) {
        return;
    }
    check_bytes(&tx);
    DEMAND(tx_intrinsic_gas(&tx) >= 21000);
    DEMAND(tx.access_addresses + tx.access_slots <= LIMIT_ACCESS_LIST);
    if (tx_sender(&one, &tx) == TX_OK) {
        DEMAND(tx_sender(&two, &tx) == TX_OK && address_equal(&one, &two));
    }
}
