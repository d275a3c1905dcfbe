// Batches of the OP Stack, read by a second program: from the specification's text alone, with
// Node's zlib and brotli and the RLP, hashes and signatures of ethers. Strict: what a verifier
// would pass over is an error here.

import { brotliDecompressSync, inflateSync } from "node:zlib";
import { decodeRlp, encodeRlp, getBytes, hexlify, keccak256, toBeHex, Transaction } from "ethers";

import { require } from "./check.js";

const FRAME_HEAD = 22;
const BLOB_GROUPS = 1024;

const number = bytes => bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
// A number as RLP has it: no leading zeros, none at all for 0.
const scalar = value => (value === 0n ? "0x" : toBeHex(value));

class Reader {
    at = 0;
    constructor(bytes) {
        this.bytes = bytes;
    }
    take(n) {
        require(this.at + n <= this.bytes.length, `the bytes end at ${this.bytes.length}`);
        this.at += n;
        return this.bytes.subarray(this.at - n, this.at);
    }
    // Seven bits a byte, the lowest first, in the shortest form.
    uvarint() {
        let value = 0n;
        for (let shift = 0n; ; shift += 7n) {
            const [byte] = this.take(1);
            value |= BigInt(byte & 0x7f) << shift;
            if (byte < 0x80) {
                require(byte > 0 || shift === 0n, "a uvarint longer than needed");
                return value;
            }
        }
    }
    count() {
        return Number(this.uvarint());
    }
    // n bits, the first the lowest of one big-endian number.
    bits(n) {
        const value = number(this.take(Math.ceil(n / 8)));
        require(value >> BigInt(n) === 0n, "bits behind the last of a list");
        return Array.from({ length: n }, (_, i) => Number((value >> BigInt(i)) & 1n));
    }
    // One RLP item with its prefix, as ethers decodes it.
    rlp() {
        const start = this.at;
        const [prefix] = this.take(1);
        if (prefix >= 0x80) {
            const base = prefix >= 0xc0 ? 0xc0 : 0x80;
            const short = prefix - base < 56;
            this.take(short ? prefix - base : Number(number(this.take(prefix - base - 55))));
        }
        return decodeRlp(hexlify(this.bytes.subarray(start, this.at)));
    }
    end(what) {
        const left = this.bytes.length - this.at;
        require(left === 0, `${left} bytes behind ${what}`);
    }
}

export function readFrames(payload) {
    const in_ = new Reader(payload);
    const frames = [];
    require(in_.take(1)[0] === 0, "a payload of version 0");
    while (in_.at < payload.length) {
        const head = in_.take(FRAME_HEAD);
        const data = in_.take(Number(number(head.subarray(18))));
        const [last] = in_.take(1);
        require(last <= 1, "a frame that ends in 0 or 1");
        const id = hexlify(head.subarray(0, 16));
        frames.push({ id, number: head[16] * 256 + head[17], data, last: last === 1 });
    }
    return frames;
}

// Payloads of one transaction: together one whole channel.
export function readChannel(payloads) {
    const frames = payloads.flatMap(readFrames);
    require(frames.length > 0, "a frame");
    frames.forEach((frame, i) => {
        require(frame.id === frames[0].id && frame.number === i, "frames of one channel, in order");
        require(frame.last === (i === frames.length - 1), "the last frame at the end");
    });
    const content = Buffer.concat(frames.map(frame => frame.data));
    const stream = content[0] === 1
        ? brotliDecompressSync(content.subarray(1))
        : inflateSync(content);
    return { id: frames[0].id, content, batches: readBatches(stream) };
}

function readBatches(stream) {
    const in_ = new Reader(stream);
    const batches = [];
    while (in_.at < stream.length) {
        batches.push(getBytes(in_.rlp()));
    }
    return batches;
}

// [{timestamp, txs: [raw hex]}] and what the batch says of its place. `chain`: {id, genesisTime,
// blockTime}.
export function readBatch(batch, chain) {
    require(batch[0] <= 1, "a batch of type 0 or 1");
    return batch[0] === 0 ? readSingular(batch) : readSpan(batch, chain);
}

function readSingular(batch) {
    const [parent, epoch, epochHash, timestamp, txs] = decodeRlp(batch.subarray(1));
    return { parent, epoch: BigInt(epoch), epochHash,
             blocks: [{ timestamp: Number(timestamp), txs }] };
}

