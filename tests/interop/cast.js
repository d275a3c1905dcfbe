// Foundry's cast, a process a command.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { receiver, SENDER } from "./accounts.js";
import { equal, require } from "./check.js";
import { program } from "./devnet.js";

const PINNED = join(
    dirname(fileURLToPath(import.meta.url)),
    "node_modules/@foundry-rs/cast-linux-amd64/bin/cast",
);
const CAST = process.env.CAST || (existsSync(PINNED) ? PINNED : "cast");
const ETHER = 10n ** 18n;

export const tryCast = (...words) => program(CAST, words, 30000);

export async function cast(...words) {
    const done = await tryCast(...words);
    require(done.code === 0, `cast ${words[0]}: code ${done.code}: ${done.err}`);
    return done.out.trim();
}

export class Caster {
    constructor(net, node, account) {
        this.at = ["--rpc-url", net.urls[node]];
        this.account = net.ready.accounts[account];
        this.keyed = [...this.at, "--private-key", this.account.privateKey];
    }

    ask(...words) {
        return cast(...words, ...this.at);
    }

    // Sends, waits, and returns the receipt.
    async send(to, value, ...words) {
        return JSON.parse(
            await cast("send", to, "--value", value, "--json", ...words, ...this.keyed),
        );
    }

    trySend(to, value, ...words) {
        return tryCast("send", to, "--value", value, "--json", ...words, ...this.keyed);
    }
}

async function sent(c, receipt, type) {
    equal(receipt.status, "0x1", "status");
    equal(receipt.type, type, "type");
    equal(receipt.from, c.account.address.toLowerCase(), "from");
    const again = JSON.parse(await c.ask("receipt", receipt.transactionHash, "--json"));
    equal(again.blockHash, receipt.blockHash, "block of `cast receipt`");
    const tx = JSON.parse(await c.ask("tx", receipt.transactionHash, "--json"));
    equal(tx.blockHash, receipt.blockHash, "block of `cast tx`");
}

async function reads(c, net) {
    equal(await c.ask("block-number").then(n => Number(n) > 0), true, "block-number > 0");
    const block = JSON.parse(await c.ask("block", "latest", "--json"));
    equal(block.hash.length, 66, "length of a block's hash");
    for (const number of ["earliest", "pending", "1"]) {
        await c.ask("block", number, "--json");
    }
    equal(await c.ask("code", receiver(1)), "0x", "code");
    equal(await c.ask("call", receiver(1), "--data", "0x1234"), "0x", "call");
    equal(
        await c.ask("estimate", receiver(1), "--value", "1", "--from", c.account.address),
        "21000",
        "estimate",
    );
    require(BigInt(await c.ask("base-fee")) >= 0n, "base-fee");
    require(BigInt(await c.ask("gas-price")) > 0n, "gas-price");
    equal(await c.ask("logs", "--from-block", "1", "--to-block", "latest", "--json"), "[]", "logs");
    equal(
        JSON.parse(await c.ask("rpc", "baton_status")).chainId,
        net.ready.chainId,
        "baton_status",
    );
}

async function published(c) {
    const raw = await cast("mktx", receiver(1), "--value", "7", ...c.keyed);
    const hash = await c.ask("publish", raw, "--async");
    const receipt = JSON.parse(await c.ask("receipt", hash, "--json"));
    equal(receipt.status, "0x1", "status");
}

export async function castGroup(net, results) {
    const c = new Caster(net, 0, SENDER.cast);
    const ws = new Caster(net, 1, SENDER.cast);
    ws.at = ["--rpc-url", net.sockets[1]];
    await results.check("cast_chain_id", async () =>
        equal(await c.ask("chain-id"), String(net.ready.chainId), "chain id"),
    );
    await results.check("cast_balance", async () =>
        equal(
            BigInt(await c.ask("balance", c.account.address)),
            BigInt(c.account.balance),
            "balance",
        ),
    );
    await results.check("cast_send", async () =>
        sent(c, await c.send(receiver(0), "1ether"), "0x2"),
    );
    await results.check("cast_send_legacy", async () =>
        sent(c, await c.send(receiver(0), "1ether", "--legacy"), "0x0"),
    );
    await results.check("cast_send_access_list", async () =>
        sent(c, await c.send(receiver(0), "1ether", "--access-list", "[]"), "0x2"),
    );
    await results.check("cast_send_sync", async () =>
        sent(c, await c.send(receiver(0), "1ether", "--sync"), "0x2"),
    );
    await results.check("cast_sums", async () => {
        equal(BigInt(await c.ask("balance", receiver(0))), 4n * ETHER, "balance of the receiver");
        equal(await c.ask("nonce", c.account.address), "4", "nonce of the sender");
    });
    await results.check("cast_reads", () => reads(c, net));
    await results.check("cast_publish", () => published(c));
    await results.check("cast_websocket", async () =>
        equal(await ws.ask("chain-id"), String(net.ready.chainId), "chain id"),
    );
    await results.check("cast_keystore", async () => {
        const { dir, address } = net.ready.nodes[0];
        equal(
            await cast(
                "wallet",
                "address",
                "--keystore",
                join(dir, "key.json"),
                "--password-file",
                join(dir, "password"),
            ),
            address,
            "address in a node's key file",
        );
    });
}
