"""What looks for a planted bug: each has a `look` that says what it found, or None."""

import glob
import os
import re
import signal

from workshop import call

# A hang is much processor time: how much of the machine a run gets says nothing of the plant.
TOOL_CPU_S = 100
TOOL_S = 1200


def try_out(words, **more):
    """(exit code, what it printed); None and what came so far: it hangs."""
    code, text = call(["prlimit", f"--cpu={TOOL_CPU_S}", *words], TOOL_S, **more)
    return (None if code == -signal.SIGXCPU else code), text


def room(file):
    return file.split("/")[0]


class Unit:
    """The unit tests of the rooms that a file can break, without random seeds: first those that are
    named after it, then those of one core or a few rules."""

    name = "unit tests"
    last = False  # does it look only where nobody else found anything?
    rooms = {"consensus": r"test_consensus_", "proto": r"proto_|test_consensus_",
             "storage": r"storage_|faults_storage|sequencer_node_", "sequencer": r"sequencer_"}
    quick = re.compile(r"test_consensus_(amnesia|bench|bundle|gates|peers|restore|sign|tally|validity)$"
                       r"|storage_start$")
    long = re.compile(r"test_consensus_(bounds|failures|faults|notices|recovery|restart)$"
                      r"|storage_crash$")

    def __init__(self, shop):
        self.tree = shop.units

    def programs(self, file):
        stem = os.path.splitext(os.path.basename(file))[0]
        names = [t for t in self.tree.tests
                 if re.match(self.rooms[room(file)], t) and not t.endswith("_random")
                 and bool(self.long.match(t)) == self.last]
        return sorted(names, key=lambda t: (stem not in t, not self.quick.match(t), t))

    def look(self, planted, most=None):
        for name in self.programs(planted.file)[:most]:
            code, text = try_out([planted.program(self.tree, name)], cwd=self.tree.folder)
            if code != 0:
                failed = re.search(r"\[  FAILED  \] (\w+)", text)
                return f"`{name}{': ' + failed[1] if failed else ''}`"
        return None


class LongUnit(Unit):
    """Those that take seconds."""

    name = "long unit tests"
    last = True


class Simulator:
    """tests/sim: faults and liars in virtual time, with its oracle: kept scripts, then how many seeds."""

    name = "simulator"
    last = False
    CHUNK = 25
    owns = ("consensus/", "proto/", "storage/", "sequencer/steps/", "sequencer/mempool/")

    def __init__(self, shop):
        self.tree, self.first, self.count = shop.tools, shop.first, shop.seeds
        self.scripts = sorted(glob.glob(os.path.join(shop.root, "tests", "sim", "seeds", "*.script")))

    def look(self, planted, most=None):
        if not planted.file.startswith(self.owns):
            return None
        program = planted.program(self.tree, "sim")
        code, text = try_out([program, *self.scripts])
        if code != 0:
            script = re.search(r"^FAILED (.*)$", text, re.MULTILINE)
            return f"a kept script: {script[1][:60] if script else 'a crash' if code else 'hangs'}"
        for first in range(self.first, self.first + (most or self.count), self.CHUNK):
            words = [program, "--seeds", str(self.CHUNK), "--first", str(first), "--jobs", "1"]
            code, text = try_out(words)
            seeds = re.findall(r"^FAILED seed (\d+): (.*)$", text, re.MULTILINE)
            if seeds:
                seed, why = min((int(n), why) for n, why in seeds)
                return f"{seed - self.first + 1} seeds: {why[:60]}"
            if code != 0:
                return f"{first - self.first + self.CHUNK} seeds: {'a crash' if code else 'hangs'}"
        return None


class Explorer:
    """tests/explore: every order, for small sets; which configuration, and what breaks."""

    name = "explorer"
    last = False
    CONFIGURATIONS = ["--members 3 --slots 2 --last", "--members 3 --turn 1 --slots 2",
                      "--members 3 --slots 2 --crashes 1",
                      "--members 4 --turn 1 --slots 2 --liar 1 --states 5000"]

    def __init__(self, shop):
        self.tree = shop.tools

    def look(self, planted, most=None):
        if room(planted.file) != "consensus":
            return None
        program = planted.program(self.tree, "explore")
        for words in self.CONFIGURATIONS[:most]:
            code, text = try_out([program, *words.split()])
            if code != 0:
                broken = re.search(r"^BROKEN: (.*)$", text, re.MULTILINE)
                return f"`{words}`: {broken[1][:60] if broken else 'a crash' if code else 'hangs'}"
        return None


class Traces:
    """tests/model/traces: what simulated cores do, judged by the rules."""

    name = "traces"
    last = False
    SEEDS = 20

    def __init__(self, shop):
        self.tree, self.first = shop.tools, shop.first
        self.judge = os.path.join(shop.root, "tests", "model", "traces")

    def look(self, planted, most=None):
        if room(planted.file) != "consensus":
            return None
        words = [self.judge, planted.program(self.tree, "sim_traced"), "--seeds",
                 str(most or self.SEEDS), "--first", str(self.first), "--jobs", "1"]
        code, text = try_out(words)
        if code == 0:
            return None
        why = re.search(r"^FAILED traces: (?:core \d+, line \d+: )?(.*)$", text, re.MULTILINE)
        return why[1][:60] if why else "a crash" if code else "hangs"


TOOLS = [Unit, Simulator, Explorer, Traces, LongUnit]
