"""Plain requests that say two things at once, requests inside requests, and what a request tells about who sent it."""

from __future__ import annotations

import json

from . import places
from .probe import Outcome, Probe, body, first_line
from .rows import ALLOWED, row

EVIL, GOOD = places.EVIL, places.ALLOWED


def request(line: str, *headers: str, content: str = "") -> bytes:
    return ("\r\n".join([line, *headers]) + "\r\n\r\n" + content).encode("latin-1")


def arrives_with(probe: Probe, host: str) -> Outcome:
    """A request whose Host header is not the URI's host: whether it arrives anywhere with that header."""
    mark = probe.mark()
    outcome = probe.fetch(f"http://{GOOD}/{mark}", mark, host=host)
    return outcome.of(f"Host: {host}\r\n")


@row("host-other", "a URI with a listed host, the Host header of an unlisted one: no server is told that")
def host_other(probe: Probe) -> Outcome:
    return arrives_with(probe, EVIL)


@row("host-other-listed", "a URI with a listed host, the Host header of another listed one: no server is told that")
def host_other_listed(probe: Probe) -> Outcome:
    return arrives_with(probe, f"other.{places.NAMES}")


@row("host-listed-uri-not", "a URI with an unlisted host, the Host header of a listed one")
def host_listed(probe: Probe) -> Outcome:
    mark = probe.mark()
    return probe.fetch(f"http://{EVIL}/{mark}", mark, host=GOOD)


@row("host-port", "a Host header with another port: no server is told that")
def host_port(probe: Probe) -> Outcome:
    return arrives_with(probe, f"{GOOD}:8080")


@row("host-two", "two Host headers: whatever is passed on says the listed one")
def host_two(probe: Probe) -> Outcome:
    mark = probe.mark()
    outcome = probe.raw(request(f"GET http://{GOOD}/{mark} HTTP/1.1", f"Host: {GOOD}", f"Host: {EVIL}", "Connection: close"), mark, "request")
    return outcome.of(EVIL)


@row("origin-form", "a request without a host in its URI, an unlisted one in its Host header")
def origin_form(probe: Probe) -> Outcome:
    mark = probe.mark()
    return probe.raw(request(f"GET /{mark} HTTP/1.1", f"Host: {EVIL}", "Connection: close"), mark)


@row("http-1.0", "HTTP/1.0 without a Host header to an unlisted host")
def old(probe: Probe) -> Outcome:
    mark = probe.mark()
    return probe.raw(request(f"GET http://{EVIL}/{mark} HTTP/1.0"), mark)


for port in (25, 443, 8080, 22):
    @row(f"port-{port}-http", f"a plain request to port {port} of a listed host")
    def other_port(probe: Probe, port: int = port) -> Outcome:
        mark = probe.mark()
        return probe.fetch(f"http://{GOOD}:{port}/{mark}", mark)


for scheme in ("https", "ftp", "gopher", "whois", "urn", "cache_object", "ws"):
    @row(f"scheme-{scheme}", f"a URI of {scheme}: to a listed host, port 80")
    def other_scheme(probe: Probe, scheme: str = scheme) -> Outcome:
        mark = probe.mark()
        before = probe.connections()
        outcome = probe.fetch(f"{scheme}://{GOOD}:80/{mark}", mark, host=f"{GOOD}:80")
        # Squid speaks first in some of these protocols and waits in others, so a connection alone is one too many;
        # asking for evidence and for the number take one each.
        return Outcome(outcome.reached or probe.connections() != before + 2, outcome.said, outcome.arrivals)


for method in ("TRACE", "PROPFIND", "SUBSCRIBE", "PURGE"):
    @row(f"method-{method}", f"the method {method} to a listed host")
    def other_method(probe: Probe, method: str = method) -> Outcome:
        mark = probe.mark()
        return probe.fetch(f"http://{GOOD}/{mark}", mark, method=method)


@row("manager", "the proxy's own pages")
def manager(probe: Probe) -> Outcome:
    shown, said = [], ""
    for uri in ("/squid-internal-mgr/menu", f"http://{probe.proxy[0]}:{probe.proxy[1]}/squid-internal-mgr/config", "http://127.0.0.1:3128/squid-internal-mgr/info",
                "http://egress/squid-internal-mgr/info", "cache_object://127.0.0.1/info"):
        said = first_line(probe.raw_answer(request(f"GET {uri} HTTP/1.1", f"Host: {probe.proxy[0]}:{probe.proxy[1]}", "Connection: close")))
        if " 200 " in said:
            shown.append({"how": "answered", "where": uri, "text": said})
    return Outcome(bool(shown), said, shown)


@row("switch-protocol", "a switch to another protocol inside a plain request")
def switch(probe: Probe) -> Outcome:
    mark = probe.mark()
    outcome = probe.fetch(f"http://{GOOD}/{mark}", mark, "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==")
    return outcome.of("Upgrade:")


