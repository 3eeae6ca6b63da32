"""What every actor is."""

import base64
import itertools
import json

from harness.errors import Failed

numbers = itertools.count(1)


class Peer:
    """Another program, driven as its own documentation does. A subclass says what it can: `screenshot`, `click`, `type`, `ten_clicks`."""

    name = ""
    kind = "peer"
    how = ""  # shown beside its figures
    can = ()
    missing = ""  # why it is not here
    version = ""
    loses = False  # whether it is known to say that it has done what it has not

    @classmethod
    def prepare(cls, install):
        """Gets it; raises Failed with the command that did not work."""

    def __init__(self, place):
        self.place, self.client = place, place.client

    def start(self):
        pass

    def close(self):
        pass

    def screenshot(self, change):
        """Seconds of one screenshot after so many percent of the screen have changed."""
        raise NotImplementedError

    def picture(self):
        """A PNG of the screen, to see whether it is right."""
        raise NotImplementedError

    def click(self, x, y):
        """Seconds of one click, until the program says that it is done."""
        raise NotImplementedError

    def ten_clicks(self, x, y):
        """Seconds of ten clicks, by whatever way of giving several actions at once it has."""
        return sum(self.click(x, y) for _ in range(10))

    def type(self, text):
        """Seconds of a text, until the program says that it is done."""
        raise NotImplementedError

    def pids(self):
        """The processes that stay between actions, for their memory."""
        return []


class Spoken(Peer):
    """A peer that takes requests on a connection of the measuring client, in one line or message each."""

    def __init__(self, place):
        super().__init__(place)
        self.connection = f"{self.name}-{next(numbers)}"

    def start_program(self, command, environment=None):
        """Starts a program that speaks lines on its standard input and output."""
        environment = environment or self.place.environment()
        log = self.place.folder / f"{self.connection}.log"
        options = {"environment": list(environment.items()), "directory": str(self.place.folder), "log": str(log)}
        self.client("start", name=self.connection, command=[str(part) for part in command], **options)

    def ask(self, request, change=None, want_answer=False):
        """The client's answer to one exchange."""
        text = request if isinstance(request, str) else json.dumps(request)
        return self.client("exchange", name=self.connection, request=text, count=1, change=change, want_answer=want_answer)

    def answer(self, request, change=None):
        return self.ask(request, change, want_answer=True)["answer"]

    def seconds(self, request, change=None):
        return self.ask(request, change)["nanoseconds"][0] * 1e-9

    def close(self):
        self.client("close", name=self.connection)


class Requested(Spoken):
    """A peer whose every action is one request; the times are those of the exchange."""

    def request(self, action, *details):
        raise NotImplementedError

    def screenshot(self, change):
        return self.seconds(self.request("screenshot"), change)

    def click(self, x, y):
        return self.seconds(self.request("click", x, y))

    def type(self, text):
        return self.seconds(self.request("type", text))

    def picture(self):
        return embedded_picture(self.answer(self.request("screenshot")))


class SelfTimed(Spoken):
    """A library behind a small program of ours, which times the calls itself: no transport is counted, in the library's favour."""

    def _seconds(self, line, change=None):
        answer = self.answer(line, change)
        try:
            return int(answer.split()[0]) * 1e-9
        except (ValueError, IndexError):
            raise Failed(answer.strip()[:300]) from None

    def screenshot(self, change):
        return self._seconds("screenshot", change)

    def click(self, x, y):
        return self._seconds(f"click {x} {y}")

    def type(self, text):
        return self._seconds(f"type {json.dumps(text)}")

    def picture(self):
        file = self.place.folder / f"{self.connection}.png"
        self._seconds(f"screenshot {file}")
        return file.read_bytes()


def embedded_picture(answer):
    """The longest string of a JSON answer is its picture in base64."""
    longest = ""

    def search(value):
        nonlocal longest
        for one in value.values() if isinstance(value, dict) else value:
            if isinstance(one, (dict, list)):
                search(one)
            elif isinstance(one, str) and len(one) > len(longest):
                longest = one

    search(json.loads(answer))
    return base64.b64decode(longest)
