"""How a tunnel begins: what a TLS client's first message says about where it goes."""

from __future__ import annotations

HANDSHAKE_RECORD = 22
CLIENT_HELLO = 1
SERVER_NAME = 0
HOST_NAME = 0
# RFC 9849, section 5. Also sent with nothing in it to be found ("GREASE"), which nobody on the way can tell apart.
ENCRYPTED_CLIENT_HELLO = 0xFE0D
# What drafts of it called it, with the server's name encrypted.
ENCRYPTED_SERVER_NAME = 0xFFCE


class Malformed(Exception):
    """Not the beginning of TLS, or one that says less than it has to."""


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) != count:
            raise Malformed("shorter than it says")
        self.at += count
        return part

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def block(self, width: int) -> Reader:
        return Reader(self.take(self.number(width)))

    def left(self) -> int:
        return len(self.data) - self.at


def message(data: bytes) -> bytes:
    """The first handshake message, put together from as many records as it came in."""
    records, body = Reader(data), b""
    while True:
        if records.number(1) != HANDSHAKE_RECORD:
            raise Malformed("not a handshake record")
        records.take(2)
        part = records.block(2).data
        if not part:
            raise Malformed("an empty record")
        body += part
        if len(body) >= 4:
            length = int.from_bytes(body[1:4], "big")
            if len(body) >= 4 + length:
                if body[0] != CLIENT_HELLO:
                    raise Malformed("not a ClientHello")
                return body[4 : 4 + length]


def extensions(hello: bytes) -> list[tuple[int, bytes]]:
    reader = Reader(hello)
    reader.take(2 + 32)
    reader.block(1)
    reader.block(2)
    reader.block(1)
    if not reader.left():
        return []
    listed, found = reader.block(2), []
    if reader.left():
        raise Malformed("something behind the extensions")
    while listed.left():
        kind = listed.number(2)
        found.append((kind, listed.block(2).data))
    return found


def server_names(data: bytes) -> list[bytes]:
    names, found = Reader(data).block(2), []
    while names.left():
        kind = names.number(1)
        name = names.block(2).data
        if kind != HOST_NAME:
            raise Malformed("a server name of an unknown kind")
        found.append(name)
    return found


def verdict(data: bytes, host: str, refuse_encrypted: bool = True) -> str | None:
    """Why a tunnel to `host` must not go on after these bytes; None when it may."""
    try:
        found = extensions(message(data))
        names = [name for kind, value in found if kind == SERVER_NAME for name in server_names(value)]
    except Malformed:
        return "not_tls"
    kinds = [kind for kind, _ in found]
    if len(kinds) != len(set(kinds)):
        return "not_tls"
    if refuse_encrypted and (ENCRYPTED_CLIENT_HELLO in kinds or ENCRYPTED_SERVER_NAME in kinds):
        return "encrypted_hello"
    if not names:
        return "no_server_name"
    # Exactly one: of two, a server may take the other.
    if [name.lower() for name in names] != [host.lower().rstrip(".").encode("ascii", "replace")]:
        return "server_name"
    return None
