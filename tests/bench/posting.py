#!/usr/bin/env python3
"""What posting costs the chain: time between blocks while segments of several blobs are made, proved,
posted and checked by all, beside the time in between, under the same load in the same run. Prints
figures, asserts none. All nodes and the L1 run on these cores: whoever posts has less of them."""

import argparse
import os
import sys
import threading
import time

import machine
from machine import quantile, quantiles, say

import cluster
from cluster import Devnet

sys.path.insert(0, os.path.join(os.path.dirname(machine.HERE), "l1"))
from node_world import Load  # noqa: E402

INTERVAL_MS = 200


class Phases(threading.Thread):
    """When something sealed was on its way to the L1, seen from each node: [(moment, waits)]."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.net = net
        self.seen = []
        self.stopping = threading.Event()
        self.start()

    def run(self):
        while not self.stopping.wait(0.1):
            states = [self.net.status(i) for i in range(self.net.n)]
            waits = any(s and s["batches"]["l1"]["backlog"] > 0 for s in states)
            self.seen.append((time.monotonic(), waits))

    def finish(self):
        self.stopping.set()
        self.join(10)

    def posts_at(self, moment):
        before = [waits for at, waits in self.seen if at <= moment]
        return before[-1] if before else False


def loop_figures(net):
    for i in range(net.n):
        loop = net.status(i)["loop"]
        say(f"  node {i}: {loop['turns']} turns of the loop, {loop['above5Ms']} above 5 ms, "
            f"longest {loop['worstMs']:.1f} ms")


def compare(events, phases):
    gaps = {True: [], False: []}
    for before, event in zip(events, events[1:]):
        if event["number"] == before["number"] + 1:
            gaps[phases.posts_at(event["at"])].append((event["at"] - before["at"]) * 1000)
    say(f"  nothing on its way: {quantiles(gaps[False])}")
    say(f"  while it is posted: {quantiles(gaps[True])}")
    if gaps[True] and gaps[False]:
        more = quantile(gaps[True], 0.99) / quantile(gaps[False], 0.99) - 1
        say(f"  99th percentile: {more * 100:+.1f} %")


def measure(o):
    options = ("--l1", "anvil", "--da", o.da, "--seal-interval", o.seal, "--block-time",
               f"{INTERVAL_MS}ms")
    with Devnet(options=options) as net:
        cluster.wait(lambda: all(net.status(i)["self"]["ready"] for i in range(net.n)), 60, "ready")
        mark = net.mark()
        phases = Phases(net)
        load = Load(net, o.rate, o.seconds)
        load.start()
        said = load.finish()
        phases.finish()
        sizes = sorted((os.path.getsize(f"{net.dir}/node0/batches/{f}")
                        for f in os.listdir(f"{net.dir}/node0/batches") if f.endswith(".seg")),
                       reverse=True)
        say(f"{said['confirmed']} transfers confirmed; segments of {sizes[:5]} bytes (a blob takes "
            f"130,020); load average {machine.load():.1f} on {machine.cores()} cores")
        compare(net.named("block", mark), phases)
        loop_figures(net)


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--seconds", type=int, default=180)
    a.add_argument("--rate", type=int, default=300, help="transfers a second")
    a.add_argument("--seal", default="60s", help="a segment: that long at that rate")
    a.add_argument("--da", default="blob", choices=["blob", "calldata"])
    measure(a.parse_args())


if __name__ == "__main__":
    main()
