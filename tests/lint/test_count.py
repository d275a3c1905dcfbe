#!/usr/bin/env python3
"""tests/count.py must miss no failure: what it says of outputs whose truth is known."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import count

GOOD = """test 1
1: [ RUN      ] a
1: [       OK ] a
1: [ RUN      ] b
1: [       OK ] b
1: [  PASSED  ] 2 test(s).
1/1 Test #1: proto_x ..........   Passed    0.10 sec
"""
ONE_BAD = """2: [       OK ] a
2: [  FAILED  ] b
2: [  FAILED  ] 1 test(s), listed below:
2: [  FAILED  ] b
1/1 Test #2: proto_y ..........***Failed    0.10 sec
"""
LEAK = """3: [       OK ] a
3: SUMMARY: AddressSanitizer: 8 byte(s) leaked in 1 allocation(s).
1/1 Test  #3: proto_z ..........***Failed    0.10 sec
"""
CRASH = "1/1 Test #4: proto_w ...***Exception: SegFault  0.10 sec\n"
LATE = "1/1 Test #5: proto_v ...***Timeout 120.01 sec\n"
SKIPPED = """6: [       OK ] a
6: [  SKIPPED ] b
1/1 Test #6: proto_u ...   Passed    0.10 sec
"""
NOT_RUN = "1/1 Test #7: proto_t ...***Not Run   0.00 sec\n"
OURS = "ok first\nFAILED second: it is not so\nFAILED: some/object.o\n"

CASES = [
    ("good", GOOD, (2, [])),
    ("one_bad", ONE_BAD, (1, ["proto_y.b"])),
    ("leak", LEAK, (1, ["proto_z: Failed"])),
    ("crash", CRASH, (0, ["proto_w: Exception: SegFault"])),
    ("late", LATE, (0, ["proto_v: Timeout"])),
    ("skipped", SKIPPED, (1, ["proto_u.b"])),
    ("not_run", NOT_RUN, (0, ["proto_t: Not Run"])),
    ("ours", OURS, (1, ["second: it is not so"])),
]


def main():
    bad = 0
    for name, log, wanted in CASES:
        got = count.count(log.splitlines(True))
        bad += got != wanted
        print(f"ok count_{name}" if got == wanted else f"FAILED count_{name}: {got} != {wanted}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
