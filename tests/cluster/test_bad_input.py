"""Bad words, bad files, bad bytes: one sentence with the place and the remedy, the right exit code,
and nobody else is disturbed."""

import functools
import http.client
import json
import os
import re
import shutil
import socket
import tempfile

import cluster
import ethereum
from cluster import Devnet, baton, equal, require

USAGE = [
    # words, code, what stderr must say
    (["devnte"], 2, r"devnet"),
    (["devnet", "--node", "4"], 2, r"--nodes"),
    (["devnet", "--nodes", "0"], 2, r"--nodes"),
    (["devnet", "--nodes", "33"], 2, r"--nodes"),
    (["devnet", "--nodes", "four"], 2, r"--nodes"),
    (["devnet", "--block-time", "200"], 2, r"200ms|unit"),
    (["devnet", "--pace", "slow"], 2, r"fixed"),
    (["devnet", "--nodes", "3", "--fault", "bft"], 2, r"bft|crash"),
    (["devnet", "--base-port", "70000"], 2, r"--base-port"),
    (["devnet", "surplus"], 2, r"surplus"),
    (["node", "--config", "/nowhere/node.yaml"], 2, r"/nowhere/node\.yaml"),
    (["node", "--colour", "red"], 2, r"colour"),
    (["chaos", "--dir", "/nowhere", "kill", "leader"], 4, r"/nowhere|devnet"),
    (["status", "--rpc", "http://127.0.0.1:1"], 4, r"127\.0\.0\.1:1"),
    (["incidents", "--rpc", "http://127.0.0.1:1"], 4, r"127\.0\.0\.1:1"),
    (["genesis", "check", "/nowhere.json"], 2, r"/nowhere\.json"),
    (["keys", "show", "/nowhere.json"], 2, r"/nowhere\.json"),
    (["verify", "certificate", "/nowhere.json", "--genesis", "/nowhere.json"], 2, r"/nowhere"),
    (["bench"], 2, r"load"),
    (["bench", "load", "--rate", "0"], 2, r"--rate"),
]


def one_sentence(done, code, pattern):
    """stderr is one line that says what and where."""
    lines = done.err.splitlines()
    equal(done.code, code, f"exit code ({done.err.strip()!r})")
    equal(len(lines), 1, f"lines on stderr: {done.err!r}")
    require(lines[0].startswith("baton: "), f"no name before it: {lines[0]}")
    require(re.search(pattern, lines[0]), f"`{lines[0]}` does not say {pattern}")
    equal(done.out, "", "stdout")


def check_usage():
    for words, code, pattern in USAGE:
        try:
            one_sentence(baton(*words, limit_s=20), code, pattern)
        except cluster.Failure as e:
            raise cluster.Failure(f"baton {' '.join(words)}: {e}") from e


def check_help():
    for words in (["help"], ["--help"], ["help", "devnet"], ["devnet", "--help"], ["node", "-h"]):
        done = baton(*words)
        equal(done.code, 0, f"baton {' '.join(words)}")
        require(len(done.out.splitlines()) > 3, f"baton {' '.join(words)} says little")
    require(baton("version").out.strip(), "baton version says nothing")
    require("MEMBERS" in baton("limits").out.upper(), "baton limits does not name the members")


# ---- a node's files ------------------------------------------------------------------------------

def node_of(net, index, changes=None, text=None):
    """Runs node `index` by itself, with another node.yaml beside its own."""
    folder = f"{net.dir}/node{index}"
    with open(f"{folder}/node.yaml") as f:
        lines = f.read() if text is None else text
    for key, value in (changes or {}).items():
        lines = re.sub(rf"(?m)^{key}:.*\n", "", lines) + f"{key}: {value}\n"
    path = f"{folder}/other.yaml"
    with open(path, "w") as f:
        f.write(lines)
    # With a log on stderr the sentence would stand among its lines.
    return baton("node", "--config", path, limit_s=20)


def check_config(net):
    for text, pattern in (("nmae: x\n", r"other\.yaml:1:1: .*nmae.*name"),
                          ("name: x\nhead-stall: 5\n", r"other\.yaml:2:\d+: head-stall"),
                          ("name: x\nname: y\n", r"other\.yaml:2:\d+: .*twice"),
                          ("name: [x]\n", r"other\.yaml:1:\d+"),
                          ("name: 'x\n", r"other\.yaml:\d+:\d+"),
                          ("rpc: nowhere\n", r"other\.yaml:1:\d+: rpc"),
                          ("log-level: loud\n", r"log-level|loud")):
        one_sentence(node_of(net, 0, text=text), 2, pattern)


