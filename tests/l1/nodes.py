#!/usr/bin/env python3
"""nodes.py [--seconds S]: a devnet on an L1 whose only endpoint lies, lags and dies, and whose chain
goes back by 1, 10 and 64 blocks. What is safe is one chain all the time; what is lost is posted again,
nothing is skipped. Without --seconds each once, about a minute; with it, by chance for so long.

Lines `ok NAME` or `FAILED NAME: why`, then `N passed, N failed`."""

import argparse
import os
import random
import sys
import time
import traceback

from node_world import NodesOnL1, cluster, require, wait

FAULTS = ["dead", "reset", "hang", "500", "429", "html", "garbage", "cut", "half", "deep", "long",
          "wrong_id", "stale", "lie", "other_fields", "null", "lag:5"]
QUICK = ["429", "cut", "lie", "lag:5"]  # the others: tests/l1/run, and with --seconds
DEPTHS = [1, 10, 64]
ASKED = 6      # so many requests met the fault
UNDONE_DEPTH = 30
LIMIT_S = 180  # to post a backlog, on a busy machine


def met(on_l1, count):
    """Waits until the endpoint was asked so often."""
    start = on_l1.proxy.asked
    wait(lambda: on_l1.proxy.asked >= start + count, 60, f"{count} requests")


def fault(on_l1, mode):
    stuck = [on_l1.safe(i) for i in range(on_l1.net.n)]
    on_l1.proxy.set(mode)
    if mode == "dead":
        on_l1.net.wait_blocks(10)
    else:
        met(on_l1, ASKED)
    on_l1.check_safe()
    on_l1.proxy.set("pass")
    head = on_l1.net.rpc[0].head()
    on_l1.wait_safe(max(head, *stuck), LIMIT_S)


def reorg(on_l1, depth):
    """anvil's new blocks are empty, and nothing goes back to its pool."""
    short = depth + 2 - on_l1.anvil.head()[0]
    on_l1.anvil.mine(max(0, short))
    on_l1.wait_safe(on_l1.net.rpc[0].head(), LIMIT_S)
    before = min(on_l1.safe(i) for i in range(on_l1.net.n))
    on_l1.anvil.rpc("anvil_reorg", [depth, []])
    if depth > 1:
        wait(lambda: on_l1.safe(0) < before, 30, f"the safe head goes back from {before}")
    on_l1.wait_safe(on_l1.net.rpc[0].head(), LIMIT_S)
    on_l1.check_safe()


def count_postings(on_l1):
    """(transactions to the inbox on the chain as it is now, segments that they hold)."""
    inbox = on_l1.net.ready["l1"]["inbox"].lower()
    sent = 0
    for number in range(on_l1.anvil.head()[0] + 1):
        block = on_l1.anvil.rpc("eth_getBlockByNumber", [hex(number), True])
        sent += sum(1 for t in block["transactions"] if (t["to"] or "").lower() == inbox)
    return sent


def whole(on_l1):
    """Everything again, from what the L1 holds."""
    on_l1.wait_safe(on_l1.net.rpc[0].head(), LIMIT_S)
    number = on_l1.verify()
    safe = on_l1.safe(0)
    names = sorted(f for f in os.listdir(f"{on_l1.net.dir}/node0/batches") if f.endswith(".auth"))
    segments = sum(1 for f in names if int(f.split(".")[0]) <= number)
    sent = count_postings(on_l1)
    print(f"   {number} blocks in {segments} segments, {sent} postings on the L1", flush=True)
    require(number >= safe - 64, f"{number} blocks rebuilt, {safe} are safe")
    require(sent >= segments, "segments are missing")
    require(sent <= segments + segments // 4 + 4, f"{sent} postings of {segments} segments")
    on_l1.net.check_no_evidence()


def undone():
    """An L1 that takes back what it called final: nothing more is paid for there, and it is said."""
    with NodesOnL1(seal="2s", slots=2) as on_l1:
        on_l1.anvil.mine(UNDONE_DEPTH)
        for i in range(on_l1.net.n):
            wait(lambda i=i: on_l1.net.status(i)["finalized"]["number"] > 0, LIMIT_S,
                 f"something is final at node {i}")
        on_l1.anvil.rpc("anvil_reorg", [UNDONE_DEPTH, []])

        def duties():
            said = [on_l1.net.status(i)["batches"]["l1"] for i in range(on_l1.net.n)]
            return [(s["sharing"]["duty"], s["error"]) for s in said]
        wait(lambda: all(duty == "undone" for duty, _ in duties()), LIMIT_S, "posting stops")
        require(all("had called final" in (why or "") for _, why in duties()), f"{duties()}")
        head = on_l1.anvil.head()[0] + 2  # what was on its way by then may land
        wait(lambda: on_l1.anvil.head()[0] >= head, 60, "two blocks")
        sent = count_postings(on_l1)
        on_l1.net.wait_blocks(60)
        require(count_postings(on_l1) == sent, "postings go on")
        require(all(duty == "undone" for duty, _ in duties()), f"{duties()}")


def steps(seconds):
    if seconds == 0:
        yield from [(f"nodes_{f.replace(':', '_')}", fault, f) for f in QUICK]
        yield from [(f"nodes_reorg_{d}", reorg, d) for d in DEPTHS]
        return
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if random.random() < 0.3:
            depth = random.choice(DEPTHS)
            yield f"nodes_reorg_{depth}", reorg, depth
        else:
            mode = random.choice(FAULTS)
            yield f"nodes_{mode.replace(':', '_')}", fault, mode


def attempt(tally, name, function, *args):
    start = time.monotonic()
    try:
        function(*args)
    except Exception as e:
        tally[1] += 1
        if not isinstance(e, cluster.Failure):
            traceback.print_exc()
        print(f"FAILED {name}: {' '.join(str(e).split())}", flush=True)
        return
    tally[0] += 1
    print(f"ok {name} ({time.monotonic() - start:.1f} s)", flush=True)


def everything(tally, o):
    with NodesOnL1(layer=o.da, seal="2s") as on_l1:
        on_l1.wait_safe(5)
        for name, function, what in steps(o.seconds):
            attempt(tally, name, function, on_l1, what)
        attempt(tally, "nodes_whole", whole, on_l1)


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--seconds", type=int, default=0, help="by chance, for so long")
    a.add_argument("--da", default="calldata", choices=["calldata", "blob"])
    tally = [0, 0]
    attempt_all = [0, 0]
    options = a.parse_args()
    attempt(attempt_all, "nodes", everything, tally, options)
    attempt(attempt_all, "nodes_final_undone", undone)
    passed, failed = tally[0] + attempt_all[0], tally[1] + attempt_all[1]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
