"""A WebSocket client over any pair of byte streams, as much of RFC 6455 as a controller needs. Over `docker exec -i NAME deskhand
connect` there is no socket that an ordinary client could be given."""

import base64
import hashlib
import json
import os
import select
import struct
import subprocess
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Refused(Exception):
    """The server answered with an error, which is `.error`."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.error = error
        self.kind = error["data"]["kind"]


class Connection:
    """A session over a program that bridges its standard streams to the server."""

    def __init__(self, command, token, limit=20):
        self.limit = limit
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.received = b""
        self.serial = 0
        try:
            self.shake_hands(token)
        except BaseException:
            self.close()
            raise

    def shake_hands(self, token):
        key = base64.b64encode(os.urandom(16))
        self.process.stdin.write(
            b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: deskhand.v1\r\nSec-WebSocket-Key: " + key
            + b"\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n")
        head = self.until(b"\r\n\r\n").decode()
        self.status = int(head.split(" ", 2)[1])
        if self.status != 101:
            raise ConnectionRefusedError(head.splitlines()[0])
        accepted = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        assert f"sec-websocket-accept: {accepted}".lower() in head.lower(), head

    def call(self, method, **params):
        """One request and its answer; events in between are dropped."""
        self.serial += 1
        self.send(TEXT, json.dumps({"jsonrpc": "2.0", "id": self.serial, "method": method, "params": params}).encode())
        while True:
            kind, body = self.receive()
            if kind == PING:
                self.send(PONG, body)
            elif kind == CLOSE:
                raise ConnectionResetError(f"the server closed: {body[2:].decode(errors='replace')}")
            elif kind == TEXT:
                answer = json.loads(body)
                if answer.get("id") != self.serial:
                    continue
                if "error" in answer:
                    raise Refused(answer["error"])
                return answer["result"]

    def send(self, kind, body):
        mask = os.urandom(4)
        length = len(body)
        if length < 126:
            head = struct.pack(">BB", 0x80 | kind, 0x80 | length)
        elif length < 1 << 16:
            head = struct.pack(">BBH", 0x80 | kind, 0x80 | 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | kind, 0x80 | 127, length)
        masked = bytes(byte ^ mask[i & 3] for i, byte in enumerate(body))
        self.process.stdin.write(head + mask + masked)

    def receive(self):
        """A whole message; the server sends none in pieces."""
        first, second = self.exactly(2)
        assert first & 0x80 and not second & 0x80, (first, second)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.exactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.exactly(8))
        return first & 0x0F, self.exactly(length)

    def until(self, end):
        while end not in self.received:
            self.more()
        at = self.received.index(end) + len(end)
        taken, self.received = self.received[:at], self.received[at:]
        return taken

    def exactly(self, length):
        parts, have = [self.received], len(self.received)
        while have < length:
            self.received = b""
            self.more()
            parts.append(self.received)
            have += len(self.received)
        data = b"".join(parts)
        self.received = data[length:]
        return data[:length]

    def more(self):
        deadline = time.monotonic() + self.limit
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError(f"nothing came for {self.limit} s")
        data = os.read(self.process.stdout.fileno(), 1 << 20)
        if not data:
            raise ConnectionResetError("the bridge ended")
        self.received += data

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(self.limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