def check_files(net):
    folder = f"{net.dir}/node0"
    one_sentence(node_of(net, 0, {"genesis": "/nowhere.json"}), 2, r"/nowhere\.json")
    one_sentence(node_of(net, 0, {"key": "/nowhere.json"}), 2, r"/nowhere\.json")
    for name in ("password", "key.json"):
        os.chmod(f"{folder}/{name}", 0o644)
        done = node_of(net, 0)
        os.chmod(f"{folder}/{name}", 0o600)
        one_sentence(done, 3, f"{name}.*chmod 600")
    wrong = f"{folder}/wrong"
    with open(wrong, "w", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
        f.write("not the password\n")
    one_sentence(node_of(net, 0, {"password": wrong}), 3, r"password")
    with open(f"{folder}/broken.json", "w") as f:
        f.write('{"chainId": 41197, "members": [}')
    one_sentence(node_of(net, 0, {"genesis": f"{folder}/broken.json"}), 2, r"broken\.json")


def check_foreign_genesis(net):
    """Same keys, another chain: the database belongs to the first."""
    with open(f"{net.dir}/genesis.json") as f:
        text = re.sub(r'"chainId":\s*\d+', '"chainId":41198', f.read())
    with open(f"{net.dir}/other.json", "w") as f:
        f.write(text)
    done = node_of(net, 0, {"genesis": f"{net.dir}/other.json"})
    require(done.code in (2, 3), f"code {done.code}: {done.err}")
    one_sentence(done, done.code, r"genesis|chain")


def check_port_in_use(net):
    for key in ("rpc", "admin", "p2p"):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            port = s.getsockname()[1]
            one_sentence(node_of(net, 0, {key: f"127.0.0.1:{port}"}), 2, f"{port}.*another port")


def check_other_member(net):
    """The folder of one member with the key of another."""
    own = f"{net.dir}/node0"
    one_sentence(node_of(net, 0, {"dir": f"{net.dir}/node1", "key": f"{own}/key.json",
                                  "password": f"{own}/password"}), 3, r"node1.*belongs to member")


def damage(path):
    """Changes bytes in the middle of a file."""
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        f.write(b"\xa5" * 64)


def check_damage(net):
    """A damaged database is refused and named, not repaired into something else."""
    folder = f"{net.dir}/node3"
    kept = tempfile.mkdtemp(prefix="baton-test-")
    shutil.copytree(folder, f"{kept}/node3")
    for name in os.listdir(f"{folder}/db"):
        if name.endswith(".sst") or name.startswith("MANIFEST"):
            damage(f"{folder}/db/{name}")
    one_sentence(node_of(net, 3), 3, r"db")
    shutil.rmtree(folder)
    shutil.copytree(f"{kept}/node3", folder)
    shutil.rmtree(kept)


# ---- what runs is not disturbed ------------------------------------------------------------------

def check_second_process(net):
    one_sentence(node_of(net, 1, {"rpc": "127.0.0.1:0", "admin": "127.0.0.1:0",
                                  "p2p": "127.0.0.1:0"}), 3, r"in use|another|runs")
    done = baton("devnet", "--dir", net.dir, "--json", "--for", "2s", limit_s=20)
    require(done.code in (2, 3), f"a second devnet on the same folder: code {done.code}")
    one_sentence(done, done.code, r"another devnet|in use")
    net.wait_blocks(3)


def raw_bytes(port, data):
    """Sends bytes and reads until the other side closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.settimeout(3)
        try:
            s.sendall(data)
            return s.recv(4096)
        except OSError:
            return b""


def check_hostile_bytes(net):
    rpc_port, p2p_port = net.base, net.base + 22000
    for data in (b"\0" * 4096, b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nHost: localhost\r\n"
                 b"Content-Length: 99999999999\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"A" * 200000, os.urandom(5000)):
        raw_bytes(rpc_port, data)
        raw_bytes(p2p_port, data)
    raw_bytes(p2p_port, b"\x16\x03\x01\xff\xff" + b"\x01" * 70000)
    equal(net.rpc[0].call("eth_chainId"), "0xa0ed", "node 0 afterwards")
    cluster.wait(lambda: net.metrics(0)["baton_peer_strangers_total"] >= 5, 5,
                 "what failed at the peers' port is counted")
    with open(net.ready["nodes"][0]["log"]) as f:
        told = [line for line in f if "127.0.0.1" in line and '"level":"warn"' in line]
    require(len(told) <= 2, f"one address is told of again and again: {told}")
    net.wait_blocks(3)
    equal(len([p for p in net.pids.values() if p]), 4, "nodes that run")


def transactions(key, to):
    """(what is wrong, raw bytes, words of geth's answer); the account's nonce is 0."""
    make = functools.partial(ethereum.transfer, key, to=to, value=1, chain=41197)
    spoilt = {"r is 0": lambda r, s, v: (0, s, v), "s is 0": lambda r, s, v: (r, 0, v),
              "high s": lambda r, s, v: (r, ethereum.N - s, v ^ 1),
              "r too large": lambda r, s, v: (ethereum.N, s, v)}
    for what, spoil in spoilt.items():
        yield what, make(0, spoil=spoil)[0], "invalid sender"
    yield "another chain", make(0, chain=1)[0], "invalid chain id for signer: have 1 want 41197"
    yield "gas below 21000", make(0, gas=20999)[0], "intrinsic gas too low"
    yield "gas above a block's", make(0, gas=60000001)[0], "exceeds block gas limit"
    yield "more than the balance", make(0, value=10**30)[0], "insufficient funds for gas * price + value"
    yield "tip above the fee", make(0, max_fee=1, tip=2)[0], "max priority fee per gas higher than max fee per gas"
    good = make(0)[0]
    yield "a byte short", good[:-2], "rlp: "
    yield "a byte long", good + "00", "rlp: "
    yield "no list", "0x0280", "rlp: "
    yield "type 5", "0x05" + good[4:], "transaction type not supported"
    yield "nothing", "0x", "typed transaction too short"


def check_transactions(net):
    """geth's words and code for each, and the connection lives: a good one is taken on it at last."""
    account, to = net.ready["accounts"][6], bytes(19) + b"\x01"
    key = int(account["privateKey"], 16)
    c = http.client.HTTPConnection("127.0.0.1", net.base, timeout=5)

    def send(raw):
        c.request("POST", "/", json.dumps({"jsonrpc": "2.0", "id": 1, "params": [raw],
                                           "method": "eth_sendRawTransaction"}),
                  {"Content-Type": "application/json"})
        equal(c.sock.getsockname(), own, "the connection")
        return json.loads(c.getresponse().read())

    def refused(what, raw, words):
        error = send(raw).get("error", {})
        equal(error.get("code"), -32000, f"code for {what} ({error})")
        require(words in error["message"], f"{what}: `{error['message']}`, expected `{words}`")

    c.connect()
    own = c.sock.getsockname()
    for case in transactions(key, to):
        refused(*case)
    good, tx = ethereum.transfer(key, 0, to, 1, 41197)
    equal(send(good).get("result"), tx, "a good one on the same connection")
    cluster.wait(lambda: net.rpc[0].try_call("eth_getTransactionReceipt", tx), 5, "its receipt")
    refused("a used nonce", ethereum.transfer(key, 0, to, 2, 41197)[0], "nonce too low")
    c.close()


def check_hostile_documents(net):
    rpc = net.rpc[0]
    deep = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":' + b"[" * 100000 + b"]" * 100000 + b"}"
    require("error" in rpc.post(deep), "100,000 levels of JSON were accepted")
    try:
        status, _ = rpc.http("POST", "/", b" " * (6 << 20), {"Content-Type": "application/json"})
        equal(status, 413, "a body of 6 MiB")
    except (ConnectionError, http.client.HTTPException):
        pass  # closed before all of it was read: as good
    for document in ([], 5, "x", None, {"id": 1}, [1, 2], {"jsonrpc": "2.0", "method": 5, "id": 1}):
        answer = rpc.post(document)
        answer = answer[0] if isinstance(answer, list) else answer
        equal(answer["error"]["code"], -32600, f"code for {document!r}")
    many = [{"jsonrpc": "2.0", "id": i, "method": "eth_chainId"} for i in range(1001)]
    answer = rpc.post(many)
    answer = answer[0] if isinstance(answer, list) else answer
    require("error" in answer, "a batch of 1,001 was accepted")
    for raw in ("0x", "0x00", "zz", "0x" + "ff" * 200000, "0x02" + "c0" * 50, 7, None, [], {}):
        answer = rpc.post({"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]})
        require("error" in answer, f"{str(raw)[:20]} was accepted as a transaction")
    equal(rpc.call("eth_chainId"), "0xa0ed", "the node afterwards")


def check_chaos_words(net):
    for words, pattern in ((["kill", "9"], r"9|0 to 3"), (["kil", "1"], r"kill"), ([], r"action"),
                           (["partition", "0,0/1"], r"partition"), (["slow", "1", "fast"], r"slow")):
        one_sentence(baton("chaos", "--dir", net.dir, *words), 2, pattern)


def run(check):
    with check("bad_usage"):
        check_usage()
    with check("bad_help"):
        check_help()
    with Devnet() as net:
        for test in (check_chaos_words, check_second_process, check_transactions,
                     check_hostile_bytes, check_hostile_documents):
            with check("bad_" + test.__name__[len("check_"):]):
                test(net)
        net.stop()
        for test in (check_config, check_files, check_foreign_genesis, check_port_in_use,
                     check_other_member, check_damage):
            with check("bad_" + test.__name__[len("check_"):]):
                test(net)
