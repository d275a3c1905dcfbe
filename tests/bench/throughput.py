#!/usr/bin/env python3
"""Confirmed transfers a second, as a share of what the machine's signature recoveries would allow:
every node recovers every sender once, so N nodes on C cores can do no more than C x R / N. The rate
rises until confirmations do not. Prints figures, asserts none."""

import argparse
import json
import os
import subprocess
import threading
import time

import machine
from machine import quantiles, say

import cluster

SAMPLE_S = 0.2
RISE = 1.03
WARM_BLOCKS = 10
CALM_BLOCKS = 20
CALM_S = 60
COLUMNS = "{:>8} {:>9} {:>9} {:>7} {:>7} {:>10} {:>10} {:>9} {:>14} {:>11} {:>6}"


class Sampler(threading.Thread):
    """CPU time of all nodes over time, and the highest resident memory of each."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids = pids
        self.most = [0.0] * len(pids)
        self.cpu = []
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(SAMPLE_S):
            self.most = [max(m, machine.resident_mib(p)) for m, p in zip(self.most, self.pids)]
            self.cpu.append((time.time() * 1000, sum(machine.cpu_s(p) for p in self.pids)))

    def spent_us(self, from_ms, to_ms):
        """By all nodes, between the samples that are next to these times."""
        def at(ms):
            return min(self.cpu, key=lambda sample: abs(sample[0] - ms))[1]
        return (at(to_ms) - at(from_ms)) * 1e6


def list_mib(values):
    return "/".join(f"{v:.0f}" for v in values)


def calm(net):
    """The pools are empty and a few blocks have passed since."""
    def empty():
        states = [net.status(i) for i in range(net.n)]
        return all(s and s["mempool"]["count"] == 0 for s in states)
    cluster.wait(empty, CALM_S, "pools are empty")
    net.wait_blocks(CALM_BLOCKS)


def load_once(net, rate, options):
    """One round of `baton bench load`; (its verdict, CPU us of the nodes and of the client for
    each confirmed transfer, MiB by node)."""
    pids = list(net.pids.values())
    accounts = min(20000, max(200, 2 * rate))
    words = [cluster.BATON, "bench", "load", "--json", "--rpc", ",".join(net.urls), "--rate",
             str(rate), "--for", f"{options.seconds}s", "--accounts", str(accounts), "--batch",
             str(options.batch)]
    sampler = Sampler(pids)
    sampler.start()
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    sampler.over.set()
    sampler.join()
    if not done.stdout.strip():
        raise cluster.Failure(f"bench load: code {done.returncode}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    confirmed = max(1, result["confirmed"])
    nodes = sampler.spent_us(result["loadFromMs"], result["loadToMs"]) / confirmed
    return result, (nodes, result["clientCpuMs"] * 1000 / confirmed), sampler.most


def tell(rate, result, spent_us, mib, limit):
    share = result["confirmedPerSecond"] / limit
    say(COLUMNS.format(
        rate, f"{result['acceptedPerSecond']:.0f}", f"{result['confirmedPerSecond']:.0f}",
        f"{limit:.0f}", f"{share:.2f}", f"{result['latencyMs']['p50']:.0f}", f"{result['latencyMs']['p99']:.0f}",
        result["lost"] + result["twice"], f"{spent_us[0]:.0f}+{spent_us[1]:.0f}",
        list_mib(mib), f"{machine.load():.1f}"))


def limit_now(net, options):
    """Transfers a second that the cores' recoveries alone would allow: by a core that others on the
    same machine slow down too, so it is asked again beside every round."""
    return machine.cores() * machine.recoveries_per_s(options.recover) / net.n


def run_at(net, rate, options):
    """(confirmed a second, share of the limit); None where something accepted was not confirmed
    once."""
    before = limit_now(net, options)
    result, spent_us, mib = load_once(net, rate, options)
    calm(net)
    limit = (before + limit_now(net, options)) / 2
    tell(rate, result, spent_us, mib, limit)
    if result["lost"] or result["twice"]:
        say("  accepted and not confirmed once: the run ends here")
        return None
    return result["confirmedPerSecond"], result["confirmedPerSecond"] / limit


def climb(net, options):
    """The round of the highest share."""
    say(COLUMNS.format("offered", "accepted", "confirmed", "limit", "share", "p50 ms", "p99 ms",
                       "lost", "us nodes+cl.", "MiB", "load"))
    best, rate = (0.0, 0.0), options.rate
    while True:
        found = run_at(net, rate, options)
        if found is None or found[1] < best[1] * RISE:
            return max(best, found or best, key=lambda f: f[1])
        best = found
        rate = int(rate * options.step)


def overload(net, best, options):
    """Offered twice of what was confirmed at best: what remains of that."""
    found = run_at(net, int(2 * best[0]), options)
    if found is not None:
        say(f"offered twice the most: {found[0]:.0f}/s confirmed, {found[1] / best[1]:.2f} of the "
            "most by share")


def parse():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--nodes", type=int, default=4)
    p.add_argument("--rate", type=int, default=500, metavar="N", help="first rate (500)")
    p.add_argument("--step", type=float, default=1.5, help="factor from rate to rate (1.5)")
    p.add_argument("--seconds", type=int, default=20, help="of load at each rate (20)")
    p.add_argument("--batch", type=int, default=100, help="transfers in one HTTP request (100)")
    p.add_argument("--recover", metavar="PROGRAM",
                   default=os.path.join(os.path.dirname(cluster.BATON), "tests", "bench",
                                        "bench_recover"), help="bench_recover (beside baton)")
    return p.parse_args()


def main():
    options = parse()
    with cluster.Devnet(options.nodes) as net:
        say(f"machine: {machine.cores()} cores, load average {machine.load():.1f}; fsync "
            f"{quantiles(machine.fsync_ms(net.dir), form='{:.2f}')}")
        say("limit: cores x recoveries a second of one core / nodes, before and after each round")
        net.wait_blocks(WARM_BLOCKS)
        pids = list(net.pids.values())
        say(f"idle: {list_mib(map(machine.resident_mib, pids))} MiB resident")
        best = climb(net, options)
        say(f"most confirmed: {best[0]:.0f}/s, {best[1]:.2f} of the limit")
        overload(net, best, options)
        say(f"after: {list_mib(map(machine.resident_mib, pids))} MiB resident")


if __name__ == "__main__":
    main()
