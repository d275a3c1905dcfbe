"""A devnet of real processes under test: start, events, JSON-RPC, chaos, the audit of its chain.

Only Python's own library. Nothing here sleeps for a time that has to pass: everything waits for a
condition, with a limit, and says what it waited for."""

import collections
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BATON = os.environ.get("BATON", os.path.join(ROOT, "build", "baton"))
POLL_S = 0.02


class Failure(Exception):
    """A test's own finding."""


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code = error.get("code")
        self.message = error.get("message", "")


def require(condition, why):
    if not condition:
        raise Failure(why)


def equal(got, wanted, what):
    require(got == wanted, f"{what}: {got!r}, expected {wanted!r}")


def wait(condition, limit_s, what):
    """Waits until condition() is true; returns its value."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {limit_s} s for: {what}")
        threading.Event().wait(POLL_S)


# ---- programs ------------------------------------------------------------------------------------

Done = collections.namedtuple("Done", "code out err")


def baton(*words, limit_s=60, **more):
    """Runs one command to its end."""
    done = subprocess.run([BATON, *map(str, words)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=limit_s, **more)
    return Done(done.returncode, done.stdout, done.stderr)


def baton_json(*words, **more):
    done = baton(*words, "--json", **more)
    require(done.code == 0, f"baton {' '.join(map(str, words))}: code {done.code}: {done.err}")
    return json.loads(done.out)


def _free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_base(nodes):
    """A base port whose three ranges are free and below the ports that the kernel hands out."""
    bases = list(range(10000, 10700, 20))
    random.shuffle(bases)
    for base in bases:
        if all(_free(base + far + i) for far in (0, 1000, 22000) for i in range(nodes)):
            return base
    raise Failure("no free ports between 10000 and 32700")


# ---- JSON-RPC ------------------------------------------------------------------------------------

class Rpc:
    """One node's public port. A connection each time: the node may have died meanwhile."""

    def __init__(self, url, token=None, limit_s=5):
        at = urllib.parse.urlsplit(url)
        self.host, self.port, self.token, self.limit_s = at.hostname, at.port, token, limit_s

    def http(self, method, path, body=None, headers=None):
        """(status, body as bytes)"""
        c = http.client.HTTPConnection(self.host, self.port, timeout=self.limit_s)
        with contextlib.closing(c):
            c.request(method, path, body, headers or {})
            answer = c.getresponse()
            return answer.status, answer.read()

    def post(self, document):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        body = document if isinstance(document, bytes) else json.dumps(document)
        status, answer = self.http("POST", "/", body, headers)
        try:
            return json.loads(answer)
        except ValueError as e:
            raise Failure(f"HTTP {status}: no JSON: {answer[:100]!r}") from e

    def call(self, method, *params):
        answer = self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def try_call(self, method, *params):
        """None where the node is down or answers with an error."""
        try:
            return self.call(method, *params)
        except (OSError, http.client.HTTPException, RpcError, Failure):
            return None

    def head(self):
        number = self.try_call("eth_blockNumber")
        return -1 if number is None else int(number, 16)

    def blocks(self, first, last):
        """Blocks first … last with transaction hashes."""
        found = []
        for at in range(first, last + 1, 100):
            batch = [{"jsonrpc": "2.0", "id": n, "method": "eth_getBlockByNumber",
                      "params": [hex(n), False]} for n in range(at, min(at + 100, last + 1))]
            answers = {a["id"]: a.get("result") for a in self.post(batch)}
            found += [answers[b["id"]] for b in batch]
        return found


# ---- the devnet ----------------------------------------------------------------------------------

