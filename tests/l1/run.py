"""run.py PROGRAM [NAME…]: sequencer/l1 against anvil behind endpoints that lie, hang and die.

Lines `ok NAME` or `FAILED NAME: why`, then `N passed, N failed`; exit code 1 when one failed."""

import concurrent.futures
import os
import random
import sys
import time
import traceback

from world import DOWN_MS, INBOX, SENDER, Failed, World, check, wait

JOBS = int(os.environ.get("L1_JOBS", "3"))
FAULTS = ["dead", "reset", "hang", "500", "429", "html", "garbage", "cut", "half", "deep", "long",
          "wrong_id", "stale", "lie", "other_fields", "chain", "null", "lag:5"]
# Three endpoints, one pool: whose answer is first, nobody knows.
TAKEN = ("accepted", "pending")
# The versioned hash of a blob of zeros.
ZERO_BLOB = "0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014"


def facts(w):
    """Nonce, balance and fees as anvil has them."""
    nonce = int(w.anvil.rpc("eth_getTransactionCount", [SENDER, "latest"]), 16)
    a = w.drive.ask("account", SENDER)
    check(a["err"] == "OK" and a["nonce"] == nonce, f"account: {a}")
    f = w.drive.ask("fees")
    base = int(w.anvil.rpc("eth_feeHistory", ["0x1", "latest", []])["baseFeePerGas"][-1], 16)
    check(f["err"] == "OK" and f["base"] == base, f"fees: {f}, base fee {base}")


def mined(w, tx, others=0):
    """Its block, read and checked by the program, shows it."""
    w.anvil.mine()
    w.settled(agreeing=2)
    r = w.drive.ask("receipt", tx["hash"])
    check(r["err"] == "OK" and r["found"] and r["succeeded"], f"receipt: {r}")
    b = w.drive.ask("block", f"{r['number']}:{r['hash']}", INBOX)
    check(b["err"] == "OK" and b["txs"] == len(b["kept"]) + others, f"block: {b}")
    mine = [t for t in b["kept"] if t["hash"] == tx["hash"]]
    check(len(mine) == 1 and mine[0]["from"] == SENDER, f"block: {b}")
    return r, mine[0]


def reading(w):
    facts(w)
    tx = w.sign("plain", "0x00c0ffee")
    sent = w.send(tx)
    check(sent["verdict"] in TAKEN, f"send: {sent}")
    seen = w.drive.ask("seen", tx["hash"])
    check(seen["pending"] == 3 and seen["tip"] == 10**9, f"seen: {seen}")
    _, t = mined(w, tx)
    check(t["type"] == 2 and t["input"] == "0x00c0ffee", f"transaction: {t}")
    check(w.drive.ask("seen", tx["hash"])["mined"] == 3, "not seen as mined")
    unknown = w.drive.ask("receipt", "0x" + "77" * 32)
    check(unknown["err"] == "OK" and not unknown["found"], f"receipt of nothing: {unknown}")
    gone = w.drive.ask("block", "1:0x" + "77" * 32, INBOX)
    check(gone["err"] == "NOT_FOUND", f"block of nothing: {gone}")
    facts(w)


def other_types(w):
    """Transactions of every type and sender, also those that carry no batch, hash to the root."""
    a = w.anvil
    others = a.rpc("eth_accounts")[1:]
    common = {"to": INBOX, "gas": hex(200000), "gasPrice": hex(20 * 10**9)}
    a.rpc("eth_sendTransaction", [dict(common, **{"from": others[0], "type": "0x0", "input": "0x"})])
    a.rpc("eth_sendTransaction", [dict(common, **{"from": others[1], "type": "0x0", "input": "0x0011"})])
    entry = {"address": INBOX, "storageKeys": ["0x" + "05" * 32, "0x" + "00" * 32]}
    a.rpc("eth_sendTransaction", [dict(common, **{"from": others[2], "type": "0x1", "input": "0xff",
                                                  "accessList": [entry]})])
    a.rpc("eth_sendTransaction", [{"from": others[3], "gas": hex(200000), "input": "0x6000"}])
    a.rpc("eth_sendTransaction", [{"from": others[4], "to": others[5], "value": "0x1"}])
    tx = w.sign("plain", "0x" + "5a" * 150000)
    check(w.send(tx)["verdict"] in TAKEN, "a large transaction is not taken")
    r, t = mined(w, tx, others=2)
    check(t["bytes"] == 150000, f"transaction: {t}")
    b = w.drive.ask("block", f"{r['number']}:{r['hash']}", INBOX)
    senders = {t["from"]: t["type"] for t in b["kept"]}
    check(senders == {others[0]: 0, others[1]: 0, others[2]: 1, SENDER: 2}, f"senders: {senders}")


