"""What a row is, and who takes part in it."""

import contextlib
import dataclasses

from harness.deskhand import Session
from harness.errors import Failed, NotInThisVersion
from harness.measure import Budget, Figure, Turn, interleave, reason_of
from harness.place import Place

__all__ = ["Budget", "Failed", "Figure", "Goal", "NotInThisVersion", "Place", "Row", "Session", "Turn", "companions", "interleave", "reason_of"]


@dataclasses.dataclass
class Goal:
    """What DESIGN asks for: a value, a ratio to the limit, a ratio to the best peer. `text` is shown."""

    text: str
    at_most: float | None = None
    of_limit: float | None = None
    of_peer: float | None = None
    right: float | None = None  # the least share


class Row:
    """One thing that is measured. `measure` yields figures; its name may be given to --only.

    `titles` has a line for each variant that README's table shows, `goals` what is aimed at."""

    name = ""
    summary = ""  # for --help
    quick = False  # whether --quick measures it
    titles: dict[str, str] = {}
    goals: dict[str, Goal] = {}

    def __init__(self, bench):
        self.bench, self.is_quick = bench, bench.options.quick

    def budget(self, rounds=30, seconds=20.0, burst=10):
        """A tenth of it in a quick run."""
        if self.is_quick:
            return Budget(max(3, rounds // 6), max(1.0, seconds / 20), max(2, burst // 2), least=2)
        return Budget(rounds, seconds, burst)

    def measure(self):
        raise NotImplementedError

    def figure(self, variant, actor, kind="deskhand", **more):
        return Figure(self.name, variant, actor, kind, **more)


@contextlib.contextmanager
def companions(place, ability):
    """Every peer with an ability, started on a place: pairs of its class and it, or the reason why it is not there."""
    started = []
    try:
        for peer in place.bench.peers:
            if ability not in peer.can:
                continue
            if peer.missing:
                started.append((peer, peer.missing))
                continue
            one = peer(place)
            try:
                one.start()
                started.append((peer, one))
            except (Failed, OSError) as error:
                started.append((peer, reason_of(error)))
                with contextlib.suppress(Failed, OSError, AttributeError):
                    one.close()
        yield started
    finally:
        for _, one in started:
            if not isinstance(one, str):
                with contextlib.suppress(Failed, OSError):
                    one.close()