class Devnet:
    """`baton devnet --json`, its events in order, each with `at`, the moment it was read."""

    def __init__(self, nodes=4, options=(), directory=None, base=None):
        self.n = nodes
        self.options = [str(o) for o in options]
        self.own = directory is None
        self.top = tempfile.mkdtemp(prefix="baton-test-") if self.own else None
        self.dir = directory or os.path.join(self.top, "net")
        self.base = base or free_base(nodes)
        self.events = []
        self.changed = threading.Condition()
        self.process = None
        self.pids = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *rest):
        if kind is not None:
            print(self.last_words())
        self.kill()
        if self.own:
            shutil.rmtree(self.top, ignore_errors=True)

    def start(self, limit_s=40, under=()):
        """Starts, or starts again on the same folder, `under` another program; waits for `ready`."""
        words = [*under, BATON, "devnet", "--json", "--dir", self.dir, "--nodes", str(self.n),
                 "--base-port", str(self.base)] + self.options
        mark = len(self.events)
        self.errors = open((self.top or self.dir) + "/stderr" if self.own else self.dir + ".stderr",
                           "ab")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        self.ready = self.wait_event("ready", limit_s, since=mark)
        self.rpc = [Rpc(node["rpc"]) for node in self.ready["nodes"]]
        self.urls = [node["rpc"] for node in self.ready["nodes"]]
        return self

    def _read(self, stream):
        for line in stream:
            event = json.loads(line)
            event["at"] = time.monotonic()
            with self.changed:
                self.events.append(event)
                self._note(event)
                self.changed.notify_all()

    def _note(self, event):
        if event["event"] == "ready":
            self.pids = {node["index"]: node["pid"] for node in event["nodes"]}
        elif event["event"] == "node":
            self.pids[event["index"]] = event["pid"] if event["state"] != "down" else None

    def wait_event(self, name, limit_s, since=0, where=None):
        """The first event of that name after position `since`."""
        def find():
            with self.changed:
                return next((e for e in self.events[since:] if e["event"] == name and
                             (where is None or where(e))), None)

        def found_or_dead():
            event = find()
            if event is None and self.process.poll() is not None:
                self.reader.join()
                event = find()
                require(event, f"devnet ended with code {self.process.returncode} before `{name}`: "
                               f"{self.last_words()}")
            return event
        return wait(found_or_dead, limit_s, f"event `{name}`")

    def mark(self):
        with self.changed:
            return len(self.events)

    def named(self, name, since=0):
        with self.changed:
            return [e for e in self.events[since:] if e["event"] == name]

    def last_words(self):
        """Ends of stderr of the devnet and its nodes, for whoever reads a failure."""
        words = []
        places = [self.errors.name] + [f"{self.dir}/node{i}/{f}" for i in range(self.n)
                                       for f in ("stderr", "log")]
        for place in places:
            with contextlib.suppress(OSError), open(place, errors="replace") as f:
                words += [f"  {os.path.relpath(place, os.path.dirname(self.dir))}: {line.rstrip()[:240]}"
                          for line in f.readlines()[-4:]]
        return "\n".join(words)

    def stop(self, limit_s=30):
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        code = self.process.wait(limit_s)
        self.reader.join(limit_s)
        return code

    def kill(self):
        """SIGKILL to everything at once."""
        for pid in [p for p in self.pids.values() if p] + [self.process.pid]:
            if self.process.poll() is None or pid != self.process.pid:
                with contextlib.suppress(ProcessLookupError):
                    if pid == self.process.pid or self._is_ours(pid):
                        os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self.reader.join(10)
        self.process.stdout.close()
        self.errors.close()

    def _is_ours(self, pid):
        """The number may belong to somebody else by now."""
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
            return self.dir.encode() in f.read()
        return False

    # what a test asks for

    def chaos(self, *words, wait_for_heads=True, limit_s=60):
        extra = [] if wait_for_heads else ["--no-wait"]
        return baton_json("chaos", "--dir", self.dir, *words, *extra, limit_s=limit_s)

    def restart(self, index, limit_s=30):
        """Starts a node that is down; waits until it serves and has the others' head."""
        self.chaos("restart", index, wait_for_heads=False)
        self.wait_level(index, limit_s)

    def wait_level(self, index, limit_s=30):
        def level():
            others = [self.rpc[i].head() for i in range(self.n) if i != index]
            return self.rpc[index].head() >= max(others) - 1
        wait(level, limit_s, f"node {index} has the others' head")

    def wait_ready(self, index, limit_s=30):
        def is_ready():
            status = self.status(index)
            return status is not None and status["self"]["ready"]
        wait(is_ready, limit_s, f"node {index} says that it is ready")

    def status(self, index):
        return self.rpc[index].try_call("baton_status")

    def wait_blocks(self, count, limit_s=30, node=0):
        """Waits until the head of `node` has grown by `count`."""
        start = self.rpc[node].head()
        wait(lambda: self.rpc[node].head() >= start + count, limit_s, f"{count} more blocks")

    def metrics(self, index):
        """Sums of a node's metrics by name, labels added up; a name without series is 0."""
        at = Rpc(self.ready["nodes"][index]["admin"])
        status, text = at.http("GET", "/metrics")
        equal(status, 200, "GET /metrics")
        sums = collections.defaultdict(float)
        for line in text.decode().splitlines():
            if m := re.match(r"^# TYPE (\w+) ", line):
                sums[m.group(1)] += 0
            elif m := re.match(r"^(\w+)(?:\{.*\})? (\S+)$", line):
                sums[m.group(1)] += float(m.group(2))
        return sums

    def check_no_evidence(self):
        """No running node ever saw two signatures of one member that exclude each other."""
        for i in [i for i, pid in self.pids.items() if pid]:
            sums = self.metrics(i)
            require("baton_evidence_total" in sums, f"node {i} has no baton_evidence_total")
            equal(sums["baton_evidence_total"], 0, f"evidence of a double signature at node {i}")

    def audit(self, limit_s=60):
        """Every node has the same chain, and it is the one that was announced as it grew: no block
        was ever replaced. Returns {transaction hash: times it stands in the chain}."""
        seen = {}
        for event in self.named("block"):
            known = seen.setdefault(event["number"], event["hash"])
            equal(event["hash"], known, f"block {event['number']} was announced twice")
        last = max(seen)
        chains = []
        for i, rpc in enumerate(self.rpc):
            wait(lambda rpc=rpc: rpc.head() >= last, limit_s, f"node {i} has block {last}")
            chains.append(rpc.blocks(1, last))
        for number, blocks in enumerate(zip(*chains), 1):
            hashes = {b["hash"] if b else None for b in blocks}
            equal(len(hashes), 1, f"hashes of block {number} on {self.n} nodes: {hashes}")
            require(number not in seen or seen[number] in hashes,
                    f"block {number} was replaced: announced {seen.get(number)}, now {hashes}")
        for before, after in zip(chains[0], chains[0][1:]):
            equal(after["parentHash"], before["hash"], f"parent of {after['number']}")
        return collections.Counter(tx for b in chains[0] for tx in b["transactions"])


def median(values):
    return sorted(values)[len(values) // 2]


def histogram(values, edges):
    """One line: how many values lie below each edge."""
    counts = [sum(1 for v in values if lo <= v < hi)
              for lo, hi in zip([float("-inf")] + edges, edges + [float("inf")])]
    names = [f"<{e}" for e in edges] + [f">={edges[-1]}"]
    return "  ".join(f"{name}: {count}" for name, count in zip(names, counts))
