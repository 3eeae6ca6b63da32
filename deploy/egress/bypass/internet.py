"""The servers of the check's Internet: HTTP, TLS with certificates made on the fly, raw TCP, UDP and a name server.

    python3 -m bypass.internet --folder DIR [--own]

`--own` is for the proxy's own machine: servers on its loopback, which nobody may reach by a name.
"""

from __future__ import annotations

import argparse
import email.utils
import hashlib
import json
import pathlib
import re
import selectors
import socket
import ssl
import subprocess
import sys
import threading

from . import names, places
from .evidence import Evidence

# A client that stays silent is given up after this, so that threads end.
PATIENCE_S = 10
TLS_HANDSHAKE = b"\x16"


def make_certificate(folder: pathlib.Path) -> None:
    subjects = f"DNS:{places.ALLOWED},DNS:*.{places.NAMES},DNS:{places.EVIL}"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=the check's own Internet",
         "-addext", f"subjectAltName={subjects}", "-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


class Told(Evidence):
    """Tells the Internet of what arrived, which is where it is asked for."""

    def add(self, how: str, where: str, data: bytes) -> None:
        with socket.create_connection((places.INTERNET, places.PLAIN_PORT), PATIENCE_S) as internet:
            internet.sendall(f"arrived at {where}: ".encode() + data)
            internet.shutdown(socket.SHUT_WR)
            # Its end says that it has been noted.
            while internet.recv(4096):
                pass


class Server:
    def __init__(self, folder: pathlib.Path, evidence: Evidence) -> None:
        self.evidence = evidence
        self.connections = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        certificate = ssl.PEM_cert_to_DER_cert((folder / "certificate.pem").read_text())
        self.fingerprint = hashlib.sha256(certificate).hexdigest()

    def stream(self, connection: socket.socket, where: str) -> None:
        """Notes the first bytes, whatever they are, and speaks TLS or HTTP when they begin like that."""
        with connection:
            try:
                connection.settimeout(PATIENCE_S)
                first = connection.recv(1, socket.MSG_PEEK)
                if first == TLS_HANDSHAKE:
                    self.tls(connection, where)
                elif first:
                    self.http(connection, where, "tcp")
            except OSError:
                return

    def tls(self, connection: socket.socket, where: str) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = self.context.wrap_bio(incoming, outgoing, server_side=True)

        seen = b""

        def receive() -> None:
            nonlocal seen
            data = connection.recv(16384)
            # All of it so far: what is looked for may come in two parts.
            seen = (seen + data)[:16384]
            self.evidence.add("tls", where, seen)
            incoming.write(data) if data else incoming.write_eof()

        def step(action):
            while True:
                try:
                    result = action()
                    connection.sendall(outgoing.read())
                    return result
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    receive()

        step(secure.do_handshake)
        self.http(None, where, "https", lambda: step(lambda: secure.read(16384)), lambda data: step(lambda: secure.write(data)))

    def http(self, connection, where: str, how: str, receive=None, send=None) -> None:
        """Requests one after the other; what each was, as it came, is evidence and, but for its body, the answer."""
        receive = receive or (lambda: connection.recv(16384))
        send = send or connection.sendall
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                data = receive()
                if not data:
                    return
                # Who asks for evidence leaves none.
                if b"/evidence/" not in data.split(b"\r\n")[0]:
                    self.evidence.add(how, where, data)
                buffer += data
                if b"\n" in buffer and b" HTTP/" not in buffer.split(b"\n")[0]:
                    # Not HTTP; more of it may follow.
                    buffer = b""
                    send(b"seen\r\n")
            head, buffer = buffer.split(b"\r\n\r\n", 1)
            # The most gullible of servers, for smuggled requests are made for those: any end of a line, folded lines, the first
            # of several lengths, everything that looks like chunks, no content of a GET.
            lines = re.split(r"\r\n|\r|\n", re.sub(r"\r\n[ \t]+", " ", head.decode("latin-1")))
            headers = [[part.strip() for part in line.split(":", 1)] for line in lines[1:] if ":" in line]
            fields: dict[str, str] = {}
            for name, value in headers:
                fields.setdefault(name.lower(), value)
            length = 0
            if "chunked" in fields.get("transfer-encoding", ""):
                while b"0\r\n\r\n" not in buffer and (data := receive()):
                    buffer += data
                buffer = buffer.split(b"0\r\n\r\n", 1)[-1]
            elif not lines[0].startswith("GET "):
                length = int(fields.get("content-length", "0").split(",")[0] or 0)
            while len(buffer) < length and (data := receive()):
                self.evidence.add(how, where, data)
                buffer += data
            buffer = buffer[length:]
            if b"/evidence/" not in head.split(b"\r\n")[0]:
                self.evidence.add("request", where, head)
            send(self.answer(lines[0].split(" "), where, headers))

    def answer(self, request: list[str], where: str, headers: list[list[str]]) -> bytes:
        # Servers have to understand a whole URI too (RFC 9112, section 3.2.2), and a careless proxy sends one.
        path = re.sub(r"^https?://[^/]*", "", request[1]) if len(request) > 1 else ""
        status, more = "200 OK", ""
        if path.startswith("/evidence/"):
            body = self.evidence.of(path.rsplit("/", 1)[1])
        elif path == "/connections":
            body = self.connections
        elif path.startswith("/redirect/"):
            status, body = "302 Found", {}
            more = f"Location: http://{places.EVIL}/{path.rsplit('/', 1)[1]}\r\n"
        else:
            body = {"where": where, "request": request, "headers": headers, "certificate": self.fingerprint}
        data = json.dumps(body).encode()
        # Cacheable: whoever keeps a copy shows it.
        head = f"HTTP/1.1 {status}\r\nDate: {email.utils.formatdate(usegmt=True)}\r\nContent-Type: application/json\r\nCache-Control: max-age=3600\r\n{more}Content-Length: {len(data)}\r\n\r\n"
        return head.encode() + data

    def listen(self, family: int, address: str, port: int) -> socket.socket:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(64)
        return listener


