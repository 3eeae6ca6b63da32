"""What the probes share: one JSON line on standard output for each event that the toolkit delivers.

F8 asks for a mark: the text, the selection and the places on the screen. It stands in the toolkit's queue behind everything
that was sent before it. With Shift held it empties the text first.
"""

import json
import sys

TEXT = "alpha beta gamma\ndelta epsilon zeta\n"
TITLE = CLASS = "deskhand-probe"
SIZE = (620, 420)


def say(kind, **fields):
    sys.stdout.write(json.dumps({"kind": kind, **fields}) + "\n")
    sys.stdout.flush()


def held(pairs):
    """The names of the modifiers in `(name, whether it is held)` pairs."""
    return [name for name, down in pairs if down]


class Presses:
    """A press is told when the next event comes: toolkits say in an event of its own that it was a second or third one."""

    def __init__(self):
        self.pending = None

    def press(self, **fields):
        self.flush()
        self.pending = fields

    def count(self, number):
        self.pending["count"] = number

    def flush(self):
        if self.pending:
            say("press", **self.pending)
        self.pending = None
