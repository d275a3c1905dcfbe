"""Four nodes, each with an execution client of its own: transfers are confirmed, a leader's node is
killed, a client is killed, a client is stopped, and every client holds the same chain in the end.

    tests/engine/cluster.py BATON [ethereumjs|geth:PATH]
"""

import concurrent.futures
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import world
from world import CLIENT, Client, Failed, check, free_port, signed

NODES = 4
CHAIN = 901
LIMIT = 180
GAS = 30000000
BLOCK = "1s"
SENDER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
HERE = os.path.dirname(os.path.abspath(__file__))


def wait(condition, what, limit=LIMIT):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        got = condition()
        if got:
            return got
        time.sleep(0.1)
    raise Failed(f"{what}: not within {limit} s")


class Geth(Client):
    """Started by its own flags; everything else as with any client."""

    program = None

    def node_options(self):
        return []

    def start(self):
        data = os.path.join(self.home, "data")
        if not os.path.isdir(data):
            subprocess.run([self.program, "--datadir", data, "--state.scheme", "hash", "init",
                            os.path.join(HERE, "genesis.json")], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        log = open(os.path.join(self.home, "log"), "a")
        self.process = subprocess.Popen(
            [self.program, "--datadir", data, "--networkid", str(CHAIN), "--state.scheme", "hash",
             "--gcmode", "archive", "--syncmode", "full", "--maxpeers", "0", "--nodiscover",
             "--nat", "none", "--port", str(free_port()), "--ipcdisable", "--authrpc.addr",
             "127.0.0.1", "--authrpc.port", str(self.port), "--authrpc.jwtsecret",
             self.secret_file, "--miner.gaslimit", str(GAS), "--cache", "64"],
            cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


class Node:
    def __init__(self, baton, home, index, client):
        self.baton, self.client, self.index = baton, client, index
        self.dir = os.path.join(home, f"node{index}")
        self.rpc = free_port()
        self.p2p = free_port()
        self.process = None
        os.mkdir(self.dir)
        with os.fdopen(os.open(f"{self.dir}/password", os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(secrets.token_hex(8) + "\n")
        made = self.run("keys", "new", "--out", f"{self.dir}/key.json", "--password-file",
                        f"{self.dir}/password", "--light", "--json")
        self.address = json.loads(made)["address"]

    def run(self, *words):
        return subprocess.run([self.baton, *words], check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def member(self):
        return f"name=node{self.index},address={self.address},endpoint=127.0.0.1:{self.p2p}"

    def start(self):
        self.process = subprocess.Popen(
            [self.baton, "node", "--dir", self.dir, "--rpc", f"127.0.0.1:{self.rpc}", "--admin",
             f"127.0.0.1:{free_port()}", "--log", f"{self.dir}/log", "--el",
             f"http://127.0.0.1:{self.client.port}", "--el-secret", self.client.secret_file,
             *self.client.node_options()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def call(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.rpc}", body,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer = json.load(answer)
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def status(self):
        try:
            return self.call("baton_status")
        except (OSError, Failed):
            return None

    def is_level(self):
        s = self.status()
        return s is not None and s["executionClient"]["state"] == "ready"

    def head(self):
        try:
            return int(self.call("eth_blockNumber"), 16)
        except (OSError, Failed):
            return -1

    def receipt(self, tx):
        try:
            return self.call("eth_getTransactionReceipt", tx)
        except (OSError, Failed):
            return None


class Cluster:
    def __init__(self, baton, kind):
        self.home = tempfile.mkdtemp(prefix="baton-cluster-")
        with concurrent.futures.ThreadPoolExecutor(NODES) as pool:
            self.clients = list(pool.map(lambda _: kind(), range(NODES)))
        self.nodes = [Node(baton, self.home, i, c) for i, c in enumerate(self.clients)]
        self.genesis = os.path.join(self.home, "genesis.json")
        words = [w for n in self.nodes for w in ("--member", n.member())]
        self.nodes[0].run("genesis", "new", "--out", self.genesis, "--chain-id", str(CHAIN),
                          "--block-time", BLOCK, "--gas-limit", str(GAS), "--devnet", *words)
        with open(self.genesis) as f:
            text = json.load(f)
        first = self.clients[0].block(0)
        text["executionGenesis"] = {"hash": first["hash"], "stateRoot": first["stateRoot"],
                                    "fork": "prague"}
        with open(self.genesis, "w") as f:
            json.dump(text, f)
        for n in self.nodes:
            shutil.copy(self.genesis, f"{n.dir}/genesis.json")
            n.run("genesis", "init", "--genesis", self.genesis, "--dir", n.dir)
            n.start()

    def leader(self):
        for n in self.nodes:
            s = n.process is not None and n.status()
            if s and s["leader"] and s["leader"]["index"] is not None:
                return self.nodes[s["leader"]["index"]]
        return None

    def close(self, keep):
        for n in self.nodes:
            n.kill()
        for c in self.clients:
            c.close()
        if keep:
            print(f"kept: {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)


def confirm(node, raw):
    """Sent to this node; its block, and how long that took."""
    started = time.monotonic()
    tx = node.call("eth_sendRawTransaction", raw)
    got = wait(lambda: node.receipt(tx), f"the receipt of {tx}")
    number = int(got["blockNumber"], 16)
    wait(lambda: node.head() >= number, "a final block")
    return number, time.monotonic() - started


def say(text):
    print(f"ok {text}", flush=True)


def play(cluster):
    nodes = cluster.nodes
    raw = signed(12)
    for n in nodes:
        wait(n.is_level, f"the client of node {n.index}")
    wait(lambda: all(n.head() >= 2 for n in nodes), "blocks")
    say("four clients are level, blocks are final")
    for n in nodes:
        number, took = confirm(n, raw.pop(0))
        say(f"node {n.index}: a transfer is in block {number} after {took:.2f} s")
    leader = wait(cluster.leader, "a leader")
    others = [n for n in nodes if n is not leader]
    leader.kill()
    started = time.monotonic()
    number, took = confirm(others[0], raw.pop(0))
    say(f"the leader's node killed: the next transfer after {took:.2f} s")
    leader.start()
    wait(leader.is_level, "the node that was killed")
    wait(lambda: leader.head() >= number, "its head")
    say(f"it is back after {time.monotonic() - started:.1f} s")
    leader = wait(cluster.leader, "a leader")
    others = [n for n in nodes if n is not leader]
    leader.client.kill()
    number, took = confirm(others[0], raw.pop(0))
    say(f"the leader's client killed: the next transfer after {took:.2f} s")
    check(wait(leader.status, "its node") is not None, "the node ended")
    leader.client.start()
    wait(leader.is_level, "the client that was killed")
    wait(lambda: leader.head() >= number, "its head")
    fed = leader.status()["executionClient"]["fed"]
    say(f"it is back, fed {fed} blocks")
    leader = wait(cluster.leader, "a leader")
    others = [n for n in nodes if n is not leader]
    leader.client.signal(signal.SIGSTOP)
    number, took = confirm(others[0], raw.pop(0))
    say(f"the leader's client stopped: the next transfer after {took:.2f} s")
    leader.client.signal(signal.SIGCONT)
    wait(leader.is_level, "the client that was stopped")
    wait(lambda: leader.head() >= number, "its head")
    lost = cluster.clients[0]
    lost.kill()
    lost.forget()
    lost.start()
    wait(nodes[0].is_level, "a client that lost everything")
    number, took = confirm(nodes[0], raw.pop(0))
    say(f"a client that lost everything is level again, a transfer after {took:.2f} s")
    wait(lambda: all(n.head() >= number for n in nodes), "all heads")
    for height in range(1, number + 1):
        blocks = {c.block(height)["hash"] for c in cluster.clients}
        check(len(blocks) == 1, f"block {height} differs: {blocks}")
    wait(lambda: all(int(c.call("eth_getBlockByNumber", "safe", False)["number"], 16) > 0
                     for c in cluster.clients), "a safe head in every client")
    check(int(nodes[1].call("eth_getTransactionCount", SENDER, "latest"), 16) == 8, "nonces")
    say(f"{number} blocks, the same in four clients")


def main():
    world.LIMIT = LIMIT
    baton, kind = sys.argv[1], (sys.argv[2:] or ["ethereumjs"])[0]
    if kind.startswith("geth:"):
        Geth.program = kind[5:]
    else:
        check(os.path.exists(CLIENT), f"{CLIENT} is missing; tests/engine/run fetches it")
    cluster = None
    good = False
    try:
        cluster = Cluster(baton, Geth if Geth.program else Client)
        play(cluster)
        good = True
    except (Failed, OSError, ValueError, subprocess.CalledProcessError) as e:
        print(f"FAILED: {e}", flush=True)
    finally:
        if cluster is not None:
            cluster.close(not good)
    print("1 passed, 0 failed" if good else "0 passed, 1 failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
