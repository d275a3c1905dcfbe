"""Watches the final heads of every node over WebSockets of its own: a second opinion beside what
`baton chaos` prints."""

import json
import select
import socket
import threading
import time

REDIAL_S = 0.1
HANDSHAKE_S = 1
SUBSCRIBE = b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'


def _open(host, port):
    s = socket.create_connection((host, port), HANDSHAKE_S)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall((f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head:
        part = s.recv(4096)
        if not part:
            raise OSError("closed during the upgrade")
        head += part
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise OSError("no upgrade")
    # One short text frame under a mask of zeros.
    s.sendall(bytes([0x81, 0x80 | len(SUBSCRIBE)]) + bytes(4) + SUBSCRIBE)
    s.setblocking(False)
    return s, head.split(b"\r\n\r\n", 1)[1]


def _cut(buffer):
    """Complete frames off the front: (texts, rest). A server sends them unmasked."""
    texts = []
    while len(buffer) >= 2:
        size, at = buffer[1] & 127, 2
        if size >= 126:
            at += 2 if size == 126 else 8
            size = int.from_bytes(buffer[2:at], "big")
        if len(buffer) < at + size:
            break
        if buffer[0] & 15 == 1:
            texts.append(buffer[at:at + size])
        buffer = buffer[at + size:]
    return texts, buffer


class Watcher(threading.Thread):
    """`first[number]` is (moment, node, miner) of the first announcement of that height, by
    time.monotonic(); `head` the highest."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.at = [(n["ws"].split("//")[1].split(":")) for n in nodes]
        self.links = {}
        self.due = [0.0] * len(nodes)
        self.first = {}
        self.head = 0
        self.changed = threading.Condition()
        self.stopping = False

    def run(self):
        while not self.stopping:
            self._dial()
            sockets = [link[0] for link in self.links.values()]
            ready = select.select(sockets, [], [], 0.05)[0] if sockets else []
            now = time.monotonic()
            for node, (s, buffer) in list(self.links.items()):
                if s in ready:
                    self._read(node, s, buffer, now)

    def _dial(self):
        for node, (host, port) in enumerate(self.at):
            if node in self.links or time.monotonic() < self.due[node]:
                continue
            self.due[node] = time.monotonic() + REDIAL_S
            try:
                self.links[node] = _open(host, int(port))
            except OSError:
                continue

    def _read(self, node, s, buffer, now):
        try:
            part = s.recv(65536)
        except OSError:
            part = b""
        if not part:
            s.close()
            del self.links[node]
            return
        texts, rest = _cut(buffer + part)
        self.links[node] = (s, rest)
        for text in texts:
            head = json.loads(text).get("params", {}).get("result", {})
            if "number" in head:
                self._note(node, int(head["number"], 16), head.get("miner"), now)

    def _note(self, node, number, miner, now):
        with self.changed:
            if number not in self.first:
                self.first[number] = (now, node, miner)
            if number > self.head:
                self.head = number
                self.changed.notify_all()

    def wait_head(self, number, limit_s):
        with self.changed:
            return self.changed.wait_for(lambda: self.head >= number, limit_s)

    def longest_ms(self, before, after):
        """Longest time between two announcements of new heads from `before` to `after`."""
        with self.changed:
            times = sorted(self.first[n][0] for n in range(before, after + 1) if n in self.first)
        return max((b - a) * 1000 for a, b in zip(times, times[1:])) if len(times) > 1 else 0.0

    def _steps(self, first, last):
        """Each block of these heights with the one before it, where both were seen."""
        with self.changed:
            known = [(n, self.first.get(n)) for n in range(first, last + 1)]
        return [(n, a, b) for (_, a), (n, b) in zip(known, known[1:]) if a and b]

    def intervals(self, first, last):
        """[(milliseconds since the block before, whether the leader changed)]"""
        return [((b[0] - a[0]) * 1000, a[2] != b[2]) for _, a, b in self._steps(first, last)]

    def long_intervals(self, first, last, above_ms):
        """[(moment, sentence)] of the intervals above a limit."""
        found = ((b[0], n, (b[0] - a[0]) * 1000) for n, a, b in self._steps(first, last))
        return [(at, f"block {n} after {ms:.0f} ms") for at, n, ms in found if ms > above_ms]
