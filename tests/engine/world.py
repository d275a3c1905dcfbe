"""A real client, the program under test, and what both are asked."""

import base64
import hashlib
import hmac
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENT = os.path.join(HERE, "node_modules/@ethereumjs/client/dist/esm/bin/cli.js")
GENESIS = os.path.join(HERE, "genesis.json")
CHAIN = 901
FEE = "0x" + "33" * 20
ZERO = "0x" + "00" * 32
LIMIT = 60
READY, LOST, REFUSED, TURNED_AWAY = 1, 2, 3, 4  # enum engine_state


class Failed(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failed(what)


def wait(condition, what):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        got = condition()
        if got:
            return got
        time.sleep(0.05)
    raise Failed(f"{what}: not within {LIMIT} s")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


class Client:
    """One ethereumjs, its folder kept from one life to the next."""

    def __init__(self, given=False):
        self.preload = ["--import", os.path.join(HERE, "given.mjs")] if given else []
        self.home = tempfile.mkdtemp(prefix="baton-engine-")
        self.secret = secrets.token_bytes(32)
        self.secret_file = self.write("jwt.hex", self.secret.hex() + "\n", 0o600)
        self.port = free_port()
        self.rpc_port = free_port()
        self.start()
        wait(self.answers, "the client")
        self.genesis = self.block(0)["hash"]

    def write(self, name, text, mode):
        path = os.path.join(self.home, name)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, mode), "w") as f:
            f.write(text)
        return path

    def start(self):
        options = ["--gethGenesis", GENESIS, "--dataDir", os.path.join(self.home, "data"),
                   "--isSingleNode", "--logFile=false", "--rpcEngine", "--rpcEngineAddr", "127.0.0.1",
                   "--rpcEnginePort", str(self.port), "--wsEnginePort", str(free_port()),
                   "--jwtSecret", self.secret_file, "--rpc", "--rpcAddr", "127.0.0.1",
                   "--rpcPort", str(self.rpc_port), "--discDns=false", "--discV4=false",
                   "--port", str(free_port()), "--extIP", "127.0.0.1", "--logLevel", "error"]
        # It writes a log beside itself, whatever it is told: in its own folder.
        self.process = subprocess.Popen(["node"] + self.preload + [CLIENT] + options, cwd=self.home,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def node_options(self):
        return ["--el-rpc", f"http://127.0.0.1:{self.rpc_port}"]

    def token(self):
        signed = base64url(b'{"alg":"HS256","typ":"JWT"}') + b"." + base64url(
            json.dumps({"iat": int(time.time())}).encode())
        mac = hmac.new(self.secret, signed, hashlib.sha256).digest()
        return (signed + b"." + base64url(mac)).decode()

    def call(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}", body,
            {"Content-Type": "application/json", "Authorization": "Bearer " + self.token()})
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return json.load(answer)["result"]

    def answers(self):
        try:
            return self.call("eth_chainId")
        except OSError:
            check(self.process.poll() is None, "the client ended")
            return None

    def block(self, number):
        return self.call("eth_getBlockByNumber", hex(number), False)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def signal(self, name):
        self.process.send_signal(name)

    def forget(self):
        shutil.rmtree(os.path.join(self.home, "data"))

    def close(self):
        self.signal(signal.SIGCONT)
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)


class Drive:
    """The program: one question, one answer; its changes of state aside."""

    def __init__(self, program, client, secret_file=None, genesis=None, chain=CHAIN,
                 order="client"):
        self.process = subprocess.Popen(
            [program, f"http://127.0.0.1:{client.port}", secret_file or client.secret_file,
             genesis or client.genesis, str(chain), order],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.states = [(0, "")]
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            word = line.rstrip("\n").split(" ", 2)
            if word[0] == "state":
                self.states.append((int(word[1]), word[2]))
            else:
                self.lines.put(line.split())

    def reaches(self, state):
        return wait(lambda: self.states[-1][0] == state and self.states[-1][1],
                    f"state {state}, but {self.states}")

    def say(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def ask(self, *words):
        self.say(*words)
        try:
            return self.lines.get(timeout=LIMIT)
        except queue.Empty:
            raise Failed(f"no answer to {words[0]}") from None

    def head(self):
        _, number, payload, _ = self.ask("head")
        return int(number), payload

    def close(self):
        """It ends by itself, everything given back (sanitizers look)."""
        self.say("quit")
        code = self.process.wait(timeout=LIMIT)
        check(code == 0, f"the program ended with {code}")


class Block:
    """What a leader proposes: everything that another member executes it with."""

    def __init__(self, height, parent, ms, answer):
        check(answer[:2] == ["built", "OK"], f"built: {' '.join(answer)[:200]}")
        self.height, self.parent, self.ms = height, parent, ms
        self.payload, self.state, self.txs, self.body = answer[2], answer[3], int(answer[4]), answer[5]

    def question(self, **other):
        f = dict(vars(self), **other)
        return ("execute", f["height"], f["parent"], f["ms"], FEE, f["payload"], f["state"],
                f["body"])


def signed(count):
    return json.loads(subprocess.check_output(["node", os.path.join(HERE, "sign.mjs"), str(count)]))
