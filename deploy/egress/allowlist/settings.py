"""What the environment says about a proxy, checked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Mapping

# Networks that containers, virtual machines and pods live in.
PRIVATE = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 127.0.0.0/8"
# Squid's lines are read by spaces, so none of these may have one inside.
PATH = re.compile(r"/[A-Za-z0-9._/-]*")


class WrongSetting(Exception):
    pass


@dataclass(frozen=True)
class Settings:
    listen: str
    clients: str
    connect_ports: str
    http_ports: str
    resolvers: list[str]
    refuse_encrypted_hello: bool
    log: str

    @classmethod
    def read(cls, environment: Mapping[str, str], resolv_conf: str) -> Settings:
        def value(name: str, otherwise: str) -> str:
            return environment.get(name, "").strip() or otherwise

        encrypted = value("EGRESS_ENCRYPTED_HELLO", "refuse")
        if encrypted not in ("refuse", "allow"):
            raise WrongSetting(f"EGRESS_ENCRYPTED_HELLO={encrypted}: either refuse or allow")
        log = value("EGRESS_LOG", "/var/log/egress/access.log")
        if not PATH.fullmatch(log):
            raise WrongSetting(f"EGRESS_LOG={log}: an absolute path of letters, digits, dots, hyphens and underscores")
        return cls(
            listen=one_port(value("EGRESS_LISTEN", "3128")),
            # Loopback always: the health check asks from there.
            clients=" ".join(dict.fromkeys([*networks("EGRESS_CLIENTS", value("EGRESS_CLIENTS", PRIVATE)), "127.0.0.0/8"])),
            connect_ports=" ".join(ports("EGRESS_CONNECT_PORTS", value("EGRESS_CONNECT_PORTS", "443"))),
            http_ports=" ".join(ports("EGRESS_HTTP_PORTS", value("EGRESS_HTTP_PORTS", "80"))),
            resolvers=resolvers(value("EGRESS_RESOLVERS", ""), resolv_conf),
            refuse_encrypted_hello=encrypted == "refuse",
            log=log,
        )


def one_port(text: str) -> str:
    found = ports("EGRESS_LISTEN", text)
    if len(found) != 1:
        raise WrongSetting(f"EGRESS_LISTEN={text}: one port")
    return found[0]


def ports(name: str, text: str) -> list[str]:
    found = text.replace(",", " ").split()
    for port in found:
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            raise WrongSetting(f"{name}={text}: {port!a} is no port; write numbers from 1 to 65535")
    return [str(int(port)) for port in found]


def networks(name: str, text: str) -> list[str]:
    found = []
    for network in text.replace(",", " ").split():
        try:
            found.append(str(ipaddress.ip_network(network)))
        except ValueError as error:
            raise WrongSetting(f"{name}={text}: {error}; write networks like 10.1.0.0/16") from None
    return found


def resolvers(text: str, resolv_conf: str) -> list[str]:
    """The resolvers that names are asked of: those of the setting, or those of the machine."""
    found = text.replace(",", " ").split()
    if not found:
        lines = (line.split() for line in resolv_conf.splitlines())
        found = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
        # A loopback address with the number of an interface is no use to anybody else.
        found = [address.split("%")[0] for address in found]
    for address in found:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise WrongSetting(f"EGRESS_RESOLVERS={text}: {error}; write addresses") from None
    # The proxy's own resolver asks others; asking itself it would answer nobody.
    found = [address for address in found if address not in ("127.0.0.1", "::1")]
    if not found:
        raise WrongSetting("no resolver: /etc/resolv.conf names none but this one; set EGRESS_RESOLVERS to its addresses")
    return found
