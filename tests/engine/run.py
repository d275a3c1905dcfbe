#!/usr/bin/env python3
"""run.py PROGRAM [NAME…]: sequencer/engine against real clients; see README.md."""

import signal
import sys
import time

from world import (FEE, LOST, READY, REFUSED, TURNED_AWAY, Block, Client, Drive, Failed, check,
                   signed, wait)

BLOCKS = 20
DOWN_FROM, DOWN_TO = 12, 16
STEP_MS = 250


class Chain:
    """Client A builds, executes and finalizes; what it made is for others to execute."""

    def __init__(self, drive, client, raw):
        self.drive, self.raw = drive, raw
        self.blocks = []
        self.genesis = client.genesis
        self.ms = int(time.time() * 1000)

    def grow(self):
        for _ in range(2):
            if self.raw:
                check(self.drive.ask("offer", self.raw.pop(0)) == ["offered", "yes"], "offered")
        parent = self.blocks[-1].payload if self.blocks else self.genesis
        height = len(self.blocks) + 1
        self.ms += STEP_MS
        block = Block(height, parent, self.ms,
                      self.drive.ask("build", height, parent, self.ms, FEE))
        self.blocks.append(block)
        take(self.drive, block)
        return block


def take(drive, block):
    answer = drive.ask(*block.question())
    check(answer[:2] == ["executed", "VALID"], f"block {block.height}: {' '.join(answer)}")
    answer = drive.ask("finalize", block.payload)
    check(answer == ["final", "OK"], f"block {block.height}: {' '.join(answer)}")


def catch_up(drive, blocks):
    """From what the program says of its client's head, as a node does."""
    number, _ = drive.head()
    for block in blocks[number:]:
        take(drive, block)
    return number


def same(a, b, blocks):
    for block in blocks:
        one, other = a.block(block.height), b.block(block.height)
        check(one is not None and one == other, f"block {block.height} differs")
        check(one["hash"] == block.payload, f"block {block.height} is another one")
        check(one["stateRoot"] == block.state, f"block {block.height}: state root")
        check(len(one["transactions"]) == block.txs, f"block {block.height}: transactions")


def two_clients(program, clients):
    """20 blocks of A on B; B is killed between, misses some, comes back, and once with nothing."""
    a, b = clients
    leader, other = Drive(program, a), Drive(program, b)
    leader.reaches(READY)
    other.reaches(READY)
    chain = Chain(leader, a, signed(2 * BLOCKS))
    while len(chain.blocks) < BLOCKS:
        block = chain.grow()
        if block.height == DOWN_FROM:
            b.kill()
            answer = other.ask(*block.question())
            check(answer[1] == "ERROR", f"of a dead client: {answer}")
            other.reaches(LOST)
        elif block.height == DOWN_TO:
            b.start()
            other.reaches(READY)
            catch_up(other, chain.blocks)
        elif not DOWN_FROM < block.height < DOWN_TO:
            take(other, block)
    check(sum(block.txs for block in chain.blocks) == 2 * BLOCKS, "transactions are missing")
    same(a, b, chain.blocks)
    b.kill()
    other.reaches(LOST)
    b.forget()
    b.start()
    other.reaches(READY)
    answer = other.ask(*chain.blocks[-1].question())
    check(answer[1] == "ERROR" and "wants the blocks from 1" in " ".join(answer), f"{answer}")
    check(catch_up(other, chain.blocks) == 0, "the head of an empty client")
    same(a, b, chain.blocks)
    leader.close()
    other.close()