def many(w):
    """A block of 300, whose root has a deep trie."""
    nonce = int(w.anvil.rpc("eth_getTransactionCount", [SENDER, "pending"]), 16)
    other = w.anvil.rpc("eth_accounts")[1]
    for i in range(299):
        w.anvil.rpc("eth_sendTransaction", [{"from": other, "to": INBOX,
                                             "gas": hex(50000), "input": f"0x{i:06x}"}])
    w.anvil.rpc("evm_setBlockGasLimit", [hex(60000000)])
    tx = w.sign("plain", "0x11", nonce=nonce)
    w.send(tx)
    mined(w, tx)


def blobs(w):
    """In both wrappers: the older first, which anvil takes too."""
    for kind in ("blob", "cells"):
        blob(w, kind)
    w.proxies[0].set("html")
    w.proxies[1].set("dead")
    r = w.drive.ask("blobs", "4:0x" + "00" * 32, ZERO_BLOB)
    check(r["err"] == "OK", f"the third has the blob: {r}")


def blob(w, kind):
    tx = w.sign(kind, "0xeeee")
    wait(lambda: w.send(tx)["verdict"] in TAKEN, "the blob is taken")  # anvil's first needs seconds
    check(w.send(tx)["verdict"] == "pending", "the second time it is known")
    r, t = mined(w, tx)
    check(t["type"] == 3 and t["blobs"] == 1 and t["input"] == "0xeeee", f"transaction: {t}")
    check(r["blobGas"] == 131072, f"receipt: {r}")
    at = f"{r['number']}:{r['hash']}"
    b = w.drive.ask("blobs", at, ZERO_BLOB)
    check(b["err"] == "OK" and b["zeros"] == 131072, f"blobs: {b}")
    none = w.drive.ask("blobs", at, "0x01" + "22" * 31)
    check(none["err"] == "NOT_FOUND", f"blobs of nothing: {none}")


def verdicts(w):
    nonce = int(w.anvil.rpc("eth_getTransactionCount", [SENDER, "latest"]), 16)
    first = w.sign("plain", "0x01", nonce=nonce)
    sent = w.send(first)
    check(sent["verdict"] in TAKEN, f"first: {sent}")
    check(w.send(first)["verdict"] == "pending", "known")
    lower = w.send(w.sign("plain", "0x02", nonce=nonce, fee=100))
    check(lower["verdict"] == "fees too low", f"a replacement of equal fees: {lower}")
    cheap = w.send(w.sign("plain", "0x03", nonce=nonce + 1, fee=1))
    w.anvil.rpc("anvil_setNextBlockBaseFeePerGas", [hex(50 * 10**9)])
    mined(w, first)
    cheap = w.send(w.sign("plain", "0x03", nonce=nonce + 1, fee=2))
    check(cheap["verdict"] in ("fees too low", "accepted"), f"below the base fee: {cheap}")
    used = w.send(w.sign("plain", "0x04", nonce=nonce))
    check(used["verdict"] == "nonce used", f"a used nonce: {used}")
    w.anvil.rpc("anvil_setBalance", [SENDER, "0x1"])
    poor = w.send(w.sign("plain", "0x05", nonce=nonce + 1, fee=200))
    check(poor["verdict"] == "no funds", f"without money: {poor}")
    broken = w.drive.ask("send", first["hash"], first["raw"][:-2])
    check(broken["verdict"] == "refused for good", f"damaged bytes: {broken}")
    w.anvil.rpc("anvil_setBalance", [SENDER, hex(10**22)])


