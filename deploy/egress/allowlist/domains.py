"""The list of domains: one a line, `example.com` for that name alone and `.example.com` for it and all below it."""

from __future__ import annotations

import ipaddress
import re

# RFC 1035: 63 characters a label, 253 a name. Letters, digits and hyphens, as RFC 1123 has it for hosts.
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
LONGEST_NAME = 253
# What the C library takes for a number in an address, in any base: a last label like that makes a name an address.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class WrongList(Exception):
    """All that is wrong with a list, a line each."""


def read(text: str, name: str) -> list[str]:
    """The entries of a list, checked and without those that others cover; raises WrongList with every error in it."""
    entries: dict[str, int] = {}
    errors = []
    for number, line in enumerate(text.split("\n"), 1):
        value = line.split("#", 1)[0].strip()
        if not value:
            continue
        error = wrong(value)
        if error:
            errors.append(f"{name}:{number}: {value!a}: {error}")
        else:
            entries.setdefault(value.lower(), number)
    if errors:
        raise WrongList("\n".join(errors))
    # Squid does not start with a name that another entry covers.
    return [entry for entry in entries if not covered(entry, entries)]


def covered(entry: str, entries: dict[str, int]) -> bool:
    labels = entry.lstrip(".").split(".")
    above = {"." + ".".join(labels[begin:]) for begin in range(len(labels))}
    return any(other in entries and other != entry for other in above)


def wrong(value: str) -> str | None:
    """What is wrong with an entry, with what to write instead; None when nothing is."""
    if not value.isascii():
        return f"only ASCII: write {punycode(value)}" if punycode(value) else "only ASCII: write the name in punycode (xn--…)"
    if "://" in value:
        return f"a name, not a URL: write {value.split('://', 1)[1].split('/', 1)[0].split(':', 1)[0]}"
    if value.startswith("*."):
        return f"no wildcards: write {value[1:]} for the name and all below it"
    if is_address(value):
        return "names only: an address says nothing about who answers there; list the name of the service"
    for character, what in (("/", "path"), (":", "port"), ("@", "user"), ("*", "wildcard")):
        if character in value:
            return f"a name without a {what}: remove {character!r} and what belongs to it"
    if value.endswith("."):
        return f"no dot at the end: write {value.rstrip('.')}"
    name = value.lower().removeprefix(".")
    labels = name.split(".")
    for label in labels:
        if not LABEL.fullmatch(label):
            return f"{label!a} is no label of a host name: 1 to 63 letters, digits and inner hyphens between dots"
    if len(name) > LONGEST_NAME:
        return f"{len(name)} characters: a name has at most {LONGEST_NAME}"
    if len(labels) < 2:
        return "a whole top-level domain, or a name that only this network knows: list names with a dot in them"
    if NUMBER.fullmatch(labels[-1]):
        return "names only: with a number at its end this is an address"
    return None


def is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value.strip("[]"))
    except ValueError:
        return bool(NUMBER.fullmatch(value.lower()))
    return True


def punycode(value: str) -> str | None:
    dot = "." if value.startswith(".") else ""
    try:
        return dot + value.removeprefix(".").encode("idna").decode("ascii")
    except UnicodeError:
        return None
