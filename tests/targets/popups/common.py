"""What the windows with pop-ups have in common: they say on standard output, a JSON object a line, what was chosen, typed and
pressed, and where everything that can be clicked stands on the screen whenever that changes."""
import json

ENTRIES = ("first", "second", "third")
INNER = ("inner one", "inner two")
CONTEXT = ("context one", "context two")
ITEMS = ("item a", "item b", "item c", "item d")
# How often the places are looked at, in milliseconds.
LOOK = 20


def say(**what):
    print(json.dumps(what), flush=True)


class Places:
    """Tells the places when they differ from what was told last and have stood still for one look."""

    def __init__(self, look):
        self.look, self.told, self.seen = look, None, None

    def tell(self):
        now = self.look()
        if now == self.seen and now != self.told:
            self.told = now
            say(places=now)
        self.seen = now
        return True
