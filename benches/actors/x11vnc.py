"""x11vnc, the peer of streaming: how long a change of the screen takes to reach a viewer of RFB 3.8."""

import socket
import struct
import time

from harness.errors import Failed
from harness.place import wait_for

from .base import Peer
from .cua_computer_server import answers

RAW = 0  # the encoding that costs neither side anything, and on loopback the fastest
LIMIT = 10  # seconds without a byte
STILL = 1  # seconds without an update after which none is on its way: it looks many times a second
ALIKE = 0.03  # the share of a change's pixels that may be what they were before, and need not come


class X11vnc(Peer):
    name, how, can = "x11vnc", "RFB 3.8, raw encoding, one viewer", ("stream",)

    @classmethod
    def prepare(cls, install):
        install.debian("x11vnc", "x11vnc")
        cls.version = install.debian_version("x11vnc")

    def start(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # -localhost: loopback only. -noipv6 because it would listen there as well. No cursor and no waiting for idle moments.
        command = ["x11vnc", "-display", self.place.display, "-localhost", "-noipv6", "-no6", "-rfbport", port, "-forever", "-nopw", "-quiet", "-nocursor"]
        self.server = self.place.start(command)
        wait_for("x11vnc", lambda: answers(port) or self.server.poll() is not None)
        self.viewer = socket.create_connection(("127.0.0.1", port))
        self.viewer.settimeout(LIMIT)
        self.viewer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.exactly(12)
        self.viewer.sendall(b"RFB 003.008\n")
        self.exactly(self.exactly(1)[0])
        self.viewer.sendall(b"\1")  # no authentication
        if self.exactly(4) != bytes(4):
            raise Failed("x11vnc lets nobody in")
        self.viewer.sendall(b"\1")
        self.size = struct.unpack(">HH", self.exactly(4))
        self.exactly(16)
        self.exactly(struct.unpack(">I", self.exactly(4))[0])
        self.viewer.sendall(struct.pack(">BxHi", 2, 1, RAW))
        self.ask(False)
        self.receive()

    def exactly(self, count):
        data = bytearray(count)
        view = memoryview(data)
        while view:
            got = self.viewer.recv_into(view)
            if not got:
                raise Failed("x11vnc has closed the connection")
            view = view[got:]
        return bytes(data)

    def ask(self, incremental):
        self.viewer.sendall(struct.pack(">BBHHHH", 3, incremental, 0, 0, *self.size))

    def receive(self):
        """The next update: how many pixels it has, how many bytes."""
        while (kind := self.exactly(1)[0]) != 0:
            if kind == 2:
                continue  # a bell
            if kind != 3:
                raise Failed(f"x11vnc sends a message of kind {kind}")
            self.exactly(3)
            self.exactly(struct.unpack(">I", self.exactly(4))[0])
        pixels = total = 0
        for _ in range(struct.unpack(">xH", self.exactly(3))[0]):
            _, _, width, height, encoding = struct.unpack(">HHHHi", self.exactly(12))
            if encoding != RAW:
                raise Failed(f"x11vnc sends the encoding {encoding}")
            self.exactly(width * height * 4)
            pixels += width * height
            total += 12 + width * height * 4
        return pixels, total

    def settle(self):
        """Takes what is on its way."""
        self.ask(True)
        self.viewer.settimeout(STILL)
        try:
            while True:
                self.receive()
                self.ask(True)
        except TimeoutError:
            self.viewer.settimeout(LIMIT)

    def change(self, percent):
        """Seconds from a change until all of its pixels have come, in one update or several; and the bytes. A request for
        the next update is always out."""
        wanted, received, total = self.size[0] * self.size[1] * percent / 100 * (1 - ALIKE), 0, 0
        begun = time.perf_counter()
        self.client("change", percent=percent)
        while received < wanted:
            pixels, length = self.receive()
            received, total = received + pixels, total + length
            self.ask(True)
        return time.perf_counter() - begun, total

    def close(self):
        self.viewer.close()

    def pids(self):
        return [self.server.pid]
