"""anvil, three endpoints in front of it, and the program under test."""

import json
import os
import queue
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

from proxy import Proxy

HERE = os.path.dirname(os.path.abspath(__file__))
ANVIL = os.environ.get("ANVIL", os.path.join(
    HERE, "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"))
CHAIN = 900
INBOX = "0xff00000000000000000000000000000000000900"
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
LIMIT = 60
POLL_MS = 60
DOWN_MS = 3000


class Failed(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failed(what)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Anvil:
    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="baton-l1-")
        self.start()
        try:
            wait(self.answers, "anvil")
        except Failed:
            self.close()
            raise

    def start(self):
        self.port = free_port()
        self.process = subprocess.Popen(
            [ANVIL, "--port", str(self.port), "--chain-id", str(CHAIN), "--no-mining", "--hardfork",
             "osaka", "--slots-in-an-epoch", "2", "--quiet", "--cache-path", self.home],
            env=dict(os.environ, HOME=self.home), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers(self):
        if self.process.poll() is not None:
            self.start()  # somebody else got its port first
        try:
            return self.rpc("eth_chainId", []) == hex(CHAIN)
        except OSError:
            return False

    def rpc(self, method, params=()):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}", body.encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=LIMIT) as r:
            answer = json.loads(r.read())
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']}")
        return answer["result"]

    def mine(self, blocks=1):
        for _ in range(blocks):
            self.rpc("evm_mine")

    def head(self):
        return self.block("latest")

    def block(self, name):
        name = hex(name) if isinstance(name, int) else name
        b = self.rpc("eth_getBlockByNumber", [name, False])
        return int(b["number"], 16), b["hash"]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        shutil.rmtree(self.home, ignore_errors=True)


def wait(condition, what, limit=LIMIT):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise Failed(f"not within {limit} s: {what}")


class Drive:
    """l1_drive: one line, one answer."""

    def __init__(self, program, proxies):
        urls = [p.url() for p in proxies]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [program, str(CHAIN), str(POLL_MS), str(DOWN_MS), *urls, "--beacon", *urls],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.answers = queue.Queue()
        self.views = []
        self.number = 0
        self.early = {}
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            o = json.loads(line)
            if o["id"] == "view":
                self.views.append(o)
            else:
                self.answers.put(o)

    def start(self, *words):
        self.number += 1
        self.process.stdin.write(" ".join([str(self.number), *map(str, words)]) + "\n")
        self.process.stdin.flush()
        return str(self.number)

    def result(self, number):
        end = time.monotonic() + LIMIT
        while number not in self.early:
            try:
                o = self.answers.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise Failed(f"no answer to question {number}") from None
            self.early[o["id"]] = o
        return self.early.pop(number)

    def ask(self, *words):
        return self.result(self.start(*words))

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def close(self):
        """Exit code 0: everything was closed; sanitizers say the rest."""
        try:
            self.start("quit")
            self.process.stdin.close()
        except OSError:
            pass
        try:
            code = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed("l1_drive does not end") from None
        check(code == 0, f"l1_drive ended with {code}: {self.said()[-2000:]}")


class World:
    def __init__(self, program, endpoints=3):
        self.anvil = Anvil()
        self.proxies = []
        self.drive = None
        try:
            self.proxies = [Proxy(self.anvil.port) for _ in range(endpoints)]
            self.anvil.mine(3)
            self.drive = Drive(program, self.proxies)
            self.settled()
        except BaseException:
            self.close()
            raise

    def close(self):
        try:
            if self.drive is not None:
                self.drive.close()
        finally:
            for p in self.proxies:
                p.stop()
            self.anvil.close()

    def view(self):
        return self.drive.ask("view")

    def at_head(self):
        v = self.view()
        return v["known"] and (v["number"], v["hash"]) == self.anvil.head()

    def settled(self, agreeing=None):
        wanted = len(self.proxies) if agreeing is None else agreeing
        wait(self.at_head, "the head is anvil's")
        wait(lambda: self.view()["agreeing"] >= wanted, f"{wanted} endpoints agree")

    def followed(self):
        """The reader of the chain stands where anvil stands, on anvil's blocks."""
        def same():
            chain = self.drive.ask("chain")["chain"]
            return tuple(chain[-1]) == self.anvil.head()
        wait(same, "the follower is at anvil's head")
        chain = self.drive.ask("chain")["chain"]
        for number, block_hash in chain[-100:]:
            check(self.anvil.block(number) == (number, block_hash), f"block {number} is another")
        numbers = [n for n, _ in chain]
        check(numbers == list(range(numbers[0], numbers[0] + len(numbers))), "a hole in the chain")
        return chain

    def sign(self, kind, data="0x00", nonce=None, fee=100, to=INBOX):
        if nonce is None:
            nonce = int(self.anvil.rpc("eth_getTransactionCount", [SENDER, "pending"]), 16)
        return self.drive.ask("sign", kind, CHAIN, nonce, fee, to, data)

    def send(self, tx):
        return self.drive.ask("send", tx["hash"], tx["raw"])

    def endpoint(self, i):
        return self.drive.ask("endpoints")["endpoints"][i]
