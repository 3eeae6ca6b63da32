"""Ways to send something through the proxy or past it, and what shows that it arrived."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import time
from dataclasses import dataclass, field

from . import places

# Long enough for a proxy that tries several addresses, each with the configuration's ten seconds at most refused at once here.
PATIENCE_S = 12
# A datagram that is lost is not answered; one that arrives is, within milliseconds.
DATAGRAM_S = 1.0


@dataclass
class Outcome:
    reached: bool
    said: str
    arrivals: list[dict[str, str]] = field(default_factory=list)

    def of(self, part: str) -> Outcome:
        """The same, counting only what contains this too."""
        arrivals = [arrival for arrival in self.arrivals if part in arrival["text"]]
        return Outcome(bool(arrivals), self.said, arrivals)

    @staticmethod
    def joined(*outcomes: Outcome) -> Outcome:
        """Reached when one of them is."""
        arrivals = [arrival for outcome in outcomes for arrival in outcome.arrivals]
        return Outcome(any(outcome.reached for outcome in outcomes), outcomes[0].said, arrivals)


class Unknown(Exception):
    """Whether something arrived cannot be told."""


class Probe:
    def __init__(self, proxy: tuple[str, int]) -> None:
        self.proxy = proxy

    @staticmethod
    def mark() -> str:
        return secrets.token_hex(12)

    @staticmethod
    def wait(seconds: float) -> None:
        time.sleep(seconds)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.proxy, PATIENCE_S)

    def exchange(self, request: bytes, answers: int = 1) -> bytes:
        """Sends bytes to the proxy and reads until it closes or that many complete answers are there."""
        with self.connect() as connection:
            connection.sendall(request)
            return read(connection, answers)

    def get(self, uri: str, *headers: str, host: str | None = None, method: str = "GET") -> bytes:
        host = host if host is not None else uri.split("://", 1)[-1].split("/", 1)[0]
        lines = [f"{method} {uri} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
        return self.exchange(("\r\n".join(lines) + "\r\n\r\n").encode())

    def arrivals(self, mark: str) -> list[dict[str, str]]:
        """What the lab's servers have seen of a mark, asked for through the proxy."""
        raw = self.get(f"http://{places.ALLOWED}/evidence/{mark}")
        try:
            found = json.loads(body(raw))
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise Unknown(f"the lab's evidence cannot be had through the proxy: {first_line(raw) or 'no answer'}")
        return found

    def outcome(self, mark: str, said: str, kind: str | None = None) -> Outcome:
        found = [arrival for arrival in self.arrivals(mark) if kind is None or arrival["how"] == kind]
        return Outcome(bool(found), said, found)

    def fetch(self, uri: str, mark: str, *headers: str, host: str | None = None, method: str = "GET") -> Outcome:
        try:
            raw = self.get(uri, *headers, host=host, method=method)
        except OSError as error:
            raw = str(error).encode()
        return self.outcome(mark, first_line(raw) or "closed")

    def raw(self, request: bytes, mark: str, kind: str | None = None, answers: int = 1) -> Outcome:
        try:
            answer = self.exchange(request, answers)
        except OSError as error:
            answer = str(error).encode()
        return self.outcome(mark, first_line(answer) or "closed", kind)

    def raw_answer(self, request: bytes) -> bytes:
        try:
            return self.exchange(request)
        except OSError as error:
            return str(error).encode()

    def connections(self) -> int:
        """How many connections the listed host's servers have accepted so far, the one that asks included."""
        return int(json.loads(body(self.get(f"http://{places.ALLOWED}/connections"))))

    def address(self) -> str:
        return socket.getaddrinfo(*self.proxy, type=socket.SOCK_STREAM)[0][4][0]

    def tunnel(self, target: str, payload: bytes, mark: str, *headers: str, pieces: int = 1, pause_s: float = 0) -> Outcome:
        """CONNECT, then the bytes, in as many pieces; what the proxy said, and whether they arrived."""
        lines = [f"CONNECT {target} HTTP/1.1", *(headers or (f"Host: {target}",))]
        with self.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
                answer = head(connection)
                said = first_line(answer) or "closed"
                if " 200 " in said:
                    self.wait(pause_s)
                    size = max(1, -(-len(payload) // pieces))
                    for begin in range(0, len(payload), size):
                        connection.sendall(payload[begin : begin + size])
                    more = connection.recv(4096)
                    said += ", then answered" if more else ", then closed"
            except OSError as error:
                said = f"{type(error).__name__}"
        return self.outcome(mark, said)

    def open_tunnel(self, target: str) -> socket.socket | None:
        """A tunnel that has been accepted and waits for its first byte."""
        connection = self.connect()
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        if b" 200 " in head(connection):
            return connection
        connection.close()
        return None

    def secure(self, host: str, port: int = places.TLS_PORT, server_name: str | None = None) -> tuple[bytes, bytes, str]:
        """A whole TLS exchange through a tunnel: the answer, the certificate's SHA-256 in it, and what went wrong."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self.connect() as connection:
            connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            said = first_line(head(connection))
            if " 200 " not in said:
                return b"", b"", said or "closed"
            try:
                with context.wrap_socket(connection, server_hostname=server_name or host) as secure:
                    secure.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                    return read(secure, 1), secure.getpeercert(True), said
            except OSError as error:
                return b"", b"", f"{said}, then {error}"


def read(connection: socket.socket, answers: int) -> bytes:
    data = b""
    while True:
        try:
            part = connection.recv(65536)
        except OSError:
            return data
        data += part
        if not part or complete(data) >= answers:
            return data


def complete(data: bytes) -> int:
    """How many whole answers with a Content-Length these bytes are."""
    count = 0
    while b"\r\n\r\n" in data:
        top, data = data.split(b"\r\n\r\n", 1)
        lengths = [line.split(b":")[1] for line in top.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if not lengths or len(data) < int(lengths[0]):
            break
        data = data[int(lengths[0]) :]
        count += 1
    return count


def head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (part := connection.recv(4096)):
        data += part
    return data


def body(raw: bytes) -> bytes:
    return raw.split(b"\r\n\r\n", 1)[-1]


def first_line(raw: bytes) -> str:
    return raw.split(b"\r\n", 1)[0].decode("latin-1")[:80]


SERVER_NAME = 0


class Hello:
    """A client's first TLS message, as OpenSSL writes it, with what a bypass changes in it."""

    def __init__(self, server_name: str | None) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        outgoing = ssl.MemoryBIO()
        secure = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_name)
        try:
            secure.do_handshake()
        except ssl.SSLWantReadError:
            pass
        data = outgoing.read()
        self.body = data[9:]
        # 32 random bytes after the version: what the lab knows this message by.
        self.mark = self.body[2:34].hex()

    def extensions_at(self) -> int:
        at = 34
        at += 1 + self.body[at]
        at += 2 + int.from_bytes(self.body[at : at + 2], "big")
        return at + 1 + self.body[at]

    def extensions(self) -> list[tuple[int, bytes]]:
        at, found = self.extensions_at() + 2, []
        while at < len(self.body):
            kind, length = int.from_bytes(self.body[at : at + 2], "big"), int.from_bytes(self.body[at + 2 : at + 4], "big")
            found.append((kind, self.body[at + 4 : at + 4 + length]))
            at += 4 + length
        return found

    def with_extensions(self, extensions: list[tuple[int, bytes]]) -> Hello:
        written = b"".join(kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value for kind, value in extensions)
        self.body = self.body[: self.extensions_at()] + len(written).to_bytes(2, "big") + written
        return self

    def naming(self, *names: str) -> Hello:
        """With these server names instead, which need not be any that OpenSSL would write."""
        return self.with_extensions([(kind, server_name_extension(*names) if kind == SERVER_NAME else value) for kind, value in self.extensions()])

    def records(self, size: int = 16384) -> bytes:
        message = b"\x01" + len(self.body).to_bytes(3, "big") + self.body
        parts = [message[begin : begin + size] for begin in range(0, len(message), size)]
        return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def server_name_extension(*names: str) -> bytes:
    entries = b"".join(b"\0" + len(name.encode()).to_bytes(2, "big") + name.encode() for name in names)
    return len(entries).to_bytes(2, "big") + entries
