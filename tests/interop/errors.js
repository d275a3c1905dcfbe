// geth's words, so that libraries know what happened: their own classes and codes say so.

import {
    InsufficientFundsError,
    IntrinsicGasTooLowError,
    NonceTooLowError,
    http,
    TipAboveFeeCapError,
} from "viem";
import { Transaction, Wallet } from "ethers";

import { GWEI, receiver, SENDER } from "./accounts.js";
import { Caster, cast, tryCast } from "./cast.js";
import { equal, refused, require, until } from "./check.js";
import * as eth from "./ethers.js";
import * as vm from "./viem.js";

const to = receiver(30);
const gas = 21000n;
const fees = n => ({ maxFeePerGas: 10n * GWEI * n, maxPriorityFeePerGas: GWEI * n });
const MUCH = 10n ** 26n;

function says(e, words) {
    const text = `${e.message} ${e.details ?? ""} ${JSON.stringify(e.info?.error ?? "")}`;
    require(text.includes(words), `"${words}" is not in: ${text}`);
}

async function ethersSays(wallet, request, code, words) {
    const e = await refused(
        wallet.sendTransaction({ to, gasLimit: gas, ...fees(1n), ...request }),
        code,
    );
    says(e, words);
    equal(e.code, code, `code of "${e.shortMessage}"`);
}

async function ethersErrors(net, results) {
    const p = eth.providerOf(net, 1);
    const wallet = eth.walletOf(net, p, SENDER.errors.ethers);
    await eth.sendAndWait(wallet, { to, value: 1n });
    await results.check("errors_ethers_nonce_expired", () =>
        ethersSays(wallet, { nonce: 0 }, "NONCE_EXPIRED", "nonce too low"),
    );
    await results.check("errors_ethers_replacement_underpriced", async () => {
        await wallet.sendTransaction({ to, gasLimit: gas, ...fees(1n), nonce: 5 });
        await ethersSays(
            wallet,
            { nonce: 5, value: 1n },
            "REPLACEMENT_UNDERPRICED",
            "replacement transaction underpriced",
        );
    });
    await results.check("errors_ethers_insufficient_funds", () =>
        ethersSays(
            wallet,
            { value: MUCH },
            "INSUFFICIENT_FUNDS",
            "insufficient funds for gas * price + value",
        ),
    );
    await results.check("errors_ethers_insufficient_funds_estimate", async () => {
        const e = await refused(
            wallet.sendTransaction({ to, value: MUCH }),
            "an estimate without funds",
        );
        equal(e.code, "INSUFFICIENT_FUNDS", `code of "${e.message}"`);
    });
    await results.check("errors_ethers_wrong_chain", async () => {
        const raw = await new Wallet(wallet.privateKey).signTransaction({
            to,
            gasLimit: gas,
            ...fees(1n),
            type: 2,
            nonce: 1,
            chainId: 1,
        });
        const e = await refused(p.broadcastTransaction(raw), "another chain's transaction");
        says(e, `invalid chain id for signer: have 1 want ${net.ready.chainId}`);
        says(
            await refused(wallet.sendTransaction({ to, chainId: 1 }), "another chain's id"),
            "chainId",
        );
    });
    await results.check("errors_ethers_malformed", async () => {
        const raw = await wallet.signTransaction({
            to,
            gasLimit: gas,
            ...fees(1n),
            type: 2,
            nonce: 1,
            chainId: net.ready.chainId,
        });
        for (const bad of [raw.slice(0, -2), raw + "00", "0x", "0xzz"]) {
            const e = await refused(
                p.send("eth_sendRawTransaction", [bad]),
                `raw ${bad.slice(0, 12)}…`,
            );
            require(e.code === "UNKNOWN_ERROR" &&
                e.error?.code < 0, `no JSON-RPC error: ${e.message}`);
        }
        equal(
            await p.send("eth_sendRawTransaction", [raw]),
            Transaction.from(raw).hash,
            "the hash after all that",
        );
    });
    await results.check("errors_ethers_replaced", () => ethersReplaced(wallet));
    p.destroy();
}

// A transaction behind a gap is replaced; whoever waits for it is told by which.
async function ethersReplaced(wallet) {
    // not getNonce(), which answers from its memory for 250 ms
    const { provider, address } = wallet;
    const nonce = Number(await provider.send("eth_getTransactionCount", [address, "pending"])) + 1;
    const first = await wallet.sendTransaction({ to, gasLimit: gas, ...fees(1n), nonce });
    const told = refused(first.wait(1, 20000), "waiting for a replaced transaction");
    const second = await wallet.sendTransaction({
        to,
        gasLimit: gas,
        ...fees(2n),
        nonce,
        value: 0n,
    });
    await wallet.sendTransaction({ to, gasLimit: gas, ...fees(1n), nonce: nonce - 1 });
    const e = await told;
    equal(e.code, "TRANSACTION_REPLACED", `code of "${e.message}"`);
    equal(e.replacement.hash, second.hash, "the replacement");
    equal(e.reason, "repriced", "reason");
}

async function viemSays(w, request, kind, words) {
    const e = await refused(w.sendTransaction({ to, gas, ...fees(1n), ...request }), words);
    says(e, words);
    require(!kind || e.walk(x => x instanceof kind), `no ${kind?.name} in: ${e.message}`);
}

