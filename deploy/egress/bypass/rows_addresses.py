"""Addresses instead of names, and names that lead to addresses which must not be reached."""

from __future__ import annotations

import ipaddress

from . import places
from .probe import Hello, Outcome, Probe
from .rows import row
from .rows_names import add

number = int(ipaddress.IPv4Address(places.EVIL_ADDRESS))
first, second, third, fourth = (int(part) for part in places.EVIL_ADDRESS.split("."))

add("ip", "an IPv4 address", places.EVIL_ADDRESS)
add("ip-of-listed", "the address of a listed domain", places.ALLOWED_ADDRESS)
add("ip-decimal", "an IPv4 address as one decimal number", str(number))
add("ip-octal", "an IPv4 address in octal", f"0{first:o}.0{second:o}.0{third:o}.0{fourth:o}")
add("ip-hex", "an IPv4 address as one hexadecimal number", f"0x{number:08x}")
add("ip-hex-dotted", "an IPv4 address in dotted hexadecimal", f"0x{first:x}.0x{second:x}.0x{third:x}.0x{fourth:x}")
add("ip-short", "an IPv4 address of three parts", f"{first}.{second}.{third * 256 + fourth}")
add("ip-dot", "an IPv4 address with a dot at its end", f"{places.EVIL_ADDRESS}.")
add("ip6", "an IPv6 address", f"[{places.EVIL_ADDRESS_V6}]")
add("ip6-mapped", "an IPv4-mapped IPv6 address", f"[::ffff:{places.EVIL_ADDRESS}]")
add("ip6-mapped-hex", "an IPv4-mapped IPv6 address in hexadecimal", f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]")
add("ip6-zone", "an IPv6 address with a zone", f"[{places.EVIL_ADDRESS_V6}%25eth0]")
add("ip-loopback", "the proxy's own loopback", "127.0.0.1")
add("ip-loopback-short", "the proxy's own loopback, short", "127.1")
add("ip-zero", "the address 0", "0")
add("ip-metadata", "the address of the clouds' metadata services", "169.254.169.254")


def name_of(address: str, mark: str) -> str:
    parsed = ipaddress.ip_address(address)
    return f"v{parsed.version}-{parsed.packed.hex()}-{mark}.{places.NAMES}"


def both(name: str, what: str, host_of) -> None:
    """A plain request and a tunnel to a name below a listed suffix, as whoever owns the suffix can set it up."""

    @row(f"{name}-http", f"{what}, plain")
    def plain(probe: Probe) -> Outcome:
        mark = probe.mark()
        return probe.fetch(f"http://{host_of(mark)}/{mark}/by-name", mark).of("/by-name")

    @row(f"{name}-https", f"{what}, by a tunnel")
    def tunnel(probe: Probe) -> Outcome:
        host = host_of(probe.mark())
        hello = Hello(host)
        return probe.tunnel(f"{host}:443", hello.records(), hello.mark)


for what, address in {**places.PRIVATE, **places.OWN}.items():
    both(f"name-to-{address}", f"a listed name that means {what}", lambda mark, address=address: name_of(address, mark))
both("name-to-mapped", "a listed name that means an IPv4-mapped private address", lambda mark: name_of(places.MAPPED, mark))
both(f"name-to-{places.MULTICAST}", "a listed name that means a multicast address", lambda mark: name_of(places.MULTICAST, mark))
both("name-to-both", "a listed name that means a public and a private address", lambda mark: f"both-{mark}.{places.NAMES}")
both("name-alias", "a listed name that is an alias of one with a private address", lambda mark: f"alias-{mark}.{places.NAMES}")


@row("rebinding", "a listed name that means a public address when it is first asked for, and a private one from then on")
def rebinding(probe: Probe) -> Outcome:
    """Again and again until the name server has been asked a second time: then it has said the private address."""
    label = f"turn-{probe.mark()}"
    said = ""
    for _ in range(60):
        mark = probe.mark()
        outcome = probe.fetch(f"http://{label}.{places.NAMES}/{mark}", mark)
        said = outcome.said
        hidden = [arrival for arrival in outcome.arrivals if places.ALLOWED_ADDRESS not in arrival["where"]]
        if hidden:
            return Outcome(True, said, hidden)
        asked = [arrival for arrival in probe.arrivals(label) if arrival["how"].startswith("dns")]
        # A and AAAA are two questions each time.
        if len(asked) >= 4 and not outcome.reached:
            return Outcome(False, said)
        probe.wait(0.1)
    return Outcome(True, f"the name was not looked up again within six seconds ({said}): the row says nothing")


@row("rebinding-tunnel", "the same between CONNECT and the client's first message")
def rebinding_tunnel(probe: Probe) -> Outcome:
    label = f"turn-{probe.mark()}"
    host = f"{label}.{places.NAMES}"
    hello = Hello(host)
    # What the configuration keeps an answer for at least is a second; after two it asks anew.
    outcome = probe.tunnel(f"{host}:443", hello.records(), hello.mark, pause_s=2.2)
    hidden = [arrival for arrival in outcome.arrivals if places.ALLOWED_ADDRESS not in arrival["where"]]
    return Outcome(bool(hidden), outcome.said, hidden)
