#!/usr/bin/env python3
"""How long clients see no new block when the leader is lost; and, with --healthy SECONDS, that
nothing is skipped and a hand-over costs nothing while all are well. Prints figures, asserts none."""

import argparse
import json
import os
import random
import subprocess
import threading
import time

import machine
from machine import bars, quantile, quantiles, say
from watcher import Watcher

import cluster

UNDO = {"kill": "restart", "stop": "cont", "partition": "heal", "stall": "unstall", "drain": None}
EDGES = [5, 10, 20, 35, 50, 75, 100, 120, 150, 200, 300, 500, 1000, 2000]
SETTLE_S = 60
DRAIN_S = 2
HEADS_AFTER = 8
LOG_LINES = 600
LONG_SHARE = 1.25  # of the block interval: an interval above it is told with its moment
MOMENTS = 60


class Load(threading.Thread):
    """`baton bench load` again and again until stopped; keeps its verdicts."""

    ROUND_S = 20

    def __init__(self, net, rate):
        super().__init__(daemon=True)
        self.words = [cluster.BATON, "bench", "load", "--json", "--rpc", ",".join(net.urls),
                      "--rate", str(rate), "--for", f"{self.ROUND_S}s",
                      "--accounts", str(max(20, rate // 2))]
        self.stopping = False
        self.rounds = []
        self.process = None

    def run(self):
        while not self.stopping:
            self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True)
            out, err = self.process.communicate()
            try:
                self.rounds.append(json.loads(out))
            except ValueError:
                say(f"  load: code {self.process.returncode}: {err.strip()}")

    def finish(self):
        self.stopping = True
        self.join(120)
        total = {k: sum(r[k] for r in self.rounds)
                 for k in ("sent", "accepted", "confirmed", "lost", "twice", "replacedBlocks",
                           "differingBlocks")}
        say(f"load beside it: {total}")


def unwell(net):
    """What is missing until all members are at the head, able to lead, and see each other so."""
    states = [net.status(i) for i in range(net.n)]
    if any(s is None for s in states):
        return [f"node {i} does not answer" for i, s in enumerate(states) if s is None]
    top = max(s["unsafe"]["number"] for s in states)
    found = [f"node {i} is not ready: {s['self']['reasons']}" for i, s in enumerate(states)
             if not s["self"]["ready"]]
    found += [f"node {i} is {top - s['unsafe']['number']} blocks behind"
              for i, s in enumerate(states) if s["unsafe"]["number"] < top - 1]
    return found + [f"node {i} sees {m['name']} {word}" for i, s in enumerate(states)
                    for m in s["members"]
                    for word, off in (("unreachable", not m["reachable"]),
                                      ("not ready", not m["ready"])) if off]


def settle(net):
    try:
        cluster.wait(lambda: not unwell(net), SETTLE_S, "all members are at the head and ready")
    except cluster.Failure as e:
        raise cluster.Failure(f"{e}: {unwell(net)}") from None


def admin(net, index):
    with open(f"{net.dir}/node{index}/admin.token", encoding="ascii") as f:
        return cluster.Rpc(net.ready["nodes"][index]["admin"], f.read().strip())


def drain_leader(net, watcher, after_ms):
    """The operator's own way: the leader is told to lead no more for a while."""
    threading.Event().wait(after_ms / 1000)
    leader = net.status(0)["leader"]["index"]
    before = watcher.head
    admin(net, leader).call("admin_drain", DRAIN_S)
    watcher.wait_head(before + HEADS_AFTER, SETTLE_S)
    return {"node": leader, "headBefore": before, "headAfter": watcher.head}


def undo(net, action, node):
    if UNDO[action] is None:
        return
    words = [UNDO[action]] if action == "partition" else [UNDO[action], node]
    net.chaos(*words, wait_for_heads=False)


def keep_logs(net, where, name):
    """The ends of all logs, for whoever asks why a drill took long."""
    folder = os.path.join(where, name)
    os.makedirs(folder, exist_ok=True)
    for i in range(net.n):
        with open(f"{net.dir}/node{i}/log", errors="replace") as f:
            lines = f.readlines()[-LOG_LINES:]
        with open(f"{folder}/node{i}.log", "w") as f:
            f.writelines(lines)
    with open(f"{folder}/incidents.json", "w") as f:
        json.dump(net.rpc[0].try_call("baton_incidents"), f, indent=1)


def drill(net, watcher, action, turn_ms):
    """One loss of the leader at a random moment of a turn."""
    settle(net)
    after_ms = random.randrange(0, turn_ms)
    if action == "drain":
        result = drain_leader(net, watcher, after_ms)
    else:
        result = net.chaos(action, "leader", "--after", f"{after_ms}ms")
    own = watcher.longest_ms(result["headBefore"], result["headAfter"]) - net.interval_ms
    result["own"] = max(0.0, own)
    result.setdefault("gapMs", result["own"])
    return result


def clock_ahead_ms(net):
    """How far the newest block's timestamp is ahead of this machine's clock."""
    return net.status(0)["unsafe"]["timestampMs"] - time.time() * 1000


def drills(net, watcher, action, options):
    gaps, own, back, slow = [], [], [], []
    start_load = machine.load()
    for i in range(options.drills):
        result = drill(net, watcher, action, options.turn * options.interval)
        gaps.append(result["gapMs"])
        own.append(result["own"])
        if options.keep and result["gapMs"] > options.slow:
            keep_logs(net, options.keep, f"{action}-{i}-{result['gapMs']:.0f}ms")
        if result["gapMs"] > options.slow:
            slow.append(f"#{i} node {result['node']} {result['gapMs']:.0f} ms at block "
                        f"{result['headBefore']} of {time.strftime('%H:%M:%S', time.gmtime())}")
        undo(net, action, result["node"])
        settle(net)
        back.append(max(0.0, watcher.longest_ms(result["headAfter"], watcher.head) -
                        net.interval_ms))
    source = "own watcher" if action == "drain" else "baton chaos"
    say(f"{action}: outage over the block interval ({source}): median {quantile(gaps, 0.5):.1f}, "
        f"p90 {quantile(gaps, 0.9):.1f}, worst {max(gaps):.1f} ms, {len(gaps)} drills; own watcher: "
        f"median {quantile(own, 0.5):.1f}, worst {max(own):.1f} ms; "
        f"load average {start_load:.1f} -> {machine.load():.1f}")
    say(bars(gaps, EDGES))
    say(f"    while it came back: median {quantile(back, 0.5):.1f}, worst {max(back):.1f} ms; "
        f"newest block's time is {clock_ahead_ms(net):.0f} ms ahead of the clock")
    for line in slow:
        say(f"    above {options.slow} ms: {line}")


def healthy(net, watcher, seconds):
    names = ("baton_skips_total", "baton_takeovers_total")
    settle(net)
    before = [net.metrics(i) for i in range(net.n)]
    first = watcher.head
    start_load, start = machine.load(), time.monotonic()
    stalls = machine.Stalls(net.dir)
    stalls.start()
    watcher.wait_head(first + seconds * 1000 // net.interval_ms, seconds + SETTLE_S)
    stalls.finish()
    last = watcher.head
    after = [net.metrics(i) for i in range(net.n)]
    for name in names:
        counts = [int(b[name] - a[name]) for a, b in zip(before, after)]
        say(f"healthy {seconds} s, blocks {first} to {last}: {name} {sum(counts)} (by node {counts})")
    found = watcher.intervals(first, last)
    for text, handed in (("inside a turn ", False), ("at a hand-over", True)):
        say(f"  interval {text}: "
            f"{quantiles([ms for ms, over in found if over == handed])}")
    say(f"  load average {start_load:.1f} -> {machine.load():.1f}; the machine itself: small synced "
        f"write {quantiles(stalls.sync_ms)}; woken late by {quantiles(stalls.wake_ms)}")
    tell_moments(stalls.long + watcher.long_intervals(first, last, LONG_SHARE * net.interval_ms),
                 start)


def tell_moments(moments, start):
    """What was slow, in order of time: which came first, the machine or the set?"""
    for at, text in sorted(moments)[:MOMENTS]:
        say(f"    {at - start:7.2f} s: {text}")
    if len(moments) > MOMENTS:
        say(f"    … and {len(moments) - MOMENTS} more")


def parse():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--drills", type=int, default=20, metavar="N", help="of each action (20)")
    p.add_argument("--actions", default=",".join(UNDO), help="comma-separated (all)")
    p.add_argument("--healthy", type=int, default=0, metavar="SECONDS", help="without faults")
    p.add_argument("--nodes", type=int, default=4)
    p.add_argument("--interval", type=int, default=200, metavar="MS", help="block time (200)")
    p.add_argument("--turn", type=int, default=8, metavar="SLOTS", help="a leader's turn (8)")
    p.add_argument("--load", type=int, default=50, metavar="N",
                   help="transfers a second meanwhile (50; 0: none)")
    p.add_argument("--seed", type=int, help="of the random moments")
    p.add_argument("--slow", type=int, default=300, metavar="MS", help="name drills above (300)")
    p.add_argument("--keep", metavar="DIR", help="keep the ends of all logs of slow drills here")
    p.add_argument("--debug", action="store_true", help="nodes log at level debug")
    return p.parse_args()


def set_debug(net):
    for i in range(net.n):
        admin(net, i).call("admin_setLogLevel", "debug")


def main():
    options = parse()
    random.seed(options.seed)
    with cluster.Devnet(options.nodes, ["--block-time", f"{options.interval}ms",
                                        "--turn", options.turn]) as net:
        net.interval_ms = options.interval
        say(f"machine: {machine.cores()} cores, load average {machine.load():.1f}; fsync "
            f"{quantiles(machine.fsync_ms(net.dir), form='{:.2f}')}")
        say(f"set: {options.nodes} members, {options.interval} ms blocks, turns of {options.turn}, "
            f"{options.load} transfers/s beside it")
        watcher = Watcher(net.ready["nodes"])
        watcher.start()
        if options.debug:
            set_debug(net)
        load = Load(net, options.load) if options.load else None
        if load:
            load.start()
        if options.healthy:
            healthy(net, watcher, options.healthy)
        else:
            for action in options.actions.split(","):
                drills(net, watcher, action, options)
        if load:
            load.finish()
        watcher.stopping = True


if __name__ == "__main__":
    main()
