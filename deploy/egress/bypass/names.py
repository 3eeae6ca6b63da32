"""The name server of the check's Internet, whose names mean what an attacker wants them to mean."""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
from collections import Counter

from . import places
from .evidence import Evidence

A, CNAME, PTR, AAAA = 1, 5, 12, 28


class Zone:
    """What a name means. Labels below `names.example` carry it: `v4-0a630001-NONCE` is 10.99.0.1, `v6-` with 32 digits an
    IPv6 address, `both-` public and private at once, `alias-` another name for a private one, `turn-` public when asked
    first and private from then on."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, int]] = Counter()
        self.lock = threading.Lock()

    def answers(self, name: str, kind: int) -> list[tuple[int, str]]:
        with self.lock:
            self.asked[(name, kind)] += 1
            times = self.asked[(name, kind)]
        if kind == PTR:
            # Whoever owns an address decides what its reverse name is.
            return [(PTR, places.ALLOWED)]
        if kind not in (A, AAAA):
            return []
        if name == places.ALLOWED:
            return [(A, places.ALLOWED_ADDRESS)] if kind == A else []
        if name.endswith("." + places.NAMES):
            return self.meant(name.removesuffix("." + places.NAMES).split("-"), kind, times)
        return [(A, places.EVIL_ADDRESS)] if kind == A else [(AAAA, places.EVIL_ADDRESS_V6)]

    @staticmethod
    def meant(words: list[str], kind: int, times: int) -> list[tuple[int, str]]:
        what, value = words[0], words[1] if len(words) > 1 else ""
        public, private = (A, places.ALLOWED_ADDRESS), (A, places.PRIVATE["private (10/8)"])
        if what == "v4":
            return [(A, str(ipaddress.IPv4Address(bytes.fromhex(value))))] if kind == A else []
        if what == "v6":
            return [(AAAA, str(ipaddress.IPv6Address(bytes.fromhex(value))))] if kind == AAAA else []
        if kind != A:
            return []
        if what == "both":
            return [public, private]
        if what == "alias":
            return [(CNAME, f"v4-0a630001-{value}.{places.NAMES}"), private]
        if what == "turn":
            return [public] if times == 1 else [private]
        return [public]


def encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def question(query: bytes) -> tuple[str, int, int]:
    """The name asked for, in lower case, the type, and where the question ends."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1").lower())
        at += 1 + query[at]
    return ".".join(labels), struct.unpack("!H", query[at + 1 : at + 3])[0], at + 5


def reply(query: bytes, zone: Zone) -> bytes:
    name, kind, end = question(query)
    answers = zone.answers(name, kind)
    body, owner = b"", name
    for answer_kind, value in answers:
        data = ipaddress.ip_address(value).packed if answer_kind in (A, AAAA) else encoded(value)
        # Time to live 0: nobody who keeps to it keeps it.
        body += encoded(owner) + struct.pack("!HHIH", answer_kind, 1, 0, len(data)) + data
        if answer_kind == CNAME:
            owner = value
    # Authoritative, recursion desired and available.
    return query[:2] + b"\x85\x80" + query[4:6] + struct.pack("!HHH", len(answers), 0, 0) + query[12:end] + body


def serve(address: str, evidence: Evidence, zone: Zone) -> None:
    """Answers on UDP and TCP; what was asked is evidence, under the asker's address."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, places.DNS_PORT))
    streams = socket.create_server((address, places.DNS_PORT))

    def over_udp() -> None:
        while True:
            query, peer = datagrams.recvfrom(4096)
            evidence.add("dns/udp", f"{address}:53 from {peer[0]}", query)
            try:
                datagrams.sendto(reply(query, zone), peer)
            except (IndexError, struct.error, ValueError, OSError):
                continue

    def over_tcp() -> None:
        while True:
            connection, peer = streams.accept()
            threading.Thread(target=one, args=(connection, peer[0]), daemon=True).start()

    def one(connection: socket.socket, peer: str) -> None:
        with connection:
            try:
                connection.settimeout(5)
                length = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))[0]
                query = connection.recv(length, socket.MSG_WAITALL)
                evidence.add("dns/tcp", f"{address}:53 from {peer}", query)
                answer = reply(query, zone)
                connection.sendall(struct.pack("!H", len(answer)) + answer)
            except (IndexError, struct.error, ValueError, OSError):
                return

    for run in (over_udp, over_tcp):
        threading.Thread(target=run, daemon=True).start()
