"""Ways of waiting for the right picture after an action."""

import base64
import dataclasses
import time


@dataclasses.dataclass
class Answer:
    """One picture: which way brought it, when, and what Deskhand says of it."""

    way: str
    at: float  # time.monotonic
    picture: bytes
    settled: dict | None = None


def _answer(way, session, result):
    return Answer(way, session.answered, base64.b64decode(result["image"]["data"]), result.get("settled"))


def observing(way, parameters):
    """The action itself answers with the picture."""
    return lambda session, method, params: [_answer(way, session, session(method, **params, _meta={"observe": parameters}))]


def screenshot(session, method, params):
    """The action, then a screenshot that says nothing of waiting: the session's default."""
    session(method, **params)
    return [_answer("screenshot", session, session("screenshot"))]


SLEEPS = {"sleep0.3": 0.3, "sleep1": 1.0, "sleep2": 2.0}


def sleeps(session, method, params):
    """The action, and after each time a screenshot at once: three ways in one trial, since none of them looks at the screen
    before its time is over."""
    session(method, **params)
    acted = session.answered
    answers = []
    for way, seconds in SLEEPS.items():
        time.sleep(max(0, acted + seconds - time.monotonic()))
        answers.append(_answer(way, session, session("screenshot", _meta={"observe": None})))
    return answers


@dataclasses.dataclass(frozen=True)
class Kind:
    """What one trial does, and the ways that it measures."""

    run: object
    ways: tuple
    meaning: str
    settles: bool = True


KINDS = {
    "observe": Kind(observing("observe", {}), ("observe",), "`_meta.observe: {}` on the action"),
    "change": Kind(observing("change", {"expect": "change"}), ("change",), '`_meta.observe: {"expect": "change"}`'),
    "quiet320": Kind(observing("quiet320", {"quiet_ms": 320}), ("quiet320",), '`_meta.observe: {"quiet_ms": 320}`'),
    "screenshot": Kind(screenshot, ("screenshot",), "the action, then a plain `screenshot`"),
    "sleeps": Kind(sleeps, tuple(SLEEPS), "the action, a sleep, and a screenshot with `observe: null`", settles=False),
}
WAYS = {way: kind for kind in KINDS.values() for way in kind.ways}
