#!/usr/bin/env python3
"""Each check must find what is planted for it, and nothing in a clean tree."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import layers
import source
import symbols
import text

GUARD = "#ifndef {0}\n#define {0}\n{1}\n#endif\n"
LONG = "int f(void)\n{\n" + "    f();\n" * 71 + "}\n"

CLEAN = {
    "proto/limits.h": GUARD.format("PROTO_LIMITS_H", "    LIMIT(A, 1,\n"),
    "consensus/core.c": '#include <string.h>\n#include "proto/limits.h"\n'
                        "/* strcpy(), time.h: words in comments count for nothing */\n"
                        'int f(void)\n{\n    return LIMIT_A + g("rand()");\n}\n',
    "README.md": "[core](consensus/core.c)\n", "proto/README.md": "", "consensus/README.md": "",
    "tests/README.md": "", "deploy/README.md": "", "sequencer/README.md": "",
}

PLANTED = [
    ("layering", "p2p/a.c", '#include "storage/storage.h"\n'),
    ("layering", "sequencer/rpc/a.c", '#include "sequencer/mempool/mempool.h"\n'),
    ("layering", "proto/a.c", '#include "consensus/consensus.h"\n'),
    ("public_headers", "sequencer/node/a.c", '#include "storage/writer.h"\n'),
    ("packages", "storage/a.c", "#include <rocksdb/c.h>\n"),
    ("packages", "consensus/a.c", "#include <uv.h>\n"),
    ("core_headers", "consensus/a.c", "#include <time.h>\n"),
    ("cycles", "proto/a.h", GUARD.format("PROTO_A_H", '#include "proto/a.h"')),
    ("function_length", "proto/a.c", LONG),
    ("file_length", "proto/a.c", "int x;\n" * 701),
    ("forbidden_functions", "proto/a.c", "int f(void)\n{\n    return atoi(s);\n}\n"),
    ("forbidden_functions", "tests/a.c", "void f(void)\n{\n    strcpy(a, b);\n}\n"),
    ("include_guards", "proto/a.h", GUARD.format("WRONG_H", "")),
    ("programs_run", "tests/run", "#!/bin/sh\n"),
    ("unfinished", "proto/a.c", "/* TO" "DO */\n"),
    ("machine_names", "proto/a.c", "/* /ho" "me/me/baton */\n"),
    ("readmes", "p2p/a.c", "int x;\n"),
    ("limits_used", "proto/limits.h", GUARD.format("PROTO_LIMITS_H", "    LIMIT(B, 1,\n")),
    ("links", "README.md", "[gone](gone.c)\n"),
    ("wide_lines", "proto/a.c", "int x; " + "/" * 100 + "\n"),
]


def write(root, files):
    for path, content in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as f:
            f.write(content)


def run(name, files):
    check = next(c for c in layers.CHECKS + text.CHECKS + text.WARNINGS if c.__name__ == name)
    with tempfile.TemporaryDirectory() as root:
        write(root, files)
        return list(check(source.load(root)))


def test_clean(failures):
    for check in layers.CHECKS + text.CHECKS:
        found = run(check.__name__, CLEAN)
        if found:
            failures.append(f"{check.__name__} complains of a clean tree: {found}")


def test_planted(failures):
    for name, path, content in PLANTED:
        if not run(name, {**CLEAN, path: content}):
            failures.append(f"{name} does not see what is wrong in {path}: {content[:40]!r}")


def archive(folder, name, code):
    os.makedirs(folder)
    write(folder, {"a.c": code})
    at = os.path.join(folder, "a.o")
    subprocess.run(["gcc", "-c", "-o", at, os.path.join(folder, "a.c")], check=True)
    subprocess.run(["ar", "rc", os.path.join(folder, name), at], check=True)


def test_symbols(failures):
    code = "void *malloc(unsigned long n); int g(void);\nvoid *f(void) { return malloc(g()); }\n"
    with tempfile.TemporaryDirectory() as build:
        archive(os.path.join(build, "consensus"), "libbaton_consensus.a", code)
        archive(os.path.join(build, "proto"), "libbaton_proto.a", "int g(void) { return 1; }\n")
        found = [what for _, _, what in symbols.consensus_symbols(build)]
    if found != ["needs `malloc`"]:
        failures.append(f"consensus_symbols: {found}")


def main():
    bad = 0
    for test in (test_clean, test_planted, test_symbols):
        failures = []
        test(failures)
        bad += 1 if failures else 0
        print(f"FAILED lint_{test.__name__}: " + "; ".join(failures) if failures
              else f"ok lint_{test.__name__}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
