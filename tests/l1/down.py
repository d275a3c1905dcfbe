#!/usr/bin/env python3
"""The L1 is down for minutes under load: ordering goes on, back-pressure rises and falls, everything
is posted within two minutes of its return, and is one chain. `--down 600` takes a quarter of an hour."""

import argparse
import sys
import time

from node_world import Load, NodesOnL1, require, wait

BEFORE_S = 20
AFTER_S = 20
CATCH_UP_S = 120
SLOW_BYTES, SLOW_MS = 2_000_000, 600_000  # `baton limits`: UNSAFE_SLOW_BYTES, UNSAFE_SLOW_S
KEEP = 0.7          # a stage is left below this share of its entry
RISE_S = 40         # bytes are waited with for 10 s
LONGEST_GAP_S = 20  # between final blocks, on a busy machine


class Watch:
    """How the nodes stand, once a second."""

    def __init__(self, on_l1):
        self.on_l1 = on_l1
        self.start = time.monotonic()
        self.stage = [0] * on_l1.net.n
        self.head = [0] * on_l1.net.n
        self.head_at = [self.start] * on_l1.net.n
        self.due = [None] * on_l1.net.n
        self.gap = 0
        self.highest = 0
        self.said = 0

    def look(self):
        now = time.monotonic()
        for i in range(self.on_l1.net.n):
            s = self.on_l1.standing(i)
            if s is None:
                continue
            head, safe, batches = s
            if head > self.head[i]:
                self.gap = max(self.gap, now - self.head_at[i])
                self.head[i], self.head_at[i] = head, now
            self.judge(i, now, batches)
            if i == 0 and now - self.said > 15:
                self.said = now
                print(f"  {now - self.start:4.0f} s: head {head}, safe {safe}, stage "
                      f"{batches['stage']}, {batches['unsafeBytes']} bytes, "
                      f"{batches['lagMs'] / 1000:.0f} s not safe", flush=True)
        require(now - min(self.head_at) < LONGEST_GAP_S, f"no block for {LONGEST_GAP_S} s")

    def judge(self, i, now, batches):
        stage, size, lag = batches["stage"], batches["unsafeBytes"], batches["lagMs"]
        self.highest = max(self.highest, stage)
        if stage != self.stage[i]:
            print(f"  {now - self.start:4.0f} s: node {i} stage {self.stage[i]} -> {stage} at "
                  f"{size} bytes, {lag / 1000:.0f} s", flush=True)
            low = size < KEEP * SLOW_BYTES and lag < KEEP * SLOW_MS
            require(stage < self.stage[i] or not low, f"node {i} rises at {size} bytes, {lag} ms")
            self.stage[i] = stage
        high = size > 1.05 * SLOW_BYTES
        if not high or stage > 0:
            self.due[i] = None
        elif self.due[i] is None:
            self.due[i] = now
        require(self.due[i] is None or now - self.due[i] < RISE_S,
                f"node {i} is at stage 0 with {size} bytes")

    def during(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            time.sleep(1)  # the time is what is measured


def drill(o):
    with NodesOnL1(layer=o.da, seal=o.seal) as on_l1:
        on_l1.wait_safe(5)
        load = Load(on_l1.net, o.rate, BEFORE_S + o.down + AFTER_S)
        load.start()
        watch = Watch(on_l1)
        watch.during(BEFORE_S)
        print(f"  the L1 is down for {o.down} s", flush=True)
        on_l1.proxy.set("dead")
        stuck = max(on_l1.safe(i) for i in range(on_l1.net.n))
        watch.during(o.down)
        for i in range(on_l1.net.n):
            require(on_l1.safe(i) <= stuck, f"safe head of node {i} moved without an L1")
        on_l1.proxy.set("pass")
        back, head = time.monotonic(), on_l1.net.rpc[0].head()
        print(f"  the L1 is back: {head - stuck} blocks are to be posted", flush=True)
        while min(on_l1.safe(i) for i in range(on_l1.net.n)) < head:
            watch.during(1)
            require(time.monotonic() - back < 4 * CATCH_UP_S, "it does not catch up")
        took = time.monotonic() - back
        print(f"  caught up in {took:.0f} s ({CATCH_UP_S} are allowed)", flush=True)
        said = load.finish()
        wait(lambda: all(on_l1.standing(i)[2]["stage"] == 0 for i in range(on_l1.net.n)), 60,
             "stage 0 again")
        on_l1.wait_safe(on_l1.net.rpc[0].head())
        on_l1.check_safe()
        seen = on_l1.verify(limit_s=600)
        segments, twice = on_l1.postings()
        print(f"  {seen} blocks rebuilt from the L1; {segments} segments, {twice} posted twice; "
              f"highest stage {watch.highest}; longest time without a block {watch.gap:.1f} s")
        print(f"  load: {said}")
        require(took <= CATCH_UP_S, f"catching up took {took:.0f} s")


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--down", type=int, default=600, help="seconds without an L1")
    a.add_argument("--rate", type=int, default=100, help="transfers a second")
    a.add_argument("--da", default="calldata", choices=["calldata", "blob"])
    a.add_argument("--seal", default="10s", help="seal interval")
    drill(a.parse_args())
    return 0


if __name__ == "__main__":
    sys.exit(main())
