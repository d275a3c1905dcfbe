// What nodes post is what another decoder reads; the blocks in it are those that wallets saw.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { concat, getBytes, keccak256, toBeHex, toUtf8Bytes } from "ethers";

import { receiver, SENDER } from "./accounts.js";
import { Anvil } from "./anvil.js";
import { equal, require, until } from "./check.js";
import { identify, readBatch, readBlob, readChannel } from "./decoder.js";
import { program } from "./devnet.js";
import { providerOf, walletOf } from "./ethers.js";

const VECTORS = new URL("../vectors/", import.meta.url);
const TRANSFERS = 40;
const L1_CHAIN = 900;
const INBOX = "0xff00000000000000000000000000000000041197";

const vector = name => JSON.parse(readFileSync(new URL(`${name}.json`, VECTORS), "utf8"));

const chainOfVector = v => ({ id: v.chain.l2_chain_id, genesisTime: v.chain.l2_genesis_time,
                              blockTime: v.chain.block_time });

// Raw transactions, times and senders, as a third program has them.
function readsVector(v, payloads, blocks) {
    const { batches } = readChannel(payloads.map(hex => getBytes(hex)));
    const got = batches.flatMap(batch => readBatch(batch, chainOfVector(v)).blocks);
    equal(got.length, blocks.length, "blocks");
    got.forEach((block, i) => {
        equal(block.timestamp, blocks[i].timestamp, "time");
        equal(block.txs.length, blocks[i].transactions.length, "transactions");
        block.txs.forEach((raw, k) => {
            const want = blocks[i].transactions[k];
            const { hash, from } = identify(raw);
            equal(raw, want.raw, "raw transaction");
            equal(hash, want.hash, "hash");
            equal(from.toLowerCase(), want.from, "sender");
        });
    });
}

// The decoder itself is held against vectors before it judges.
async function knowsVectors() {
    for (const name of ["v01_singular_zlib", "v02_singular_brotli"]) {
        const v = vector(name);
        readsVector(v, [v.layers.calldata], [v.decoded]);
    }
    const span = vector("v03_span_3blocks");
    readsVector(span, [span.zlib.calldata], span.decoded_blocks);
    readsVector(span, [span.brotli.calldata], span.decoded_blocks);
    const blob = vector("v05_blob");
    const raw = Buffer.alloc(131072);
    raw.set(getBytes(blob.blob_prefix));
    equal(keccak256(raw), blob.blob_keccak256, "the blob's hash");
    equal(`0x${readBlob(raw).toString("hex")}`, blob.data, "the blob's payload");
}

const folderOf = (net, node) => join(net.ready.nodes[node].dir, "batches");

// A segment stands when its envelope stands.
function segmentsOf(net, node) {
    const names = readdirSync(folderOf(net, node));
    return names.filter(name => name.endsWith(".auth")).map(name => name.replace(".auth", ".seg"))
        .sort();
}

async function sendTransfers(net) {
    const wallet = walletOf(net, providerOf(net, 1), SENDER.batches);
    let nonce = await wallet.getNonce();
    const sent = [];
    for (let i = 0; i < TRANSFERS; i++) {
        const request = { to: receiver(900 + (i % 7)), value: 10n ** BigInt(i % 18) };
        const kind = [{ type: 2 }, { type: 0 }, { type: 1, accessList: [[receiver(950), []]] }];
        const limits = { gasLimit: 30000, nonce: nonce++ };
        sent.push(await wallet.sendTransaction({ ...request, ...kind[i % 3], ...limits }));
    }
    const receipts = await Promise.all(sent.map(tx => tx.wait(1, 20000)));
    return Math.max(...receipts.map(receipt => receipt.blockNumber));
}

async function safeHead(net, node) {
    const block = await net.tryCall(node, "eth_getBlockByNumber", "safe", false);
    return Number(block?.number ?? -1);
}

const blockOf = (net, height) =>
    net.call(0, "eth_getBlockByNumber", `0x${height.toString(16)}`, true);

async function sameAsWallets(net, height, posted, time) {
    const block = await blockOf(net, height);
    equal(posted.txs.length, block.transactions.length, `transactions of block ${height}`);
    if (time) {
        equal(posted.timestamp, Number(block.timestamp), `time of block ${height}`);
    }
    posted.txs.forEach((raw, i) => {
        const { hash, from } = identify(raw);
        equal(hash, block.transactions[i].hash, `transaction ${i} of block ${height}`);
        equal(from.toLowerCase(), block.transactions[i].from.toLowerCase(), "its sender");
    });
    return posted.txs.length;
}

