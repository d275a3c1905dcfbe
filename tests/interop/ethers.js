// ethers: HTTP and WebSocket.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { JsonRpcProvider, Wallet, WebSocketProvider } from "ethers";

import { receiver, SENDER } from "./accounts.js";
import { equal, require, until } from "./check.js";
import { watched } from "./viem.js";

const POLL_MS = 100;
const CONFIRM_LIMIT_MS = 20000;

export function providerOf(net, node) {
    const provider = new JsonRpcProvider(net.urls[node], net.ready.chainId);
    provider.pollingInterval = POLL_MS;
    return provider;
}

export const walletOf = (net, provider, account) =>
    new Wallet(net.ready.accounts[account].privateKey, provider);

// ethers throws when its own end cuts off an eth_unsubscribe of its own, sent a moment after `off`:
// by the second answer that is over too.
export async function closeSocket(provider) {
    await provider.send("eth_chainId", []);
    await provider.send("eth_chainId", []);
    await provider.destroy();
}

export async function sendAndWait(wallet, request) {
    const tx = await wallet.sendTransaction(request);
    const receipt = await tx.wait(1, CONFIRM_LIMIT_MS);
    equal(receipt.status, 1, "status");
    equal(receipt.hash, tx.hash, "hash");
    return receipt;
}

async function reads(p, receipt) {
    const block = await p.getBlock(receipt.blockNumber, true);
    equal(block.hash, receipt.blockHash, "hash of the block");
    equal(block.prefetchedTransactions[receipt.index].hash, receipt.hash, "its transaction");
    equal(
        (await p.getTransaction(receipt.hash)).blockHash,
        receipt.blockHash,
        "block of the transaction",
    );
    const fees = await p.getFeeData();
    require(fees.gasPrice > 0n && fees.maxFeePerGas > 0n, "fee data");
    equal((await p.getLogs({ fromBlock: 1, toBlock: "latest" })).length, 0, "logs");
    equal(await p.getCode(receiver(20)), "0x", "code");
    equal(await p.call({ to: receiver(20), data: "0x1234" }), "0x", "call");
    equal(await p.estimateGas({ to: receiver(20), value: 1n }), 21000n, "estimateGas");
    require((await p.getBlock("pending")).number >
        receipt.blockNumber, "number of the pending block");
}

async function socketReads(net, results) {
    const p = new WebSocketProvider(net.sockets[0], net.ready.chainId);
    const wallet = walletOf(net, p, SENDER.ethers);
    await results.check("ethers_websocket_blocks", () =>
        watched(got => {
            p.on("block", got);
            return () => p.off("block", got);
        }, 6),
    );
    await results.check("ethers_websocket_send", () =>
        sendAndWait(wallet, { to: receiver(20), value: 3n }),
    );
    await closeSocket(p);
}

export async function ethersGroup(net, results) {
    const p = providerOf(net, 2);
    const wallet = walletOf(net, p, SENDER.ethers);
    const to = receiver(20);
    let receipt;
    await results.check("ethers_network", async () => {
        const open = new JsonRpcProvider(net.urls[2]);
        equal((await open.getNetwork()).chainId, BigInt(net.ready.chainId), "chain id");
        open.destroy();
    });
    await results.check("ethers_send_and_wait", async () => {
        receipt = await sendAndWait(wallet, { to, value: 3n });
    });
    await results.check("ethers_send_legacy", async () =>
        equal((await sendAndWait(wallet, { to, value: 3n, type: 0 })).type, 0, "type"),
    );
    await results.check("ethers_send_access_list", async () =>
        equal(
            (await sendAndWait(wallet, { to, value: 3n, type: 1, accessList: [] })).type,
            1,
            "type",
        ),
    );
    await results.check("ethers_confirmations", async () => {
        const tx = await wallet.sendTransaction({ to, value: 3n });
        require((await (await tx.wait(3, CONFIRM_LIMIT_MS)).confirmations()) >=
            3, "three confirmations");
    });
    await results.check("ethers_reads", () => reads(p, receipt));
    await results.check("ethers_http_blocks", () =>
        watched(got => {
            p.on("block", got);
            return () => p.off("block", got);
        }, 6),
    );
    await socketReads(net, results);
    await results.check("ethers_balances", async () => {
        for (let node = 0; node < net.urls.length; node++) {
            const other = providerOf(net, node);
            await until(
                async () => (await other.getBalance(to)) === 15n,
                5000,
                `15 wei at node ${node}`,
            );
            other.destroy();
        }
    });
    await results.check("ethers_keystore", async () => {
        const { dir, address } = net.ready.nodes[1];
        const [key, password] = ["key.json", "password"].map(f =>
            readFileSync(join(dir, f), "utf8").trim(),
        );
        equal((await Wallet.fromEncryptedJson(key, password)).address, address, "address");
    });
    p.destroy();
}
