"""Batches in files: every member posts every final block, whoever dies and when; the folder alone
rebuilds the chain; damage is refused with its place; a disk that fails is waited out."""

import contextlib
import glob
import os
import random
import re
import threading

from client import Client
from cluster import Devnet, Failure, baton, baton_json, equal, require, wait

KILLS = 8
OPTIONS = ("--seal-interval", "400ms")


def folder(net, index):
    return f"{net.dir}/node{index}/batches"


def segments(net, index):
    """Names of the segments that stand."""
    return sorted(os.path.basename(p)[:-5] for p in glob.glob(folder(net, index) + "/*.auth"))


def content(net, index, name):
    with open(f"{folder(net, index)}/{name}.seg", "rb") as f:
        return f.read()


def safe(net, index):
    status = net.status(index)
    return status["safe"]["number"] if status else -1


def wait_safe(net, number, limit_s=40):
    for i in range(net.n):
        wait(lambda i=i: safe(net, i) >= number, limit_s, f"safe head of node {i} at {number}")


def verified(net, index):
    """The chain rebuilt from one folder is the chain of the nodes; returns what was seen."""
    seen = baton_json("verify", "batches", folder(net, index), "--genesis",
                      f"{net.dir}/genesis.json")
    block = net.rpc[index].call("eth_getBlockByNumber", hex(seen["number"]), False)
    equal(seen["hash"], block["hash"], f"block {seen['number']} from node {index}'s batches")
    require(seen["number"] >= 1 and safe(net, index) >= seen["number"],
            f"node {index} shows safe {safe(net, index)}, its folder holds {seen['number']}")
    return seen


def same_everywhere(net):
    """What every member holds is equal, byte for byte; returns how many segments were compared."""
    names = [segments(net, i) for i in range(net.n)]
    least = min(names, key=len)
    require(least, "no segments")
    for i in range(net.n):
        equal(names[i][:len(least)], least, f"names of node {i}'s segments")
        for name in least:
            require(content(net, i, name) == content(net, 0, name),
                    f"{name}.seg of node {i} and of node 0 differ")
    return len(least)


def tags(net):
    """`safe` and `finalized` name what was posted, in every call that takes a tag."""
    wait_safe(net, 1)
    for rpc in net.rpc:
        low = int(rpc.call("eth_getBlockByNumber", "safe", False)["number"], 16)
        final = int(rpc.call("eth_getBlockByNumber", "finalized", False)["number"], 16)
        high = rpc.head()
        require(1 <= low <= final <= high, f"safe {low}, finalized {final}, latest {high}")
        account = net.ready["accounts"][0]["address"]
        rpc.call("eth_getBalance", account, "safe")
        rpc.call("eth_getTransactionCount", account, "finalized")
    sums = net.metrics(0)
    for name in ("baton_batch_lag_blocks", "baton_batch_stage", "baton_post_seconds_count"):
        require(name in sums, f"{name} is missing")
    status = net.status(0)
    equal(status["batches"]["layer"], "file", "layer")
    equal(status["batches"]["stage"], 0, "stage of back-pressure")
    equal(status["batches"]["error"], None, "error")


def killed(net):
    """SIGKILL at random instants of posting: a segment is made, written, synced or renamed."""
    client = Client(net)
    client.start()
    for k in range(KILLS):
        index = random.randrange(net.n)
        before = len(segments(net, index))
        # Somewhere within the next segment's life.
        threading.Event().wait(random.random() * 0.4)
        net.chaos("kill", index, wait_for_heads=False)
        wait(lambda i=index: net.pids[i] is None, 10, f"node {index} is down")
        net.restart(index)
        wait(lambda i=index, b=before: len(segments(net, i)) > b, 30, f"node {index} posts again")
    client.finish()
    client.check()
    wait_safe(net, net.rpc[0].head())
    for i in range(net.n):
        seen = verified(net, i)
        require(seen["transactions"] >= len(client.acked),
                f"{seen['transactions']} posted, {len(client.acked)} acknowledged")
    print(f"   {KILLS} kills, {same_everywhere(net)} segments, {len(client.acked)} transactions")


def all_killed(net):
    """Everything dies at once: what was shown as safe is safe again."""
    shown = max(safe(net, i) for i in range(net.n))
    net.kill()
    net.start()
    wait_safe(net, shown)
    net.wait_blocks(4)
    wait_safe(net, shown + 4)
    for i in range(net.n):
        verified(net, i)
    same_everywhere(net)


def log_lines(net, index, pattern):
    with open(f"{net.dir}/node{index}/log", errors="replace") as f:
        return [line for line in f if re.search(pattern, line)]


