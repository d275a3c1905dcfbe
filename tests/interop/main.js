// The groups, one after the other, on one devnet.

import { batchesGroup } from "./batches.js";
import { castGroup } from "./cast.js";
import { Results } from "./check.js";
import { Devnet } from "./devnet.js";
import { errorsGroup } from "./errors.js";
import { ethersGroup } from "./ethers.js";
import { l1Group } from "./l1.js";
import { takeoverGroup } from "./takeover.js";
import { viemGroup } from "./viem.js";

const LIMIT_MS = 600000;
const GROUPS = {
    cast: castGroup,
    viem: viemGroup,
    ethers: ethersGroup,
    errors: errorsGroup,
    takeover: takeoverGroup,
    batches: batchesGroup,
    l1: l1Group,
};

const net = new Devnet();
const results = new Results();

// At once, when there is no time for a farewell.
function leave(why) {
    console.log(`FAILED interop: ${why}`);
    console.log(`${results.passed} passed, ${results.failed + 1} failed`);
    net.killNow();
    net.remove();
    process.exit(1);
}

process.once("SIGINT", () => leave("interrupted"));
process.once("SIGTERM", () => leave("ended from outside"));
process.once("uncaughtException", e => leave(`uncaught: ${e.stack}`));
process.once("unhandledRejection", e => leave(`unhandled: ${e?.stack ?? e}`));
setTimeout(() => leave(`took over ${LIMIT_MS / 1000} s`), LIMIT_MS).unref();

async function runGroup(name) {
    try {
        await GROUPS[name](net, results);
    } catch (e) {
        await results.check(`${name}_group`, () => Promise.reject(e));
    }
}

const wanted = process.argv.slice(2);
const chosen = Object.keys(GROUPS).filter(
    name => !wanted.length || wanted.some(w => name.startsWith(w)),
);
await results.check("devnet_starts", () => net.start(process.env.BATON), 60000);
if (net.ready) {
    for (const name of chosen) {
        await runGroup(name);
    }
    await results.check("devnet_stops", async () => {
        await net.stop();
        if (net.process.exitCode !== 0) {
            throw new Error(`exit code ${net.process.exitCode}, signal ${net.process.signalCode}`);
        }
    });
}
net.killNow();
net.remove();
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exit(results.failed === 0 && results.passed > 0 ? 0 : 1);
