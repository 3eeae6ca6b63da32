"""Addresses that are never reached, whatever name leads to them.

The ranges of documentation (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32) are not among them: they lead to
nobody on the Internet, and the check's own Internet lives in them.
"""

from __future__ import annotations

REFUSED_V4 = {
    "0.0.0.0/8": "this host: Linux connects 0.0.0.0 to loopback",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT, and the metadata service of Alibaba Cloud",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "the host of a machine in Azure, a public address by its looks",
    "169.254.0.0/16": "link-local, and the metadata services of most clouds",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments, and a metadata service of Oracle Cloud",
    "192.88.99.0/24": "relays of 6to4",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarks, which networks use like private ones",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, broadcast, and the resolver's replacement",
}

# All of IPv6 but 2000::/3, and of that what carries IPv4 addresses or belongs to nobody.
REFUSED_V6 = {
    "::/3": "unspecified, loopback, IPv4-mapped and -translated addresses, NAT64, and the resolver's replacement",
    "2001::/23": "Teredo and protocol assignments",
    "2002::/16": "6to4: an IPv4 address inside",
    "4000::/2": "nobody's",
    "8000::/1": "private (fc00::/7), link-local, site-local, multicast",
}

# Where an answer leads instead: reserved, and the range whose packets are discarded (RFC 6666).
REPLACEMENT_V4 = "240.0.0.1"
REPLACEMENT_V6 = "100::1"

# Squid keeps an IPv4 address as ::ffff:a.b.c.d, so to squid ::/3 would be all of IPv4. What of it can get past the resolver
# is named one by one: an address that a client writes itself is not on the list of domains, and squid takes an IPv4-mapped
# one for the IPv4 address that it is.
SQUID_BELOW_2000 = ["::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/8"]


def for_squid() -> str:
    return " ".join([*REFUSED_V4, *(network for network in REFUSED_V6 if network != "::/3"), *SQUID_BELOW_2000])


def for_unbound() -> str:
    lines = []
    for networks, kind, replacement in ((REFUSED_V4, "A", REPLACEMENT_V4), (REFUSED_V6, "AAAA", REPLACEMENT_V6)):
        for network in networks:
            lines.append(f"    response-ip: {network} redirect")
            lines.append(f'    response-ip-data: {network} "{kind} {replacement}"')
    return "\n".join(lines)
