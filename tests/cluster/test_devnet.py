"""A healthy set: it starts, rotates, answers, confirms, and ends cleanly."""

import json
import os

import cluster
import ethereum
from client import websocket
from cluster import Devnet, RpcError, equal, require, wait

TURN = 8
BLOCK_MS = 200


def check_ready_event(net):
    ready = net.ready
    equal(len(ready["nodes"]), 4, "nodes")
    equal(ready["chainId"], 41197, "chainId")
    equal(len(ready["accounts"]), 10, "accounts")
    for i, node in enumerate(ready["nodes"]):
        equal(node["index"], i, "index")
        equal(node["rpc"], f"http://127.0.0.1:{net.base + i}", "rpc")
        equal(node["ws"], f"ws://127.0.0.1:{net.base + i}", "ws")
        equal(node["admin"], f"http://127.0.0.1:{net.base + 1000 + i}", "admin")
        require(node["p2p"].endswith(f":{net.base + 22000 + i}"), f"p2p: {node['p2p']}")
        require(os.path.isdir(node["dir"]) and os.path.isfile(node["log"]), "folder and log")
        os.kill(node["pid"], 0)
    first = ready["accounts"][0]
    equal(first["address"], "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "first account, EIP-55")
    key = int(first["privateKey"], 16)
    equal(ethereum.address(key).hex(), first["address"][2:].lower(), "its key")


def check_rotation(net):
    """Blocks come one after the other; each leader has its turn, the next in the table follows."""
    events = net.named("block")
    numbers = [e["number"] for e in events]
    equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "numbers in order")
    runs = []
    for e in events:
        if runs and runs[-1][0] == e["leader"]:
            runs[-1][1] += 1
        else:
            runs.append([e["leader"], 1])
    # The first and the last run are seen in part; a turn that was cut short is shorter.
    equal({leader for leader, _ in runs}, {0, 1, 2, 3}, "members that led")
    require(all(length <= TURN for _, length in runs), f"a run longer than a turn: {runs}")
    whole = sum(length == TURN for _, length in runs[1:-1])
    require(2 * whole >= len(runs) - 2, f"few whole turns: {runs}")


def check_intervals(net):
    """Every 200 ms a block, and a hand-over takes no longer than a block inside a turn."""
    events = net.named("block")
    inside, over, stamps = [], [], []
    for before, after in zip(events, events[1:]):
        ms = (after["at"] - before["at"]) * 1000
        (over if after["leader"] != before["leader"] else inside).append(ms)
        stamps.append(after["timestampMs"] - before["timestampMs"])
    print(f"   intervals in ms: inside a turn {cluster.median(inside):.1f}, "
          f"at a hand-over {cluster.median(over):.1f}")
    for name, ms in (("inside a turn", inside), ("at a hand-over", over), ("by timestamps", stamps)):
        ratio = cluster.median(ms) / BLOCK_MS
        require(0.8 < ratio < 1.2, f"{name}: {ratio:.2f} block times")
    # None on a machine of its own; a pause of the machine is an outage like any other.
    takeovers, turns = len(net.named("takeover")), len(events) / TURN
    print(f"   {takeovers} takeovers in {turns:.0f} turns")
    require(takeovers <= max(1, turns / 5), f"{takeovers} takeovers: {net.named('takeover')}")


def check_answers(net):
    account = net.ready["accounts"][3]["address"]
    for rpc in net.rpc:
        equal(rpc.call("eth_chainId"), "0xa0ed", "eth_chainId")
        equal(rpc.call("net_version"), "41197", "net_version")
        equal(int(rpc.call("eth_getBalance", account, "latest"), 16), 10000 * 10**18, "balance")
        equal(rpc.call("eth_getTransactionCount", account, "latest"), "0x0", "nonce")
        equal(rpc.call("eth_getCode", account, "latest"), "0x", "code")
        require("aton" in rpc.call("web3_clientVersion"), "web3_clientVersion")
        require(int(rpc.call("eth_gasPrice"), 16) > 0, "eth_gasPrice")
        block = rpc.call("eth_getBlockByNumber", "latest", True)
        equal(rpc.call("eth_getBlockByHash", block["hash"], True), block, "block by hash")
        equal(rpc.call("eth_getBlockByNumber", "0xffffffff", False), None, "a block to come")


