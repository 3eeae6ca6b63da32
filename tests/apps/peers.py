"""Other programs that type, as their own documentation uses them."""

import json
import pathlib
import shutil
import subprocess

from desktop import ROOT, Failed, wait_for

LIMIT = 180  # seconds for one text


class Peer:
    """Types on a display. `missing` says which command failed to get it."""

    missing = None

    def __init__(self, desktop):
        self.desktop = desktop
        self.environment = desktop.display.environment(desktop.folder)

    def type(self, text):
        file = self.desktop.folder / "text-to-type"
        file.write_text(text, encoding="utf-8")
        self.run(self.command(file))

    def run(self, command, **options):
        command = [str(part) for part in command]
        try:
            ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=LIMIT, **options)
        except subprocess.TimeoutExpired:
            raise Failed(f"{command[0]} takes longer than {LIMIT} s") from None
        if ended.returncode != 0:
            raise Failed(f"{' '.join(command[:3])}: {(ended.stderr or ended.stdout).strip()[:300]}")
        return ended.stdout

    def close(self):
        pass


class Xdotool(Peer):
    name = "xdotool"

    @staticmethod
    def version(_):
        return subprocess.run(["xdotool", "--version"], capture_output=True, text=True).stdout.split()[-1]

    def command(self, file):
        return ["xdotool", "type", "--file", file]


class Enigo(Peer):
    name = "enigo"
    program = None

    @classmethod
    def prepare(cls, target):
        """Builds the small program around the crate, apart from this package."""
        source = ROOT / "tests/apps/peers/enigo"
        command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(target / "enigo")]
        ended = subprocess.run(command, cwd=source, capture_output=True, text=True)
        if ended.returncode != 0:
            cls.missing = f"`{' '.join(command[:4])}`: {ended.stderr.strip().splitlines()[-1]}"
        built = sorted((target / "enigo").glob("**/release/type-with-enigo"))
        cls.program = built[0] if built else None

    @staticmethod
    def version(_):
        lock = (ROOT / "tests/apps/peers/enigo/Cargo.lock").read_text()
        return lock.split('name = "enigo"\nversion = "')[1].split('"')[0]

    def command(self, file):
        return [self.program, file]


class CuaDriver(Peer):
    name = "cua-driver"
    program = None

    @classmethod
    def prepare(cls, target):
        environment = target / "peers-python"
        cls.program = environment / "bin/cua-driver"
        if cls.program.exists():
            return
        subprocess.run(["python3", "-m", "venv", environment], check=True)
        command = [environment / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "cua-driver==0.37.0"]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode != 0:
            cls.missing = f"`pip install cua-driver==0.37.0`: {ended.stderr.strip().splitlines()[-1]}"

    @staticmethod
    def version(_):
        return "0.37.0"

    def __init__(self, desktop):
        super().__init__(desktop)
        self.environment |= {"DO_NOT_TRACK": "1"}
        self.run([self.program, "telemetry", "disable"])
        self.socket = desktop.folder / "cua.sock"
        self.server = desktop.start([self.program, "serve", "--socket", self.socket], environment={"DO_NOT_TRACK": "1"})
        wait_for("cua-driver", self.socket.exists)

    def type(self, text):
        # To the application that has the focus, as a person would type.
        self.run([self.program, "call", "type_text", "--socket", self.socket, json.dumps({"scope": "desktop", "text": text})])


PEERS = {peer.name: peer for peer in (Xdotool, Enigo, CuaDriver)}


def prepare(target):
    """Gets what the peers need; a peer that cannot be had says so in `missing`."""
    target = pathlib.Path(target)
    if not shutil.which("xdotool"):
        Xdotool.missing = "`apt-get install xdotool`"
    Enigo.prepare(target)
    CuaDriver.prepare(target)
