"""Real nodes on an anvil of their own, with an endpoint between that misbehaves."""

import os
import subprocess
import sys
import threading

import world
from proxy import Proxy

sys.path.insert(0, os.path.join(os.path.dirname(world.HERE), "cluster"))

import cluster  # noqa: E402
from cluster import Devnet, require, wait  # noqa: E402


# Final after two epochs, as on mainnet: no reorg of these tests takes a final block back.
EPOCH_SLOTS = 40


class MiningAnvil(world.Anvil):
    """A block each `seconds`; None: only when asked."""

    def __init__(self, seconds, slots):
        self.seconds = seconds
        self.slots = slots
        super().__init__()

    def start(self):
        self.port = world.free_port()
        pace = ["--block-time", str(self.seconds)] if self.seconds else ["--no-mining"]
        self.process = subprocess.Popen(
            [world.ANVIL, "--port", str(self.port), "--chain-id", str(world.CHAIN), *pace,
             "--hardfork", "osaka", "--slots-in-an-epoch", str(self.slots), "--quiet",
             "--cache-path", self.home],
            env=dict(os.environ, HOME=self.home), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class NodesOnL1:
    """anvil, one endpoint in front of it for all nodes, the devnet."""

    def __init__(self, layer="calldata", seal="2s", block_s=1, options=(),
                 slots=EPOCH_SLOTS):
        self.anvil = MiningAnvil(block_s, slots)
        self.proxy = Proxy(self.anvil.port)
        self.net = Devnet(options=("--l1", self.proxy.url(), "--da", layer, "--seal-interval",
                                   seal, *options))

    def __enter__(self):
        try:
            self.net.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, *rest):
        if self.net.process is not None:
            self.net.__exit__(kind, *rest)
        self.proxy.stop()
        self.anvil.close()

    def standing(self, node):
        """(head, safe, object `batches`) of a node; None where it does not answer."""
        s = self.net.status(node)
        return None if s is None else (s["unsafe"]["number"], s["safe"]["number"], s["batches"])

    def safe(self, node):
        s = self.standing(node)
        return -1 if s is None else s[1]

    def wait_safe(self, number, limit_s=60):
        """All nodes derived block `number` from the L1."""
        for i in range(self.net.n):
            wait(lambda i=i: self.safe(i) >= number, limit_s,
                 f"safe head of node {i} at {number}: {self.standing(i)}")

    def check_safe(self):
        """What nodes call safe is one chain, theirs, and nobody was alarmed."""
        for i in range(self.net.n):
            status = self.net.status(i)
            require(status["batches"]["l1"]["alarm"] is False, f"node {i}: alarm")
            for other in self.net.rpc:
                block = other.call("eth_getBlockByNumber", hex(status["safe"]["number"]), False)
                require(block and block["hash"] == status["safe"]["hash"],
                        f"safe block {status['safe']['number']} of node {i}")

    def verify(self, limit_s=120):
        """The whole chain from the L1 alone; the number of its last block."""
        seen = cluster.baton_json("verify", "batches", f"http://127.0.0.1:{self.anvil.port}",
                                  "--genesis", f"{self.net.dir}/genesis.json", limit_s=limit_s)
        block = self.net.rpc[0].call("eth_getBlockByNumber", hex(seen["number"]), False)
        require(block["hash"] == seen["hash"], f"block {seen['number']} rebuilt is another")
        return seen["number"]

    def postings(self):
        """(segments accepted, posted twice) as node 0 read them."""
        l1 = self.net.status(0)["batches"]["l1"]
        return l1["accepted"], l1["duplicates"]


class Load(threading.Thread):
    """`baton bench load`, its own verdict at the end."""

    def __init__(self, net, rate, seconds):
        super().__init__(daemon=True)
        self.words = ["bench", "load", "--rpc", ",".join(net.urls), "--rate", str(rate), "--for",
                      f"{seconds}s", "--accounts", str(max(20, rate)), "--drain", "120s"]
        self.limit_s = seconds + 300
        self.said = None
        self.trouble = None

    def run(self):
        try:
            self.said = cluster.baton_json(*self.words, limit_s=self.limit_s)
        except Exception as e:  # told by finish
            self.trouble = e

    def finish(self):
        self.join(self.limit_s)
        require(self.trouble is None and self.said, f"load: {self.trouble}")
        return self.said
