"""What the machine reaches, tried from inside. Run in a network namespace of its own: some of these open the machine's network."""

import http.server
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import unittest

from machine import BUILT, RUN, STARTED_WITHIN


class Proxy(http.server.BaseHTTPRequestHandler):
    """In the place of deploy/egress: that it answers is all that counts here, and who asked."""

    asked = []

    def do_GET(self):
        Proxy.asked.append(self.path)
        self.send_error(403)

    def log_message(self, *_):
        pass


class Visited:
    """A TCP and a UDP server on one port of this namespace's loopback, which notes who comes; it must be nobody."""

    def __init__(self):
        self.visits = []
        self.stream = socket.create_server(("127.0.0.1", 0))
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = self.stream.getsockname()[1]
        self.datagrams.bind(("127.0.0.1", self.port))
        for work in (self.accept, self.answer):
            threading.Thread(target=work, daemon=True).start()

    def accept(self):
        while True:
            self.stream.accept()[0].close()
            self.visits.append("tcp")

    def answer(self):
        while True:
            data, whom = self.datagrams.recvfrom(2048)
            self.visits.append("udp")
            self.datagrams.sendto(data, whom)


def check(*arguments, change=None):
    """`run --check`, with something in the script replaced; its status and verdicts."""
    with tempfile.TemporaryDirectory(prefix="deskhand-qemu-") as folder:
        script = RUN
        if change:
            text = pathlib.Path(RUN).read_text()
            old, new = change
            assert text.count(old) == 1, f"{old} is there {text.count(old)} times"
            # Beside the real one, since it takes other files by where it stands.
            descriptor, script = tempfile.mkstemp(prefix=".run-", dir=pathlib.Path(RUN).parent)
            with os.fdopen(descriptor, "w") as file:
                file.write(text.replace(old, new))
            os.chmod(script, 0o755)
        try:
            done = subprocess.run([script, "--machine", str(BUILT), "--socket", f"{folder}/control", "--check", "--patience", str(STARTED_WITHIN), *arguments],
                                  capture_output=True, text=True, check=False, timeout=STARTED_WITHIN + 60)
        finally:
            if change:
                os.unlink(script)
    return done.returncode, done.stdout + done.stderr


class Network(unittest.TestCase):
    def setUp(self):
        Proxy.asked.clear()
        self.visited = Visited()
        self.proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        self.addCleanup(self.proxy.server_close)
        self.addCleanup(self.proxy.shutdown)
        threading.Thread(target=self.proxy.serve_forever, daemon=True).start()
        self.restricted = ("--network", "restricted", "--proxy", f"127.0.0.1:{self.proxy.server_port}")
        self.also = ("--try", f"10.0.2.2:{self.visited.port}")

    def test_without_a_network_nothing_is_reached(self):
        status, said = check(*self.also)
        self.assertEqual(status, 0, said)
        self.assertIn("interfaces: lo\n", said)
        self.assertGreater(said.count("ok "), 15)
        self.assertEqual(self.visited.visits, [])

    def test_the_restricted_network_reaches_the_proxy_alone(self):
        status, said = check(*self.restricted, *self.also)
        self.assertEqual(status, 0, said)
        self.assertIn("the proxy 10.0.2.100:3128 answers: HTTP/1.0 403", said)
        self.assertEqual(Proxy.asked, ["http://deskhand.invalid/"])
        self.assertEqual(self.visited.visits, [])

    def test_an_open_network_is_seen_as_a_hole(self):
        status, said = check(*self.restricted, *self.also, change=("restrict=on", "restrict=off"))
        self.assertEqual(status, 1, said)
        self.assertIn(f"HOLE    tcp 10.0.2.2 port {self.visited.port} answers", said)
        self.assertIn(f"HOLE    udp 10.0.2.2 port {self.visited.port} answers", said)
        self.assertEqual(set(self.visited.visits), {"tcp", "udp"})

    def test_a_network_where_there_should_be_none_is_seen(self):
        status, said = check(change=("none) network_flags=(-nic none) ;;",
                                     'none) network_flags=(-netdev user,id=net,restrict=on -device virtio-net-pci,netdev=net,romfile=)'
                                     '\n    append+=" deskhand.network=none" ;;'))
        self.assertEqual(status, 1, said)
        self.assertIn("HOLE    interfaces: eth0 lo", said)

    def test_a_proxy_that_is_not_there_is_told(self):
        self.proxy.shutdown()
        self.proxy.server_close()
        status, said = check(*self.restricted)
        self.assertEqual(status, 1, said)
        self.assertIn("BROKEN  the proxy 10.0.2.100:3128 does not answer", said)


if __name__ == "__main__":
    unittest.main()
