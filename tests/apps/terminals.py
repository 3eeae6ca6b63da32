"""Terminals. What they send is written down by a reader inside them."""

import sys
import time

from applications import ARRIVAL, WHOLE, Application
from desktop import ROOT, Failed, wait_for

READER = ROOT / "tests/apps/reader.py"


class Terminal(Application):
    text_at = (100, 0.5)
    command = ()
    # What it sends for the keys of the column "keys".
    home, end, delete, backspace = "\x1b[H", "\x1b[F", "\x1b[3~", "\x7f"

    def start(self):
        self.file = self.folder / "received"
        self.times = self.folder / "received.times"
        self.since = 0
        return self.desktop.start([*self.command, sys.executable, READER, self.file], home=self.folder)

    def wait_until_ready(self):
        wait_for("the reader", self.file.exists)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.desk("type", text="ready")
            try:
                return wait_for("what was typed", lambda: self.file.read_bytes().endswith(b"ready"), limit=2)
            except Failed:
                continue
        raise Failed(f"nothing that is typed reaches {self.name}")

    def clear(self):
        pass  # the reader never shows what was typed

    def fill(self, _):
        pass  # and shows lines to click at from its start

    def begin(self):
        self.since = self.file.stat().st_size

    def received(self, wanted):
        length = len(wanted.encode())
        try:
            wait_for("the text", lambda: self.file.stat().st_size - self.since >= length, limit=WHOLE)
        except Failed:
            pass
        mark = self.next_mark()
        self.desk("type", text=mark)
        try:
            wait_for("the mark", lambda: self._text().endswith(mark), limit=ARRIVAL)
        except Failed:
            return self._text(), None
        text = self._text().removesuffix(mark)
        return text, self._time_of(self.since + length) if text == wanted else None

    def _text(self):
        """What came since `begin`. A terminal sends a carriage return for Return."""
        return self.file.read_bytes()[self.since :].decode(errors="replace").replace("\r", "\n")

    def _time_of(self, length):
        """When so many bytes had arrived."""
        for line in self.times.read_text().splitlines():
            at, so_far = map(int, line.split())
            if so_far >= length:
                return at / 1e9
        return None


class Xterm(Terminal):
    name, window_class, packages = "xterm", "xterm", ("xterm",)
    command = ("xterm", "-u8", "-fa", "DejaVu Sans Mono", "-fs", "10", "-geometry", "100x40+0+0", "-sl", "500", "-e")


class Urxvt(Terminal):
    name, window_class, packages = "urxvt", "urxvt", ("rxvt-unicode",)
    command = ("urxvt", "-fn", "xft:DejaVu Sans Mono:size=10", "-geometry", "100x40+0+0", "-sl", "500", "-e")
    home, end = "\x1b[7~", "\x1b[8~"


class St(Terminal):
    name, window_class, packages = "st", "st-256color", ("stterm",)
    command = ("stterm", "-f", "DejaVu Sans Mono:size=10", "-g", "100x40+0+0", "-e")
    end, delete = "\x1b[4~", "\x1b[P"
    has_scrolling = False  # it has no lines but those that it shows


class Vte(Terminal):
    name, window_class, packages = "xfce4-terminal (VTE)", "xfce4-terminal", ("xfce4-terminal",)
    command = ("xfce4-terminal", "--disable-server", "--hide-menubar", "--hide-toolbar", "--hide-scrollbar", "--geometry=100x38+0+0", "-x")
