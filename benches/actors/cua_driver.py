"""cua-driver from PyPI: over MCP and over its own socket, and each with and without ImageMagick's `import` on the PATH, which
it prefers for pictures. Its telemetry is off."""

import os
import pathlib
import subprocess

from harness.errors import Failed
from harness.place import wait_for

from .base import Requested
from .mcp import OverMcp as Mcp

VERSION = "0.37.0"


class CuaDriver(Requested):
    can = ("screenshot", "click", "type", "ten_clicks")
    version = VERSION
    has_import = False

    @classmethod
    def prepare(cls, install):
        # It has the whole program in its package, and nothing that it shares with others.
        cls.program = install.pypi(f"cua-driver=={VERSION}").parent / "cua-driver"
        if cls.has_import:
            install.debian("import", "imagemagick")

    def environment(self):
        environment = self.place.environment()
        if not self.has_import:
            environment["PATH"] = str(path_without_imagemagick(self.place.bench.folder))
        subprocess.run([self.program, "telemetry", "disable"], env=environment, capture_output=True, check=True, timeout=30)
        return environment

    def action(self, action, *details):
        """The tool and what it is given; `desktop` is its word for places on the whole screen."""
        match action:
            case "screenshot":
                return "get_desktop_state", {}
            case "click":
                return "click", {"scope": "desktop", "x": details[0], "y": details[1]}
            case "ten_clicks":
                step = {"tool": "click", "args": {"scope": "desktop", "x": details[0], "y": details[1]}}
                return "run_steps", {"steps": [step] * 10}
            case _:
                return "type_text", {"scope": "desktop", "text": details[0]}

    def ten_clicks(self, x, y):
        return self.seconds(self.request("ten_clicks", x, y))


class OverMcp(CuaDriver, Mcp):
    name, how = "cua-driver, MCP", "its MCP server, no `import` on PATH"

    def command(self):
        return [self.program, "mcp"]

    def request(self, action, *details):
        return self.tool(*self.action(action, *details))


class OverMcpWithImport(OverMcp):
    name, how, has_import = "cua-driver, MCP, import", "its MCP server, `import` on PATH", True


class OverSocket(CuaDriver):
    name, how = "cua-driver, socket", "its daemon's socket, no `import` on PATH"

    def start(self):
        socket = self.place.folder / f"{self.connection.replace(' ', '-').replace(',', '')}.sock"
        # Without its picture of a pointer on the screen, which would be in the others' screenshots.
        self.daemon = self.place.start([self.program, "serve", "--socket", socket, "--no-overlay"], self.environment())
        wait_for("cua-driver", lambda: self.is_open(socket))

    def is_open(self, socket):
        """Whether the daemon lets us in: the file is there before it does."""
        if self.daemon.poll() is not None:
            raise Failed(f"`cua-driver serve` ends with {self.daemon.returncode}")
        try:
            self.client("unix", name=self.connection, path=str(socket))
        except Failed:
            return False
        return True

    def request(self, action, *details):
        name, arguments = self.action(action, *details)
        return {"method": "call", "name": name, "args": arguments, "session_id": "benches", "observation_origin": "direct", "client_kind": "cli"}

    def pids(self):
        return [self.daemon.pid]


class OverSocketWithImport(OverSocket):
    name, how, has_import = "cua-driver, socket, import", "its daemon's socket, `import` on PATH", True


def path_without_imagemagick(folder):
    """A folder of links to every program of the PATH but ImageMagick's."""
    links = folder / "path-without-imagemagick"
    if not links.exists():
        links.mkdir()
        for part in os.environ["PATH"].split(":"):
            for program in pathlib.Path(part).glob("*"):
                is_theirs = "im6" in str(program.resolve()) or program.name in ("import", "convert", "magick")
                if not is_theirs and not (links / program.name).is_symlink():
                    (links / program.name).symlink_to(program)
    return links
