// viem: HTTP, batches, WebSocket.

import {
    createPublicClient,
    createWalletClient,
    defineChain,
    http,
    publicActions,
    webSocket,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { receiver, SENDER } from "./accounts.js";
import { equal, pause, require, until } from "./check.js";

const POLL_MS = 100;

export function chainOf(net) {
    return defineChain({
        id: net.ready.chainId,
        name: "Baton",
        nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
        rpcUrls: { default: { http: net.urls, webSocket: net.sockets } },
    });
}

export const accountOf = (net, n) => privateKeyToAccount(net.ready.accounts[n].privateKey);

// A client that reads and sends.
export function walletOf(net, transport, account) {
    return createWalletClient({
        account: accountOf(net, account),
        chain: chainOf(net),
        transport,
        pollingInterval: POLL_MS,
    }).extend(publicActions);
}

async function sendAndWait(w, request) {
    const hash = await w.sendTransaction(request);
    const receipt = await w.waitForTransactionReceipt({ hash, timeout: 20000 });
    equal(receipt.status, "success", "status");
    equal(receipt.transactionHash, hash, "hash");
    return receipt;
}

async function reads(c, receipt) {
    const number = await c.getBlockNumber();
    const block = await c.getBlock({ blockNumber: receipt.blockNumber, includeTransactions: true });
    equal(block.hash, receipt.blockHash, "hash of the block");
    equal(
        block.transactions[receipt.transactionIndex].hash,
        receipt.transactionHash,
        "its transaction",
    );
    require((await c.getBlock({ blockTag: "pending" })).transactions.length >= 0, "pending block");
    const history = await c.getFeeHistory({ blockCount: 4, rewardPercentiles: [20, 80] });
    equal(history.gasUsedRatio.length, 4, "blocks of the fee history");
    require((await c.estimateFeesPerGas()).maxFeePerGas > 0n, "estimateFeesPerGas");
    equal(
        await c.estimateGas({ to: receiver(1), value: 1n, account: receipt.from }),
        21000n,
        "estimateGas",
    );
    equal((await c.getLogs({ fromBlock: 1n, toBlock: number })).length, 0, "logs");
    equal(await c.getCode({ address: receiver(1) }), undefined, "code");
    const proof = await c.getProof({ address: receipt.from, storageKeys: [] });
    equal(
        proof.nonce,
        await c.getTransactionCount({ address: receipt.from }),
        "nonce in the proof",
    );
}

// Requests of one moment go as one body.
async function batched(net) {
    let posts = 0;
    const fetchFn = (...args) => {
        posts++;
        return fetch(...args);
    };
    const c = createPublicClient({
        chain: chainOf(net),
        transport: http(net.urls[2], { batch: true, fetchFn }),
    });
    const accounts = net.ready.accounts.map(a => a.address);
    const [id, number, ...balances] = await Promise.all([
        c.getChainId(),
        c.getBlockNumber(),
        ...accounts.map(address => c.getBalance({ address })),
    ]);
    equal(posts, 1, "HTTP requests for one batch");
    equal(id, net.ready.chainId, "chain id");
    require(number > 0n && balances.every(b => b > 0n), "number and balances");
}

// Numbers one after the other, none missing.
export async function watched(watch, count) {
    const numbers = [];
    let trouble;
    const stop = watch(
        number => numbers.push(Number(number)),
        e => (trouble = e),
    );
    try {
        await until(
            () => trouble || numbers.length >= count,
            20000,
            `${count} blocks, got ${numbers}`,
        );
    } finally {
        stop();
    }
    require(!trouble, `watching ended: ${trouble?.message}`);
    equal(numbers.join(), numbers.map((_, i) => numbers[0] + i).join(), "block numbers");
    return numbers;
}

async function socketReads(net, results) {
    const w = walletOf(net, webSocket(net.sockets[3]), SENDER.viem);
    await results.check("viem_websocket_watch_block_number", () =>
        watched((onBlockNumber, onError) => w.watchBlockNumber({ onBlockNumber, onError }), 6),
    );
    await results.check("viem_websocket_watch_blocks", () =>
        watched((got, onError) => w.watchBlocks({ onBlock: b => got(b.number), onError }), 4),
    );
    await results.check("viem_websocket_send", () =>
        sendAndWait(w, { to: receiver(10), value: 5n }),
    );
    await results.check("viem_websocket_pending_transactions", async () => {
        const seen = [];
        const stop = w.watchPendingTransactions({ onTransactions: hashes => seen.push(...hashes) });
        await pause(200); // eth_subscribe has no promise here that tells when it stands
        const hash = await w.sendTransaction({ to: receiver(10), value: 5n });
        await until(
            () => seen.includes(hash),
            10000,
            "the hash among pending transactions",
        ).finally(stop);
    });
    (await w.transport.getRpcClient()).close();
}

export async function viemGroup(net, results) {
    const w = walletOf(net, http(net.urls[1]), SENDER.viem);
    const to = receiver(10);
    let receipt;
    await results.check("viem_send_and_wait", async () => {
        receipt = await sendAndWait(w, { to, value: 5n });
    });
    await results.check("viem_send_legacy", async () => {
        equal((await sendAndWait(w, { to, value: 5n, type: "legacy" })).type, "legacy", "type");
    });
    await results.check("viem_send_access_list", async () => {
        const accessList = [{ address: to, storageKeys: [`0x${"00".repeat(32)}`] }];
        equal(
            (await sendAndWait(w, { to, value: 5n, type: "eip2930", accessList })).type,
            "eip2930",
            "type",
        );
    });
    await results.check("viem_send_raw_sync", async () => {
        const request = await w.prepareTransactionRequest({ to, value: 5n });
        const serializedTransaction = await w.signTransaction(request);
        equal(
            (await w.sendRawTransactionSync({ serializedTransaction })).status,
            "success",
            "status",
        );
    });
    await results.check("viem_send_sync", async () =>
        equal((await w.sendTransactionSync({ to, value: 5n })).status, "success", "status"),
    );
    await results.check("viem_second_before_first_is_final", async () => {
        const hashes = [
            await w.sendTransaction({ to, value: 5n }),
            await w.sendTransaction({ to, value: 5n }),
        ];
        for (const hash of hashes) {
            equal((await w.waitForTransactionReceipt({ hash })).status, "success", "status");
        }
    });
    await results.check("viem_many_in_flight", async () => {
        const nonce = await w.getTransactionCount({ address: w.account.address });
        const all = Array.from({ length: 20 }, (_, i) =>
            sendAndWait(w, { to, value: 1n, nonce: nonce + 19 - i, gas: 21000n }),
        );
        equal(new Set((await Promise.all(all)).map(r => r.transactionHash)).size, 20, "receipts");
    });
    await results.check("viem_reads", () => reads(w, receipt));
    await results.check("viem_batch", () => batched(net));
    await socketReads(net, results);
    await results.check("viem_balances", async () => {
        for (const url of net.urls) {
            const c = createPublicClient({ chain: chainOf(net), transport: http(url) });
            await until(
                async () => (await c.getBalance({ address: to })) === 65n,
                5000,
                `65 wei at ${url}`,
            );
        }
    });
}
