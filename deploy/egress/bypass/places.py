"""The check's own Internet: who lives where. Documentation ranges for what stands for public addresses."""

from __future__ import annotations

INTERNET = "203.0.113.1"
INTERNET_V6 = "2001:db8::1"
DNS = "203.0.113.53"
# On the list. One port is listed in no setting.
ALLOWED = "allowed.example"
ALLOWED_ADDRESS = "203.0.113.10"
# Anybody may have a name in here, so whoever runs the desktop's page decides what it means.
NAMES = "names.example"
# Not on the list; every name that is not known means this address.
EVIL = "evil.example"
EVIL_ADDRESS = "203.0.113.66"
# Not in the network of the proxy's leg: the kernel answers for an IPv6 address of another interface only when it is routed.
EVIL_ADDRESS_V6 = "2001:db8:66::66"
# What the proxy's listed names are.
LIST = f"{ALLOWED}\n.{NAMES}\n"

# Addresses that must not be reached; the lab has servers on all of them.
PRIVATE = {
    "private (10/8)": "10.99.0.1",
    "private (172.16/12)": "172.20.0.1",
    "private (192.168/16)": "192.168.77.1",
    "carrier-grade NAT (100.64/10)": "100.64.0.1",
    "link-local (169.254/16)": "169.254.7.7",
    "cloud metadata (169.254.169.254)": "169.254.169.254",
    "Azure's host (168.63.129.16)": "168.63.129.16",
    "benchmarks (198.18/15)": "198.18.0.1",
    "reserved (240/4)": "240.0.0.9",
    "private IPv6 (fc00::/7)": "fd00:ec2::254",
    "NAT64 of a private address": "64:ff9b::a63:1",
    "6to4 of a private address": "2002:a63:1::1",
    "Teredo": "2001:0:a63:1::1",
}
# Answered by the proxy's own machine, if at all.
OWN = {
    "loopback (127/8)": "127.0.0.1",
    "this host (0.0.0.0)": "0.0.0.0",
    "IPv6 loopback": "::1",
    "unspecified IPv6": "::",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
}
MAPPED = "::ffff:10.99.0.1"
MULTICAST = "224.0.0.1"

TLS_PORT = 443
PLAIN_PORT = 80
# Ports that are open out there and not allowed: mail, an alternative web port, ssh, DNS over TLS.
OTHER_PORTS = (22, 25, 853, 8080, 8443)
DNS_PORT = 53
