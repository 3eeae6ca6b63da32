"""Samples, and rounds that give everybody a turn."""

import dataclasses
import statistics
import time

from .errors import Failed, NotInThisVersion


def percentile(values, share):
    ordered = sorted(values)
    return ordered[round((len(ordered) - 1) * share)]


@dataclasses.dataclass
class Figure:
    """What one actor needed in one row. `values` are of the unit; without any there is a reason."""

    row: str
    variant: str
    actor: str
    kind: str  # deskhand, peer or limit
    unit: str = "ms"
    values: list = dataclasses.field(default_factory=list)
    reason: str = ""
    note: str = ""
    better: str = "less"  # or more
    right: float | None = None  # the share of actions that had their effect, of characters that arrived, of pictures that were right

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None

    @property
    def low(self):
        return percentile(self.values, 0.05)

    @property
    def high(self):
        return percentile(self.values, 0.95)

    def as_json(self):
        shown = {name: getattr(self, name) for name in ("row", "variant", "actor", "kind", "unit", "better", "reason", "note", "right")}
        if self.values:
            shown |= {"median": self.median, "p5": self.low, "p95": self.high, "count": len(self.values)}
            shown["values"] = [float(f"{value:.6g}") for value in self.values]
        return shown

    @classmethod
    def from_json(cls, found):
        fields = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in found.items() if name in fields})


@dataclasses.dataclass
class Budget:
    """How long a row may measure: so many rounds, and for each actor no longer than so many seconds, but at least the least."""

    rounds: int
    seconds: float
    burst: int  # how often Deskhand and the limits are measured in one round: they take a hundredth of what peers take
    least: int = 3


def reason_of(error):
    if isinstance(error, NotInThisVersion):
        return f"not in this version: {error}"
    return " ".join(str(error).split())[:300]


class Turn:
    """One actor in the rounds of one row: `measure()` returns seconds, one or several."""

    def __init__(self, figure, measure, burst=False):
        self.figure, self.measure, self.takes_burst, self.spent, self.done = figure, measure, burst, 0.0, False


def interleave(turns, budget, scale=1e3):
    """Everybody once a round, so that a noisy moment hits all of them. The first round is thrown away: it starts things,
    fills caches. One that fails is left out from then on, with the reason."""
    for turn in turns:
        if turn.figure.reason:
            turn.done = True
    for current in range(budget.rounds + 1):
        for turn in turns:
            if turn.done:
                continue
            begun = time.monotonic()
            try:
                values = turn.measure(budget.burst if turn.takes_burst else 1)
            except (Failed, NotInThisVersion, OSError) as error:
                turn.figure.reason, turn.figure.values, turn.done = reason_of(error), [], True
                continue
            turn.spent += time.monotonic() - begun
            if current > 0:
                turn.figure.values += [value * scale for value in values]
            turn.done = turn.spent > budget.seconds and current >= budget.least
    return [turn.figure for turn in turns]
