// A devnet of real processes: start, events, questions, chaos, end.

import { execFile, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { require, until } from "./check.js";

const NODES = 4;
const START_LIMIT_MS = 40000;
const STOP_LIMIT_MS = 15000;
const CALL_LIMIT_MS = 5000;

function isFree(port) {
    return new Promise(resolve => {
        const server = createServer();
        server.once("error", () => resolve(false));
        server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
    });
}

// Below 10700: peers listen 22000 above, and the kernel hands out ports from 32768 on. `fetch` refuses
// port 10080 whoever listens there.
async function freeBase() {
    const bases = Array.from({ length: 35 }, (_, i) => 10000 + 20 * i).filter(b => b !== 10080);
    for (let left = bases.length; left > 0; left--) {
        const [base] = bases.splice(Math.floor(Math.random() * left), 1);
        const ports = [0, 1000, 22000].flatMap(far =>
            Array.from({ length: NODES }, (_, i) => base + far + i),
        );
        const free = await Promise.all(ports.map(isFree));
        if (free.every(Boolean)) {
            return base;
        }
    }
    throw new Error("no free ports between 10000 and 32700");
}

// One program to its end: {code, out, err}.
export function program(file, words, limitMs = 30000) {
    return new Promise(resolve => {
        const options = { timeout: limitMs, killSignal: "SIGKILL", maxBuffer: 16 << 20 };
        const child = execFile(file, words.map(String), options, (e, out, err) => {
            const code = e === null ? 0 : typeof e.code === "number" ? e.code : -1;
            resolve({ code, out, err: e && e.killed ? `${err} (ended after ${limitMs} ms)` : err });
        });
        child.stdin.end();
    });
}

export class Devnet {
    events = [];
    ready = null;

    async start(baton, options = []) {
        this.baton = baton;
        this.top = mkdtempSync(join(tmpdir(), "baton-interop-"));
        this.dir = join(this.top, "net");
        this.errors = openSync(join(this.top, "stderr"), "w");
        const words = [
            "devnet",
            "--nodes",
            NODES,
            "--json",
            "--dir",
            this.dir,
            "--base-port",
            await freeBase(),
            ...options,
        ];
        this.process = spawn(baton, words.map(String), { stdio: ["ignore", "pipe", this.errors] });
        this.gone = new Promise(resolve => this.process.once("exit", resolve));
        this.process.once("error", e => (this.trouble = e.message));
        createInterface({ input: this.process.stdout }).on("line", line =>
            this.#note(JSON.parse(line)),
        );
        await until(() => this.ready || this.#over(), START_LIMIT_MS, "event `ready`");
        require(this.ready, `the devnet ended before it was ready: ${this.lastWords()}`);
        this.urls = this.ready.nodes.map(node => node.rpc);
        this.sockets = this.ready.nodes.map(node => node.ws);
        return this;
    }

    #over() {
        return this.trouble || this.process.exitCode !== null || this.process.signalCode !== null;
    }

    #note(event) {
        this.events.push(event);
        if (event.event === "ready") {
            this.ready = event;
            this.pids = event.nodes.map(node => node.pid);
        } else if (event.event === "node") {
            this.pids[event.index] = event.state === "down" ? null : event.pid;
        }
    }

    lastWords() {
        const errors = readFileSync(join(this.top, "stderr"), "utf8");
        return `${this.trouble || ""} ${errors.slice(-600)}`;
    }

    async call(node, method, ...params) {
        const answer = await fetch(this.urls[node], {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
            signal: AbortSignal.timeout(CALL_LIMIT_MS),
        });
        const { result, error } = await answer.json();
        require(!error, `${method}: ${error && error.message}`);
        return result;
    }

    // null where a node is down or answers with an error
    async tryCall(node, method, ...params) {
        try {
            return await this.call(node, method, ...params);
        } catch {
            return null;
        }
    }

    async head(node) {
        return Number((await this.tryCall(node, "eth_blockNumber")) ?? -1);
    }

    async chaos(...words) {
        const done = await program(
            this.baton,
            ["chaos", "--dir", this.dir, "--json", ...words],
            60000,
        );
        require(done.code === 0, `baton chaos ${words.join(" ")}: code ${done.code}: ${done.err}`);
        return JSON.parse(done.out);
    }

    // Starts a node that is down; waits until it has the others' head and could lead.
    async restart(node) {
        await this.chaos("restart", node, "--no-wait");
        const others = this.urls.map((_, i) => i).filter(i => i !== node);
        await until(
            async () => {
                const heads = await Promise.all(others.map(i => this.head(i)));
                const status = await this.tryCall(node, "baton_status");
                return (await this.head(node)) >= Math.max(...heads) - 1 && status?.self.ready;
            },
            30000,
            `node ${node} is back`,
        );
    }

    // Waits for a moment at which somebody else leads, and will lead next too.
    awayFromLead(node) {
        return until(
            async () => {
                const coming = await this.tryCall(node, "baton_schedule", 3);
                return coming && coming.slice(0, 3).every(turn => turn.leader.index !== node);
            },
            15000,
            `node ${node} does not lead soon`,
        );
    }

    // By number, and only what was started here.
    async stop() {
        if (this.process && !this.#over()) {
            this.process.kill("SIGTERM");
            const hard = setTimeout(() => this.killNow(), STOP_LIMIT_MS);
            await this.gone;
            clearTimeout(hard);
        }
        this.remove();
    }

    killNow() {
        for (const pid of (this.pids || []).filter(Boolean)) {
            if (this.#isOurs(pid)) {
                process.kill(pid, "SIGKILL");
            }
        }
        this.process?.kill("SIGKILL");
    }

    #isOurs(pid) {
        try {
            return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(this.dir);
        } catch {
            return false;
        }
    }

    remove() {
        if (this.top) {
            closeSync(this.errors);
            rmSync(this.top, { recursive: true, force: true });
            this.top = null;
        }
    }
}
