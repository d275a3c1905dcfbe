"""Sets of other sizes: three in crash mode with one of them dead, seven, thirteen."""

from client import Client
from cluster import Devnet, equal, require, wait


def rotates(net, nodes):
    """Every member has led."""
    wait(lambda: len({e["leader"] for e in net.named("block")}) == nodes, 90, "every member leads once")
    net.audit()
    net.check_no_evidence()


def three_with_one_dead(net):
    client = Client(net)
    client.start()
    dead = net.chaos("kill", "leader")["node"]
    mark = net.mark()
    net.wait_blocks(40, limit_s=60, node=(dead + 1) % 3)
    leaders = {e["leader"] for e in net.named("block", mark)}
    require(dead not in leaders, f"node {dead} is dead and led")
    equal(len(leaders), 2, "leaders while one is dead")
    net.restart(dead)
    net.wait_ready(dead)
    client.finish()
    client.check()
    net.audit()
    net.check_no_evidence()


def run(check):
    with Devnet(nodes=3) as net:
        with check("sets_three_in_crash_mode"):
            rotates(net, 3)
        with check("sets_three_with_one_dead"):
            three_with_one_dead(net)
    for nodes in (7, 13):
        with Devnet(nodes=nodes, options=("--turn", "4")) as net:
            with check(f"sets_{nodes}_members"):
                rotates(net, nodes)