def serve(folder: pathlib.Path, own: bool) -> None:
    evidence = Told() if own else Evidence()
    if not own:
        make_certificate(folder)
        names.serve(places.DNS, evidence, names.Zone())
    server = Server(folder, evidence)
    selector = selectors.DefaultSelector()
    # The proxy's machine has its resolver on port 53 and squid on its own.
    ports = (places.TLS_PORT, places.PLAIN_PORT) if own else (places.TLS_PORT, places.PLAIN_PORT, *places.OTHER_PORTS)
    if not own:
        # Port 53 of the others belongs to nobody, so that only the name server has it.
        selector.register(server.listen(socket.AF_INET, places.ALLOWED_ADDRESS, places.DNS_PORT), selectors.EVENT_READ, "tcp")
    for family, address in ((socket.AF_INET, "127.0.0.1" if own else "0.0.0.0"), (socket.AF_INET6, "::1" if own else "::")):
        for port in ports:
            selector.register(server.listen(family, address, port), selectors.EVENT_READ, "tcp")
        if not own:
            datagrams = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            datagrams.bind((address, places.TLS_PORT))
            selector.register(datagrams, selectors.EVENT_READ, "udp")
    (folder / ("own-ready" if own else "ready")).write_text(server.fingerprint)
    while True:
        for key, _ in selector.select():
            if key.data == "udp":
                data, peer = key.fileobj.recvfrom(4096)
                evidence.add("udp", f"port {places.TLS_PORT} from {peer[0]}", data)
                key.fileobj.sendto(b"seen " + data, peer)
                continue
            connection, _ = key.fileobj.accept()
            address, port = connection.getsockname()[:2]
            server.connections += 1
            where = f"{'the proxy itself, ' if own else ''}{address}:{port}"
            threading.Thread(target=server.stream, args=(connection, where), daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bypass.internet", description="The servers of the check's own Internet.")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="where certificate.pem, key.pem and ready are")
    parser.add_argument("--own", action="store_true", help="the servers on the proxy's loopback instead")
    options = parser.parse_args()
    serve(options.folder, options.own)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
