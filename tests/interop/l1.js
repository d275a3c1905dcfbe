// The devnet posts to a real L1 (anvil): the safe head follows what stands there, also when whoever
// posts is killed. A devnet of its own.

import { equal, require, until } from "./check.js";
import { Devnet, program } from "./devnet.js";

const PACKAGE = new URL("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil", import.meta.url);
const OPTIONS = ["--l1", "anvil", "--seal-interval", "1s"];
const LIMIT_MS = 60000;

async function safeReaches(net, node, number) {
    const said = await net.tryCall(node, "baton_status");
    return said && said.safe.number >= number ? said : null;
}

// Every node has the same chain up to its safe head, derived from the L1 alone.
async function allSafe(net, number, layer) {
    const seen = [];
    for (let i = 0; i < net.urls.length; i++) {
        const said = await until(() => safeReaches(net, i, number), LIMIT_MS,
                                 `safe head of node ${i} at ${number}`);
        equal(said.batches.layer, layer, "data layer");
        require(said.batches.l1.alarm === false, `node ${i}: derived is not certified`);
        require(said.finalized.number <= said.safe.number, "finalized above safe");
        for (let k = 0; k < net.urls.length; k++) {
            const block = await net.call(k, "eth_getBlockByNumber",
                                         `0x${said.safe.number.toString(16)}`, false);
            equal(block.hash, said.safe.hash, `block ${said.safe.number} at node ${k}`);
        }
        seen.push(said.batches.l1);
    }
    return seen;
}

async function killLeader(net) {
    const { leader } = await net.call(0, "baton_status");
    await net.chaos("kill", leader.index);
    const alive = (leader.index + 1) % net.urls.length;
    const target = await net.head(alive);
    await until(() => safeReaches(net, alive, target), LIMIT_MS, `safe head at ${target}`);
    await net.restart(leader.index);
}

// The whole chain again, from the L1 and the genesis alone.
async function verified(net) {
    const words = ["verify", "batches", net.ready.l1.rpc, "--genesis", `${net.dir}/genesis.json`];
    const done = await program(net.baton, [...words, "--json"], LIMIT_MS);
    require(done.code === 0, `baton verify: code ${done.code}: ${done.err}`);
    const seen = JSON.parse(done.out);
    const block = await net.call(0, "eth_getBlockByNumber", `0x${seen.number.toString(16)}`, false);
    equal(seen.hash, block.hash, `block ${seen.number} rebuilt`);
}

async function posted(net, results, layer, kills) {
    const name = `l1_${layer}`;
    await results.check(`${name}_starts`, async () => {
        const { l1 } = net.ready;
        equal(l1.chainId, 900, "chain id of the L1");
        equal(l1.posters.length, net.urls.length, "posters");
        require(l1.pid > 0 && l1.inbox !== l1.auth, "pid and addresses");
    });
    await results.check(`${name}_safe_follows`, () => allSafe(net, 10, layer), LIMIT_MS);
    await results.check(`${name}_leader_killed`, async () => {
        for (let i = 0; i < kills; i++) {
            await killLeader(net);
        }
        const seen = await allSafe(net, await net.head(0), layer);
        console.log(`   ${seen[0].accepted} segments, ${seen[0].duplicates} posted twice`);
    }, 3 * LIMIT_MS);
    await results.check(`${name}_verified`, () => verified(net), LIMIT_MS);
}

async function layerGroup(baton, results, layer, kills) {
    const net = new Devnet();
    try {
        await results.check(`l1_${layer}_devnet`,
                            () => net.start(baton, [...OPTIONS, "--da", layer]), LIMIT_MS);
        if (net.ready) {
            await posted(net, results, layer, kills);
            await net.stop();
        }
    } finally {
        net.killNow();
        net.remove();
    }
}

export async function l1Group(other, results) {
    process.env.ANVIL ??= PACKAGE.pathname;
    await layerGroup(other.baton, results, "calldata", 2);
    await layerGroup(other.baton, results, "blob", 1);
}
