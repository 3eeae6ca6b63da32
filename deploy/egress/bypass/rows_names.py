"""What is on the list, what is not, and what looks like it."""

from __future__ import annotations

import hashlib
import json

from . import places
from .probe import Hello, Outcome, Probe, body
from .rows import ALLOWED, row

EVIL, GOOD, NAMES = places.EVIL, places.ALLOWED, places.NAMES


@row("listed-http", "a plain request to a listed domain", ALLOWED)
def listed_http(probe: Probe) -> Outcome:
    mark = probe.mark()
    return probe.fetch(f"http://{GOOD}/{mark}", mark)


@row("listed-https", "a tunnel to a listed domain, to the certificate of the server itself", ALLOWED)
def listed_https(probe: Probe) -> Outcome:
    raw, certificate, said = probe.secure(GOOD)
    try:
        same = json.loads(body(raw))["certificate"] == hashlib.sha256(certificate).hexdigest()
    except (ValueError, KeyError):
        return Outcome(False, said)
    return Outcome(same, said if same else "the certificate is not the server's: the tunnel is opened on the way")


def add(name: str, what: str, host: str, expected: str | None = None, server_name: str | None = None) -> None:
    """A row for a plain request and one for a tunnel to the same host."""

    def plain(probe: Probe) -> Outcome:
        mark = probe.mark()
        return probe.raw(f"GET http://{host}/{mark} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("utf-8", "surrogateescape"), mark)

    def tunnel(probe: Probe) -> Outcome:
        # The same name in both places: what stops this row is the name, not a difference.
        hello = Hello(GOOD).naming(server_name or host.rstrip(".").lower())
        return probe.tunnel(f"{host}:443", hello.records(), hello.mark)

    kept = {"expected": expected} if expected else {}
    row(f"{name}-http", f"{what}, plain", **kept)(plain)
    row(f"{name}-https", f"{what}, by a tunnel", **kept)(tunnel)


add("case", "a listed domain in upper and lower case", "AlloWed.EXAMPLE", ALLOWED, GOOD)
add("below-suffix", "a name below a listed suffix", f"any.{NAMES}", ALLOWED)
add("suffix-itself", "a listed suffix itself", NAMES, ALLOWED)
add("unlisted", "a domain that is not listed", EVIL)
add("below-exact", "a name below a domain that is listed exactly", f"www.{GOOD}")
add("listed-in-front", "a listed name as the beginning of another", f"{GOOD}.{EVIL}")
add("listed-behind", "a name that only ends like a listed suffix", f"evil{NAMES}")
add("parent", "the domain above a listed one", "example")
add("unlisted-dot", "an unlisted domain with a dot at its end", f"{EVIL}.")
add("unlisted-case", "an unlisted domain in other case", EVIL.upper())
add("punycode", "a homograph of a listed domain, in punycode", "xn--llowed-6fg.example")
add("homograph", "a homograph of a listed domain, as UTF-8", "аllowed.example")
add("full-width", "a listed name in front of an ideographic full stop", f"{GOOD}\u3002{EVIL}")
add("user", "a listed domain as user of another", f"{GOOD}@{EVIL}")
add("user-password", "a listed domain as user and password of another", f"{GOOD}:443@{EVIL}")
add("encoded-dot", "a percent-encoded dot", f"{GOOD}%2e{EVIL}")
add("encoded-nul", "a percent-encoded NUL after a listed domain", f"{GOOD}%00.{EVIL}")
add("nul", "a NUL after a listed domain", f"{GOOD}\0.{EVIL}")
add("backslash", "a backslash after a listed domain", f"{GOOD}\\@{EVIL}")
add("fragment", "an unlisted domain with a listed one behind #", f"{EVIL}#@{GOOD}")
add("question-mark", "an unlisted domain with a listed one behind ?", f"{EVIL}?@{GOOD}")
add("space", "a space after a listed domain", f"{GOOD} {EVIL}")
add("tab", "a tab after a listed domain", f"{GOOD}\t{EVIL}")
add("leading-dot", "a dot before an unlisted domain", f".{EVIL}")


@row("listed-dot-https", "a listed domain with a dot at its end, by a tunnel: the same name", ALLOWED)
def listed_dot(probe: Probe) -> Outcome:
    hello = Hello(GOOD)
    return probe.tunnel(f"{GOOD}.:443", hello.records(), hello.mark)


@row("redirect", "a listed server's redirect to an unlisted one, followed")
def redirect(probe: Probe) -> Outcome:
    mark = probe.mark()
    raw = probe.get(f"http://{GOOD}/redirect/{mark}")
    location = [line[10:].decode() for line in raw.split(b"\r\n") if line.lower().startswith(b"location: ")]
    if not location:
        return Outcome(True, "no redirect came: the row says nothing")
    # The request for the redirect itself has the mark too, so the mark of the place that it leads to is another.
    second = probe.mark()
    return probe.fetch(location[0].replace(mark, second), second)
