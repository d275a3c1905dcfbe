// given.mjs: preloaded, it makes ethereumjs take a list as op-geth does: attributes with
// `transactions` and `noTxPool`. What stands in the list goes into the block, in its order.
import { createTxFromRLP } from '@ethereumjs/tx';
import { hexToBytes } from '@ethereumjs/util';

const client = new URL('./node_modules/@ethereumjs/client/dist/esm/src/', import.meta.url);
const { PendingBlock } = await import(new URL('miner/pendingBlock.js', client));
const { Engine } = await import(new URL('rpc/modules/engine/engine.js', client));

const listOf = new WeakMap(); // block builder → the transactions that it was given, if any
let given = null;

Engine.prototype.forkchoiceUpdatedV3 = async function forkchoiceUpdatedV3(params) {
  const attributes = params[1];
  given = null;
  if (attributes?.noTxPool === true) {
    const options = { common: this.config.chainCommon };
    given = attributes.transactions.map((raw) => createTxFromRLP(hexToBytes(raw), options));
  }
  return this.forkchoiceUpdated(params);
};

const fromPool = PendingBlock.prototype.addTransactions;
PendingBlock.prototype.addTransactions = async function addTransactions(builder, pooled) {
  const first = !listOf.has(builder);
  if (first) {
    listOf.set(builder, given);
  }
  const list = listOf.get(builder);
  if (list === null) {
    return fromPool.call(this, builder, pooled);
  }
  if (first) {
    for (const tx of list) {
      await builder.addTransaction(tx);
    }
  }
  return { addedTxs: list.length, skippedByAddErrors: 0, blobTxs: [] };
};
