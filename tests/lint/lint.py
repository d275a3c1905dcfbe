#!/usr/bin/env python3
"""lint.py [--symbols BUILD | --warnings]: the house rules, checked.

Prints each violation as path:line: what, then `ok NAME` or `FAILED NAME: …` for each check; exit
code 1 when one failed. Warnings are counted; --warnings lists them. --symbols checks the built
consensus library instead of the text."""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import layers
import source
import symbols
import text

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def report(name, violations):
    found = list(violations)
    for path, line, what in found:
        print(f"{path}:{line}: {what}")
    print(f"FAILED {name}: {len(found)} violations" if found else f"ok {name}")
    return not found


def warn(files, in_full):
    for check in text.WARNINGS:
        found = list(check(files))
        if in_full:
            for path, line, what in found:
                print(f"{path}:{line}: {what}")
        if found:
            places = len({path for path, _, _ in found})
            print(f"warning {check.__name__}: {len(found)} in {places} files")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", metavar="BUILD", help="check BUILD/consensus instead")
    parser.add_argument("--warnings", action="store_true", help="list what is only a warning")
    options = parser.parse_args()
    if options.symbols:
        return 0 if report("consensus_symbols", symbols.consensus_symbols(options.symbols)) else 1
    files = source.load(ROOT)
    warn(files, options.warnings)
    if options.warnings:
        return 0
    good = [report(check.__name__, check(files)) for check in layers.CHECKS + text.CHECKS]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
