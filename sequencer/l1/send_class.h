/* What an endpoint's error to eth_sendRawTransaction means. Texts of geth, reth, nethermind, besu
 * and anvil, compared without case; JSON-RPC gives no usable codes for them. Pure. */
#ifndef SEQUENCER_L1_SEND_CLASS_H
#define SEQUENCER_L1_SEND_CLASS_H

#include "sequencer/l1/l1.h"

/* Unknown words are NET: never success, and the same bytes are tried again. */
enum l1_send send_class(int64_t code, const char *message);

/* The better of two, by the order of the enumeration: NET yields to BUG only where nobody is left
 * who may have taken the bytes, and so stands before it. */
enum l1_send send_better(enum l1_send a, enum l1_send b);

#endif
