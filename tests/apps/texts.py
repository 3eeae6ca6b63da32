"""The texts that are typed, from the files that tests/support/texts.rs reads as well, and how far a text is from another."""

import dataclasses
import difflib
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "corpora" / "texts"
FORMULA = "=+-"  # a sheet takes a line that begins so for a formula, and asks about one that it cannot read
TURN = 31  # how far a text is turned from one run to the next; as in tests/support/texts.rs


def read(name, run=0):
    """A text with its beginning put behind its end, further for each run."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    start = run * TURN % len(text)
    while text[start] in FORMULA:
        start += 1
    return text[start:] + text[:start]


@dataclasses.dataclass
class Difference:
    """What became of a text: how many characters did not arrive in their place, and how many arrived that were not meant."""

    lost: int
    added: int
    first: str

    @property
    def none(self):
        return self.lost == self.added == 0


def difference(wanted, received):
    if wanted == received:
        return Difference(0, 0, "")
    lost, added = len(wanted), len(received)
    # `autojunk` would take every frequent character for noise.
    for block in difflib.SequenceMatcher(None, wanted, received, autojunk=False).get_matching_blocks():
        lost, added = lost - block.size, added - block.size
    same = next((at for at, (one, other) in enumerate(zip(wanted, received)) if one != other), min(len(wanted), len(received)))
    part = slice(max(0, same - 5), same + 20)
    return Difference(lost, added, f"from {same} on {received[part]!r} instead of {wanted[part]!r}")
