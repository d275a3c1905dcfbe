"""Sizes, words and names in the text of the files."""

import os
import re

import rules


def _is_data(f):
    """Tables and generated text have no length to complain about."""
    return f.path.endswith((".json", ".def", ".proto", ".md", ".html"))


def _head(lines, at):
    """First line of the declaration whose last line is `at`."""
    while at > 0:
        before = lines[at - 1].rstrip()
        if not before or before.endswith((";", "}")) or before.startswith("#"):
            return at
        at -= 1
    return at


def functions(f):
    """(name, first line, length) of each function: our style opens a body with `{` in column 0."""
    lines = f.code_lines
    for i, line in enumerate(lines):
        if line.rstrip() != "{" or i == 0:
            continue
        end = next((j for j in range(i + 1, len(lines)) if lines[j].startswith("}")), len(lines))
        head = _head(lines, i - 1)
        if end == len(lines) or lines[end].rstrip() != "}":
            continue
        m = re.search(r"(\w+)\s*\(", " ".join(lines[head:i]))
        yield (m.group(1) if m else "?"), head + 1, end - i - 1


def function_length(files):
    """A function fits a screen."""
    for f in files:
        if not f.path.endswith(".c"):
            continue
        for name, line, length in functions(f):
            if length > rules.FUNCTION_LINES:
                yield f.path, line, f"{name}: {length} lines, at most {rules.FUNCTION_LINES}"


def file_length(files):
    """A file has one purpose."""
    for f in files:
        if not _is_data(f) and len(f.lines) > rules.FILE_LINES:
            yield f.path, 1, f"{len(f.lines)} lines, at most {rules.FILE_LINES}"


def forbidden_functions(files):
    """No function whose use is an accident waiting."""
    words = re.compile(r"(?<![\w.>])(" + "|".join(rules.FORBIDDEN) + r")\s*\(")
    for f in files:
        if not f.is_c:
            continue
        in_tests = f.path.startswith("tests/")
        for number, line in enumerate(f.code_lines, 1):
            for name in words.findall(line):
                if in_tests and name not in rules.FORBIDDEN_IN_TESTS:
                    continue
                if (f.path, name) not in rules.FORBIDDEN_EXCEPT:
                    yield f.path, number, f"{name}: use {rules.FORBIDDEN[name]}"


def include_guards(files):
    """The guard is the path: proto/bytes.h has PROTO_BYTES_H."""
    for f in files:
        if not f.path.endswith(".h"):
            continue
        wanted = re.sub(r"[^A-Z0-9]", "_", f.path.upper())
        if f.path.startswith("tests/"):
            wanted = re.sub(r"[^A-Z0-9]", "_", os.path.basename(f.path).upper())
        m = re.search(r"^\s*#\s*ifndef\s+(\w+)\s*\n\s*#\s*define\s+(\w+)", f.code, re.MULTILINE)
        if not m or m.group(1) != m.group(2):
            yield f.path, 1, "no include guard"
        elif m.group(1) != wanted and not (f.path.startswith("tests/") and
                                           m.group(1).endswith(wanted)):
            yield f.path, 1, f"guard {m.group(1)}, expected {wanted}"


def programs_run(files):
    """Who names an interpreter can be called by its name."""
    for f in files:
        if f.text.startswith("#!") and not f.can_run:
            yield f.path, 1, "begins with #! and is not executable: git update-index --chmod=+x"


def unfinished(files):
    """What is in the tree is finished."""
    words = re.compile("|".join(r"\b" + w + r"\b" for w in rules.UNFINISHED))
    for f in files:
        if f.path.startswith("tests/lint/"):
            continue
        for number, line in enumerate(f.lines, 1):
            m = words.search(line)
            if m:
                yield f.path, number, f"`{m.group(0)}`"


def machine_names(files):
    """No path of one machine, no host name of a registry."""
    names = re.compile("|".join(rules.MACHINE))
    for f in files:
        if f.path.startswith(tuple(rules.MACHINE_EXCEPT)):
            continue
        for number, line in enumerate(f.lines, 1):
            m = names.search(line)
            if m:
                yield f.path, number, f"`{m.group(0)}`"


def readmes(files):
    """Every room says what it is for."""
    paths = {f.path for f in files}
    rooms = {f.room() for f in files if f.is_c and not f.path.startswith("tests/")}
    for room in sorted(rooms | {"tests", "deploy", "sequencer"}):
        if room + "/README.md" not in paths:
            yield room, 1, "has no README.md"
    if "README.md" not in paths:
        yield "README.md", 1, "is missing"


def limits_used(files):
    """A bound that nobody checks is no bound."""
    table = next((f for f in files if f.path == "proto/limits.h"), None)
    if table is None:
        yield "proto/limits.h", 1, "is missing"
        return
    code = "\n".join(f.code for f in files
                     if f.is_c and f is not table and not f.path.startswith("tests/"))
    used = set(re.findall(r"\bLIMIT_(\w+)", code))
    for number, line in enumerate(table.lines, 1):
        m = re.match(r"\s*LIMIT\((\w+),", line)
        if m and m.group(1) not in used:
            yield table.path, number, f"LIMIT_{m.group(1)} is used nowhere"


def links(files):
    """A README names only files that are there."""
    paths = {f.path for f in files}
    for f in files:
        if not f.path.endswith(".md"):
            continue
        for number, line in enumerate(f.lines, 1):
            for target in re.findall(r"\]\(([^)#:\s]+)\)", line):
                where = os.path.normpath(os.path.join(os.path.dirname(f.path), target))
                if where not in paths and not any(p.startswith(where + "/") for p in paths):
                    yield f.path, number, f"{target} is not there"


CHECKS = [function_length, file_length, forbidden_functions, include_guards, programs_run,
          unfinished, machine_names, readmes, limits_used, links]


def long_files(files):
    """A file that grows beyond what is typical."""
    for f in files:
        if not _is_data(f) and len(f.lines) > rules.FILE_LINES_LONG:
            yield f.path, 1, f"{len(f.lines)} lines"


def wide_lines(files):
    """A line that a reader must scroll for."""
    for f in files:
        if not f.is_c:
            continue
        for number, line in enumerate(f.lines, 1):
            if len(line) > rules.COLUMNS:
                yield f.path, number, f"{len(line)} columns"


WARNINGS = [long_files, wide_lines]