function readSpan(batch, chain) {
    const in_ = new Reader(batch);
    in_.take(1);
    const start = chain.genesisTime + in_.count();
    const epoch = in_.uvarint();
    const parent = hexlify(in_.take(20));
    const epochHash = hexlify(in_.take(20));
    const blocks = in_.count();
    in_.bits(blocks); // where epochs begin
    const counts = Array.from({ length: blocks }, () => in_.count());
    const txs = readColumns(in_, counts.reduce((a, b) => a + b, 0), chain);
    in_.end("the batch");
    let at = 0;
    return { parent, epoch, epochHash,
             blocks: counts.map((count, i) => ({ timestamp: start + i * chain.blockTime,
                                                 txs: txs.slice(at, (at += count)) })) };
}

// What a column says of each transaction, put together again.
function readColumns(in_, n, chain) {
    const each = read => Array.from({ length: n }, (_, i) => read(i));
    const creates = in_.bits(n);
    const odd = in_.bits(n);
    const signatures = each(() => [number(in_.take(32)), number(in_.take(32))]);
    const receivers = each(i => (creates[i] ? "0x" : hexlify(in_.take(20))));
    const datas = each(() => readData(in_));
    const nonces = each(() => in_.uvarint());
    const gases = each(() => in_.uvarint());
    const guarded = in_.bits(datas.filter(data => data.type === 0).length);
    let legacy = 0;
    return each(i => {
        const plain = datas[i].type === 0 && !guarded[legacy];
        legacy += datas[i].type === 0 ? 1 : 0;
        return join({ ...datas[i], to: receivers[i], nonce: nonces[i], gas: gases[i],
                      odd: BigInt(odd[i]), signature: signatures[i], plain }, chain);
    });
}

function readData(in_) {
    const type = in_.bytes[in_.at] < 0x80 ? in_.take(1)[0] : 0;
    require([0, 1, 2, 4].includes(type), `a transaction of type ${type}`);
    return { type, items: in_.rlp() };
}

function join(tx, chain) {
    const fees = tx.type >= 2 ? 2 : 1;
    const [value, ...rest] = tx.items;
    const wishes = [scalar(tx.nonce), ...rest.slice(0, fees), scalar(tx.gas), tx.to, value,
                    ...rest.slice(fees)];
    const legacy = tx.plain ? 27n + tx.odd : 35n + 2n * BigInt(chain.id) + tx.odd;
    const v = tx.type === 0 ? legacy : tx.odd;
    const fields = [...wishes, scalar(v), ...tx.signature.map(scalar)];
    return tx.type === 0
        ? encodeRlp(fields)
        : `0x0${tx.type}${encodeRlp([scalar(BigInt(chain.id)), ...fields]).slice(2)}`;
}

// The hash of raw bytes, and who signed them, by ethers.
export function identify(raw) {
    const tx = Transaction.from(raw);
    require(tx.serialized === raw, "ethers serializes it to the same bytes");
    return { hash: keccak256(raw), from: tx.from };
}

// The payload in a blob.
export function readBlob(blob) {
    const stream = Buffer.alloc(BLOB_GROUPS * 127);
    for (let group = 0; group < BLOB_GROUPS; group++) {
        const element = i => blob.subarray(group * 128 + i * 32, group * 128 + i * 32 + 32);
        const [a, b, c, d] = [0, 1, 2, 3].map(i => element(i)[0]);
        require((a | b | c | d) < 64, "field elements below 2^254");
        const parts = [0, 1, 2, 3].map(i => element(i).subarray(1));
        const between = [a | ((b & 0x30) << 2), (b & 0x0f) | ((d & 0x0f) << 4),
                         c | ((d & 0x30) << 2)];
        parts.forEach((part, i) => stream.set(part, group * 127 + i * 32));
        between.forEach((byte, i) => (stream[group * 127 + i * 32 + 31] = byte));
    }
    const length = Number(number(stream.subarray(1, 4)));
    require(stream[0] === 0, "a blob of version 0");
    require(stream.subarray(4 + length).every(byte => byte === 0), "zeros behind the payload");
    return stream.subarray(4, 4 + length);
}