def one_bad(mode):
    def scenario(w):
        bad = w.proxies[1]
        if mode == "chain":  # asked for whenever an endpoint comes back
            bad.set("dead")
            wait(lambda: not w.endpoint(1)["usable"], "it is given up")
        bad.set(mode)
        began = time.monotonic()
        for _ in range(3):
            w.anvil.mine()
            w.settled(agreeing=2)
        facts(w)
        tx = w.sign("plain", "0x77")
        verdict = w.send(tx)["verdict"]
        check(verdict in TAKEN, f"send: {verdict}")
        mined(w, tx)
        took = time.monotonic() - began
        w.followed()
        if mode == "chain":
            wait(lambda: w.endpoint(1)["chain"] > 0, "another chain is counted")
        elif mode not in ("stale", "lag:5"):
            wait(lambda: w.drive.said().count("bad ") >= 1, "it is said that it is bad")
        bad.set("pass")
        w.settled(agreeing=3)
        check(took < 30, f"it took {took:.1f} s")
        lines = w.drive.said().count("bad ")
        check(lines <= 8, f"{lines} lines in the log")
    return scenario


def sends(mode):
    def scenario(w):
        """Two of three do this to what is sent; it is mined all the same, once."""
        w.proxies[0].set(mode)
        w.proxies[1].set(mode)
        tx = w.sign("plain", "0x4242")
        sent = w.send(tx)
        check(sent["verdict"] in TAKEN, f"send: {sent}")
        wait(lambda: w.drive.ask("seen", tx["hash"])["pending"] > 0, "the pool has it")
        mined(w, tx)
        used = int(w.anvil.rpc("eth_getTransactionCount", [SENDER, "latest"]), 16)
        check(w.drive.ask("account", SENDER)["nonce"] == used, "nonce")
    return scenario


def all_late(w):
    """Everybody took it and nobody said so: no success is claimed, and the next try finds it."""
    for p in w.proxies:
        p.set("late")
    tx = w.sign("plain", "0x99")
    sent = w.send(tx)
    check(sent["verdict"] == "no answer", f"send: {sent}")
    for p in w.proxies:
        p.set("pass")
    wait(lambda: w.send(tx)["verdict"] == "pending", "it is known")


def unknown_words(w):
    for p in w.proxies:
        p.set("error_after")
    sent = w.send(w.sign("plain", "0x98"))
    check(sent["verdict"] == "no answer" and "timed out" in sent["text"], f"send: {sent}")


def two_dead(w):
    w.proxies[0].set("dead")
    w.proxies[2].set("dead")
    w.anvil.mine(2)
    before = w.view()["number"]
    wait(lambda: w.view()["down"], "down", DOWN_MS / 1000 + 10)
    check(w.view()["number"] == before, "the head moved without a quorum")
    a = w.drive.ask("account", SENDER)
    check(a["err"] in ("UNREACHABLE", "NOT_READY"), f"account: {a}")
    w.proxies[0].set("pass")
    began = time.monotonic()
    w.settled(agreeing=2)
    check(not w.view()["down"], "still down")
    check(time.monotonic() - began < 5, "slow to come back")
    w.proxies[2].set("pass")
    w.settled()
    w.followed()


def all_dead(w):
    for p in w.proxies:
        p.set("dead")
    w.anvil.mine(2)
    wait(lambda: w.view()["down"], "down", DOWN_MS / 1000 + 10)
    tx = w.sign("plain", "0x55")
    check(w.send(tx)["verdict"] == "no answer", "a verdict from nobody")
    for p in w.proxies:
        p.set("pass")
    w.settled()
    facts(w)
    w.followed()


def two_lie(w):
    """A lie that two tell is a quorum; two different ones are none."""
    w.proxies[0].set("lie")
    w.proxies[1].set("stale")
    w.settled(agreeing=1)
    time_before = w.view()["number"]
    w.proxies[1].set("other_fields")
    w.anvil.mine(3)
    wait(lambda: w.view()["down"], "down", DOWN_MS / 1000 + 10)
    check(w.view()["number"] == time_before, "the head moved on one endpoint's word")
    w.proxies[0].set("pass")
    w.proxies[1].set("pass")
    w.settled()


def reorg(depth):
    def scenario(w):
        w.anvil.mine(depth + 3)
        w.settled()
        w.followed()
        before = w.anvil.head()
        w.anvil.rpc("anvil_reorg", [depth, []])
        check(w.anvil.head() != before, "no reorg")
        w.anvil.mine(1)
        w.settled()
        chain = w.followed()
        back = w.drive.ask("chain")["back"]
        check(back >= depth, f"went back {back} of {depth}")
        check(len(chain) > 0, "empty")
        w.anvil.mine(2)
        w.settled()
        w.followed()
    return scenario


