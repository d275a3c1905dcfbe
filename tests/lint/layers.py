"""Who includes whom: rooms, public headers, packages, cycles."""

import re

import rules
import source

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
HOUSE = tuple(r + "/" for r in rules.ROOMS) + ("sequencer/", "tests/")


def includes(f):
    for number, line in enumerate(f.code_lines, 1):
        m = INCLUDE.match(line)
        if m:
            yield number, m.group(2)


def _ours(files):
    return [f for f in files if f.is_c and not f.path.startswith("tests/")]


def layering(files):
    """A room includes itself and what ARCHITECTURE lets it use."""
    for f in _ours(files):
        room = f.room()
        allowed = rules.MAY_INCLUDE.get(room)
        if allowed is None:
            yield f.path, 1, f"`{room}` is no room of tests/lint/rules.py"
            continue
        for number, target in includes(f):
            if not target.startswith(HOUSE):
                continue
            other = source.room_of(target)
            if other != room and other not in allowed:
                yield f.path, number, f"{room} may not include {target}"


def public_headers(files):
    """Other rooms see a lower room's public header only."""
    for f in _ours(files):
        for number, target in includes(f):
            public = rules.PUBLIC_HEADERS.get(source.room_of(target))
            if public and source.room_of(target) != f.room() and target not in public:
                yield f.path, number, f"{target} is internal; include {public[0]}"


def _rule_for(target):
    """The longest matching key wins: openssl/ssl.h before openssl/."""
    keys = [k for k in rules.HEADERS
            if (target.endswith(k) if k.startswith(".") else target.startswith(k))]
    return max(keys, key=len) if keys else None


def packages(files):
    """A package's headers stand only where it is used."""
    for f in _ours(files):
        for number, target in includes(f):
            key = _rule_for(target)
            if key and not f.path.startswith(tuple(rules.HEADERS[key]) or ("\0",)):
                places = ", ".join(rules.HEADERS[key]) or "nowhere but tests"
                yield f.path, number, f"<{target}> belongs in: {places}"


def core_headers(files):
    """The core's headers bring no clock, file, socket, thread or allocator."""
    for f in _ours(files):
        if f.room() != "consensus":
            continue
        for number, target in includes(f):
            if not target.startswith(HOUSE) and target not in rules.CORE_HEADERS:
                yield f.path, number, f"<{target}> in the pure core"


def cycles(files):
    """No header includes itself, however far round."""
    graph = {f.path: [t for _, t in includes(f)] for f in files if f.path.endswith(".h")}
    state = {}

    def walk(path, trail):
        state[path] = "open"
        for target in graph[path]:
            if target not in graph:
                continue
            if state.get(target) == "open":
                found.append((path, 1, "include cycle: " + " -> ".join(trail + [path, target])))
            elif target not in state:
                walk(target, trail + [path])
        state[path] = "done"

    found = []
    for path in sorted(graph):
        if path not in state:
            walk(path, [])
    return found


CHECKS = [layering, public_headers, packages, core_headers, cycles]
