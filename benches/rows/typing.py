"""Fifty characters that every layout has, into a window that counts keys."""

from .base import Goal, Place, Row, Session, Turn, companions, interleave

FIFTY = "The quick brown fox jumps over the lazy dog. 01234"
# The limit sends the same keys; the codes are those of a PC's keyboard, with which Xvfb starts.
ROWS = {10: "1234567890", 24: "qwertyuiop", 38: "asdfghjkl", 52: "zxcvbnm,./"}
CODES = {character: first + index for first, row in ROWS.items() for index, character in enumerate(row)} | {" ": 65}


class Counting:
    """Wraps an action that types the fifty: whether its keys arrive."""

    def __init__(self, client, figure, write):
        self.client, self.figure, self.write = client, figure, write
        self.sent = self.landed = 0

    def __call__(self, count):
        took = self.write(count)
        expected = len(took) * len(FIFTY)
        self.sent += expected
        counted = self.client("counted", buttons=0, keys=expected)
        self.landed += min(expected, counted["keys"])
        if counted["held"] and "pressed" not in self.figure.note:
            self.figure.note += "; leaves something pressed"
        self.figure.right = self.landed / self.sent
        return took


class Fifty(Row):
    name = "fifty-characters"
    summary = "50 ASCII characters"
    quick = True
    titles = {"": "50 ASCII characters"}
    goals = {"": Goal("≤ 5 ms", at_most=5, right=1)}

    def measure(self):
        with Place(self.bench) as place:
            client = self.bench.client
            client("recorder", width=640, height=480, managed=False)
            session = Session(place)
            client("counted", buttons=0, keys=0)
            keys = [(CODES[character.lower()], character.isupper()) for character in FIFTY]
            figure, limit = self.figure("", "Deskhand"), self.figure("", "limit: XTEST + sync", "limit")
            turns = [
                Turn(figure, Counting(client, figure, lambda count: session.times("type", {"text": FIFTY}, count)), burst=True),
                Turn(limit, Counting(client, limit, lambda count: client.seconds("keys", keys=keys, count=count)), burst=True),
            ]
            with companions(place, "type") as present:
                for peer, one in present:
                    figure = self.figure("", peer.name, "peer", note=peer.how, reason=one if isinstance(one, str) else "")
                    turns.append(Turn(figure, Counting(client, figure, lambda _, one=one: [one.type(FIFTY)])))
                yield from interleave(turns, self.budget(rounds=20))
            client("no_recorder")