@row("told", "what a server is told about who asks: the client's address, or that there is a proxy")
def told(probe: Probe) -> Outcome:
    mark = probe.mark()
    raw = probe.get(f"http://{GOOD}/{mark}", "X-Forwarded-For: 10.1.2.3", "Via: 1.1 desktop", "Forwarded: for=10.1.2.3")
    try:
        headers = json.loads(body(raw))["headers"]
    except (ValueError, KeyError):
        return Outcome(True, f"no answer to look at: {first_line(raw)}")
    telling = [": ".join(header) for header in headers if header[0].lower() in ("via", "x-forwarded-for", "forwarded", "x-cache", "client-ip", "x-real-ip")]
    return Outcome(bool(telling), ", ".join(telling) or "nothing", [{"how": "header", "where": GOOD, "text": header} for header in telling])


@row("kept", "the same page twice: the second answer comes from the server too")
def kept(probe: Probe) -> Outcome:
    mark = probe.mark()
    for _ in range(2):
        said = first_line(probe.get(f"http://{GOOD}/{mark}"))
    seen = [arrival for arrival in probe.arrivals(mark) if arrival["how"] == "request" and mark in arrival["text"]]
    return Outcome(len(seen) != 2, f"{said}, {len(seen)} of 2 requests arrived")


def smuggled(name: str, what: str, *headers: str, content: str, method: str = "POST") -> None:
    """The content ends with a request for an unlisted host, which must not be taken for one by anybody."""

    @row(f"smuggled-{name}", what)
    def attempt(probe: Probe) -> Outcome:
        mark = probe.mark()
        inner = f"GET http://{EVIL}/{mark} HTTP/1.1\r\nHost: {EVIL}\r\nX-Rest: "
        data = content.replace("INNER", inner)
        lines = [header.replace("LENGTH", str(len(data))) for header in headers]
        # What comes behind it is a whole request, as that of somebody else on a connection that is kept.
        behind = request(f"GET http://{GOOD}/behind HTTP/1.1", f"Host: {GOOD}", "Connection: close")
        whole = request(f"{method} http://{GOOD}/front HTTP/1.1", f"Host: {GOOD}", *lines, content=data) + behind
        outcome = probe.raw(whole, f"/{mark}", "request", answers=2)
        return Outcome.joined(*(outcome.of(line) for line in (f"GET http://{EVIL}/{mark} ", f"GET /{mark} ")))


smuggled("length-and-chunks", "Content-Length and chunks at once", "Content-Length: LENGTH", "Transfer-Encoding: chunked", content="0\r\n\r\nINNER")
smuggled("chunks-and-length", "chunks and a short Content-Length", "Transfer-Encoding: chunked", "Content-Length: 3", content="0\r\n\r\nINNER")
smuggled("two-lengths", "two lengths", "Content-Length: 0", "Content-Length: LENGTH", content="INNER")
smuggled("list-of-lengths", "a list of lengths", "Content-Length: 0, LENGTH", content="INNER")
smuggled("signed-length", "a length with a sign", "Content-Length: +0", content="INNER")
smuggled("space-before-colon", "a space in front of a colon", "Content-Length: LENGTH", "Transfer-Encoding : chunked", content="0\r\n\r\nINNER")
smuggled("other-encoding", "an encoding that is nearly chunks", "Content-Length: LENGTH", "Transfer-Encoding: xchunked", content="0\r\n\r\nINNER")
smuggled("tab-encoding", "a tab in front of chunked", "Content-Length: LENGTH", "Transfer-Encoding:\tchunked", content="0\r\n\r\nINNER")
smuggled("folded", "a folded header", "Content-Length: LENGTH", "Transfer-Encoding:", " chunked", content="0\r\n\r\nINNER")
smuggled("get-with-content", "content of a GET", "Content-Length: LENGTH", content="INNER", method="GET")
smuggled("bare-cr", "a carriage return inside a header", "X-Header: a\rContent-Length: 0", "Content-Length: LENGTH", content="INNER")
smuggled("bare-lf", "a line that ends without a carriage return", "X-Header: a\nTransfer-Encoding: chunked", "Content-Length: LENGTH", content="0\r\n\r\nINNER")


@row("pipelined", "a request for an unlisted host right behind one for a listed host")
def pipelined(probe: Probe) -> Outcome:
    mark = probe.mark()
    first = request(f"GET http://{GOOD}/first HTTP/1.1", f"Host: {GOOD}")
    second = request(f"GET http://{EVIL}/{mark} HTTP/1.1", f"Host: {EVIL}", "Connection: close")
    return probe.raw(first + second, mark, answers=2)


@row("pipelined-listed", "two requests for a listed host, one behind the other", ALLOWED)
def pipelined_listed(probe: Probe) -> Outcome:
    mark = probe.mark()
    first = request(f"GET http://{GOOD}/first HTTP/1.1", f"Host: {GOOD}")
    return probe.raw(first + request(f"GET http://{GOOD}/{mark} HTTP/1.1", f"Host: {GOOD}", "Connection: close"), mark, answers=2)


@row("request-line", "a request line with two URIs")
def request_line(probe: Probe) -> Outcome:
    mark = probe.mark()
    return probe.raw(request(f"GET http://{GOOD}/ http://{EVIL}/{mark} HTTP/1.1", f"Host: {EVIL}", "Connection: close"), mark).of(EVIL)


@row("http-2", "HTTP/2 without TLS")
def http2(probe: Probe) -> Outcome:
    mark = probe.mark()
    return probe.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + mark.encode(), mark)
