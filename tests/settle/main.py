"""What `tests/settle/run` runs once everything is installed."""

import argparse
import collections
import hashlib
import itertools
import os
import pathlib
import platform
import random
import signal
import subprocess
import sys
import tempfile
import traceback

import network
import store
import table
import trial
from desk import Declined
from desktop import Failed
from progress import Progress
from scenarios import GROUPS, QUICK, SCENARIOS
from subjects import SUBJECTS
from ways import KINDS, WAYS

LEARNS = """
Each scenario is an action and what comes of it; each way is a way of waiting for the picture. Examples:

  tests/settle/run                                        all of it, 10 trials a cell: about three hours
  tests/settle/run --scenarios timer0,none --trials 3     two scenarios
  tests/settle/run --scenarios evidence --ways observe    a whole group, and Deskhand's own default alone
  tests/settle/run --subjects xterm,mousepad --output /tmp/settle
  tests/settle/run --quick                                what has to hold: under a minute, writes nothing

Each cell is added to cells.jsonl in the output folder in place of its earlier self, and TABLE.md is made anew of all of them.
tests/settle/README.md says what the words in the table mean.
"""
USELESS_TRIALS = 5  # so many, and the scenario's round is given up


def listed(known, groups=None):
    def parse(text):
        names = []
        for name in text.split(","):
            if groups and name in groups:
                names += groups[name]
            elif name in known:
                names.append(name)
            else:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join([*(groups or ()), *known])}")
        return names

    return parse


def arguments():
    groups = {group: [name for name, one in SCENARIOS.items() if one.group == group] for group in GROUPS}
    parser = argparse.ArgumentParser(
        prog="tests/settle/run", description="Measures how often and how late each way of waiting brings the right picture.",
        epilog=LEARNS, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--scenarios", type=listed(SCENARIOS, groups), default=list(SCENARIOS), metavar="NAMES", help=f"of {', '.join(SCENARIOS)}, or a group: {', '.join(GROUPS)}")
    parser.add_argument("--subjects", type=listed(SUBJECTS), default=list(SUBJECTS), metavar="NAMES", help=f"only scenarios of {', '.join(SUBJECTS)}")
    parser.add_argument("--ways", type=listed(KINDS), default=list(KINDS), metavar="NAMES", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--trials", type=int, default=10, metavar="N", help="of each cell; 10")
    parser.add_argument("--cgroup", action="store_true", help="puts the applications into a control group of their own, as a container does; needs root")
    parser.add_argument("--quick", action="store_true", help="a few trials that assert what has to hold, and no files")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parent, metavar="DIRECTORY", help="folder for TABLE.md and cells.jsonl; several runs may share it")
    parser.add_argument("--pictures", type=pathlib.Path, metavar="DIRECTORY", help="keeps each picture that was wrong there, beside what would have been right")
    parser.add_argument("--anew", action="store_true", help="drops what the folder holds")
    parser.add_argument("--binary", type=pathlib.Path, metavar="FILE", help="deskhand; by default the release binary is built")
    options = parser.parse_args()
    if options.binary is None:
        parser.error("--binary is missing; tests/settle/run finds or builds one")
    if options.trials < 1:
        parser.error(f"--trials is {options.trials}; it has to be at least 1")
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    if options.quick:
        options.scenarios, options.ways, options.trials = list(QUICK), ["observe"], 3
    return options


def origin(options, evidence, own_network):
    version = subprocess.run([options.binary, "--version"], capture_output=True, text=True).stdout.strip()
    digest = hashlib.sha256(options.binary.read_bytes()).hexdigest()[:12]
    return {
        "binary": f"{version}, SHA-256 {digest}",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}",
        "evidence in use (`display.info`)": ", ".join(evidence) or "none is listed",
        "network": "of the harness's own" if own_network else "the machine's: sockets of other programs count as evidence",
        "applications": "in a control group of their own" if options.cgroup else "without a control group of their own",
    }


class Bench:
    """The desktop of one subject, started again after it has failed."""

    def __init__(self, options, folder, name):
        self.options, self.folder, self.name, self.starts, self.subject = options, folder, name, 0, None
        self.settles = self.evidence = None

    def ready(self):
        if self.subject is None:
            self.starts += 1
            self.subject = SUBJECTS[self.name](self.options.binary, self.folder / f"{self.name}-{self.starts}", self.options.cgroup)
            self._look_at_abilities()
        return self.subject

    def _look_at_abilities(self):
        session = self.subject.session
        self.evidence = [str(one) for one in session("display.info").get("evidence", [])]
        try:
            session("mouse_move", coordinate=[500, 700], _meta={"observe": {}})
            self.settles = True
        except Declined as error:
            if error.kind != "unsupported":
                raise
            self.settles = False
            return
        try:
            session("subscribe", events=["changed"])
            session.has_events = True
        except Declined as error:
            if error.kind != "unsupported":
                raise
            print("no events: subscribe is unsupported by this binary", flush=True)

    def close(self):
        if self.subject:
            self.subject.close()
        self.subject = None


