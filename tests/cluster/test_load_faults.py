"""Load over all nodes while members are killed, stopped and cut off, and come back: everything
accepted is confirmed exactly once, every node has the same blocks."""

import json
import os
import subprocess
import time

from cluster import BATON, Devnet, equal, require, wait

SECONDS = int(os.environ.get("BATON_LOAD_SECONDS", "120"))
RATE = int(os.environ.get("BATON_LOAD_RATE", "500"))
EVERY_S = 10
AWAY_BLOCKS = 20  # 4 s


class Load:
    """`baton bench load` in the background."""

    def __init__(self, net):
        self.process = subprocess.Popen(
            [BATON, "bench", "load", "--rpc", ",".join(net.urls), "--rate", str(RATE), "--for",
             f"{SECONDS}s", "--drain", "60s", "--json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def runs(self):
        return self.process.poll() is None

    def result(self, limit_s):
        out, err = self.process.communicate(timeout=limit_s)
        require(out.strip(), f"bench load ended with {self.process.returncode}: {err}")
        return json.loads(out), self.process.returncode


def back(net, kind, node):
    if kind == "kill":
        net.restart(node)
    elif kind == "stop":
        net.chaos("cont", node, wait_for_heads=False)
    else:
        net.chaos("heal", wait_for_heads=False)
    net.wait_level(node)
    net.wait_ready(node)


def hurt_until(net, load, end):
    """A fault every EVERY_S, of each kind in turn, on the leader and on others."""
    faults = 0
    kinds = ("kill", "stop", "partition")
    while load.runs() and time.monotonic() < end:
        due = time.monotonic() + EVERY_S
        kind = kinds[faults % 3]
        victim = "leader" if faults % 2 == 0 else str(faults % net.n)
        if kind == "partition" and victim != "leader":
            victim = victim + "/" + ",".join(str(i) for i in range(net.n) if str(i) != victim)
        result = net.chaos(kind, victim)
        node = result["node"] if result["node"] is not None else int(victim.split("/")[0])
        print(f"   {kind} {victim}: {result['gapMs']} ms", flush=True)
        witness = next(i for i in range(net.n) if i != node)
        net.wait_blocks(AWAY_BLOCKS, node=witness)
        back(net, kind, node)
        faults += 1
        wait(lambda: time.monotonic() >= due or not load.runs(), EVERY_S + 1, "the next fault")
    return faults


def check_report(net, load, faults):
    report, code = load.result(SECONDS + 150)
    print(f"   {report['accepted']} accepted, {report['confirmed']} confirmed, "
          f"{report['retries']} retries, {faults} faults, latency {report['latencyMs']}")
    equal(report["lost"], 0, "lost")
    equal(report["twice"], 0, "confirmed twice")
    equal(report["replacedBlocks"], 0, "replaced blocks")
    equal(report["differingBlocks"], 0, "blocks that differ between nodes")
    equal(report["nodesAbsent"], [], "nodes absent from the audit")
    # More than accepted: a node may die between taking a transfer and answering for it.
    require(report["confirmed"] >= report["accepted"], f"confirmed {report['confirmed']}")
    require(report["accepted"] >= 0.9 * RATE * SECONDS, f"only {report['accepted']} were accepted")
    equal(code, 0, "exit code of bench load")


def run(check):
    with Devnet() as net:
        load = Load(net)
        try:
            faults = 0
            with check("load_faults_survived"):
                faults = hurt_until(net, load, time.monotonic() + SECONDS - EVERY_S)
                require(faults >= 3, f"only {faults} faults")
            with check("load_faults_nothing_lost"):
                check_report(net, load, faults)
            with check("load_faults_audit"):
                net.audit()
                net.check_no_evidence()
        finally:
            if load.runs():
                load.process.kill()
                load.process.wait()