def unwritable(net, index=2):
    """A folder stands where the next file is to be written: I/O errors until it is gone."""
    def in_the_way():
        path = f"{folder(net, index)}/{safe(net, index) + 1:012}.seg.tmp"
        try:
            os.mkdir(path)
        except FileExistsError:
            return None  # it is being written just now
        with contextlib.suppress(Failure):
            wait(lambda: net.status(index)["batches"]["error"], 3, "the next segment ends")
            return path
        os.rmdir(path)
        return None
    told = len(log_lines(net, index, "segments cannot be posted"))
    path = wait(in_the_way, 30, "posting fails")
    stuck = safe(net, index)
    net.wait_blocks(15, node=index)
    status = net.status(index)
    equal(status["safe"]["number"], stuck, "safe head while nothing can be posted")
    require(status["batches"]["lagBlocks"] >= 10 and status["batches"]["lagMs"] >= 1000,
            f"lag: {status['batches']}")
    require("cannot be posted" in status["batches"]["error"], f"{status['batches']}")
    require(status["self"]["ready"], "not ready to lead because batches wait")
    require(net.metrics(index)["baton_batch_failures_total"] >= 1, "failures are not counted")
    os.rmdir(path)
    wait_safe(net, net.rpc[index].head())
    equal(net.status(index)["batches"]["error"], None, "error")
    wait(lambda: log_lines(net, index, "segments are posted again"), 20, "the log says so")
    require(len(log_lines(net, index, "segments cannot be posted")) - told <= 3, "too many lines")
    verified(net, index)
    same_everywhere(net)


def damaged(net, index=1):
    """One flipped bit in what was posted: refused with the place and the remedy, which works."""
    wait_safe(net, 1)
    net.chaos("kill", index, wait_for_heads=False)
    wait(lambda: net.pids[index] is None, 10, f"node {index} is down")
    name = segments(net, index)[-1]
    path = f"{folder(net, index)}/{name}.seg"
    data = bytearray(content(net, index, name))
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    with open(path, "wb") as f:
        f.write(data)
    done = baton("verify", "batches", folder(net, index), "--genesis", f"{net.dir}/genesis.json")
    equal(done.code, 1, "exit code of verify")
    require(name in done.err, f"no place: {done.err}")
    mark = net.mark()
    net.chaos("restart", index, wait_for_heads=False)
    down = net.wait_event("node", 20, mark,
                          lambda e: e["index"] == index and e["state"] == "down")
    equal(down["code"], 3, "exit code of the node")
    with open(f"{net.dir}/node{index}/stderr", errors="replace") as f:
        said = f.read()
    require(name in said and "move that folder away" in said, f"stderr: {said[-300:]}")
    os.rename(folder(net, index), f"{net.top}/damaged")
    net.restart(index)
    wait_safe(net, net.rpc[index].head())
    verified(net, index)
    same_everywhere(net)


def foreign(net, index=3):
    """A folder of another chain with the same number is not this chain's."""
    with Devnet(nodes=1, options=OPTIONS + ("--seed", "2")) as other:
        wait_safe(other, 2)
        equal(other.stop(), 0, "exit code")
        net.chaos("kill", index, wait_for_heads=False)
        wait(lambda: net.pids[index] is None, 10, f"node {index} is down")
        own = f"{net.top}/own"
        os.rename(folder(net, index), own)
        os.rename(folder(other, 0), folder(net, index))
    mark = net.mark()
    net.chaos("restart", index, wait_for_heads=False)
    down = net.wait_event("node", 20, mark,
                          lambda e: e["index"] == index and e["state"] == "down")
    equal(down["code"], 3, "exit code of the node")
    os.rename(folder(net, index), f"{net.top}/foreign")
    os.rename(own, folder(net, index))
    net.restart(index)
    wait_safe(net, net.rpc[index].head())


def behind():
    """A member that was away for more than a hundred blocks gets them in ranges with one
    certificate each: what it posts is proved from above, and the same."""
    index = 2
    with Devnet(options=OPTIONS + ("--block-time", "50ms")) as net:
        net.chaos("kill", index, wait_for_heads=False)
        wait(lambda: net.pids[index] is None, 10, f"node {index} is down")
        net.wait_blocks(140, limit_s=60)
        net.restart(index)
        wait_safe(net, net.rpc[0].head())
        verified(net, index)
        same_everywhere(net)


def demand():
    """A chain that is idle most of the time: EMPTY blocks are nobody's business, and a segment ends
    all the same."""
    options = OPTIONS + ("--pace", "demand")
    with Devnet(nodes=3, options=options) as net:
        client = Client(net, pause_s=0.3)
        client.start()
        wait(lambda: len(client.acked) >= 8, 40, "8 acknowledged transactions")
        client.finish()
        client.check()
        wait_safe(net, net.rpc[0].head())
        for i in range(net.n):
            equal(verified(net, i)["transactions"], len(client.acked), "transactions")
        same_everywhere(net)


def run(check):
    with Devnet(options=OPTIONS) as net:
        with check("batches_tags"):
            tags(net)
        with check("batches_killed"):
            killed(net)
        with check("batches_all_killed"):
            all_killed(net)
        with check("batches_unwritable"):
            unwritable(net)
        with check("batches_damaged"):
            damaged(net)
        with check("batches_foreign"):
            foreign(net)
        with check("batches_audit"):
            net.audit()
            net.check_no_evidence()
    with check("batches_behind"):
        behind()
    with check("batches_demand"):
        demand()
