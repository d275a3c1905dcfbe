/* Ethereum addresses as wallets write them: the case of the letters is a checksum (EIP-55), so that
 * a mistyped one is noticed. Readers of addresses take any case. */
#ifndef SEQUENCER_CLI_ADDRESS_TEXT_H
#define SEQUENCER_CLI_ADDRESS_TEXT_H

#include "proto/bytes.h"

void address_text(char out[HEX_SIZE(20)], const struct address *a);

#endif
