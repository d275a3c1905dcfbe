"""An endpoint that misbehaves on demand, in front of a real one."""

import http.client
import http.server
import json
import socket
import struct
import threading
import time

HTML = b"<html><body><h1>503 Service Unavailable</h1></body></html>"


class Proxy:
    """`mode` may be changed at any time; requests under way keep theirs.

    pass; dead (nobody listens); reset (accepts and cuts); hang (answers nothing); 500, 429; html;
    garbage; cut (the body ends early); half (JSON that ends early, with the right length); deep,
    long (JSON bombs); wrong_id; stale (`latest` stands still); lie (a block's hash is another);
    other_fields (a block's time is another); lag:K; swallow (a send is answered, not passed on);
    late (a send is passed on, but not answered); error_after (passed on, answered with an error);
    duplicate (passed on twice); chain (another chain id); null (knows nothing)."""

    def __init__(self, upstream_port):
        self.upstream = upstream_port
        self.mode = "pass"
        self.frozen = None
        self.raws = []
        self.asked = 0  # requests, however they were answered
        self.server = None
        self.port = 0
        self.start()

    def start(self):
        if self.server is None:
            self.server = Server(("127.0.0.1", self.port), Handler)
            self.server.proxy = self
            self.port = self.server.server_address[1]
            threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server.cut_all()
            self.server = None

    def set(self, mode):
        self.frozen = None
        self.mode = mode
        if mode == "dead":
            self.stop()
        else:
            self.start()
            self.server.cut_all()

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def forward(self, method, path, body):
        c = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=20)
        try:
            c.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def call(self, name, params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": params})
        return json.loads(self.forward("POST", "/", body)[1])["result"]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, *args):
        self.open = set()
        super().__init__(*args)

    def process_request(self, request, client_address):
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def cut_all(self):
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request, client_address):
        """A client that is gone is no error."""


def rewrite_block(block, mode):
    if not isinstance(block, dict) or "parentHash" not in block:
        return block
    if mode == "lie":
        block["hash"] = "0x" + "11" * 32
    if mode == "other_fields":
        block["timestamp"] = hex(int(block["timestamp"], 16) + 1)
    return block


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, length=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def misbehave(self, mode):
        """True: that was the answer."""
        if mode == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif mode == "hang":
            time.sleep(15)
            self.close_connection = True
        elif mode == "429":
            self.answer(429, b'{"jsonrpc":"2.0","error":{"code":-32005,"message":"slow down"}}')
        elif mode == "500":
            self.answer(500, b"")
        elif mode == "html":
            self.answer(200, HTML)
        elif mode == "garbage":
            self.answer(200, bytes(range(256)) * 9)
        elif mode == "deep":
            self.answer(200, b"[" * 100000)
        elif mode == "long":
            self.answer(200, b"[" + b"{}," * 1000000 + b"{}]")
        else:
            return False
        return True

    def do_GET(self):
        if not self.misbehave(self.server.proxy.mode):
            self.answer(*self.server.proxy.forward("GET", self.path, None))

    def do_POST(self):
        p = self.server.proxy
        p.asked += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        mode = p.mode
        if self.misbehave(mode):
            return
        asked = json.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        done = [self.one(p, mode, call) for call in calls]
        if None in done:
            self.close_connection = True
            return
        out = json.dumps(done if isinstance(asked, list) else done[0]).encode()
        if mode == "cut":
            self.answer(200, out[: len(out) // 2], len(out))
            self.close_connection = True
        elif mode == "half":
            self.answer(200, out[: len(out) // 2])
        else:
            self.answer(200, out)

    def one(self, p, mode, call):
        """The answer to one call, None: the connection ends without one."""
        name, params = call["method"], call["params"]
        if name == "eth_sendRawTransaction":
            p.raws.append(params[0])
        fixed = self.invented(p, mode, name, params, call["id"])
        if fixed is not None:
            return fixed
        if name == "eth_getBlockByNumber" and params[0] == "latest":
            params = [self.height(p, mode), params[1]]
        sent = dict(call, params=params)
        reply = json.loads(p.forward("POST", "/", json.dumps(sent))[1])
        if mode == "duplicate" and name == "eth_sendRawTransaction":
            reply = json.loads(p.forward("POST", "/", json.dumps(sent))[1])
        if name == "eth_sendRawTransaction" and mode == "late":
            time.sleep(0.3)
            return None
        if name == "eth_sendRawTransaction" and mode == "error_after":
            return {"jsonrpc": "2.0", "id": call["id"],
                    "error": {"code": -32603, "message": "upstream request timed out"}}
        if mode == "wrong_id":
            reply["id"] = call["id"] + 1000000
        if name.startswith("eth_getBlockBy") and "result" in reply:
            reply["result"] = rewrite_block(reply["result"], mode)
        return reply

    @staticmethod
    def invented(p, mode, name, params, number):
        answer = {"jsonrpc": "2.0", "id": number}
        if mode == "chain" and name == "eth_chainId":
            return dict(answer, result="0x1")
        if mode == "null" and name != "eth_chainId":
            return dict(answer, result=None)
        if mode == "swallow" and name == "eth_sendRawTransaction":
            return dict(answer, result=p.call("web3_sha3", [params[0]]))
        return None

    @staticmethod
    def height(p, mode):
        head = int(p.call("eth_blockNumber", []), 16)
        if mode == "stale":
            p.frozen = head if p.frozen is None else p.frozen
            return hex(p.frozen)
        if mode.startswith("lag:"):
            return hex(max(0, head - int(mode[4:])))
        return hex(head)
