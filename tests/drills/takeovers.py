#!/usr/bin/env python3
"""tests/drills/takeovers.py kill|pause [--da calldata|blob] [--count N] [--results FILE]

A devnet of real processes that posts to anvil, with short segments; each time the member that is
about to post is killed (and started again later), or stopped for some seconds, at one of the
instants of posting. At the end: every block derived, the chain rebuilt from the L1 alone, and how
many segments stand there twice, with what that cost. Results of several runs add up in FILE.

Instants are seen on disk and on the L1 within milliseconds: `sealed` (before the journal), `journal`
(after it), `shared` (a standby stored it), `sent` (in the L1's pool), `mined`; `any` is any moment.
BATON and ANVIL name other programs."""

import argparse
import collections
import contextlib
import json
import os
import random
import signal
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cluster"))
import cluster  # noqa: E402

ANVIL = os.path.join(HERE, "..", "interop", "node_modules", "@foundry-rs", "anvil-linux-amd64",
                     "bin", "anvil")
INSTANTS = ["sealed", "journal", "shared", "sent", "mined", "any"]
SEAL = "1s"
LIMIT_S = 90
MOST_DUPLICATES = 0.01


def l1_call(url, method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["result"]


def size(path):
    with contextlib.suppress(OSError):
        return os.stat(path).st_size
    return 0


class Drill:
    def __init__(self, net, seed):
        self.net = net
        self.url = net.ready["l1"]["rpc"]
        self.posters = [p.lower() for p in net.ready["l1"]["posters"]]
        self.dice = random.Random(seed)

    # ---- instants ---------------------------------------------------------------------------------

    def file(self, node, name):
        return f"{self.net.dir}/node{node}/{name}"

    def sizes(self, name):
        return [size(self.file(i, name)) for i in range(self.net.n)]

    def wait_grows(self, name, but=None):
        """The first node whose file grows."""
        before = self.sizes(name)

        def grown():
            now = self.sizes(name)
            return next(((i,) for i in range(self.net.n) if now[i] > before[i] and i != but), None)
        return cluster.wait(grown, LIMIT_S, f"{name} grows")[0]

    def sealed_by(self):
        """A segment is being closed: the leader of this moment is the first to post it."""
        def count():
            with contextlib.suppress(OSError):
                return len(os.listdir(self.file(0, "batches")))
            return 0
        before = count()
        cluster.wait(lambda: count() > before, LIMIT_S, "a segment is sealed")
        return self.leader()

    def leader(self):
        said = next(s for s in map(self.net.status, range(self.net.n)) if s)
        return said["leader"]["index"]

    def pooled(self, node):
        account = self.posters[node]
        latest, pending = (int(l1_call(self.url, "eth_getTransactionCount", account, tag), 16)
                           for tag in ("latest", "pending"))
        return pending > latest

    def victim(self, instant):
        """Returns the poster, at that instant."""
        if instant == "sealed":
            return self.sealed_by()
        if instant == "any":
            time.sleep(self.dice.uniform(0, 1.5))  # the moment itself is what is random
            return self.leader()
        node = self.wait_grows("l1/journal")
        if instant == "shared":
            self.wait_grows("l1/intents", but=node)
        if instant in ("sent", "mined"):
            cluster.wait(lambda: self.pooled(node), 10, f"a transaction of node {node} in the pool")
        if instant == "mined":
            at = int(l1_call(self.url, "eth_blockNumber"), 16)
            cluster.wait(lambda: int(l1_call(self.url, "eth_blockNumber"), 16) > at, 10, "a block")
        return node

    # ---- harm -------------------------------------------------------------------------------------

    def wait_safe(self, node):
        target = self.net.rpc[node].head()

        def is_safe():
            said = self.net.status(node)
            return said and said["safe"]["number"] >= target
        cluster.wait(is_safe, LIMIT_S, f"safe head of node {node} at {target}")

    def kill(self, node):
        os.kill(self.net.pids[node], signal.SIGKILL)
        self.wait_safe((node + 1) % self.net.n)
        cluster.wait(lambda: self.net.pids[node] is None, 20, f"node {node} is seen to be down")
        self.net.restart(node, LIMIT_S)
        self.net.wait_ready(node, LIMIT_S)

    def pause(self, node):
        pid = self.net.pids[node]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.dice.uniform(2, 12))  # how long it stands still is what is random
        os.kill(pid, signal.SIGCONT)
        self.wait_safe((node + 1) % self.net.n)
        self.net.wait_level(node, LIMIT_S)

    def event(self, harm, instant):
        try:
            node = self.victim(instant)
        except cluster.Failure:
            return False  # that transaction was mined before it was seen: another time
        getattr(self, harm)(node)
        return True

    # ---- what came of it --------------------------------------------------------------------------

    def postings(self):
        """{what was posted: [wei paid each time]}, from the blocks of the L1."""
        inbox, auth = (self.net.ready["l1"][k].lower() for k in ("inbox", "auth"))
        found = collections.defaultdict(list)
        for number in range(int(l1_call(self.url, "eth_blockNumber"), 16) + 1):
            block = l1_call(self.url, "eth_getBlockByNumber", hex(number), True)
            for tx in block["transactions"]:
                to = (tx["to"] or "").lower()
                if to == inbox or to == auth:
                    paid = self.paid(tx["hash"])
                    what = json.dumps(tx.get("blobVersionedHashes") or tx["input"][:4096])
                    found["auth" if to == auth else what].append(paid)
        halves = found.pop("auth", [])
        return found, sum(halves) / len(halves) if halves else 0

    def paid(self, tx_hash):
        receipt = l1_call(self.url, "eth_getTransactionReceipt", tx_hash)
        blob = int(receipt.get("blobGasUsed") or "0x0", 16)
        return (int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16) +
                blob * int(receipt.get("blobGasPrice") or "0x0", 16))

    def verdict(self):
        for i in range(self.net.n):
            self.wait_safe(i)
        heads = [self.net.status(i) for i in range(self.net.n)]
        for i, said in enumerate(heads):
            cluster.require(not said["batches"]["l1"]["alarm"], f"node {i}: alarm")
            cluster.require(not said["batches"]["l1"]["error"], f"node {i}: {said['batches']}")
        seen = cluster.baton_json("verify", "batches", self.url, "--genesis",
                                  f"{self.net.dir}/genesis.json", limit_s=300)
        block = self.net.rpc[0].call("eth_getBlockByNumber", hex(seen["number"]), False)
        cluster.equal(seen["hash"], block["hash"], f"block {seen['number']} rebuilt from the L1")
        cluster.require(seen["number"] >= min(h["safe"]["number"] for h in heads), "a gap")
        found, half = self.postings()
        twice = [paid for all_paid in found.values() for paid in all_paid[1:]]
        return {"blocks": seen["number"], "segments": len(found), "duplicates": len(twice),
                "wei": sum(map(sum, found.values())) + half * sum(map(len, found.values())),
                "wei_twice": sum(twice) + half * len(twice)}


