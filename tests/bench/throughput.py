#!/usr/bin/env python3
"""Confirmed transfers a second, as a share of what the machine's signature recoveries would allow:
every node recovers every sender once, so N nodes on C cores can do no more than C x R / N. The rate
rises until confirmations do not. Prints figures, asserts none."""

import argparse
import json
import os
import subprocess
import threading

import machine
from machine import quantiles, say

import cluster

SAMPLE_S = 0.2
RISE = 1.03
WARM_BLOCKS = 10
CALM_BLOCKS = 20
CALM_S = 60
COLUMNS = "{:>8} {:>9} {:>9} {:>7} {:>10} {:>10} {:>9} {:>14} {:>11} {:>6}"


class Sampler(threading.Thread):
    """Highest resident memory of each node."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids = pids
        self.most = [0.0] * len(pids)
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(SAMPLE_S):
            self.most = [max(m, machine.resident_mib(p)) for m, p in zip(self.most, self.pids)]


def list_mib(values):
    return "/".join(f"{v:.0f}" for v in values)


def spent(before, after, wall_s):
    """Cores that each process kept busy."""
    return [(b - a) / wall_s for a, b in zip(before, after)]


def calm(net):
    """The pools are empty and a few blocks have passed since."""
    def empty():
        states = [net.status(i) for i in range(net.n)]
        return all(s and s["mempool"]["count"] == 0 for s in states)
    cluster.wait(empty, CALM_S, "pools are empty")
    net.wait_blocks(CALM_BLOCKS)


def load_once(net, rate, options):
    """One round of `baton bench load`; (its verdict, cores busy by node, cores busy of the client,
    MiB by node)."""
    pids = list(net.pids.values())
    accounts = min(20000, max(200, 2 * rate))
    words = [cluster.BATON, "bench", "load", "--json", "--rpc", ",".join(net.urls), "--rate",
             str(rate), "--for", f"{options.seconds}s", "--accounts", str(accounts), "--batch",
             str(options.batch)]
    sampler = Sampler(pids)
    sampler.start()
    before, children = [machine.cpu_s(p) for p in pids], os.times()
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    after, children_after = [machine.cpu_s(p) for p in pids], os.times()
    sampler.over.set()
    sampler.join()
    if not done.stdout.strip():
        raise cluster.Failure(f"bench load: code {done.returncode}: {done.stderr.strip()}")
    wall = children_after.elapsed - children.elapsed
    client = (children_after.children_user + children_after.children_system -
              children.children_user - children.children_system) / wall
    return json.loads(done.stdout), spent(before, after, wall), client, sampler.most


def tell(rate, result, nodes, client, mib, limit):
    share = result["confirmedPerSecond"] / limit
    say(COLUMNS.format(
        rate, f"{result['acceptedPerSecond']:.0f}", f"{result['confirmedPerSecond']:.0f}",
        f"{share:.2f}", f"{result['latencyMs']['p50']:.0f}", f"{result['latencyMs']['p99']:.0f}",
        result["lost"] + result["twice"], "/".join(f"{c:.2f}" for c in nodes) + f"+{client:.2f}",
        list_mib(mib), f"{machine.load():.1f}"))


def climb(net, options, limit):
    say(COLUMNS.format("offered", "accepted", "confirmed", "share", "p50 ms", "p99 ms", "lost",
                       "cores n+client", "MiB", "load"))
    best, rate = 0.0, options.rate
    while True:
        result, nodes, client, mib = load_once(net, rate, options)
        tell(rate, result, nodes, client, mib, limit)
        if result["lost"] or result["twice"]:
            say("  accepted and not confirmed once: the run ends here")
            return best
        if result["confirmedPerSecond"] < best * RISE:
            return max(best, result["confirmedPerSecond"])
        best = result["confirmedPerSecond"]
        calm(net)
        rate = int(rate * options.step)


def parse():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--nodes", type=int, default=4)
    p.add_argument("--rate", type=int, default=500, metavar="N", help="first rate (500)")
    p.add_argument("--step", type=float, default=1.5, help="factor from rate to rate (1.5)")
    p.add_argument("--seconds", type=int, default=10, help="of load at each rate (10)")
    p.add_argument("--batch", type=int, default=100, help="transfers in one HTTP request (100)")
    p.add_argument("--recover", metavar="PROGRAM",
                   default=os.path.join(os.path.dirname(cluster.BATON), "tests", "bench",
                                        "bench_recover"), help="bench_recover (beside baton)")
    return p.parse_args()


def main():
    options = parse()
    cores = machine.cores()
    per_core = machine.recoveries_per_s(options.recover)
    limit = cores * per_core / options.nodes
    with cluster.Devnet(options.nodes) as net:
        say(f"machine: {cores} cores, load average {machine.load():.1f}; one core recovers "
            f"{per_core:.0f} senders a second; fsync "
            f"{quantiles(machine.fsync_ms(net.dir), form='{:.2f}')}")
        say(f"limit: {cores} cores x {per_core:.0f} / {options.nodes} nodes = {limit:.0f} "
            "transfers/s, if nothing else took time")
        net.wait_blocks(WARM_BLOCKS)
        pids = list(net.pids.values())
        say(f"idle: {list_mib(map(machine.resident_mib, pids))} MiB resident")
        best = climb(net, options, limit)
        say(f"most confirmed: {best:.0f}/s, {best / limit:.2f} of the limit")
        try:
            calm(net)
        except cluster.Failure as e:
            say(f"after: {e}")
        say(f"after: {list_mib(map(machine.resident_mib, pids))} MiB resident")


if __name__ == "__main__":
    main()
