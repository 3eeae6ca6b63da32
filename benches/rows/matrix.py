"""Screenshots of six kinds of content at three sizes, after 0, 1, 10 and 100 % of the screen have changed."""

from harness import frames

from .base import Place, Row, companions, interleave
from .screenshots import turns_of_deskhand, turns_of_peers

SIZES = ((1024, 768), (1920, 1080), (3840, 2160))
CHANGES = {0: (), 1: ("capture", "compare"), 10: ("capture", "compare"), 100: ("capture", "encode")}


class Matrix(Row):
    name = "screenshots"
    summary = "six kinds of content, three sizes, four amounts of change; half an hour, most of it peers at 3840×2160"
    quick = True
    titles = {
        f"{kind}, {width}×{height}, {change} % changed": f"screenshot, {kind}, {width}×{height}, {change} % changed"
        for width, height in SIZES[1:]
        for kind in ("page", "photo")
        for change in (1, 100)
    }

    def measure(self):
        sizes, kinds, changes = SIZES, frames.KINDS, CHANGES
        if self.is_quick:
            sizes, kinds, changes = SIZES[:1], ("gradient", "noise"), {1: CHANGES[1], 100: CHANGES[100]}
        for width, height in sizes:
            with Place(self.bench, width, height) as place, companions(place, "screenshot") as present:
                for kind in kinds:
                    self.bench.say(f"{kind} at {width}×{height}")
                    frames.show(place, kind)
                    for change, limit_parts in changes.items():
                        variant = f"{kind}, {width}×{height}, {change} % changed"
                        turns = [*turns_of_deskhand(self, place, variant, change, limit_parts)]
                        # For a peer one screen is as good as another: what has changed since the last picture is nothing to it.
                        if change == 100 and not self.is_quick:
                            turns += turns_of_peers(self, place, variant, change, present, kind)
                        yield from interleave(turns, self.budget(rounds=10, seconds=4, burst=5))
                        for connection in place.connections[:]:
                            connection.close()
                place.client("uncover")
