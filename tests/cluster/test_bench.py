"""A leader whose client stalls is benched; when the client is back it says so in a block, and leads
again a few turns later instead of after its bench has run down."""

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


def run(check):
    with Devnet(NODES) as net:
        with check("a stalled leader is benched, and back a few turns after it recovers"):
            stalled_benched_and_back(net)
        with check("the chain is the same on all nodes"):
            equal(sum(n > 1 for n in net.audit().values()), 0, "transactions twice")