def check_status(net):
    for i in range(net.n):
        status = net.rpc[i].call("baton_status")
        equal(status["chainId"], 41197, "chainId")
        equal(status["self"]["index"], i, "self.index")
        require(status["self"]["role"] in ("leader", "standby"), f"role {status['self']['role']}")
        require(status["self"]["ready"] is True, f"not ready: {status['self'].get('reasons')}")
        equal(len(status["members"]), 4, "members")
        equal(status["stall"]["state"], "ok", "stall.state")
        equal((status["quorum"]["weight"], status["quorum"]["needed"]), (4, 3), "quorum")
        require(status["unsafe"]["ageMs"] < 2000, f"head is {status['unsafe']['ageMs']} ms old")
    schedule = net.rpc[0].call("baton_schedule", 8)
    equal(len(schedule), 8, "turns in baton_schedule(8)")
    equal(len(net.rpc[0].call("baton_members")), 4, "baton_members")


def refused(rpc, code, words, method, *params):
    try:
        result = rpc.call(method, *params)
    except RpcError as e:
        equal(e.code, code, f"code of {method}")
        require(words in e.message, f"{method}: `{e.message}` has no `{words}`")
    else:
        raise cluster.Failure(f"{method} was accepted: {result}")


def check_refusals(net):
    rpc = net.rpc[1]
    account = net.ready["accounts"][5]
    key, to = int(account["privateKey"], 16), bytes(20)
    refused(rpc, -32601, "does not exist", "eth_nonsense")
    refused(rpc, -32601, "does not exist", "personal_unlockAccount", "0x00")
    refused(rpc, -32602, "", "eth_getBalance", "0x12", "latest")
    wrong_chain, _ = ethereum.transfer(key, 0, to, 1, 1)
    refused(rpc, -32000, "invalid chain id", "eth_sendRawTransaction", wrong_chain)
    too_much, _ = ethereum.transfer(key, 0, to, 10**30, 41197)
    refused(rpc, -32000, "insufficient funds", "eth_sendRawTransaction", too_much)
    upside_down, _ = ethereum.transfer(key, 0, to, 1, 41197, max_fee=1, tip=2)
    refused(rpc, -32000, "max priority fee per gas higher", "eth_sendRawTransaction", upside_down)
    refused(rpc, -32000, "", "eth_sendRawTransaction", "0x02c0")
    equal(rpc.post(b"{nonsense")["error"]["code"], -32700, "code of what is no JSON")
    batch = [{"jsonrpc": "2.0", "id": i, "method": "eth_chainId"} for i in range(3)]
    equal([a["result"] for a in rpc.post(batch)], ["0xa0ed"] * 3, "a batch")


def check_transfers(net):
    """To every node one; each node knows each receipt; the money has moved."""
    sender, to = net.ready["accounts"][0], net.ready["accounts"][1]
    key, target = int(sender["privateKey"], 16), bytes.fromhex(to["address"][2:])
    before = int(net.rpc[0].call("eth_getBalance", to["address"], "latest"), 16)
    sent = []
    for nonce, rpc in enumerate(net.rpc):
        make = ethereum.legacy_transfer if nonce % 2 else ethereum.transfer
        raw, tx = make(key, nonce, target, 10**18, 41197)
        equal(rpc.call("eth_sendRawTransaction", raw), tx, "hash of the transaction")
        sent.append(tx)
    for tx in sent:
        receipts = [wait(lambda rpc=rpc, tx=tx: rpc.try_call("eth_getTransactionReceipt", tx), 5,
                         f"receipt of {tx}") for rpc in net.rpc]
        require(all(r == receipts[0] for r in receipts), f"receipts of {tx} differ: {receipts}")
        equal(receipts[0]["status"], "0x1", "status")
    for rpc in net.rpc:
        wait(lambda rpc=rpc: int(rpc.call("eth_getBalance", to["address"], "latest"), 16) ==
             before + 4 * 10**18, 5, "balance after four transfers")
    again, _ = ethereum.transfer(key, 0, target, 2, 41197)
    refused(net.rpc[0], -32000, "nonce too low", "eth_sendRawTransaction", again)


def check_proof(net):
    """A receipt's proof and a certificate verify offline, and a changed one does not."""
    tx = net.rpc[0].call("eth_getBlockByNumber", "latest", False)["number"]
    certificate = net.rpc[0].call("baton_getCertificate", tx)
    path, genesis = f"{net.top}/certificate.json", f"{net.dir}/genesis.json"
    with open(path, "w") as f:
        json.dump(certificate, f)
    done = cluster.baton("verify", "certificate", path, "--genesis", genesis)
    equal(done.code, 0, f"baton verify certificate: {done.err}")
    signature = certificate["signatures"][0]
    certificate["signatures"][0] = signature[:-6] + ("00" if signature[-6:-4] != "00" else "11") + \
        signature[-4:]
    with open(path, "w") as f:
        json.dump(certificate, f)
    done = cluster.baton("verify", "certificate", path, "--genesis", genesis)
    equal(done.code, 1, "code for a changed signature")


