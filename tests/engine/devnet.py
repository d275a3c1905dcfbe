#!/usr/bin/env python3
"""devnet.py [geth|op-geth|ethereumjs|mixed] [RUNS]: `baton devnet --el …` with real clients, under
transfers: the leader's node killed, its client killed, its client stopped, RUNS times each (1). Nothing
that was acknowledged may be lost, and in the end every client holds the same chain. $BATON is the
program; deploy/get-clients fetches the clients. Lines `ok NAME` or `FAILED NAME: why`."""

import hashlib
import hmac
import json
import os
import statistics
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cluster"))

import client
import cluster
import world
from cluster import equal, require, wait

LIMIT_S = 120


class Engine:
    """The Engine API of one node's client."""

    def __init__(self, el):
        self.url = el["url"]
        with open(el["secret"], encoding="ascii") as f:
            self.secret = bytes.fromhex(f.read().strip().removeprefix("0x"))

    def token(self):
        signed = b".".join(world.base64url(json.dumps(part).encode()) for part in (
            {"alg": "HS256", "typ": "JWT"}, {"iat": int(time.time())}))
        mac = hmac.new(self.secret, signed, hashlib.sha256).digest()
        return (signed + b"." + world.base64url(mac)).decode()

    def block(self, number):
        """None where it has none, or does not answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber",
                           "params": [hex(number), False]}).encode()
        request = urllib.request.Request(self.url, body, {
            "Content-Type": "application/json", "Authorization": "Bearer " + self.token()})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer).get("result")
        except OSError:
            return None


def leader_is_ready(net):
    """All nodes are ready: whoever leads, the next can take over."""
    for i in range(net.n):
        net.wait_level(i, LIMIT_S)
        net.wait_ready(i, LIMIT_S)


def kill_node(net):
    result = net.chaos("kill", "leader")
    net.restart(result["node"], LIMIT_S)
    return result


def kill_client(net):
    mark = net.mark()
    result = net.chaos("kill", "el", "leader")
    net.wait_event("el", LIMIT_S, mark,
                   lambda e: e["index"] == result["node"] and e["state"] == "running")
    return result


def stop_client(net):
    result = net.chaos("stop", "el", "leader")
    net.chaos("cont", "el", result["node"], wait_for_heads=False)
    return result


def hurt(net, harm, runs):
    gaps = []
    for _ in range(runs):
        leader_is_ready(net)
        gaps.append(harm(net)["gapMs"])
    print(f"   outage over the block interval, ms: median {statistics.median(gaps):.0f}, "
          f"worst {max(gaps):.0f}, of {runs}", flush=True)


def same_chain(net):
    """Of the nodes' final blocks, each client has the same one at each height."""
    head = min(rpc.head() for rpc in net.rpc)
    engines = [Engine(node["el"]) for node in net.ready["nodes"]]
    for engine in engines:
        wait(lambda engine=engine: engine.block(head), LIMIT_S, f"{engine.url} has block {head}")
    for number in range(max(head - 50, 0), head + 1):
        blocks = [engine.block(number) for engine in engines]
        for field in ("hash", "stateRoot"):
            equal(len({b[field] for b in blocks}), 1, f"{field}s of block {number}")
    print(f"   block {head}: {blocks[0]['stateRoot']} at each client", flush=True)


def run(net, runs):
    sender = client.Client(net, pause_s=0.2)
    sender.start()
    wait(lambda: len(sender.acked) > 3, LIMIT_S, f"transfers ({sender.refused[-2:]})")
    steps = [("kill_node", lambda: hurt(net, kill_node, runs)),
             ("kill_client", lambda: hurt(net, kill_client, runs)),
             ("stop_client", lambda: hurt(net, stop_client, runs))]
    for name, step in steps:
        start = time.monotonic()
        step()
        print(f"ok devnet.{name} ({time.monotonic() - start:.1f} s)", flush=True)
    leader_is_ready(net)
    sender.finish()
    print(f"ok devnet.nothing_lost ({sender.check(LIMIT_S)} transfers)", flush=True)
    same_chain(net)
    print("ok devnet.same_chain", flush=True)
    net.check_no_evidence()
    equal(net.stop(), 0, "exit code")
    return len(steps) + 2


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "geth"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    require(os.access(cluster.BATON, os.X_OK), f"no program at {cluster.BATON}")
    net = cluster.Devnet(options=("--el", kind))
    try:
        start = time.monotonic()
        net.start(LIMIT_S)
        print(f"ok devnet.ready ({time.monotonic() - start:.1f} s, {kind})", flush=True)
        with_clients = [node["el"]["pid"] for node in net.ready["nodes"]]
        require(all(with_clients), f"pids of clients: {with_clients}")
        passed = 1 + run(net, runs)
    except (cluster.Failure, cluster.RpcError, OSError) as e:
        print(f"FAILED devnet: {e}\n{net.last_words()}\n0 passed, 1 failed")
        return 1
    finally:
        net.__exit__(None)
    print(f"{passed} passed, 0 failed")
    return 0


sys.exit(main())
