// A real L1 for a test: anvil at the pinned version, a block for each transaction.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { require, until } from "./check.js";

const PACKAGE = new URL("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil", import.meta.url);

function freePort() {
    return new Promise((resolve, reject) => {
        const server = createServer();
        server.once("error", reject);
        server.listen({ port: 0, host: "127.0.0.1" }, () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

export class Anvil {
    async start(chainId) {
        this.home = mkdtempSync(join(tmpdir(), "baton-anvil-"));
        this.url = `http://127.0.0.1:${await freePort()}`;
        const words = ["--port", new URL(this.url).port, "--chain-id", chainId, "--quiet",
                       "--hardfork", "osaka", "--cache-path", this.home];
        this.process = spawn(process.env.ANVIL ?? PACKAGE.pathname, words.map(String),
                             { stdio: "ignore", env: { ...process.env, HOME: this.home } });
        this.gone = new Promise(resolve => this.process.once("exit", resolve));
        this.process.once("error", e => (this.trouble = e.message));
        const answers = () => this.call("eth_chainId").catch(() => null);
        await until(() => this.trouble || answers(), 20000, "anvil answers");
        require(!this.trouble, `anvil: ${this.trouble}`);
    }

    async call(method, ...params) {
        const answer = await fetch(this.url, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
            signal: AbortSignal.timeout(30000),
        });
        const { result, error } = await answer.json();
        require(!error, `${method}: ${error && error.message}`);
        return result;
    }

    // All blobs of a block, as a beacon node has them.
    async blobs(number) {
        const answer = await fetch(`${this.url}/eth/v1/beacon/blobs/${number}`);
        return (await answer.json()).data;
    }

    async stop() {
        this.process?.kill("SIGKILL");
        await this.gone;
        rmSync(this.home, { recursive: true, force: true });
    }
}
