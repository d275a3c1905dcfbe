// Each of the three sends and waits at a standby, without a pause and without a second try, while
// the leader is killed and, later, returns.

import { WebSocketProvider } from "ethers";
import { createPublicClient, fallback, http, webSocket } from "viem";

import { receiver, SENDER } from "./accounts.js";
import { Caster } from "./cast.js";
import { equal, require, until } from "./check.js";
import * as eth from "./ethers.js";
import * as vm from "./viem.js";

const SLOWEST_MS = 5000;
const BEFORE = 3;
const AFTER = 5;
const CHECK_LIMIT_MS = 120000;

// Sends one after the other, each waited for, until told to end.
class Stream {
    sent = [];
    slowest = 0;
    ending = false;

    constructor(send) {
        this.done = this.#run(send).catch(e => (this.trouble = e));
    }

    async #run(send) {
        while (!this.ending) {
            const start = Date.now();
            this.sent.push(await send());
            this.slowest = Math.max(this.slowest, Date.now() - start);
        }
    }

    async more(count) {
        const goal = this.sent.length + count;
        await until(
            () => this.trouble || this.sent.length >= goal,
            30000,
            `${count} more transactions`,
        );
        require(!this.trouble, `after ${this.sent.length} transactions: ${this.trouble?.message}`);
    }

    async end() {
        this.ending = true;
        await this.done;
        require(!this.trouble, `after ${this.sent.length} transactions: ${this.trouble?.message}`);
    }
}

// Kills the leader in the middle of a stream at `node`, brings it back; returns what was killed.
async function killDuring(net, node, stream) {
    await stream.more(BEFORE);
    await net.awayFromLead(node);
    const killed = await net.chaos("kill", "leader");
    require(killed.node !== node, `node ${node} led when the leader was to be killed`);
    require(killed.leader, `node ${killed.node} did not lead any more`);
    await stream.more(AFTER);
    const back = net.restart(killed.node);
    await stream.more(AFTER);
    await back;
    return killed;
}

// One wei a transaction: what arrived is what was confirmed, at every node.
async function audit(net, to, hashes) {
    equal(new Set(hashes).size, hashes.length, "different hashes");
    for (let node = 0; node < net.urls.length; node++) {
        const arrived = async () => Number(await net.tryCall(node, "eth_getBalance", to, "latest"));
        await until(
            async () => (await arrived()) >= hashes.length,
            10000,
            `all transactions at node ${node}`,
        );
        equal(await arrived(), hashes.length, `wei that arrived, at node ${node}`);
    }
    const places = await Promise.all(
        net.urls.map(async (_, node) => {
            const receipts = await Promise.all(
                hashes.map(hash => net.call(node, "eth_getTransactionReceipt", hash)),
            );
            return receipts.map(r => `${r.blockHash} ${r.transactionIndex}`).join();
        }),
    );
    equal(new Set(places).size, 1, "the same blocks at every node: accounts of them");
}

async function streamed(net, node, to, send) {
    const stream = new Stream(send);
    let killed;
    try {
        killed = await killDuring(net, node, stream);
    } finally {
        stream.ending = true;
    }
    await stream.end();
    await audit(net, to, stream.sent);
    require(stream.slowest <= SLOWEST_MS, `the slowest took ${stream.slowest} ms`);
    console.log(
        `   ${stream.sent.length} transactions, slowest ${stream.slowest} ms, ` +
            `node ${killed.node} killed, outage ${killed.gapMs} ms`,
    );
}

function castStream(net, node) {
    const c = new Caster(net, node, SENDER.takeover.cast);
    const to = receiver(40);
    return streamed(net, node, to, async () => {
        const receipt = await c.send(to, "1");
        equal(receipt.status, "0x1", "status");
        return receipt.transactionHash;
    });
}

function viemSender(w, to) {
    return async () => {
        const hash = await w.sendTransaction({ to, value: 1n });
        const receipt = await w.waitForTransactionReceipt({ hash, timeout: 20000 });
        equal(receipt.status, "success", "status");
        return hash;
    };
}

function viemStream(net, node) {
    const to = receiver(41);
    const w = vm.walletOf(net, http(net.urls[node]), SENDER.takeover.viem);
    return streamed(net, node, to, viemSender(w, to));
}

async function ethersStream(net, node) {
    const to = receiver(42);
    const p = eth.providerOf(net, node);
    const wallet = eth.walletOf(net, p, SENDER.takeover.ethers);
    try {
        await streamed(
            net,
            node,
            to,
            async () => (await eth.sendAndWait(wallet, { to, value: 1n })).hash,
        );
    } finally {
        p.destroy();
    }
}

// Subscribers at a standby see every block of a takeover once and in order.
async function subscribed(net, node) {
    const c = createPublicClient({
        chain: vm.chainOf(net),
        transport: webSocket(net.sockets[node]),
    });
    const p = new WebSocketProvider(net.sockets[node], net.ready.chainId);
    await net.awayFromLead(node);
    try {
        const watching = Promise.all([
            vm.watched(
                (onBlockNumber, onError) => c.watchBlockNumber({ onBlockNumber, onError }),
                25,
            ),
            vm.watched(got => {
                p.on("block", got);
                return () => p.off("block", got);
            }, 25),
        ]);
        const killed = await net.chaos("kill", "leader");
        require(killed.node !== node, `node ${node} led when the leader was to be killed`);
        await watching;
        await net.restart(killed.node);
    } finally {
        await eth.closeSocket(p);
        (await c.transport.getRpcClient()).close();
    }
}

// A client that has the leader as its first node goes on at the second.
async function ledAway(net) {
    const to = receiver(43);
    const status = await net.call(0, "baton_status");
    const [first, second] = [(status.leader.index + 2) % 4, (status.leader.index + 1) % 4];
    const w = vm.walletOf(
        net,
        fallback([http(net.urls[first], { retryCount: 0 }), http(net.urls[second])]),
        SENDER.takeover.viem,
    );
    const stream = new Stream(viemSender(w, to));
    try {
        await stream.more(BEFORE);
        await net.chaos("kill", first);
        await stream.more(AFTER);
    } finally {
        stream.ending = true;
    }
    await stream.end();
    await net.restart(first);
    await audit(net, to, stream.sent);
}

export async function takeoverGroup(net, results) {
    const check = (name, body) => results.check(name, body, CHECK_LIMIT_MS);
    await check("takeover_cast", () => castStream(net, 0));
    await check("takeover_viem", () => viemStream(net, 1));
    await check("takeover_ethers", () => ethersStream(net, 2));
    await check("takeover_subscribers", () => subscribed(net, 3));
    await check("takeover_fallback_of_viem", () => ledAway(net));
}
