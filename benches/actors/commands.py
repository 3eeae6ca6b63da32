"""Programs that do one thing and end, as scripts use them: what counts is the whole process."""

import shutil
import subprocess
import time

from harness.errors import Failed

from .base import Peer

LIMIT = 60  # seconds for one action


class Command(Peer):
    how = "a process each time"
    program, package = "", ""

    @classmethod
    def prepare(cls, install):
        install.debian(cls.program, cls.package)
        cls.version = install.debian_version(cls.package)

    def __init__(self, place):
        super().__init__(place)
        self.environment = place.environment()
        self.file = place.folder / f"{self.name}.png"

    def run(self, *arguments):
        command = [shutil.which(self.program), *map(str, arguments)]
        begun = time.perf_counter()
        try:
            ended = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.program} takes longer than {LIMIT} s") from None
        took = time.perf_counter() - begun
        if ended.returncode != 0:
            raise Failed(f"{self.program}: {ended.stderr.decode(errors='replace').strip()[:200] or ended.returncode}")
        return took


class Screenshot(Command):
    can = ("screenshot",)

    def arguments(self):
        raise NotImplementedError

    def screenshot(self, change):
        if change is not None:
            self.client("change", percent=change)
        return self.run(*self.arguments())

    def picture(self):
        self.run(*self.arguments())
        return self.file.read_bytes()


class Scrot(Screenshot):
    name, program, package = "scrot", "scrot", "scrot"

    def arguments(self):
        return "-o", self.file


class Maim(Screenshot):
    name, program, package = "maim", "maim", "maim"

    def arguments(self):
        return "-u", self.file


class Import(Screenshot):
    name, program, package = "ImageMagick import", "import", "imagemagick"

    def arguments(self):
        return "-window", "root", f"png:{self.file}"


class GnomeScreenshot(Screenshot):
    name, program, package = "gnome-screenshot", "gnome-screenshot", "gnome-screenshot"

    def arguments(self):
        return "-f", self.file

    def picture(self):
        self.file.unlink(missing_ok=True)
        return super().picture()


class Xdotool(Command):
    name, program, package = "xdotool", "xdotool", "xdotool"
    can = ("click", "type")

    def click(self, x, y):
        return self.run("mousemove", x, y, "click", 1)

    def ten_clicks(self, x, y):
        return self.run("mousemove", x, y, "click", "--repeat", 10, "--delay", 0, 1)

    def type(self, text):
        return self.run("type", "--", text)
