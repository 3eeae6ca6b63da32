"""Clicks: acknowledged, and counted by the window that they are for."""

from .base import Goal, Place, Row, Session, Turn, companions, interleave

PLACES = ((210, 220), (330, 240))  # two, in turn, so that every click moves the pointer


class Counting:
    """Wraps an action that clicks: whether its clicks arrive."""

    def __init__(self, client, figure, click, clicks_each=1):
        self.client, self.figure, self.click, self.clicks_each = client, figure, click, clicks_each
        self.sent = self.landed = 0

    def __call__(self, count):
        took = self.click(count)
        expected = len(took) * self.clicks_each
        self.sent += expected
        counted = self.client("counted", buttons=expected, keys=0)
        self.landed += min(expected, counted["buttons"])
        if counted["held"] and "pressed" not in self.figure.note:
            self.figure.note += "; leaves something pressed"
        self.figure.right = self.landed / self.sent
        return took


class Click(Row):
    name = "click"
    summary = "a click that is acknowledged, without a window manager; a ping and a move of the pointer beside it"
    quick = True
    titles = {"": "click, acknowledged"}
    goals = {"": Goal("≤ 0.25 ms, every click landed", at_most=0.25, right=1)}
    managed = False

    def measure(self):
        with Place(self.bench) as place:
            if self.managed:
                place.start_window_manager()
            client = self.bench.client
            client("recorder", width=640, height=480, managed=self.managed)
            session = Session(place)
            # A round trip of the window's own before anything is counted.
            client("counted", buttons=0, keys=0)

            def clicks(count):
                return [one for index in range(count) for one in session.times("left_click", {"coordinate": PLACES[index % 2]})]

            def moves(count):
                return [one for index in range(count) for one in session.times("mouse_move", {"coordinate": PLACES[index % 2]})]

            figure, limit = self.figure("", "Deskhand"), self.figure("", "limit: XTEST + sync", "limit")
            turns = [
                Turn(figure, Counting(client, figure, clicks), burst=True),
                Turn(limit, Counting(client, limit, lambda count: client.seconds("click", count=count)), burst=True),
                Turn(self.figure("", "Deskhand, mouse_move", "variant"), moves, burst=True),
                Turn(self.figure("", "Deskhand, ping", "variant"), lambda count: session.times("ping", count=count), burst=True),
            ]
            with companions(place, "click") as present:
                for peer, one in present:
                    figure = self.figure("", peer.name, "peer", note=peer.how, reason=one if isinstance(one, str) else "")
                    click = lambda _, one=one: [one.click(*PLACES[0])]
                    turns.append(Turn(figure, Counting(client, figure, click)))
                yield from interleave(turns, self.budget())
            client("no_recorder")


class ClickManaged(Click):
    name = "click-openbox"
    summary = "the same on a window that openbox manages, which holds the pointer until it has raised the window"
    quick = False
    titles = {"": "click, acknowledged, under openbox"}
    goals = {}
    managed = True


class Batch(Row):
    name = "batch"
    summary = "ten clicks in one request"
    quick = True
    titles = {"": "batch of ten clicks"}

    def measure(self):
        with Place(self.bench) as place:
            client = self.bench.client
            client("recorder", width=640, height=480, managed=False)
            session = Session(place)
            client("counted", buttons=0, keys=0)
            actions = [{"name": "left_click", "input": {"coordinate": PLACES[index % 2]}} for index in range(10)]

            def one_by_one(count):
                return [sum(session.times("left_click", {"coordinate": PLACES[0]}, count=10)) for _ in range(count)]

            def ten(count):
                each = client.seconds("click", count=10 * count)
                return [sum(each[start : start + 10]) for start in range(0, len(each), 10)]

            batch, single, limit = self.figure("", "Deskhand"), self.figure("", "Deskhand, ten requests", "variant"), self.figure("", "limit: ten × XTEST + sync", "limit")
            turns = [
                Turn(batch, Counting(client, batch, lambda count: session.times("batch", {"actions": actions}, count), 10), burst=True),
                Turn(single, Counting(client, single, one_by_one, 10)),
                Turn(limit, Counting(client, limit, ten, 10)),
            ]
            with companions(place, "click") as present:
                for peer, one in present:
                    figure = self.figure("", peer.name, "peer", note=peer.how, reason=one if isinstance(one, str) else "")
                    clicks = lambda _, one=one: [one.ten_clicks(*PLACES[0])]
                    turns.append(Turn(figure, Counting(client, figure, clicks, 10)))
                yield from interleave(turns, self.budget(rounds=20, burst=4))
            client("no_recorder")
