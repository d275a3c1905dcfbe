"""A leader whose client stalls is benched; when the client is back it says so in a block, and leads
again a few turns later instead of after its bench has run down. A member that is stopped in order
says before that it leaves, and is passed over from then on."""

import os
import signal

from cluster import Devnet, equal, require, wait

NODES = 4
TURN = 8
# One until it is ready, one until its notice is final, NODES until that counts, NODES until a turn
# is its own; a few more where the machine is slow.
RETURN_TURNS = 2 + NODES + NODES + 4


def benched(net, node, member):
    status = net.status(node)
    return status is not None and status["members"][member]["benched"]


def turn(net, node):
    status = net.status(node)
    return -1 if status is None else status["turn"]


def stalled_benched_and_back(net):
    net.wait_blocks(2 * TURN)
    member = net.chaos("stall", "leader", wait_for_heads=False)["node"]
    other = (member + 1) % NODES
    wait(lambda: benched(net, other, member), 60, f"node {member} is benched")
    net.wait_blocks(2 * TURN, node=other)
    net.chaos("unstall", member, wait_for_heads=False)
    start, mark = turn(net, other), net.mark()
    require(start >= 0, "no status")

    def leads():
        return [e for e in net.named("block", mark) if e["leader"] == member]
    wait(leads, 120, f"node {member} leads again")
    turns = turn(net, other) - start
    print(f"   leads again after {turns} turns")
    require(turns <= RETURN_TURNS, f"{turns} turns until node {member} led again")
    for node in range(NODES):
        wait(lambda node=node: not benched(net, node, member), 30, "nobody is benched any more")
    net.wait_blocks(TURN)
    net.check_no_evidence()


def stopped_in_order_and_back(net):
    member, other = 1, 2
    before = net.mark()
    os.kill(net.pids[member], signal.SIGTERM)
    net.wait_event("node", 30, since=before,
                   where=lambda e: e["index"] == member and e["state"] == "down")
    wait(lambda: benched(net, other, member), 30, f"node {member} has left")
    net.wait_blocks(2 * NODES * TURN, node=other)
    require(benched(net, other, member), "it stays away until it says that it is back")
    waited = [e for e in net.named("takeover", before)
              if e["from"] == member and e["reason"] in ("late", "stuck", "head stall")]
    require(not waited, f"the others waited for a member that had left: {waited}")
    net.chaos("restart", member, wait_for_heads=False)
    start, mark = turn(net, other), net.mark()
    wait(lambda: [e for e in net.named("block", mark) if e["leader"] == member], 120,
         f"node {member} leads again")
    turns = turn(net, other) - start
    print(f"   leads again {turns} turns after its start")
    require(turns <= RETURN_TURNS + 2, f"{turns} turns until node {member} led again")


def run(check):
    with Devnet(NODES) as net:
        with check("a stalled leader is benched, and back a few turns after it recovers"):
            stalled_benched_and_back(net)
        with check("a member that is stopped in order leaves, and is back a few turns after its start"):
            stopped_in_order_and_back(net)
        with check("the chain is the same on all nodes"):
            equal(sum(n > 1 for n in net.audit().values()), 0, "transactions twice")
