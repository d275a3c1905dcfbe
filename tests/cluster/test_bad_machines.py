"""What bad machines do: a full disk, a disk that fails, a wrong clock, a copied key, a lost quorum.
The chain goes on, the node concerned says what is wrong, and nobody signs what must not be signed."""

import contextlib
import http.client
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import cluster
from cluster import Devnet, equal, require, wait

# A file system of its own for one node's folder, with 2 MiB left.
SMALL_DISK = """set -e
mkdir "$0.disk"
mount -t tmpfs -o size=48m,mode=700 none "$0.disk"
cp -a "$0/." "$0.disk/"
left=$(df -k --output=avail "$0.disk" | tail -1)
fallocate -l $((left - 2048))K "$0.disk/filler"
mount --bind "$0.disk" "$0"
exec "$@"
"""


def readyz(net, index):
    """(HTTP status, {reason: sentence})"""
    status, body = net.rpc[index].http("GET", "/readyz")
    answer = json.loads(body)
    equal(answer["ready"], status == 200, "ready and the HTTP status")
    own = net.rpc[index].call("baton_status")["self"]
    equal(len(own["reasons"]), len(own["details"]), "a sentence to each reason")
    return status, dict(zip(answer["reasons"], answer["details"]))


def wait_reason(net, index, reason, pattern, limit_s=20):
    def says():
        with contextlib.suppress(OSError, http.client.HTTPException):
            found = readyz(net, index)[1].get(reason)
            return found if found and re.search(pattern, found) else None
    return wait(says, limit_s, f"node {index} says {reason}: {pattern}")


def labelled(net, index, name):
    """One metric by its label's value."""
    _, text = cluster.Rpc(net.ready["nodes"][index]["admin"]).http("GET", "/metrics")
    return {m.group(1): float(m.group(2)) for m in
            re.finditer(r'(?m)^%s\{\w+="([^"]*)"\} (\S+)$' % name, text.decode())}


def log_has(net, index, pattern):
    with open(net.ready["nodes"][index]["log"], errors="replace") as f:
        return any(re.search(pattern, line) for line in f)


def kill_node(net, index):
    net.chaos("kill", index, wait_for_heads=False)
    wait(lambda: net.pids[index] is None, 10, f"node {index} is down")


def signers(net, node):
    number = net.rpc[node].call("eth_blockNumber")
    return net.rpc[node].call("baton_getCertificate", number)["signers"]


def signs_again(net, index, asked=0):
    net.wait_ready(index)
    wait(lambda: index in signers(net, asked), 30, f"node {index} signs again")


# ---- a disk that takes nothing -------------------------------------------------------------------

def check_unwritable(net, index, hurt, heal, pattern):
    """From the moment it says so nothing is signed; it reads and follows; then it goes on by itself."""
    pid, other = net.pids[index], (index + 1) % net.n
    hurt()
    wait_reason(net, index, "disk", pattern)
    votes = net.metrics(index)["baton_votes_total"]
    mark = net.mark()
    net.wait_blocks(10, node=other)
    equal(net.metrics(index)["baton_votes_total"], votes, "votes signed without a disk")
    leaders = [e["leader"] for e in net.named("block", mark)][2:]
    require(index not in leaders, f"it leads without a disk: {leaders}")
    equal(net.metrics(index)["baton_ready"], 0, "baton_ready")
    require(net.metrics(index)["baton_alarms_total"] >= 1, "no alarm")
    require(index not in signers(net, other), f"node {index} is in a certificate")
    member = net.status(other)["members"][index]
    require(member["reachable"] and not member["ready"], f"what node {other} says: {member}")
    require(net.rpc[index].call("eth_getBlockByNumber", "0x1", False), "the first block, from disk")
    net.wait_level(index)
    heal()
    signs_again(net, index, other)
    equal(net.pids[index], pid, "the process")
    require(log_has(net, index, "the disk is back"), "the log does not say that the disk is back")
    mark = net.mark()
    net.wait_blocks(4, node=other)
    require(net.named("block", mark), "no block afterwards")