def measure(bench, scenario, kinds, trials, progress):
    """The cells of a scenario, the ways by turns, so that whatever else the machine does meets all of them."""
    cells, useless, shown_on = {}, collections.Counter(), None
    turns = [kind for _ in range(trials) for kind in random.sample(kinds, len(kinds))]
    while turns:
        kind = turns[0]
        if useless.total() >= USELESS_TRIALS + trials:
            print(f"    given up: {useless.total()} trials were useless", flush=True)
            break
        subject = None
        try:
            subject = bench.ready()
            if kind.settles and not bench.settles:
                turns.pop(0)
                continue
            if shown_on is not subject:
                subject.show(scenario)
                shown_on, since_shown = subject, itertools.count()
            # What is clicked alternates from how it was shown, and what is typed differs.
            number = next(since_shown)
            between = trial.SHORT if bench.options.quick else trial.BETWEEN
            verdicts = trial.run(subject, scenario, kind, number, between, bench.options.pictures)
        except (trial.Useless, Failed, Declined, OSError) as error:
            useless[f"{kind.ways[0]}: {error}"] += 1
            print(f"    {scenario.name}: {type(error).__name__}: {error}", flush=True)
            cells.setdefault(kind.ways[0], store.Cell(scenario.name, kind.ways[0])).useless.append(str(error))
            shown_on = None
            if not isinstance(error, trial.Useless):
                bench.close()
            continue
        turns.pop(0)
        for verdict in verdicts:
            cells.setdefault(verdict.way, store.Cell(scenario.name, verdict.way)).add(verdict)
    for cell in cells.values():
        reasons = ", ".join(f"{reason} {count}" for reason, count in collections.Counter(filter(None, cell.reasons)).items())
        own = f"own {table.times(cell.done)}" if cell.done else ""
        print(f"{scenario.name:16} {cell.way:10} {sum(cell.right)}/{cell.trials} right, beyond {table.times(cell.beyond)} ms, {own}  {reasons}", flush=True)
    if progress:
        progress.done(scenario.subject)
    return [cell for cell in cells.values() if cell.trials]


def remarks(options, bench):
    if bench.settles:
        return []
    return ["this binary answers `unsupported` to `_meta.observe`: only fixed sleeps were measured"]


def asserted(cells, settles):
    """What is wrong with a quick run. No time is asserted: other programs may need the machine."""
    by_name = {(cell.scenario, cell.way): cell for cell in cells}
    for name in QUICK:
        cell = by_name.get((name, "observe" if settles else "sleep2"))
        if cell is None or not cell.trials:
            yield f"{name}: not one trial came to its end"
            continue
        if settles and 2 * sum(cell.right) <= cell.trials:
            yield f"{name}: only {sum(cell.right)} of {cell.trials} pictures are right; wrong tiles: {cell.wrong_tiles}"
        if settles and not all(cell.reasons):
            yield f"{name}: an answer without settled.reason"


def main():
    options = arguments()
    kinds = [KINDS[way] for way in options.ways]
    scenarios = [SCENARIOS[name] for name in options.scenarios if SCENARIOS[name].subject in options.subjects]
    progress = None if options.quick else Progress([scenario.subject for scenario in scenarios])
    if options.anew and not options.quick:
        (options.output / store.FILE).unlink(missing_ok=True)
    all_cells, settles, told = [], True, False
    own_network = network.leave()
    with tempfile.TemporaryDirectory(prefix="deskhand-settle-", ignore_cleanup_errors=True) as folder:
        for name in SUBJECTS:
            ours = [scenario for scenario in scenarios if scenario.subject == name]
            if not ours:
                continue
            bench = Bench(options, pathlib.Path(folder), name)
            try:
                bench.ready()
                settles = settles and bench.settles
                if not bench.settles and not told:
                    print("this binary answers unsupported to _meta.observe: only fixed sleeps can be measured", flush=True)
                    told = True
                for scenario in ours:
                    cells = measure(bench, scenario, kinds_for(options, bench, kinds), options.trials, progress)
                    all_cells += cells
                    if not options.quick and cells:
                        for cell in cells:
                            cell.measured = origin(options, bench.evidence, own_network)
                        with store.updated(options.output, cells) as everything:
                            (options.output / "TABLE.md").write_text(table.markdown(everything, remarks(options, bench)) + "\n", encoding="utf-8")
            finally:
                bench.close()
    if not options.quick:
        print("\n".join(["", *table.summary(all_cells)]))
        return 0
    problems = list(asserted(all_cells, settles))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def kinds_for(options, bench, kinds):
    """A quick run of a binary that does not settle measures the sleeps, to say at least that every answer comes."""
    if options.quick and bench.settles is False:
        return [KINDS["sleeps"]]
    return kinds


def end(*_):
    """Being told to end also ends the desktops; `timeout` says it twice, and the second time must not interrupt that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        traceback.print_exc(limit=1)
        sys.exit(130)
