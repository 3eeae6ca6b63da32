"""When a picture is right. Pure: a recording and pictures in, verdicts out; `test_truth.py` tells it lies.

A picture is right when every judged tile of it shows what the screen shows once it is really finished: what it shows at the end
of the recording, or what it came back from during the last moments before that, as a caret does that blinks.
"""

import io

import numpy
import PIL.Image

TILE = 16  # pixels
# The last moments. A caret goes through both of its states in that time: GTK's takes 1.2 s for it, Chromium's and LibreOffice's 1.
TAIL = 1.3  # seconds

# Each pixel of a tile by an odd number of its own, summed up modulo 2^64.
WEIGHTS = numpy.random.default_rng(5).integers(0, 2**63, TILE * TILE, dtype=numpy.uint64) * numpy.uint64(2) + numpy.uint64(1)


def prints(pixels):
    """A number for each tile; equal numbers, equal pixels."""
    height, width = pixels.shape
    rows, columns = height // TILE, width // TILE
    tiles = pixels[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE).transpose(0, 2, 1, 3)
    return (tiles.reshape(rows, columns, TILE * TILE) * WEIGHTS).sum(axis=2)


def pixels_of(png):
    """The pixels of an encoded picture as the framebuffer has them."""
    with PIL.Image.open(io.BytesIO(png)) as image:
        colours = numpy.asarray(image.convert("RGB"), dtype=numpy.uint32)
    return colours[:, :, 0] << 16 | colours[:, :, 1] << 8 | colours[:, :, 2]


def save(pixels, file):
    """Writes them as a picture."""
    colours = numpy.stack([pixels >> 16 & 255, pixels >> 8 & 255, pixels & 255], axis=2)
    PIL.Image.fromarray(colours.astype(numpy.uint8)).save(file)


def judged_tiles(shape, ignored):
    """Which tiles count: those that no ignored rectangle (x0, y0, x1, y1) touches."""
    judged = numpy.ones(shape, bool)
    for x0, y0, x1, y1 in ignored:
        judged[max(0, y0 // TILE) : max(0, -(-y1 // TILE)), max(0, x0 // TILE) : max(0, -(-x1 // TILE))] = False
    return judged


class Truth:
    """What was right in a recording, and since when."""

    def __init__(self, recording, ignored=()):
        self.times, self.states = [recording.begin], [prints(recording.first)]
        self.end = recording.end
        screen = recording.first.copy()
        for change in recording.changes:
            height, width = change.pixels.shape
            screen[change.y : change.y + height, change.x : change.x + width] = change.pixels
            state = self.states[-1].copy()
            # Only the rows of tiles that it touches.
            first, last = change.y // TILE, -(-(change.y + height) // TILE)
            state[first:last] = prints(screen[first * TILE : last * TILE])
            self.times.append(change.time)
            self.states.append(state)
        self.finished = screen
        self.judged = judged_tiles(self.states[0].shape, ignored)
        self.accepted = self._accepted()
        self.done = self._done()

    def _accepted(self):
        """For each of the last states, which of its tiles are right."""
        tail = [state for time, state in zip(self.times, self.states) if time > self.end - TAIL]
        before = [state for time, state in zip(self.times, self.states) if time <= self.end - TAIL]
        tail = [*before[-1:], *tail]
        final, shown_before = tail[-1], numpy.zeros(tail[-1].shape, bool)
        accepted = []
        for state in tail:
            same = state == final
            # Once a tile has shown its final content, whatever it left that for and came back from is one of its states.
            shown_before |= same
            accepted.append((state, shown_before.copy()))
        return accepted

    def is_right(self, state):
        """Whether the tiles of a picture are what the finished screen shows."""
        return not self.wrong_tiles(state)

    def wrong_tiles(self, state):
        right = numpy.zeros(state.shape, bool)
        for content, counts in self.accepted:
            right |= (state == content) & counts
        return int((self.judged & ~right).sum())

    def _done(self):
        """The moment since which the screen has been right for good."""
        done = self.end
        for time, state in zip(reversed(self.times), reversed(self.states)):
            if not self.is_right(state):
                return done
            done = time
        return done

    @property
    def changed(self):
        """Whether there was anything to wait for."""
        return not self.is_right(self.states[0])

    @property
    def steady(self):
        """Whether the recording goes on long enough after the end to be sure that it was the end."""
        return self.end - self.done >= TAIL or not self.changed
