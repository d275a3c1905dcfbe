"""A built tree, of which single programs are linked once more with one file of another text. The
tree itself is never touched: several plants can be looked at side by side."""

import os
import re
import shlex
import shutil
import subprocess

BUILD_S = 900


def call(words, seconds, **more):
    """(exit code, everything it printed); a hang counts as code None."""
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=seconds, check=False, **more)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode(errors="replace")


def must(words, seconds, **more):
    code, text = call(words, seconds, **more)
    if code != 0:
        raise RuntimeError(f"{' '.join(words)[:120]} ends with {code}:\n{text[-1500:]}")
    return text


class Tree:
    """A build folder, and how ninja makes what is in it."""

    def __init__(self, folder, root=None):
        """With a root it is made first."""
        self.folder = folder
        if root:
            launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
            must(["cmake", "-S", root, "-B", folder, "-G", "Ninja",
                  "-DCMAKE_BUILD_TYPE=RelWithDebInfo", *launcher], BUILD_S)
            must(["ninja", "-C", folder, "-j", str(os.cpu_count() or 1), "all", "sim_traced"], BUILD_S)
        with open(os.path.join(folder, "CMakeCache.txt"), encoding="utf-8") as f:
            self.root = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$", f.read(), re.MULTILINE)[1]
        self.compiles, self.links, self.archives = {}, {}, {}
        for line in must(["ninja", "-C", folder, "-t", "commands", "all", "sim_traced"], 60).split("\n"):
            self.note(line)
        listed = must(["ctest", "--test-dir", folder, "-N"], 60)
        self.tests = [t for t in re.findall(r"^ *Test *#\d+: (\w+)$", listed, re.MULTILINE)
                      if t in self.links]

    def note(self, line):
        if compiled := re.search(r" -o \S+ -c (\S+)$", line):
            self.compiles.setdefault(os.path.relpath(compiled[1], self.root), line)
        elif packed := re.search(r" && \S*ar qc (\S+) +(.*?) && ", line):
            self.archives.update((member, packed[1]) for member in packed[2].split())
        elif linked := re.match(r": && (\S*(?:cc|gcc|clang)\S* .* -o (\S+) .*) && :$", line):
            self.links[os.path.basename(linked[2])] = linked[1]


class Planted:
    """One file with another text: programs of the trees are made with it when somebody asks."""

    def __init__(self, folder, file, text):
        self.folder, self.file = folder, file
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.source = os.path.join(folder, os.path.basename(file))
        with open(self.source, "w", encoding="utf-8") as f:
            f.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def library(self, tree):
        """(its name, the path of a copy in which the file is the bent one). A plant may leave
        something unused."""
        words = shlex.split(tree.compiles[self.file])
        words = words[1:] if os.path.basename(words[0]) == "ccache" else words
        for option in ("-MD", "-MT", "-MF"):
            at = words.index(option)
            del words[at:at + (1 if option == "-MD" else 2)]
        at = words.index("-o") + 1
        name = tree.archives[words[at]]
        place = os.path.join(self.folder, tree.folder.replace("/", "_"))
        out = os.path.join(place, os.path.basename(name))
        if not os.path.exists(out):
            os.makedirs(place)
            words[at] = os.path.join(place, os.path.basename(words[at]))
            words[words.index("-c") + 1] = self.source
            must(words + ["-w"], BUILD_S, cwd=tree.folder)
            shutil.copy(os.path.join(tree.folder, name), out)
            must(["ar", "r", out, words[at]], BUILD_S)
        return name, out

    def program(self, tree, name):
        """Linked with the copy in the library's place."""
        out = os.path.join(self.folder, name)
        if not os.path.exists(out):
            library, copy = self.library(tree)
            words = [copy if word == library else word for word in shlex.split(tree.links[name])]
            words[words.index("-o") + 1] = out
            must(words, BUILD_S, cwd=tree.folder)
        return out
