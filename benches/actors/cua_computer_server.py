"""cua-computer-server from PyPI, over its own WebSocket."""

import json
import socket

from harness.errors import Failed
from harness.place import wait_for

from .base import Requested


class CuaComputerServer(Requested):
    name = "cua-computer-server"
    how = "its WebSocket"
    can = ("screenshot", "click", "type")
    # The newest for Debian's Python 3.11; with a newer fastapi it does not start.
    packages = ("cua-computer-server==0.1.25", "fastapi==0.115.14")
    version = "0.1.25"

    @classmethod
    def prepare(cls, install):
        cls.python = install.pypi(*cls.packages)

    def start(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # Without CONTAINER_NAME, which the environment of a place never has, it asks its cloud nothing.
        command = [self.python, "-m", "computer_server", "--host", "127.0.0.1", "--port", port]
        log = self.place.folder / "cua-computer-server.log"
        with log.open("w") as output:
            self.server = self.place.start(command, stdout=output, stderr=output)
        wait_for("cua-computer-server", lambda: answers(port) or self.server.poll() is not None)
        if self.server.poll() is not None:
            raise Failed(f"it ends: {(log.read_text().strip().splitlines() or ['without a word'])[-1]}")
        self.client("connect", name=self.connection, address=f"127.0.0.1:{port}", path="/ws", headers=[])

    def request(self, action, *details):
        match action:
            case "screenshot":
                return {"command": "screenshot", "params": {}}
            case "click":
                return {"command": "left_click", "params": {"x": details[0], "y": details[1]}}
            case _:
                return {"command": "type_text", "params": {"text": details[0]}}

    def pipeline(self, action, total, in_flight):
        requests = [json.dumps(self.request(action, 200, 200)) for _ in range(total)]
        return self.client.seconds("pipeline", name=self.connection, requests=requests, in_flight=in_flight)[0]

    def pids(self):
        return [self.server.pid]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    except OSError:
        return False
