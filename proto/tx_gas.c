#include "proto/tx.h"

/* Yellow Paper, appendix G, with EIP-2028, EIP-2930, EIP-3860 and EIP-7623. */
enum {
    GAS_TX = 21000,
    GAS_CREATE = 32000,
    GAS_INIT_WORD = 2,
    GAS_TOKEN = 4, /* a zero byte is one token, any other is four */
    GAS_TOKEN_FLOOR = 10,
    GAS_ACCESS_ADDRESS = 2400,
    GAS_ACCESS_SLOT = 1900,
    TOKENS_NONZERO = 4
};

static uint64_t tokens_of(struct bytes data)
{
    uint64_t tokens = 0;
    for (size_t i = 0; i < data.n; i++) {
        tokens += data.p[i] == 0 ? 1 : TOKENS_NONZERO;
    }
    return tokens;
}

uint64_t tx_intrinsic_gas(const struct tx *tx)
{
    uint64_t tokens = tokens_of(tx->data);
    uint64_t gas = GAS_TX + GAS_TOKEN * tokens;
    uint64_t floor = GAS_TX + GAS_TOKEN_FLOOR * tokens;
    gas += (uint64_t)GAS_ACCESS_ADDRESS * tx->access_addresses;
    gas += (uint64_t)GAS_ACCESS_SLOT * tx->access_slots;
    if (tx->creates) {
        gas += GAS_CREATE + GAS_INIT_WORD * ((tx->data.n + 31) / 32);
    }
    return gas > floor ? gas : floor;
}
