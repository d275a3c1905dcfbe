#!/usr/bin/env python3
"""run.py [NAME…]: runs the cluster tests on build/baton (or $BATON), all or those whose file or name
contains NAME. Prints `ok name` or `FAILED name: why` for each; exit code 1 when one failed."""

import contextlib
import glob
import importlib
import os
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import cluster

MODULE_LIMIT_S = 400


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    @contextlib.contextmanager
    def check(self, name):
        """One test. What goes wrong inside is printed and the next one runs."""
        start = time.monotonic()
        try:
            yield
        except Exception as e:
            self.fail(name, e)
        else:
            self.passed += 1
            print(f"ok {name} ({time.monotonic() - start:.1f} s)", flush=True)

    def fail(self, name, e):
        self.failed += 1
        why = " ".join(str(e).split()) or type(e).__name__
        if not isinstance(e, cluster.Failure):
            traceback.print_exc(file=sys.stdout)
            why = f"{type(e).__name__}: {why}"
        print(f"FAILED {name}: {why}", flush=True)


def on_alarm(number, frame):
    signal.alarm(60)  # what comes after it in the module has a limit too
    raise cluster.Failure(f"took more than {MODULE_LIMIT_S} s")


def main():
    if not os.access(cluster.BATON, os.X_OK):
        print(f"FAILED cluster: {cluster.BATON} is not there; run deploy/quickstart --build-only")
        return 1
    report = Report()
    signal.signal(signal.SIGALRM, on_alarm)
    # An interrupted run stops its devnets like any other.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    names = sorted(os.path.basename(p)[:-3] for p in glob.glob(os.path.join(HERE, "test_*.py")))
    for name in names:
        if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
            continue
        print(f"-- {name}", flush=True)
        signal.alarm(MODULE_LIMIT_S)
        try:
            importlib.import_module(name).run(report.check)
        except Exception as e:
            report.fail(name, e)
        signal.alarm(0)
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