def reorg_one_liar(w):
    """While one endpoint stays on the old branch."""
    w.anvil.mine(12)
    w.settled()
    w.followed()
    w.proxies[2].set("stale")
    wait(lambda: w.proxies[2].frozen is not None, "it stands still")
    w.anvil.rpc("anvil_reorg", [10, []])
    w.anvil.mine(2)
    w.settled(agreeing=2)
    w.followed()
    w.proxies[2].set("pass")
    w.settled()


def reorg_storm(w):
    w.anvil.mine(10)
    for depth in (1, 3, 2, 5, 4, 1, 2, 5, 3, 1):
        w.anvil.rpc("anvil_reorg", [depth, []])
        w.anvil.mine(1)
    w.settled()
    w.followed()


def rollback(w):
    w.anvil.mine(8)
    w.settled()
    w.followed()
    w.anvil.rpc("anvil_rollback", [5])
    w.settled()
    w.followed()
    w.anvil.mine(2)
    w.settled()
    w.followed()


def catch_up(w):
    """More blocks at once than the windows hold: read by number, in pieces."""
    w.followed()
    w.anvil.rpc("anvil_mine", [hex(300)])
    w.settled()
    w.followed()
    check(w.drive.ask("chain")["blocks"] >= 300, "blocks were not read")


def lagging(w):
    """The head of two with the third late; when a good one dies it does not go back."""
    w.proxies[2].set("lag:5")
    w.anvil.mine(8)
    w.settled(agreeing=2)
    head = w.view()["number"]
    w.proxies[0].set("dead")
    w.anvil.mine(1)
    wait(lambda: not w.endpoint(0)["usable"], "the first is given up")
    lowest = min([v["number"] for v in w.drive.views if v["number"] >= head] + [w.view()["number"]])
    check(lowest >= head, f"the head went back from {head} to {lowest}")
    w.anvil.mine(6)
    reached = head + 2
    wait(lambda: w.view()["number"] >= reached, "head of the two that are left")
    facts_at_head = w.drive.ask("account", SENDER)
    check(facts_at_head["err"] == "OK", f"account: {facts_at_head}")


def storm(seed):
    def scenario(w):
        """One endpoint after the other misbehaves, in any way, while the chain goes on, back and
        aside; the reader is where anvil is after each step, and what was sent is mined once."""
        chance = random.Random(seed)
        last = None
        for _ in range(25):
            for p in w.proxies:
                if p.mode != "pass":
                    p.set("pass")
            bad = chance.choice(w.proxies)
            mode = chance.choice([m for m in FAULTS if m not in ("hang", "long", "deep", "chain")])
            w.settled(agreeing=2)
            bad.set(mode)
            last = w.sign("plain", f"0x{chance.randrange(1 << 32):08x}")
            check(w.send(last)["verdict"] in TAKEN, "a transaction is not taken")
            w.anvil.mine(chance.randrange(1, 4))
            if chance.random() < 0.4:
                w.anvil.rpc("anvil_reorg", [chance.randrange(1, 4), []])
                w.anvil.mine(1)
            w.settled(agreeing=2)
            w.followed()
        used = int(w.anvil.rpc("eth_getTransactionCount", [SENDER, "latest"]), 16)
        account = w.drive.ask("account", SENDER)
        check(account["nonce"] == used, f"account: {account}, {used} were mined")
    return scenario


def finality(w):
    w.anvil.mine(6)
    w.settled()
    expected = w.anvil.block("finalized")[0]
    wait(lambda: 0 < w.view()["finalized"] <= w.anvil.block("finalized")[0], "finalized")
    check(expected > 0, "anvil finalizes nothing")


def posted(w, state, n):
    """n slots, all in that state."""
    def there():
        slots = w.drive.ask("posted")["slots"]
        return len(slots) == n and all(s["state"] == state for s in slots)
    wait(there, f"{n} slots are {state}")
    return w.drive.ask("posted")["slots"]


def post_two(w):
    """Segments 0 and 1, one transaction each."""
    for segment in (0, 1):
        wait(lambda n=segment: w.drive.ask("post", n, INBOX)["err"] == "OK", f"segment {segment}")
    wait(lambda: int(w.anvil.rpc("txpool_status")["pending"], 16) == 2, "both are in the pool")