async function viemErrors(net, results) {
    const w = vm.walletOf(net, http(net.urls[2]), SENDER.errors.viem);
    const first = await w.sendTransaction({ to, value: 1n });
    await w.waitForTransactionReceipt({ hash: first });
    await results.check("errors_viem_nonce_too_low", () =>
        viemSays(w, { nonce: 0 }, NonceTooLowError, "nonce too low"),
    );
    await results.check("errors_viem_replacement_underpriced", async () => {
        await w.sendTransaction({ to, gas, ...fees(1n), nonce: 5 });
        await viemSays(w, { nonce: 5, value: 1n }, null, "replacement transaction underpriced");
    });
    await results.check("errors_viem_already_known", async () => {
        const serializedTransaction = await w.signTransaction({
            to,
            gas,
            ...fees(1n),
            nonce: 7,
            type: "eip1559",
        });
        await w.sendRawTransaction({ serializedTransaction });
        const e = await refused(w.sendRawTransaction({ serializedTransaction }), "the same again");
        says(e, "already known");
    });
    await results.check("errors_viem_insufficient_funds", () =>
        viemSays(
            w,
            { value: MUCH },
            InsufficientFundsError,
            "insufficient funds for gas * price + value",
        ),
    );
    await results.check("errors_viem_insufficient_funds_estimate", async () => {
        const e = await refused(
            w.sendTransaction({ to, value: MUCH }),
            "an estimate without funds",
        );
        require(e.walk(
            x => x instanceof InsufficientFundsError,
        ), `no InsufficientFundsError in: ${e.message}`);
    });
    await results.check("errors_viem_intrinsic_gas", () =>
        viemSays(w, { gas: 20000n }, IntrinsicGasTooLowError, "intrinsic gas too low"),
    );
    await results.check("errors_viem_wrong_chain", async () => {
        const chain = { ...vm.chainOf(net), id: 1 };
        const e = await refused(w.sendTransaction({ to, chain }), "another chain's id");
        says(e, `invalid chain id for signer: have 1 want ${net.ready.chainId}`);
    });
    await results.check("errors_viem_tip_above_cap", async () => {
        const request = { to, gas, nonce: 1, maxFeePerGas: GWEI, maxPriorityFeePerGas: 2n * GWEI };
        const e = await refused(w.sendTransaction(request), "a tip above the cap");
        require(e.walk(
            x => x instanceof TipAboveFeeCapError,
        ), `no TipAboveFeeCapError in: ${e.message}`);
    });
    await results.check("errors_viem_replaced", () => viemReplaced(net));
}

// viem knows of a replacement when it has seen what was replaced.
async function viemReplaced(net) {
    let looked = false;
    const onFetchRequest = (_, { body }) => {
        looked ||= body.includes("eth_getTransactionByHash");
    };
    const w = vm.walletOf(net, http(net.urls[2], { onFetchRequest }), SENDER.errors.viem);
    const { address } = w.account;
    const nonce = (await w.getTransactionCount({ address, blockTag: "pending" })) + 1;
    const hash = await w.sendTransaction({ to, gas, ...fees(1n), nonce });
    let told;
    const onReplaced = replacement => (told = replacement);
    const waiting = w.waitForTransactionReceipt({ hash, timeout: 20000, onReplaced });
    await until(() => looked, 10000, "a look at the transaction");
    await w.getTransaction({ hash });
    const second = await w.sendTransaction({ to, gas, ...fees(2n), nonce });
    await w.sendTransaction({ to, gas, ...fees(1n), nonce: nonce - 1 });
    equal((await waiting).transactionHash, second, "the replacement's receipt");
    equal(told?.reason, "repriced", "reason");
}

async function castErrors(net, results) {
    const c = new Caster(net, 3, SENDER.errors.cast);
    await c.send(to, "1");
    const wrong = async (words, ...options) => {
        const done = await c.trySend(to, "1", "--gas-limit", "21000", ...options);
        require(done.code !== 0, `accepted: ${done.out}`);
        require(done.err.includes(words), `"${words}" is not in: ${done.err}`);
    };
    await results.check("errors_cast_nonce", () => wrong("nonce too low", "--nonce", "0"));
    await results.check("errors_cast_insufficient_funds", () =>
        wrong("insufficient funds for gas * price + value", "--gas-price", String(10n ** 19n)),
    );
    await results.check("errors_cast_wrong_chain", async () => {
        const raw = await cast(
            "mktx",
            to,
            "--value",
            "1",
            "--nonce",
            "1",
            "--gas-limit",
            "21000",
            "--gas-price",
            "10gwei",
            "--priority-gas-price",
            "1gwei",
            "--chain",
            "1",
            "--private-key",
            c.account.privateKey,
            "--rpc-url",
            net.urls[3],
        );
        const done = await tryCast("publish", raw, ...c.at);
        require(done.code !== 0, `accepted: ${done.out}`);
        require(done.err.includes("invalid chain id for signer"), done.err);
    });
    await results.check("errors_cast_contract_creation", async () => {
        const done = await tryCast("send", "--json", ...c.keyed, "--create", "0x6000");
        require(done.code !== 0 && done.err.includes("--el"), `code ${done.code}: ${done.err}`);
    });
}

export async function errorsGroup(net, results) {
    await castErrors(net, results);
    await viemErrors(net, results);
    await ethersErrors(net, results);
}
