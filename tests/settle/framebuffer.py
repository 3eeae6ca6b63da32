"""What the screen shows, and since when: read from the X server's own memory, past Deskhand, whose judgement is under test."""

import dataclasses
import mmap
import select
import struct
import threading
import time

import numpy
import Xlib.ext.damage

from desktop import Failed, wait_for

# Damage only says when to look. Should it ever be silent about a change, the next look of these sees it.
LONGEST_BETWEEN_LOOKS = 0.05  # seconds
COLOURS = numpy.uint32(0xFFFFFF)  # the fourth byte of a pixel means nothing


class Framebuffer:
    """The file that `Xvfb -fbdir` draws into: an XWD header, a colour map and the pixels, 32 bits each."""

    def __init__(self, file):
        with file.open("rb") as opened:
            self.memory = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        head = struct.unpack(">25I", self.memory[:100])
        size, self.width, self.height, bits, stride, colours = head[0], head[4], head[5], head[11], head[12], head[19]
        if bits != 32 or stride != 4 * self.width:
            raise Failed(f"the framebuffer has {bits} bits a pixel and {stride} bytes a row; only 32 bits without padding are known")
        self.pixels = numpy.frombuffer(self.memory, numpy.uint32, self.width * self.height, size + 12 * colours)
        self.pixels = self.pixels.reshape(self.height, self.width)

    def copy(self):
        return self.pixels & COLOURS


@dataclasses.dataclass
class Change:
    """From `time` on, the rectangle with this top left corner shows these pixels."""

    time: float
    x: int
    y: int
    pixels: numpy.ndarray


@dataclasses.dataclass
class Recording:
    """The screen at the beginning and each change since, up to `end`; times are `time.monotonic`."""

    first: numpy.ndarray
    begin: float
    end: float
    changes: list


class Recorder:
    """Records while it is told to. A connection and a thread of its own; between recordings neither does anything."""

    def __init__(self, display, file):
        self.framebuffer = wait_for("the X server's framebuffer file", lambda: file.exists() and Framebuffer(file))
        self.connection = display.open()
        self.connection.damage_query_version()
        self.damage = self.connection.screen().root.damage_create(Xlib.ext.damage.DamageReportNonEmpty)
        self.lock, self.wanted, self.over = threading.Lock(), threading.Event(), False
        self.recording = self.problem = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def start(self):
        """Records from now on; what was recorded before is forgotten."""
        self._take_damage()
        with self.lock:
            self.shown = self.framebuffer.copy()
            now = time.monotonic()
            self.recording = Recording(self.shown.copy(), now, now, [])
        self.wanted.set()

    def so_far(self):
        """What has been recorded up to now, which goes on."""
        self._look()
        if self.problem:
            raise Failed(f"the recorder ended: {self.problem}")
        with self.lock:
            found = self.recording
            return Recording(found.first, found.begin, found.end, list(found.changes))

    def stop(self):
        self.wanted.clear()

    def _run(self):
        try:
            while not self.over:
                self.wanted.wait()
                select.select([self.connection.fileno()], [], [], LONGEST_BETWEEN_LOOKS)
                if self.wanted.is_set() and not self.over:
                    self._take_damage()
                    self._look()
        except Exception as error:  # told to whoever asks for the recording
            self.problem = error

    def _take_damage(self):
        """Empties the damage before the pixels are read, so that whatever is drawn after that is told again."""
        with self.lock:
            while self.connection.pending_events():
                self.connection.next_event()
            self.connection.damage_subtract(self.damage)
            self.connection.sync()

    def _look(self):
        with self.lock:
            now = time.monotonic()
            pixels = self.framebuffer.copy()
            differs = pixels != self.shown
            self.recording.end = now
            rows = numpy.flatnonzero(differs.any(axis=1))
            if not len(rows):
                return
            top, bottom = rows[0], rows[-1] + 1
            columns = numpy.flatnonzero(differs[top:bottom].any(axis=0))
            left, right = columns[0], columns[-1] + 1
            self.recording.changes.append(Change(now, left, top, pixels[top:bottom, left:right].copy()))
            self.shown = pixels

    def close(self):
        self.over = True
        self.wanted.set()
        self.thread.join(2)
        self.connection.close()