def check_subscription(net):
    ask = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
    messages = [json.loads(m) for m in websocket(net.ready["nodes"][2]["ws"], [ask], 4)]
    subscription = messages[0]["result"]
    heads = [m["params"] for m in messages[1:]]
    require(all(h["subscription"] == subscription for h in heads), "subscription id")
    numbers = [int(h["result"]["number"], 16) for h in heads]
    equal(numbers, [numbers[0] + i for i in range(3)], "numbers of three new heads")


def check_pages(net):
    rpc = net.rpc[0]
    equal(rpc.http("GET", "/healthz")[0], 200, "/healthz")
    equal(rpc.http("GET", "/readyz")[0], 200, "/readyz")
    status, text = rpc.http("GET", "/status.json")
    equal(status, 200, "/status.json")
    equal(json.loads(text)["chainId"], 41197, "chainId of /status.json")
    status, text = rpc.http("GET", "/")
    require(status == 200 and b"<html" in text.lower(), f"the status page: {status}")
    metrics = net.metrics(0)
    for name in ("head_height", "head_age_seconds", "is_leader", "ready", "skips_total",
                 "takeovers_total", "evidence_total", "limit_hits_total"):
        require("baton_" + name in metrics, f"baton_{name} is not at /metrics")
    admin = cluster.Rpc(net.ready["nodes"][0]["admin"])
    answer = admin.post({"jsonrpc": "2.0", "id": 1, "method": "admin_peers"})
    require("error" in answer and "result" not in answer, f"without a token: {answer}")
    status, _ = admin.http("POST", "/", '{"jsonrpc":"2.0","id":1,"method":"admin_peers"}',
                           {"Content-Type": "application/json", "Authorization": "Bearer " + "0" * 64})
    equal(status, 401, "HTTP status for a wrong token")
    with open(net.ready["nodes"][0]["dir"] + "/admin.token") as f:
        with_token = cluster.Rpc(net.ready["nodes"][0]["admin"], token=f.read().strip())
    equal(len(with_token.call("admin_peers")), 3, "peers of node 0")


def check_commands(net):
    status = cluster.baton_json("status", "--rpc", net.urls[0])
    equal(status["chainId"], 41197, "chainId of baton status")
    incidents = cluster.baton("incidents", "--rpc", net.urls[0], "--json")
    equal(incidents.code, 0, f"baton incidents: {incidents.err}")
    partial = net.chaos("status")
    equal(len(partial), 4, "answers to chaos status")


def check_clean_end(net):
    equal(net.stop(), 0, "exit code after SIGTERM")
    downs = [e for e in net.named("node") if e["state"] == "down"]
    equal(sorted(e["index"] for e in downs), [0, 1, 2, 3], "nodes that went down")
    equal([e["code"] for e in downs], [0] * 4, "their exit codes")


def check_size(nodes, options=()):
    with Devnet(nodes=nodes, options=options) as net:
        net.wait_blocks(2 * TURN if nodes > 4 else TURN, limit_s=60)
        net.audit()


def check_three_with_one_dead():
    """Crash mode: two of three go on, and the third comes back."""
    with Devnet(nodes=3) as net:
        net.chaos("kill", "leader")
        net.wait_blocks(2 * TURN * 3, node=next(i for i, p in net.pids.items() if p))
        dead = next(i for i, p in net.pids.items() if not p)
        net.restart(dead)
        net.audit()


def run(check):
    with Devnet() as net:
        with check("devnet_ready_event"):
            check_ready_event(net)
        with check("devnet_first_block_within_a_second"):
            print(f"   ready after {net.ready['startMs']} ms")
            require(net.ready["startMs"] < 1000, f"{net.ready['startMs']} ms")
        for test in (check_answers, check_status, check_refusals, check_transfers, check_proof,
                     check_subscription, check_pages, check_commands):
            with check("devnet_" + test.__name__[len("check_"):]):
                test(net)
        with check("devnet_rotation"):
            wait(lambda: len(net.named("block")) >= 6 * TURN, 40, "six turns")
            check_rotation(net)
        with check("devnet_intervals"):
            check_intervals(net)
        with check("devnet_audit"):
            net.audit()
            net.check_no_evidence()
        with check("devnet_clean_end"):
            check_clean_end(net)
    with check("devnet_three_nodes_one_dead"):
        check_three_with_one_dead()
    with check("devnet_seven_nodes"):
        check_size(7)
    with check("devnet_thirteen_nodes"):
        check_size(13)
