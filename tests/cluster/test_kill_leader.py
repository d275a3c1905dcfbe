"""The leader dies, again and again, while a client sends: a standby orders on within about a slot,
nothing acknowledged is lost, no block is ever replaced."""

import os

import cluster
from client import Client
from cluster import Devnet, require

KILLS = int(os.environ.get("BATON_KILLS", "20"))
# These machines are shared: figures are printed here and measured in tests/bench/outage.py. What
# is demanded is that a takeover is a matter of slots, as a ratio to the block interval.
MEDIAN_INTERVALS = 2
WORST_INTERVALS = 25
INTERVAL_MS = 200
EDGES = [10, 25, 50, 100, 200, 300, 500, 1000]


def judge(name, gaps, interval_ms):
    print(f"   outage over the block interval, {name}, {len(gaps)} times: "
          f"median {cluster.median(gaps):.1f} ms, worst {max(gaps):.1f} ms")
    print(f"   {cluster.histogram(gaps, EDGES)}")
    median, worst = cluster.median(gaps) / interval_ms, max(gaps) / interval_ms
    require(median <= MEDIAN_INTERVALS, f"median {median:.1f} block intervals")
    require(worst <= WORST_INTERVALS, f"worst {worst:.1f} block intervals")


def kill_and_restart(net, times):
    gaps = []
    for _ in range(times):
        result = net.chaos("kill", "leader")
        require(result["leader"], f"node {result['node']} did not lead")
        gaps.append(result["gapMs"])
        net.restart(result["node"])
        net.wait_ready(result["node"])
    return gaps


def hurt(net, act, undo, times):
    """Another way to lose a leader that comes back by itself."""
    gaps = []
    for _ in range(times):
        result = net.chaos(act, "leader")
        gaps.append(result["gapMs"])
        node = result["node"]
        net.chaos(*([undo] if undo == "heal" else [undo, node]), wait_for_heads=False)
        net.wait_level(node)
        net.wait_ready(node)
    return gaps


def run(check):
    with Devnet() as net:
        client = Client(net)
        client.start()
        with check("kill_leader_outage"):
            judge("kill", kill_and_restart(net, KILLS), INTERVAL_MS)
        for act, undo in (("stop", "cont"), ("partition", "heal"), ("stall", "unstall")):
            with check(f"{act}_leader_outage"):
                judge(act, hurt(net, act, undo, 5), INTERVAL_MS)
        client.finish()
        with check("kill_leader_nothing_lost"):
            print(f"   {client.check()} acknowledged transactions, each once in the chain")
        with check("kill_leader_incidents"):
            takeovers = net.named("takeover")
            require(len(takeovers) >= KILLS, f"{len(takeovers)} takeovers for {KILLS} kills")
            require(all({"gapMs", "reason", "from", "to"} <= set(t) for t in takeovers), "fields")
        with check("kill_leader_no_evidence"):
            net.check_no_evidence()
