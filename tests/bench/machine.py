"""What this machine can do and how busy it is, so that every figure stands beside its limit."""

import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "cluster"))

TICKS = os.sysconf("SC_CLK_TCK")
FSYNCS = 200
FSYNC_BYTES = 4096


def cores():
    return len(os.sched_getaffinity(0))


def load():
    """Load average of the last minute: what else ran on the machine."""
    return os.getloadavg()[0]


def say(*words):
    print(*words, flush=True)


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def quantiles(values, unit="ms", form="{:.1f}"):
    parts = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)]
    text = [f"{name} {form.format(quantile(values, share))}" for name, share in parts]
    worst = form.format(max(values)) if values else "none"
    return ", ".join(text) + f", worst {worst} {unit} (of {len(values)})"


def bars(values, edges, unit="ms", width=50):
    """A text histogram: one line for each pair of edges, empty ends left out."""
    limits = [float("-inf")] + edges + [float("inf")]
    counts = [sum(1 for v in values if lo <= v < hi) for lo, hi in zip(limits, limits[1:])]
    names = [f"< {e} {unit}" for e in edges] + [f">= {edges[-1]} {unit}"]
    used = [i for i, n in enumerate(counts) if n]
    lines = []
    for i in range(used[0] if used else 0, used[-1] + 1 if used else 0):
        bar = "#" * -(-counts[i] * width // max(counts))
        lines.append(f"    {names[i]:>11} {counts[i]:4} {bar}")
    return "\n".join(lines)


def fsync_ms(directory, writers=1):
    """Milliseconds of FSYNCS appends of FSYNC_BYTES, each made durable, by so many at once."""
    took = []
    threads = [threading.Thread(target=_append, args=(f"{directory}/fsync-probe{i}", took))
               for i in range(writers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return took


def _append(path, took):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for _ in range(FSYNCS):
            start = time.perf_counter()
            os.write(fd, bytes(FSYNC_BYTES))
            os.fdatasync(fd)
            took.append((time.perf_counter() - start) * 1000)
    finally:
        os.close(fd)
        os.unlink(path)


class Stalls(threading.Thread):
    """What the machine itself did during a run: how long a small synced write on the members' disk
    took, and how late a sleeping thread was woken; every one above LONG_MS with its moment."""

    EVERY_S = 0.05
    LONG_MS = 50.0
    PROBE_BYTES = 1 << 20

    def __init__(self, directory):
        super().__init__(daemon=True)
        self.path = f"{directory}/stall-probe"
        self.sync_ms, self.wake_ms, self.long = [], [], []
        self.over = threading.Event()

    def run(self):
        fd = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
        os.posix_fallocate(fd, 0, self.PROBE_BYTES)
        try:
            while not self.over.is_set():
                self._probe(fd)
        finally:
            os.close(fd)
            os.unlink(self.path)

    def _probe(self, fd):
        start = time.monotonic()
        self.over.wait(self.EVERY_S)
        woken = time.monotonic()
        os.pwrite(fd, bytes(FSYNC_BYTES), 0)
        os.fdatasync(fd)
        found = (("woken late by", self.wake_ms, woken - start - self.EVERY_S),
                 ("synced in", self.sync_ms, time.monotonic() - woken))
        for what, kept, took in found:
            kept.append(took * 1000)
            if took * 1000 > self.LONG_MS:
                self.long.append((woken, f"{what} {took * 1000:.0f} ms"))

    def finish(self):
        self.over.set()
        self.join()


def recoveries_per_s(program):
    """Of one core, by its CPU time."""
    done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60)
    return float(done.stdout.split()[0])


# ---- processes -------------------------------------------------------------------------------------

def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid):
    """User and system time since the process began."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def thread_work(pid):
    """(processor time of all its threads in ms, how often they were put aside or slept)"""
    took_ms, switches = 0, 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                took_ms += int(f.read().split()[0]) / 1e6
            with open(f"/proc/{pid}/task/{task}/status", encoding="ascii", errors="replace") as f:
                switches += sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that has just ended
    return took_ms, switches


def busy_s():
    """CPU time of the whole machine that was not idle, all cores added up."""
    with open("/proc/stat", encoding="ascii") as f:
        fields = [int(x) for x in f.readline().split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / TICKS
