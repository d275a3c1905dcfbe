/* Blocks, transactions and receipts as wallets read them. Pure: any thread.
 *
 * Fields and their order are geth's; what each tool insists on stands in the tests. `nonce` has
 * eight bytes and `logsBloom` 256 whatever they hold: cast and ethers refuse shorter ones. */
#ifndef SEQUENCER_RPC_RENDER_H
#define SEQUENCER_RPC_RENDER_H

#include "proto/tx.h"
#include "sequencer/rpc/backend.h"
#include "sequencer/rpc/text.h"

/* The header's members without the closing brace; what newHeads sends, too. */
void render_header(struct text *t, const struct rpc_block *b);
/* The block that is being built on `parent`: no hash, no nonce. */
void render_pending_block(struct text *t, const struct rpc_block *parent,
                          const struct u256 *base_fee, uint64_t now_s);
/* `b` NULL: a transaction that waits. */
void render_tx(struct text *t, const struct tx *tx, const struct address *from,
               const struct rpc_block *b, uint32_t index);
void render_receipt(struct text *t, const struct tx *tx, const struct address *from,
                    const struct rpc_block *b, uint32_t index, uint64_t gas_upto);
/* What baton_subscribe("blocks") and ("accepted") say. */
void render_summary(struct text *t, const struct rpc_block *b);
/* What a transaction pays a unit of gas in a block of this base fee, and the tip in it. */
struct u256 render_gas_price(const struct tx *tx, const struct u256 *base_fee);
struct u256 render_tip(const struct tx *tx, const struct u256 *base_fee);

#endif