function channelId(chainId, content) {
    const text = concat([toUtf8Bytes("l2seq/channel/v1"), toBeHex(chainId, 8), content]);
    return keccak256(text).slice(0, 34);
}

// One file; returns the height after its last block, and counts.
async function readsSegment(net, chain, name, seen) {
    const first = Number.parseInt(name, 10);
    const channel = readChannel([readFileSync(join(folderOf(net, 0), name))]);
    equal(channel.id, channelId(chain.id, channel.content), "the channel's id");
    equal(channel.batches.length, 1, "batches in a segment");
    const batch = readBatch(channel.batches[0], chain);
    const parent = await blockOf(net, first - 1);
    equal(batch.parent, parent.hash.slice(0, 42), "the parent's hash");
    for (const [i, block] of batch.blocks.entries()) {
        // At a pace of no whole seconds only the first block's time is in the batch.
        seen.txs += await sameAsWallets(net, first + i, block, i === 0);
        seen.blocks++;
    }
    return first + batch.blocks.length;
}

async function readsAll(net) {
    const genesis = await blockOf(net, 0);
    const chain = { id: net.ready.chainId, genesisTime: Number(genesis.timestamp), blockTime: 0 };
    const last = await sendTransfers(net);
    await until(async () => (await safeHead(net, 0)) >= last, 40000, "the transfers become safe");
    const seen = { blocks: 0, txs: 0 };
    let next = 1;
    for (const name of segmentsOf(net, 0)) {
        equal(Number.parseInt(name, 10), next, "the next segment's first block");
        next = await readsSegment(net, chain, name, seen);
    }
    require(next > last, `blocks up to ${last} stand in files, found ${next - 1}`);
    require(seen.txs >= TRANSFERS, `${seen.txs} transactions`);
    console.log(`   ${seen.blocks} blocks, ${seen.txs} transactions`);
}

// Every member made the same bytes.
async function sameEverywhere(net) {
    const names = segmentsOf(net, 0);
    require(names.length > 0, "segments");
    for (const name of names) {
        const mine = readFileSync(join(folderOf(net, 0), name));
        for (let node = 1; node < net.urls.length; node++) {
            const place = `${name} at node ${node}`;
            await until(() => segmentsOf(net, node).includes(name), 20000, place);
            require(mine.equals(readFileSync(join(folderOf(net, node), name))), `${place} differs`);
        }
    }
}

// Our blobs, with our proofs, in both wrappers: an L1 takes them, and gives back the same content.
async function throughBlobs(net) {
    const file = join(folderOf(net, 0), segmentsOf(net, 0)[0]);
    const posted = readChannel([readFileSync(file)]);
    const anvil = new Anvil();
    try {
        await anvil.start(L1_CHAIN);
        for (const [nonce, wrapper] of ["7594", "4844"].entries()) {
            const words = [file, wrapper, L1_CHAIN, nonce, INBOX];
            const made = await program(process.env.BLOB_SENDER, words, 60000);
            require(made.code === 0, `${process.env.BLOB_SENDER}: ${made.err || made.code}`);
            const hash = await anvil.call("eth_sendRawTransaction", made.out.trim());
            const mined = () => anvil.call("eth_getTransactionReceipt", hash);
            const receipt = await until(mined, 30000, `receipt of ${wrapper}`);
            equal(receipt.status, "0x1", "status");
            const blobs = await anvil.blobs(Number(receipt.blockNumber));
            const channel = readChannel(blobs.map(blob => readBlob(getBytes(blob))));
            require(channel.content.equals(posted.content), "other content");
            equal(channel.id, posted.id, "the channel's id");
        }
    } finally {
        await anvil.stop();
    }
}

export async function batchesGroup(net, results) {
    await results.check("batches_vectors", knowsVectors);
    await results.check("batches_read_by_another_decoder", () => readsAll(net), 90000);
    await results.check("batches_same_at_every_node", () => sameEverywhere(net), 60000);
    await results.check("batches_through_blobs", () => throughBlobs(net), 150000);
}
