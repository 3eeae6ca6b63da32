"""One trial: the action, the answers, the recording until the screen is really finished, and the verdicts."""

import dataclasses
import os
import random
import time

import truth
from desktop import Failed
from subjects import POINTER

# A session acts every few seconds: what moves by itself has this long to be told from what an action caused. It also leaves
# the second of idleness that processor time is compared with.
BETWEEN = (1.7, 2.3)  # seconds
SHORT = (0.8, 1.2)  # where nothing moves by itself
LONGEST = 12.0  # seconds after the action until a screen that still changes makes the trial useless
SPARE = 0.3  # seconds beyond the application's own time until a recording may end


class Useless(Exception):
    """The application did not do what the trial is about, so that nothing can be said of the answers."""


@dataclasses.dataclass
class Verdict:
    """What became of one answer; milliseconds."""

    way: str
    right: bool
    answer: float  # from the action
    done: float  # from the action until the right picture stood on the screen for good
    wrong_tiles: int
    reason: str = ""  # what Deskhand says of why it answered
    told: bool | None = None  # whether an event said afterwards that the screen has changed, where there are events
    load: float = 0.0
    said: float | None = None  # from the action until the application's own account of its end

    @property
    def beyond(self):
        return self.answer - self.done


def run(subject, scenario, kind, number, between=BETWEEN, pictures=None):
    """The verdicts on a trial's answers. What was wrong goes into the folder `pictures`, beside what would have been right."""
    subject.before(scenario, number)
    time.sleep(random.uniform(*between))
    params = scenario.parameters(number, subject.place)
    subject.session.events_so_far()
    recorder = subject.desk.recorder
    recorder.start()
    try:
        begun = time.monotonic()
        answers = kind.run(subject.session, scenario.method, params)
        found = _finished(subject, scenario, recorder, max(begun + scenario.own + SPARE, answers[-1].at))
    finally:
        recorder.stop()
    events = subject.session.events_so_far()
    told = any(event["type"] == "changed" for event in events) if kind.settles and subject.session.has_events else None
    try:
        said = subject.confirm(scenario, found.end)
    except Failed as error:
        raise Useless(str(error)) from error
    finally:
        for method, parameters in scenario.reset:
            subject.session(method, **(parameters(number, subject.place) if callable(parameters) else parameters))
    if scenario.reacts and not found.changed:
        raise Useless("the screen did not change")
    verdicts = [_verdict(answer, found, begun, told, said) for answer in answers]
    for answer, verdict in zip(answers, verdicts):
        if pictures and not verdict.right:
            name = f"{scenario.name}-{answer.way}-{number}"
            (pictures / f"{name}-answer.png").write_bytes(answer.picture)
            truth.save(found.finished, pictures / f"{name}-right.png")
    return verdicts


def _finished(subject, scenario, recorder, earliest):
    """The truth, once the screen has stayed right for the last moments."""
    deadline = time.monotonic() + LONGEST
    ignored = [*subject.unjudged(), *map(subject.rectangle, scenario.ignored), _pointer(subject)]
    while True:
        time.sleep(max(0.2, earliest + truth.TAIL + 0.02 - time.monotonic()))
        found = truth.Truth(recorder.so_far(), ignored)
        if found.steady and found.end >= earliest + truth.TAIL:
            return found
        if time.monotonic() > deadline:
            raise Useless(f"the screen still changes after {LONGEST} s")


def _pointer(subject):
    """The framebuffer has the pointer in it, and a screenshot has not."""
    where = subject.desk.windows.root.query_pointer()
    left, up, right, down = POINTER
    return where.root_x - left, where.root_y - up, where.root_x + right, where.root_y + down


def _verdict(answer, found, begun, told, said):
    wrong = found.wrong_tiles(truth.prints(truth.pixels_of(answer.picture)))
    reason = answer.settled["reason"] if answer.settled else ""
    milliseconds = lambda at: round((at - begun) * 1000, 1)
    return Verdict(
        answer.way, not wrong, milliseconds(answer.at), milliseconds(max(begun, found.done)), wrong, reason, told,
        round(os.getloadavg()[0], 1), milliseconds(said) if said and found.changed else None,
    )  # fmt: skip
