"""What the objects of the consensus library need: stronger than reading its text."""

import os
import subprocess

import rules


def _nm(flags, archive):
    out = subprocess.run(["nm", flags, "--format=posix", archive],
                         capture_output=True, text=True, check=True).stdout
    return {line.split()[0].split("@")[0] for line in out.splitlines() if len(line.split()) >= 2}


def consensus_symbols(build):
    """No malloc, clock, socket, file or random number behind the core's back."""
    core = os.path.join(build, "consensus", "libbaton_consensus.a")
    proto = os.path.join(build, "proto", "libbaton_proto.a")
    for archive in (core, proto):
        if not os.path.exists(archive):
            yield archive, 1, "is not built"
            return
    known = _nm("--defined-only", core) | _nm("--defined-only", proto) | set(rules.CORE_SYMBOLS)
    for symbol in sorted(_nm("--undefined-only", core) - known):
        yield core, 1, f"needs `{symbol}`"
