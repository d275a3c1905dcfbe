#!/usr/bin/env python3
"""count.py LOG: how many tests passed and failed in the output of `ctest -V` or of our own runners.

Prints `PASSED FAILED`, then one line for each that failed. A cmocka program counts each of its
tests; a program that ends badly without naming a failed test (a crash, a leak, a time limit, a
finding of a sanitizer) counts as one more failed. A skipped test is a failed one: what was not run
is not known. Our own runners print `ok NAME` or `FAILED NAME: why`."""

import re
import sys

LINE = re.compile(r"^(\d+): (.*)$")
RESULT = re.compile(r"^\s*\d+/\d+ Test\s+#(\d+): (\S+) \.*\s*(\S.*?)\s+[\d.]+ sec")
OK = re.compile(r"\[\s*OK \] (\S+)\s*$")
BAD = re.compile(r"\[\s*(?:FAILED|SKIPPED)\s*\] (\S+)\s*$")


class Program:
    def __init__(self):
        self.ok = []
        self.bad = []


def read_program(program, text):
    m = OK.search(text)
    if m:
        program.ok.append(m.group(1))
        return
    m = BAD.search(text)
    if m and m.group(1) not in program.bad:
        program.bad.append(m.group(1))


def judge(name, verdict, program):
    """(passed, [failed]) of one program that ctest ran."""
    bad = [f"{name}.{test}" for test in program.bad]
    if verdict == "Passed" and not bad:
        return max(len(program.ok), 1), []
    if not bad:
        bad = [f"{name}: {verdict.lstrip('*')}"]
    return len(program.ok), bad


def count(lines):
    programs, passed, failed = {}, 0, []
    for line in lines:
        line = line.rstrip("\n")
        if m := LINE.match(line):
            read_program(programs.setdefault(m.group(1), Program()), m.group(2))
        elif m := RESULT.match(line):
            ok, bad = judge(m.group(2), m.group(3), programs.get(m.group(1), Program()))
            passed += ok
            failed += bad
        elif re.match(r"^ok \S+", line):
            passed += 1
        elif m := re.match(r"^FAILED (.+)$", line):
            failed.append(m.group(1))
    return passed, failed


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as f:
        passed, failed = count(f)
    print(passed, len(failed))
    for name in failed:
        print(name)


if __name__ == "__main__":
    main()
