#!/usr/bin/env python3
"""From submit to final at low load, in `demand` pace: eth_sendRawTransactionSync over a kept
connection, one transfer at a time, at random moments. Beside it what the client itself takes (the
same round trip with a question that needs no work) and what a step's synced write takes here. Prints
figures, asserts none."""

import argparse
import json
import os
import random
import re
import socket
import threading
import time

import machine
from machine import bars, quantile, quantiles, say

import cluster
import ethereum

EDGES = [1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200]
ANSWER_S = 30
WARM_UP = 10
IDLE_S = 2


class Line:
    """A kept connection to one node. On a socket: Python's own HTTP client sends a request in two
    pieces and takes some tenths of a millisecond, on the cores that the nodes need meanwhile."""

    def __init__(self, url):
        host, port = url.split("//")[1].split(":")
        self.host = f"{host}:{port}"
        self.socket = socket.create_connection((host, int(port)), timeout=ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, body):
        return (f"POST / HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def answer(self):
        """The body of one answer, which has a Content-Length."""
        got = b""
        head, end = -1, 1
        while head < 0 or len(got) < end:
            piece = self.socket.recv(65536)
            cluster.require(piece, "the node closed the connection")
            got += piece
            if head < 0 and (head := got.find(b"\r\n\r\n")) >= 0:
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)\r\n", got[:head + 2])
                end = head + 4 + int(length[1])
        return got[head + 4:]

    def ask(self, method, *params):
        """(result, milliseconds from before the bytes leave until the answer is here)"""
        request = self.request(json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        start = time.perf_counter()
        self.socket.sendall(request)
        answer = self.answer()
        took = (time.perf_counter() - start) * 1000
        document = json.loads(answer)
        if "error" in document:
            raise cluster.RpcError(document["error"])
        return document["result"], took


class Signer:
    """Signs outside the measured time."""

    def __init__(self, net, account):
        self.key = int(net.ready["accounts"][account]["privateKey"], 16)
        self.to = bytes.fromhex(net.ready["accounts"][9]["address"][2:])
        self.chain = net.ready["chainId"]
        self.nonce = 0

    def next(self):
        raw, _ = ethereum.transfer(self.key, self.nonce, self.to, 1, self.chain)
        self.nonce += 1
        return raw


def overwrites_ms(directory, writers):
    """What a step's write costs here: like the nodes' logs, files that need not grow."""
    took = []
    start = threading.Barrier(writers)

    def write(path):
        fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        os.write(fd, bytes(machine.FSYNCS * machine.FSYNC_BYTES))
        os.fsync(fd)
        for i in range(machine.FSYNCS):
            start.wait()
            before = time.perf_counter()
            os.pwrite(fd, bytes([i % 256]) * machine.FSYNC_BYTES, i * machine.FSYNC_BYTES)
            os.fdatasync(fd)
            took.append((time.perf_counter() - before) * 1000)
        os.close(fd)
        os.unlink(path)

    threads = [threading.Thread(target=write, args=(f"{directory}/overwrite-probe{i}",))
               for i in range(writers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return took


def measure(net, options):
    lines = [Line(url) for url in net.urls]
    signer = Signer(net, 0)
    found = {"at the leader": [], "at others": [], "round trip": []}
    for i in range(options.transfers + WARM_UP):
        node = i % net.n
        raw = signer.next()
        threading.Event().wait(random.uniform(0.5, 1.5) / options.rate)
        leader = lines[node].ask("baton_status")[0]["leader"]["index"]
        empty = lines[node].ask("eth_chainId")[1]
        receipt, took = lines[node].ask("eth_sendRawTransactionSync", raw)
        cluster.equal(receipt["status"], "0x1", "status of the receipt")
        if i >= WARM_UP:
            found["at the leader" if node == leader else "at others"].append(took)
            found["round trip"].append(empty)
    return found


class Work:
    """What all nodes do while a block runs: ms of processor time, switches, seconds."""

    def __init__(self, net):
        self.pids = list(net.pids.values())

    def look(self):
        each = [machine.thread_work(pid) for pid in self.pids]
        return (sum(e[0] for e in each), sum(e[1] for e in each), time.monotonic())

    def __enter__(self):
        self.start = self.look()
        return self

    def __exit__(self, *_):
        self.ms, self.switches, self.s = (b - a for a, b in zip(self.start, self.look()))


def work_a_transfer(idle, busy, transfers):
    ms = (busy.ms - idle.ms / idle.s * busy.s) / transfers
    switches = (busy.switches - idle.switches / idle.s * busy.s) / transfers
    return (f"of all nodes for a transfer and the two questions before it, beyond what they take "
            f"idle ({idle.ms / idle.s:.0f} ms/s): {ms:.2f} ms of processor time, "
            f"{switches:.0f} switches of threads")


def inside(net):
    """Means over all nodes of what their own clocks say."""
    sums = [net.metrics(i) for i in range(net.n)]
    parts = []
    for name in ("intake_ack", "finality", "persist", "execution", "tx_confirm"):
        count = sum(s[f"baton_{name}_seconds_count"] for s in sums)
        total = sum(s[f"baton_{name}_seconds_sum"] for s in sums)
        parts.append(f"{name} {total / count * 1000:.2f}" if count else f"{name} none")
    say(f"means of the nodes' own metrics, ms: {', '.join(parts)}")


def parse():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--nodes", type=int, default=4)
    p.add_argument("--block-time", default="50ms")
    p.add_argument("--pace", default="demand")
    p.add_argument("--transfers", type=int, default=400, metavar="N")
    p.add_argument("--rate", type=float, default=20, metavar="N", help="about so many a second (20)")
    return p.parse_args()


def main():
    options = parse()
    with cluster.Devnet(options.nodes, ["--pace", options.pace, "--block-time",
                                        options.block_time]) as net:
        fsync = machine.fsync_ms(net.dir)
        say(f"machine: {machine.cores()} cores, load average {machine.load():.1f}; fsync "
            f"{quantiles(fsync, form='{:.2f}')}")
        say(f"set: {options.nodes} members, {options.pace} pace, block time {options.block_time}, "
            f"about {options.rate:.0f} transfers/s")
        with Work(net) as idle:
            threading.Event().wait(IDLE_S)
        with Work(net) as busy:
            found = measure(net, options)
        both = found["at the leader"] + found["at others"]
        say(f"submit to final, all nodes:     {quantiles(both, form='{:.2f}')}")
        for name in ("at the leader", "at others"):
            say(f"submit to final, {name}: {quantiles(found[name], form='{:.2f}')}")
        say(bars(both, EDGES))
        say(f"of that the client's own round trip: {quantiles(found['round trip'], form='{:.2f}')}")
        say(work_a_transfer(idle, busy, options.transfers + WARM_UP))
        writers = 2 * options.nodes
        busy = overwrites_ms(net.dir, writers)
        say(f"synced overwrites by {writers} writers at once, as many as the members have: "
            f"{quantiles(busy, form='{:.2f}')}")
        say(f"two of these in a row (notarize, finalize): {2 * quantile(busy, 0.5):.2f} ms")
        inside(net)
        say(f"load average {machine.load():.1f}")


if __name__ == "__main__":
    main()
