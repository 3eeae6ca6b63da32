"""cells.jsonl: what has been measured so far, by however many runs of the harness, one after the other or at the same time."""

import contextlib
import dataclasses
import fcntl
import json

from click_after import Landing
from columns import COLUMNS
from loads import LOADS
from rows import ROWS
from table import Cell

FILE = "cells.jsonl"


def key(entry):
    """What a cell or a landing is about: a later measurement of the same stands in place of the earlier one."""
    if isinstance(entry, Cell):
        return "cell", entry.actor, entry.row, entry.column, entry.load
    return "landing", entry.actor, entry.window_manager, entry.text, entry.target


def read(folder):
    """The cells and the landings in a folder."""
    entries = []
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / FILE).read_text(encoding="utf-8").splitlines():
            fields = json.loads(line)
            kind = Cell if fields.pop("section") == "table" else Landing
            known = {field.name for field in dataclasses.fields(kind)}
            entries.append(kind(**{name: value for name, value in fields.items() if name in known}))
    return entries


def merged(before, new):
    """All of them, in the order of the table."""
    entries = {key(entry): entry for entry in [*before, *new]}.values()
    cells = [entry for entry in entries if isinstance(entry, Cell) and entry.row in ROWS and entry.column in COLUMNS]
    order = {name: at for names in (ROWS, COLUMNS, LOADS) for at, name in enumerate(names)}
    actors = list(dict.fromkeys(["Deskhand", *(cell.actor for cell in cells)]))
    cells.sort(key=lambda cell: (order[cell.load], actors.index(cell.actor), order[cell.row], order[cell.column]))
    return cells, [entry for entry in entries if isinstance(entry, Landing)]


@contextlib.contextmanager
def updated(folder, new):
    """Adds to what a folder holds: gives the cells and the landings, which are written when the page has been made of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cells, landings = merged(read(folder), new)
        yield cells, landings
        # The file itself is the lock, so it is written in place.
        lines = [json.dumps(entry.as_dict(), ensure_ascii=False) + "\n" for entry in [*cells, *landings]]
        (folder / FILE).write_text("".join(lines), encoding="utf-8")
