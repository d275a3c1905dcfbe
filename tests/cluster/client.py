"""A client with a memory of its own: sends transfers while the set is being hurt, and knows what it
was promised."""

import http.client
import socket
import threading
import time

import cluster
import ethereum

# An earlier copy of the same bytes arrived: as good as an answer.
ARRIVED = ("already known", "nonce too low")


class Client(threading.Thread):
    """Sends one transfer after the other from one funded account, to the nodes in turn; the next one
    when the last was acknowledged, with equal bytes until then. `acked` are hashes."""

    def __init__(self, devnet, account=0, pause_s=0.02):
        super().__init__(daemon=True)
        self.devnet = devnet
        self.key = int(devnet.ready["accounts"][account]["privateKey"], 16)
        self.to = bytes.fromhex(devnet.ready["accounts"][9]["address"][2:])
        self.chain = devnet.ready["chainId"]
        self.pause_s = pause_s
        self.stopping = threading.Event()
        self.acked = []
        self.refused = []
        sender = devnet.ready["accounts"][account]["address"]
        self.nonce = int(devnet.rpc[0].call("eth_getTransactionCount", sender, "pending"), 16)

    def run(self):
        turn = 0
        while not self.stopping.is_set():
            raw, tx = ethereum.transfer(self.key, self.nonce, self.to, 1, self.chain)
            attempts = 0
            while not self.stopping.is_set():
                turn += 1
                attempts += 1
                if self._send(raw, self.devnet.urls[turn % self.devnet.n], attempts):
                    self.acked.append(tx)
                    self.nonce += 1
                    break
            self.stopping.wait(self.pause_s)

    def _send(self, raw, url, attempts):
        rpc = cluster.Rpc(url, limit_s=2)
        try:
            rpc.call("eth_sendRawTransaction", raw)
            return True
        except cluster.RpcError as e:
            if attempts > 1 and any(word in e.message for word in ARRIVED):
                return True
            self.refused.append(str(e))
        except (OSError, http.client.HTTPException, cluster.Failure):
            pass
        self.stopping.wait(cluster.POLL_S)
        return False

    def finish(self):
        self.stopping.set()
        self.join(10)

    def check(self, limit_s=30):
        """After finish(): all that was acknowledged is in the chain exactly once."""
        cluster.require(self.acked, f"nothing was acknowledged; refusals: {self.refused[-3:]}")
        last = self.acked[-1]
        rpc = self.devnet.rpc[0]
        cluster.wait(lambda: rpc.try_call("eth_getTransactionReceipt", last), limit_s,
                     f"receipt of the last acknowledged transaction {last}")
        head = rpc.head()
        cluster.wait(lambda: any(e["number"] >= head for e in self.devnet.named("block")), limit_s,
                     f"event of block {head}")
        found = self.devnet.audit()
        lost = [tx for tx in self.acked if found[tx] == 0]
        twice = [tx for tx in self.acked if found[tx] > 1]
        cluster.require(not lost, f"{len(lost)} of {len(self.acked)} acknowledged are lost: {lost[:3]}")
        cluster.require(not twice, f"{len(twice)} stand twice: {twice[:3]}")
        return len(self.acked)


def websocket(url, requests, messages, limit_s=10):
    """Opens url, sends the texts, returns the next `messages` text frames (RFC 6455)."""
    host, port = url.split("//")[1].split(":")
    end = time.monotonic() + limit_s
    with socket.create_connection((host, int(port)), limit_s) as s:
        s.sendall((f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
        stream = s.makefile("rb")
        status = stream.readline()
        cluster.require(b" 101 " in status, f"no upgrade: {status!r}")
        headers = b""
        while (line := stream.readline()) not in (b"\r\n", b""):
            headers += line
        # The answer to the sample key of RFC 6455, section 1.3.
        cluster.require(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in headers, "Sec-WebSocket-Accept is wrong")
        for text in requests:
            s.sendall(_masked(text.encode()))
        got = []
        while len(got) < messages:
            s.settimeout(max(0.1, end - time.monotonic()))
            opcode, payload = _frame(stream)
            if opcode == 1:
                got.append(payload.decode())
        return got


def _masked(payload):
    cluster.require(len(payload) < 65536, "too long for a test")
    head = bytes([0x81, 0x80 | len(payload)]) if len(payload) < 126 else \
        b"\x81\xfe" + len(payload).to_bytes(2, "big")
    return head + bytes(4) + payload


def _frame(stream):
    head = stream.read(2)
    cluster.require(len(head) == 2, "the node closed the connection")
    n = head[1] & 127
    if n >= 126:
        n = int.from_bytes(stream.read(2 if n == 126 else 8), "big")
    return head[0] & 15, stream.read(n)
