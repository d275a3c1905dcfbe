// sign.mjs N: so many transfers of the first funded account, raw, as a JSON list.
import { createCustomCommon, Hardfork, Mainnet } from '@ethereumjs/common';
import { createFeeMarket1559Tx } from '@ethereumjs/tx';
import { bytesToHex, hexToBytes } from '@ethereumjs/util';

const KEY = hexToBytes('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');
const common = createCustomCommon({ chainId: 901 }, Mainnet, { hardfork: Hardfork.Prague });
const raw = [];
for (let nonce = 0; nonce < Number(process.argv[2]); nonce++) {
  const tx = createFeeMarket1559Tx({
    chainId: 901n, nonce: BigInt(nonce), gasLimit: 21000n, value: 1n,
    maxPriorityFeePerGas: 1000000000n, maxFeePerGas: 20000000000n,
    to: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  }, { common });
  raw.push(bytesToHex(tx.sign(KEY).serialize()));
}
console.log(JSON.stringify(raw));