def run(options, say):
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    say(f"{options.harm} x {options.count}, {options.da}, seed {seed}")
    words = ["--l1", "anvil", "--da", options.da, "--seal-interval", SEAL]
    counts = collections.Counter()
    with cluster.Devnet(options=words) as net:
        drill = Drill(net, seed)
        drill.wait_safe(0)
        end = time.monotonic() + options.minutes * 60
        while sum(counts.values()) < options.count and time.monotonic() < end:
            instant = INSTANTS[sum(counts.values()) % len(INSTANTS)]
            if drill.event(options.harm, instant):
                counts[instant] += 1
                say(f"  {sum(counts.values())}: {instant}")
            else:
                counts["any"] += drill.event(options.harm, "any")
        result = drill.verdict()
        result |= {"harm": options.harm, "da": options.da, "events": sum(counts.values()),
                   "instants": counts, "seed": seed}
        return result


def add_up(results, say):
    """True: no more were posted twice than may be."""
    good = True
    for key in sorted({(r["harm"], r["da"]) for r in results}):
        mine = [r for r in results if (r["harm"], r["da"]) == key]
        total = {k: sum(r[k] for r in mine) for k in
                 ("events", "blocks", "segments", "duplicates", "wei", "wei_twice")}
        share = total["duplicates"] / max(total["segments"], 1)
        good = good and share <= MOST_DUPLICATES
        say(f"{key[0]}, {key[1]}: {total['events']} events, {total['blocks']} blocks, 0 gaps; "
            f"{total['segments']} segments, {total['duplicates']} posted twice "
            f"({100 * share:.2f} %), which cost {total['wei_twice'] / 1e18:.6f} of "
            f"{total['wei'] / 1e18:.6f} ether")
    return good


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    words.add_argument("harm", choices=["kill", "pause"])
    words.add_argument("--da", choices=["calldata", "blob"], default="calldata")
    words.add_argument("--count", type=int, default=100)
    words.add_argument("--minutes", type=float, default=60, help="no event begins later")
    words.add_argument("--seed", type=int)
    words.add_argument("--results", help="file with one line of JSON a run; they add up")
    options = words.parse_args()
    os.environ.setdefault("ANVIL", ANVIL)

    def say(text):
        print(text, flush=True)
    results = [run(options, say)]
    say(json.dumps(results[0]))
    if options.results:
        with open(options.results, "a") as f:
            f.write(json.dumps(results[0]) + "\n")
        with open(options.results) as f:
            results = [json.loads(line) for line in f]
    return 0 if add_up(results, say) else 1


if __name__ == "__main__":
    sys.exit(main())
