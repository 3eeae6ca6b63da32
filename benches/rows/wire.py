"""Bytes on the wire for each step of the demo's task (xvfb/demo): its requests, and a screenshot after each step."""

import contextlib
import io
import sys

from websockets.sync.client import connect

from harness.place import ROOT

from .base import Failed, Row

sys.path.insert(0, str(ROOT / "xvfb"))


class Counting:
    """A WebSocket that counts what goes through it; six bytes a frame for its header are not counted."""

    def __init__(self, socket):
        self.socket, self.sent, self.received = socket, 0, 0

    def send(self, text):
        self.sent += len(text.encode())
        self.socket.send(text)

    def recv(self, timeout=None):
        message = self.socket.recv(timeout=timeout)
        self.received += len(message.encode() if isinstance(message, str) else message)
        return message


class Wire(Row):
    name = "wire"
    summary = "bytes on the wire for each step of the demo's task, with a screenshot after each step"
    titles = {"actions": "demo: actions of a step, both directions", "screenshot": "demo: a screenshot after a step"}

    def measure(self):
        import demo

        actions, pictures = (self.figure(variant, "Deskhand", unit="kB") for variant in ("actions", "screenshot"))
        home = self.bench.folder / "demo"
        home.mkdir()
        (home / "note.txt").write_text("A note.\n")
        page = demo.Page()
        with (self.bench.folder / "demo.log").open("w") as log:
            # The demo's own way to start; what it starts ends with it.
            server, ready = demo.start(self.bench.binary, page, home, log)
        try:
            token = open(ready["token_file"]).read().strip()
            options = {"additional_headers": {"Authorization": f"Bearer {token}"}, "max_size": None, "compression": None}
            url = f"ws://{ready['listen'][0]}/v1/ws"
            with connect(url, **options) as hands, connect(url, **options) as eyes:
                counting = Counting(hands)
                task = demo.Demo(demo.Desk(counting), demo.Observer(eyes), page, home, home)
                for step in task.STEPS:
                    counting.sent = counting.received = 0
                    try:
                        with contextlib.redirect_stdout(io.StringIO()):
                            step(task)
                    except (demo.Failed, demo.Refused) as error:
                        raise Failed(f"the demo's step {step.__name__}: {error}") from None
                    actions.values.append((counting.sent + counting.received) / 1e3)
                    counting.sent = counting.received = 0
                    task.desk.picture()
                    pictures.values.append((counting.sent + counting.received) / 1e3)
        finally:
            demo.stop(server)
        actions.note = f"{len(actions.values)} steps, {sum(actions.values):.0f} kB in all"
        pictures.note = f"{len(pictures.values)} steps, {sum(pictures.values):.0f} kB in all"
        yield from (actions, pictures)
