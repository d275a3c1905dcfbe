"""Reads the tree once: which files there are, what is code and what is comment."""

import os
import re
import subprocess

import rules

TEXT = (".c", ".h", ".def", ".proto", ".py", ".sh", ".md", ".txt", ".cmake", ".json", ".yaml",
        ".yml", ".js", ".mjs", ".service", ".html")


class File:
    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
            self.text = f.read()
            self.can_run = os.fstat(f.fileno()).st_mode & 0o100 != 0
        self.lines = self.text.splitlines()
        self.is_c = path.endswith((".c", ".h"))
        self.code = strip_c(self.text) if self.is_c else self.text
        self.code_lines = self.code.splitlines()

    def room(self):
        return room_of(self.path)


def room_of(path):
    parts = path.split("/")
    if parts[0] == "sequencer" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def _blank(match):
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[0]
    return re.sub(r"[^\n]", " ", text)


def strip_c(text):
    """Comments and the insides of strings become spaces; lines stay where they are."""
    includes = {}

    def keep(match):
        includes[match.start()] = match.group(0)
        return " " * len(match.group(0))

    rest = re.sub(r'^[ \t]*#[ \t]*include[^\n]*', keep, text, flags=re.MULTILINE)
    out = _TOKEN.sub(_blank, rest)
    for at, line in includes.items():
        out = out[:at] + line + out[at + len(line):]
    return out


def _tracked(root):
    """What git knows or would add: a build folder is no part of the tree."""
    got = subprocess.run(["git", "-C", root, "ls-files", "-z", "-c", "-o", "--exclude-standard"],
                         capture_output=True)
    if got.returncode == 0:
        return sorted(set(p for p in got.stdout.decode().split("\0") if p))
    found = []
    for folder, dirs, files in os.walk(root):
        dirs[:] = [d for d in dirs if d not in ("build", ".git", "node_modules")]
        found += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(found)


def _is_text(root, path):
    if path.endswith(TEXT):
        return True
    if "." in os.path.basename(path).lstrip("."):
        return False
    with open(os.path.join(root, path), "rb") as f:
        return b"\0" not in f.read(1024)


def load(root):
    paths = [p for p in _tracked(root)
             if os.path.isfile(os.path.join(root, p)) and not p.startswith(tuple(rules.FOREIGN))]
    return [File(root, p) for p in paths if _is_text(root, p)]