def check_io_error(net):
    """The database's log takes half a record more, then nothing: a torn tail besides."""
    index = 2
    pid = net.pids[index]
    limit = resource.RLIMIT_FSIZE
    soft, hard = resource.prlimit(pid, limit)
    with open(f"{net.dir}/node{index}/db/redo-0", "rb") as f:
        size = len(f.read().rstrip(bytes(1)))
    check_unwritable(net, index, lambda: resource.prlimit(pid, limit, (size + 500, hard)),
                     lambda: resource.prlimit(pid, limit, (soft, hard)), "operation on a file")
    require(log_has(net, index, r"cannot write.*redo-0.*File too large"), "the cause is not logged")


def own_mounts():
    """Words before a program that let it mount; None where that is not allowed."""
    for words in (["unshare", "-m"], ["unshare", "-r", "-m"]):
        with contextlib.suppress(OSError):
            if subprocess.run([*words, "mount", "-t", "tmpfs", "none", "/mnt"],
                              capture_output=True).returncode == 0:
                return words
    return None


def fill(path):
    with open(path, "ab", buffering=0) as f:
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    f.write(bytes(size))


def check_disk_full(net, words):
    index = 1
    folder = f"{net.dir}/node{index}"
    equal(net.stop(), 0, "exit code")
    net.start(under=[*words, "sh", "-c", SMALL_DISK, folder])
    filler = f"/proc/{net.process.pid}/root{folder}/filler"
    net.ready["nodes"][index]["log"] = os.path.dirname(filler) + "/log"
    net.wait_ready(index)
    loads = []

    def hurt():
        """Full to the last page, and then work that uses up what files had been given before."""
        fill(filler)
        words = ["bench", "load", "--rpc", f"{net.urls[0]},{net.urls[2]}", "--rate", "300"]
        loads.append(subprocess.Popen([cluster.BATON, *words, "--for", "5s"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True))
    check_unwritable(net, index, hurt, lambda: os.remove(filler), "disk is full")
    said, _ = loads[0].communicate(timeout=60)
    equal(loads[0].returncode, 0, f"bench load beside a full disk ({said[-400:]})")
    # What it wrote since is as good as ever.
    kill_node(net, index)
    net.restart(index)
    signs_again(net, index)


# ---- a wrong clock -------------------------------------------------------------------------------

def check_timestamps(net, since, from_clock):
    """At least a block time apart, and none from the future: CONSENSUS 2."""
    events = net.named("block", since)
    for before, after in zip(events, events[1:]):
        step = after["timestampMs"] - before["timestampMs"]
        require(step >= 200 * (after["number"] - before["number"]), f"a step of {step} ms")
        ahead = after["timestampMs"] - (from_clock + after["at"] * 1000)
        require(ahead < 2500, f"block {after['number']} comes {ahead:.0f} ms from the future")


def check_clock(net):
    """Ahead, behind, jumping. (Everybody else's clock is the machine's, and so is this test's.)"""
    index, mark = 1, net.mark()
    from_clock = (time.time() - time.monotonic()) * 1000
    for skew, pattern, off in (("5s", "5000 ms ahead", 5000), ("-5s", "5000 ms behind", -5000)):
        net.chaos("skew", index, skew, wait_for_heads=False)
        wait_reason(net, index, "clock", pattern)
        wait(lambda off=off: abs(net.status(0)["members"][index]["clockMs"] - off) < 500, 10,
             "another member sees the difference")
        net.wait_blocks(6)
    require(log_has(net, index, "this clock is 5000 ms ahead"), "nothing in the log")
    for skew in ("90s", "-90s", "1s", "-3600s", "0s"):
        net.chaos("skew", index, skew, wait_for_heads=False)
        net.wait_blocks(1)
    net.wait_ready(index)
    equal(readyz(net, 0)[0], 200, "a member with a right clock")
    check_timestamps(net, mark, from_clock)


# ---- two processes with one key ------------------------------------------------------------------

def twin_of(net, index):
    """A copy of a node's folder with ports of its own; the path of its node.yaml."""
    folder, twin = f"{net.dir}/node{index}", f"{net.top}/twin"
    shutil.rmtree(twin, ignore_errors=True)
    shutil.copytree(folder, twin)
    base = cluster.free_base(1)
    with open(f"{twin}/node.yaml") as f:
        text = f.read().replace(folder, twin)
    text = re.sub(r"(?m)^(rpc|admin|p2p):.*\n", "", text)
    with open(f"{twin}/node.yaml", "w") as f:
        f.write(f"{text}rpc: 127.0.0.1:{base}\nadmin: 127.0.0.1:{base + 1000}\n"
                f"p2p: 127.0.0.1:{base + 22000}\n")
    return f"{twin}/node.yaml"


def check_two_copies(net):
    """The second is refused, the first signs nothing more and says why; a restart ends it."""
    index = 3
    kill_node(net, index)
    config = twin_of(net, index)
    net.restart(index)
    signs_again(net, index)
    done = cluster.baton("node", "--config", config, limit_s=20)
    equal(done.code, 3, f"exit code of the copy ({done.err.strip()!r})")
    require(re.match(r"baton: .*key is in use .* at 127\.0\.0\.1:\d+.*stop", done.err), done.err)
    wait_reason(net, index, "stopped", r"in use by another process at 127\.0\.0\.1:\d+")
    require(log_has(net, index, '"error".*in use by another process'), "nothing in the log")
    votes = net.metrics(index)["baton_votes_total"]
    net.wait_blocks(10)
    equal(net.metrics(index)["baton_votes_total"], votes, "votes beside a second process")
    require(index not in signers(net, 0), f"node {index} is in a certificate")
    net.check_no_evidence()
    kill_node(net, index)
    net.restart(index)
    signs_again(net, index)


def check_paused_copy(net):
    """A snapshot of a node that stands still is started elsewhere, and signs. When the first one
    goes on it asks before it signs, as at a start: never do two signatures exclude each other."""
    index, other = 3, 1
    pid = net.pids[index]
    os.kill(pid, signal.SIGSTOP)
    twin = subprocess.Popen([cluster.BATON, "node", "--config", twin_of(net, index)],
                            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        before = net.rpc[other].head()
        wait(lambda: net.rpc[other].head() > before + 3 and index in signers(net, other), 30,
             "the copy signs")
        os.kill(pid, signal.SIGCONT)
        wait_reason(net, index, "stopped", "second instance|in use by another process")
        net.wait_blocks(4, node=other)
        net.check_no_evidence()
    finally:
        os.kill(pid, signal.SIGCONT)
        twin.kill()
        twin.wait()


# ---- a lost folder --------------------------------------------------------------------------------

def observes(net, index):
    """Amnesiac, and with the whole chain fetched again."""
    wait_reason(net, index, "amnesiac", "signs nothing until the others")
    net.wait_level(index)
    require(net.rpc[index].call("eth_getBlockByNumber", "0x1", False), "the first block")


def check_lost_folder(net):
    """What the sentences of a refused start advise is possible, and nothing is signed by it."""
    index = 3
    folder = f"{net.dir}/node{index}"
    kill_node(net, index)
    shutil.rmtree(f"{folder}/db")
    net.chaos("restart", index, wait_for_heads=False)
    observes(net, index)
    kill_node(net, index)
    shutil.rmtree(f"{folder}/db")
    os.remove(f"{folder}/safety")
    done = cluster.baton("node", "--config", f"{folder}/node.yaml", limit_s=20)
    equal(done.code, 2, f"exit code without files ({done.err.strip()!r})")
    require("`baton genesis init`" in done.err and "--lost" in done.err, done.err)
    done = cluster.baton("genesis", "init", "--genesis", f"{net.dir}/genesis.json", "--dir", folder,
                         "--lost")
    equal(done.code, 0, f"genesis init --lost ({done.err.strip()!r})")
    net.chaos("restart", index, wait_for_heads=False)
    observes(net, index)
    net.wait_blocks(4, node=1)
    require(index not in signers(net, 1), f"node {index} is in a certificate")


# ---- what operators are told ---------------------------------------------------------------------

def check_takeovers(net):
    """A takeover is counted, kept as an incident and outlives the process; the turns that the dead
    leader is not even given are counted apart."""
    dead = net.chaos("kill", "leader")["node"]
    seen = (dead + 1) % net.n
    wait(lambda: labelled(net, seen, "baton_skipped_turns_total")["ahead"] >= 1, 40,
         "a turn of the dead leader is given away before it begins")
    net.restart(dead)
    wait(lambda: all(i["over"] for i in net.rpc[seen].call("baton_incidents", 0, 1000)), 20,
         "every incident is over")
    taken = net.metrics(seen)["baton_takeovers_total"]
    turns = labelled(net, seen, "baton_skipped_turns_total")
    equal(turns["current"], taken, "skipped turns that were the current one, and takeovers")
    equal(net.metrics(seen)["baton_skips_total"], labelled(net, seen, "baton_votes_total")["skip"],
          "skips by reason, and skip votes")
    kept = net.rpc[seen].call("baton_incidents", 0, 1000)
    require(any(i["from"]["index"] == dead for i in kept), f"no incident of node {dead}: {kept}")
    equal([i["number"] for i in kept], list(range(len(kept))), "their numbers")
    equal(net.status(seen)["takeovers"], len(kept), "takeovers in the status")
    net.wait_blocks(2)
    kill_node(net, seen)
    net.restart(seen)
    again = net.rpc[seen].call("baton_incidents", 0, 1000)
    equal(again[:len(kept)], kept, "incidents after a restart")


def check_lost_quorum(net):
    """Who hears too few says so, and who is missing."""
    wait(lambda: net.status(0)["quorum"]["reachable"] == net.n, 20, "node 0 hears everybody")
    equal(readyz(net, 0), (200, {}), "/readyz before")
    for index in (2, 3):
        net.chaos("kill", index, wait_for_heads=False)
    wait_reason(net, 0, "quorum", "weight 2 of the 3 needed .*: node2 node3$")
    equal(net.status(0)["quorum"], {"weight": 4, "needed": 3, "reachable": 2}, "quorum")
    equal(net.metrics(0)["baton_ready"], 0, "baton_ready")
    wait(lambda: net.pids[2] is None and net.pids[3] is None, 10, "both are down")
    for index in (2, 3):
        net.chaos("restart", index, wait_for_heads=False)
    for index in range(net.n):
        net.wait_ready(index)
    net.wait_blocks(3)


def all_up(net):
    """What a check that failed left down is no finding of the next one."""
    for index in range(net.n):
        if net.pids[index] is None:
            net.restart(index)
    for index in range(net.n):
        net.wait_ready(index)


def run(check):
    with Devnet() as net:
        for test in (check_takeovers, check_lost_quorum, check_clock, check_io_error,
                     check_two_copies):
            with check("machines_" + test.__name__[len("check_"):]):
                all_up(net)
                test(net)
        words = own_mounts()
        if words is None:
            print("   nothing may be mounted here: a full disk is left to machines_io_error")
        else:
            with check("machines_disk_full"):
                check_disk_full(net, words)
        with check("machines_paused_copy"):
            check_paused_copy(net)
        with check("machines_lost_folder"):
            check_lost_folder(net)
        with check("machines_audit"):
            net.audit()
            net.check_no_evidence()