def carried(w):
    """What the inbox got, in order: numbers of segments, each once."""
    out = []
    for number in range(w.anvil.head()[0] + 1):
        block = w.anvil.rpc("eth_getBlockByNumber", [hex(number), True])
        out += [int(t["input"], 16) for t in block["transactions"] if t["to"] == INBOX]
    return out


def post(w):
    """The transaction manager: mined, taken back by a reorg, sent again, confirmed, final."""
    post_two(w)
    w.anvil.mine()
    blocks = {s["block"] for s in posted(w, "mined", 2)}
    check(blocks == {w.anvil.head()[0]}, f"blocks {blocks}")
    w.anvil.mine()
    w.anvil.rpc("anvil_reorg", [2, []])  # anvil gives nothing back to its pool
    w.anvil.mine()
    posted(w, "pending", 2)
    wait(lambda: int(w.anvil.rpc("txpool_status")["pending"], 16) == 2, "both were sent again")
    w.anvil.rpc("anvil_dropAllTransactions")
    wait(lambda: int(w.anvil.rpc("txpool_status")["pending"], 16) == 2, "both, after they were lost")
    w.anvil.mine()
    posted(w, "mined", 2)
    w.anvil.mine(3)
    wait(lambda: w.anvil.mine() or w.drive.ask("posted")["finals"] == 2, "final")
    p = w.drive.ask("posted")
    check(p["slots"] == [] and p["reorged"] >= 2 and p["alarms"] == 0, f"posted: {p}")
    check(carried(w) == [0, 1], f"the inbox has {carried(w)}")


def post_badly(w):
    """The same while one endpoint is dead, one swallows what it is sent, then none is there."""
    w.proxies[0].set("dead")
    w.proxies[1].set("swallow")
    post_two(w)
    w.proxies[2].set("dead")
    w.anvil.mine()
    wait(lambda: w.view()["down"], "down", DOWN_MS / 1000 + 10)
    sends = w.drive.ask("posted")["sends"]
    w.proxies[0].set("late")
    w.proxies[2].set("pass")
    posted(w, "mined", 2)
    check(w.drive.ask("posted")["sends"] <= sends + 4, "sent without need")
    w.anvil.mine(3)
    posted(w, "confirmed", 2)
    check(carried(w) == [0, 1], f"the inbox has {carried(w)}")


SCENARIOS = ([("reading", reading), ("other_types", other_types), ("many", many), ("blobs", blobs),
              ("verdicts", verdicts), ("finality", finality), ("catch_up", catch_up),
              ("lagging", lagging), ("rollback", rollback)]
             + [(f"reorg_{d}", reorg(d)) for d in (1, 10, 64)]
             + [("reorg_one_late", reorg_one_liar), ("reorg_storm", reorg_storm)]
             + [(f"one_{m.replace(':', '_')}", one_bad(m)) for m in FAULTS]
             + [(f"send_{m}", sends(m)) for m in ("swallow", "late", "duplicate", "error_after")]
             + [("send_all_late", all_late), ("send_unknown_words", unknown_words),
                ("post", post), ("post_badly", post_badly),
                ("storm_1", storm(1)), ("storm_2", storm(2)), ("two_dead", two_dead), ("two_lie", two_lie), ("all_dead", all_dead)])


def run(program, name, scenario):
    began = time.monotonic()
    world = None
    try:
        world = World(program)
        scenario(world)
        said, world_closing, world = None, world, None
        world_closing.close()
        print(f"ok {name} ({time.monotonic() - began:.1f} s)", flush=True)
        return True
    except Failed as e:
        said = world.drive.said()[-1500:] if world is not None and world.drive else ""
        print(f"FAILED {name}: {e}\n{said}".rstrip(), flush=True)
    except Exception:  # a scenario that falls over must not take the others with it
        print(f"FAILED {name}: {traceback.format_exc()}", flush=True)
    finally:
        if world is not None:
            try:
                world.close()
            except Failed as e:
                print(f"  {e}")
    return False


def main():
    program, names = sys.argv[1], sys.argv[2:]
    chosen = [(n, s) for n, s in SCENARIOS if not names or any(n.startswith(x) for x in names)]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:  # they wait, most of their time
        results = list(pool.map(lambda c: run(program, *c), chosen))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
