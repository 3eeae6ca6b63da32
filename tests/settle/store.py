"""cells.jsonl: what has been measured so far, by however many runs of the harness, one after the other or at the same time."""

import contextlib
import dataclasses
import fcntl
import json

from scenarios import SCENARIOS
from ways import WAYS

FILE = "cells.jsonl"


@dataclasses.dataclass
class Cell:
    """All trials of one way of waiting in one scenario; milliseconds, a number for each trial."""

    scenario: str
    way: str
    right: list = dataclasses.field(default_factory=list)
    answer: list = dataclasses.field(default_factory=list)
    done: list = dataclasses.field(default_factory=list)
    wrong_tiles: list = dataclasses.field(default_factory=list)
    reasons: list = dataclasses.field(default_factory=list)
    told: list = dataclasses.field(default_factory=list)
    load: list = dataclasses.field(default_factory=list)
    # When the application itself says that it came to its end.
    said: list = dataclasses.field(default_factory=list)
    # Trials that count for nothing, and why.
    useless: list = dataclasses.field(default_factory=list)
    # With what: the lines that head the page are made of it.
    measured: dict = dataclasses.field(default_factory=dict)

    def add(self, verdict):
        self.right.append(verdict.right)
        self.answer.append(verdict.answer)
        self.done.append(verdict.done)
        self.wrong_tiles.append(verdict.wrong_tiles)
        self.reasons.append(verdict.reason)
        self.told.append(verdict.told)
        self.load.append(verdict.load)
        self.said.append(verdict.said)

    @property
    def trials(self):
        return len(self.right)

    @property
    def beyond(self):
        """How late the right pictures came."""
        return [answer - done for right, answer, done in zip(self.right, self.answer, self.done) if right]


def read(folder):
    with contextlib.suppress(FileNotFoundError):
        known = {field.name for field in dataclasses.fields(Cell)}
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
        return [Cell(**{name: value for name, value in json.loads(line).items() if name in known}) for line in lines]
    return []


@contextlib.contextmanager
def updated(folder, new):
    """Adds to what a folder holds, each cell in place of its earlier self: gives all of them, which are written when the page has
    been made of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cells = {(cell.scenario, cell.way): cell for cell in [*read(folder), *new]}
        order = {name: at for names in (SCENARIOS, WAYS) for at, name in enumerate(names)}
        found = [cell for cell in cells.values() if cell.scenario in SCENARIOS and cell.way in WAYS]
        found.sort(key=lambda cell: (order[cell.scenario], order[cell.way]))
        yield found
        # The file itself is the lock, so it is written in place.
        text = "".join(json.dumps(dataclasses.asdict(cell), ensure_ascii=False) + "\n" for cell in found)
        (folder / FILE).write_text(text, encoding="utf-8")
