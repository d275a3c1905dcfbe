"""Which branches of the decoders were taken: by the fuzz targets over their inputs, and by the tests
that let every allocation, write and read fail (tests/unit/faults), all of one build.

Branches are those of clang's source-based coverage, each with its two ways, those inside of macros
(TRY) with them. A decoder is the files that targets.def names, but for the functions that
encoders.txt names: those write. A function counts what anybody called it with: a decoder that
several targets reach counts once."""

import fnmatch
import json
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LEAST = 95  # percent of the ways of each decoder
FAULTS = {"faults_memory": "faults", "faults_storage": "faults", "faults_node": "faults",
          "l1_memory": "sequencer/l1"}  # program: its folder


def tool(name):
    return shutil.which(name + "-14") or shutil.which(name)


def encoders():
    """{file: [patterns of functions]}"""
    out = {}
    text = (ROOT / "tests/fuzz/encoders.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words:
            out.setdefault(words[0], []).extend(words[1:])
    return out


def run_faults(build, words):
    """What the failures that strike one call after the other reach, as profiles."""
    out = []
    for name, folder in FAULTS.items():
        profile = build / "profiles" / f"{name}.profraw"
        profile.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([*words, str(build / "tests/unit" / folder / name)],
                              env=dict(os.environ, LLVM_PROFILE_FILE=str(profile)),
                              capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {(done.stdout + done.stderr)[-2000:]}")
        out.append(profile)
    return out


def export(program, profiles, files):
    data = profiles[0].parent / "all.profdata"
    subprocess.run([tool("llvm-profdata"), "merge", "-sparse", *map(str, profiles), "-o", str(data)],
                   capture_output=True, check=True)
    done = subprocess.run([tool("llvm-cov"), "export", str(program), f"-instr-profile={data}",
                           *[str(ROOT / f) for f in files]],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["data"][0]["functions"]


def counted(functions, files):
    """{file: {(function, place): [times true, times false, line]}}"""
    out = {f: {} for f in files}
    silent = encoders()
    unused = {(name, p) for name in out for p in silent.get(name, [])}
    for f in functions:
        name = os.path.relpath(f["filenames"][0], ROOT)
        short = f["name"].split(":")[-1]
        said = {(name, p) for p in silent.get(name, []) if fnmatch.fnmatch(short, p)}
        unused -= said
        if name not in out or said:
            continue
        outer = {r[6]: (r[5], r[0]) for r in f["regions"] if r[7] == 1}
        for b in f["branches"]:
            at = out[name].setdefault((short, *b[:4], b[6]), [0, 0, line_of(b, outer)])
            at[0] += b[4]
            at[1] += b[5]
    if unused:
        raise RuntimeError(f"encoders.txt names no function by {sorted(unused)}")
    return out


def line_of(branch, outer):
    """The line in the function's own file: of a macro, where it is used."""
    at, line = branch[6], branch[0]
    while at in outer:
        at, line = outer[at]
    return line


def sides(branches):
    """(taken, all) of {place: [times true, times false, line]}"""
    ways = [n for b in branches.values() for n in b[:2]]
    return sum(n > 0 for n in ways), len(ways)


def print_missed(name, branches):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    for at, b in sorted(branches.items(), key=lambda i: (i[1][2], i[0])):
        if 0 in b[:2]:
            way = "not reached" if b[0] == b[1] else "never false" if b[1] == 0 else "never true"
            print(f"    {name}:{b[2]}: {at[0]}: {way}: {lines[b[2] - 1].strip()}")


def print_table(by_target, counts, lines):
    """by_target: {target: files}. The targets whose decoders lack more than they may."""
    print(f"\n{'target':12} {'taken':>5} {'of':>5} {'%':>6}  files of the decoder")
    short = []
    for target, files in by_target.items():
        taken, whole = map(sum, zip(*[sides(counts[f]) for f in files]))
        share = 100 * taken / max(whole, 1)
        short += [target] if share < LEAST else []
        each = [f"{f} {t}/{n}" for f in files for t, n in [sides(counts[f])]]
        print(f"{target:12} {taken:>5} {whole:>5} {share:>6.1f}  {', '.join(each)}")
    taken, whole = map(sum, zip(*[sides(b) for b in counts.values()]))
    print(f"{'all':12} {taken:>5} {whole:>5} {100 * taken / max(whole, 1):>6.1f}")
    for name, branches in counts.items() if lines else []:
        print_missed(name, branches)
    return short