def lies(program, clients):
    """What is not as the client computes it is INVALID, and the next block is executed all the same."""
    a, b = clients
    leader, other = Drive(program, a), Drive(program, b)
    leader.reaches(READY)
    other.reaches(READY)
    number, _ = leader.head()
    chain = Chain(leader, a, signed(2))
    check(number == 0, "a fresh client")
    block = chain.grow()
    bad = "0x" + "44" * 32
    for name, answer in (
            ("state root", other.ask(*block.question(state=bad))),
            ("payload", other.ask(*block.question(payload=bad))),
            ("body cut off", other.ask(*block.question(body=block.body[:-2]))),
            ("no body", other.ask(*block.question(body="0xc0"))),
            ("time", other.ask(*block.question(ms=block.ms + 1000))),
            ("ms alone", other.ask(*block.question(ms=block.ms + 1))),
            ("gas used", other.ask(*block.question(body=block.body.replace("82a410", "82a411", 1))))):
        check(answer[:2] == ["executed", "INVALID"], f"{name}: {answer}")
    answer = other.ask(*block.question(height=2, parent=block.payload))
    check(answer[1] == "ERROR", f"unknown parent: {answer}")
    take(other, block)
    take(other, block)
    take(other, chain.grow())
    same(a, b, chain.blocks)
    leader.close()
    other.close()


def strangers(program, clients):
    """Another secret, genesis or chain id: said, with both values; nothing is executed."""
    a = clients[0]
    other_file = a.write("other.hex", "ab" * 32, 0o600)
    cases = ((TURNED_AWAY, "401", {"secret_file": other_file}),
             (REFUSED, a.genesis, {"genesis": "0x" + "77" * 32}),
             (REFUSED, "902", {"chain": 902}))
    for state, word, how in cases:
        drive = Drive(program, a, **how)
        why = drive.reaches(state)
        check(word in why, f"{word} is not in: {why}")
        answer = drive.ask("build", 1, a.genesis, 1000, FEE)
        check(answer[:2] == ["built", "ERROR"], f"{answer}")
        drive.close()


def stopped(program, clients):
    """SIGSTOP: silence is measured, no verdict is made up; SIGCONT: it goes on."""
    a = clients[0]
    drive = Drive(program, a)
    drive.reaches(READY)
    chain = Chain(drive, a, signed(2))
    chain.grow()
    a.signal(signal.SIGSTOP)
    answer = drive.ask(*chain.blocks[0].question())
    check(answer[1] == "ERROR", f"of a stopped client: {answer}")
    drive.reaches(LOST)
    check(int(drive.ask("head")[3]) > 1000000, "silence")
    a.signal(signal.SIGCONT)
    drive.reaches(READY)
    chain.grow()
    drive.close()


def given(program, clients):
    """The list makes the block: its order, nothing of the pool; a stock client executes it."""
    a, b = clients
    leader, other = Drive(program, a, order="given"), Drive(program, b)
    leader.reaches(READY)
    other.reaches(READY)
    raw = signed(8)
    check(leader.ask("offer", raw[0]) == ["offered", "yes"], "offered")
    parent, ms, blocks = a.genesis, int(time.time() * 1000), []
    for height, many in ((1, 0), (2, 5), (3, 3)):
        ms += STEP_MS
        answer = leader.ask("build", height, parent, ms, FEE, *raw[:many])
        block = Block(height, parent, ms, answer)
        check(block.txs == many, f"block {height} holds {block.txs}")
        del raw[:many]
        take(leader, block)
        take(other, block)
        blocks.append(block)
        parent = block.payload
    answer = leader.ask("build", 4, parent, ms + STEP_MS, FEE, signed(1)[0])
    check(answer[:2] == ["built", "ERROR"], f"a transaction that is used up: {answer}")
    same(a, b, blocks)
    leader.close()
    other.close()


# Name → scenario, which clients: True takes lists.
SCENARIOS = {"two_clients": (two_clients, (False, False)), "lies": (lies, (False, False)),
             "strangers": (strangers, (False,)), "stopped": (stopped, (False,)),
             "given": (given, (True, False))}


def play(program, name):
    scenario, kinds = SCENARIOS[name]
    clients = []
    started = time.monotonic()
    try:
        for takes_lists in kinds:
            clients.append(Client(takes_lists))
        scenario(program, clients)
        print(f"ok {name} ({time.monotonic() - started:.1f} s)", flush=True)
        return True
    except (Failed, OSError, ValueError) as e:
        print(f"FAILED {name}: {e}", flush=True)
        return False
    finally:
        for client in clients:
            client.close()


def main():
    program, wanted = sys.argv[1], sys.argv[2:]
    names = [n for n in SCENARIOS if not wanted or n.startswith(tuple(wanted))]
    good = [play(program, n) for n in names]
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
