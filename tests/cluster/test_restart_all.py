"""Everything dies at once under load and is started again on the same folder; and one member comes
back with a folder that is too old."""

import os
import shutil
import signal

from client import Client
from cluster import Devnet, equal, require, wait

ROUNDS = 3
BACK_MS = 3000


def kill_all_and_start(net):
    client = Client(net)
    client.start()
    wait(lambda: len(client.acked) >= 50, 30, "50 acknowledged transactions")
    net.kill()
    client.finish()
    before = max(e["number"] for e in net.named("block"))
    net.start()
    print(f"   final blocks again after {net.ready['startMs']} ms")
    for rpc in net.rpc:
        require(rpc.head() >= before, f"latest fell from {before} to {rpc.head()}")
    net.wait_blocks(3)
    client.check()
    require(net.ready["startMs"] < BACK_MS, f"{net.ready['startMs']} ms until the first final block")


def same_keys_and_ports(net, ready):
    for before, now in zip(ready["nodes"], net.ready["nodes"]):
        for key in ("address", "rpc", "ws", "admin", "p2p", "dir"):
            equal(now[key], before[key], f"{key} of node {now['index']}")


def kill_node(net, index):
    net.chaos("kill", index, wait_for_heads=False)
    wait(lambda: net.pids[index] is None, 10, f"node {index} is down")


def copy_of(net, index):
    """The folder as it is now, of a node that is down."""
    source, kept = f"{net.dir}/node{index}", f"{net.top}/kept"
    shutil.copytree(source, kept)
    return kept


def restore(net, index, kept):
    target = f"{net.dir}/node{index}"
    shutil.rmtree(target)
    shutil.copytree(kept, target)


def reasons(net, index):
    status = net.status(index)
    return status["self"]["reasons"] if status else ["unreachable"]


def old_folder(net):
    """CONSENSUS 8: a member without its latest records may have signed what it does not know."""
    index = 1
    kill_node(net, index)
    kept = copy_of(net, index)
    net.restart(index)
    net.wait_ready(index)
    mark = net.mark()
    # Benched for a while by the kill, it leads again.
    wait(lambda: any(e["leader"] == index for e in net.named("block", mark)), 120,
         f"node {index} leads since the copy was made")
    kill_node(net, index)
    restore(net, index, kept)
    net.chaos("restart", index, wait_for_heads=False)
    # Its peers remember what it signed: it observes until the rule clears it, then votes again.
    wait(lambda: "amnesiac" in reasons(net, index), 20, f"node {index} observes")
    net.wait_blocks(48, limit_s=40)
    require(net.pids[index], f"node {index} ended: {net.last_words()}")
    net.wait_level(index)
    wait(lambda: reasons(net, index) == [], 60, f"node {index} is cleared and ready")
    net.audit()
    net.check_no_evidence()


def lost_safety_record(net):
    """Without its safety record a member must not vote as if nothing had been."""
    index = 2
    kill_node(net, index)
    os.remove(f"{net.dir}/node{index}/safety")
    net.chaos("restart", index, wait_for_heads=False)

    def settled():
        status = net.status(index)
        return net.pids[index] is None or (status and not status["self"]["ready"])
    wait(settled, 20, "the node is refused, or runs and does not call itself ready")
    if net.pids[index] is None:
        equal(net.named("node")[-1]["code"], 3, "exit code")
    net.wait_blocks(8)
    net.check_no_evidence()


def paused_all(net):
    """All stop and go on: time passes, nothing else."""
    pids = [p for p in net.pids.values() if p]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    wait(lambda: len([e for e in net.named("node") if e["state"] == "stopped"]) >= len(pids), 10,
         "the devnet sees that its nodes are stopped")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    net.wait_blocks(8)
    net.audit()


def run(check):
    with Devnet() as net:
        first = net.ready
        for i in range(ROUNDS):
            with check(f"restart_all_{i + 1}"):
                kill_all_and_start(net)
                same_keys_and_ports(net, first)
        with check("restart_all_clean_stop"):
            equal(net.stop(), 0, "exit code")
            before = max(e["number"] for e in net.named("block"))
            net.start()
            require(net.rpc[0].head() >= before, "latest fell")
            net.wait_blocks(2)
            net.audit()
        with check("restart_all_no_evidence"):
            net.check_no_evidence()
        with check("restart_all_paused"):
            paused_all(net)
        with check("restart_one_old_folder"):
            old_folder(net)
        with check("restart_one_lost_safety_record"):
            lost_safety_record(net)
