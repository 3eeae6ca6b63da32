"""The table of applications: what `tests/apps/run` runs once everything is installed."""

import argparse
import hashlib
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
import traceback

import click_after
import peers
import store
import table
from columns import COLUMNS, TEXTS, Outcome, text_column
from desktop import WINDOW_MANAGERS, Desktop, Failed, Refused
from loads import LOADS
from progress import Progress
from proof import received_from_a_static_keymap
from rows import PEER_ROWS, QUICK_ROWS, ROWS

SLOWEST_FAILURES = 3  # a cell with so many runs that ended in an exception is not measured to its end
CLICK_TEXTS = ("ascii", "mixed", "han")


def listed(known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def arguments():
    parser = argparse.ArgumentParser(prog="tests/apps/run", description="Measures what applications receive from Deskhand.")
    parser.add_argument("--rows", type=listed(ROWS), default=list(ROWS), help=f"of {','.join(ROWS)}")
    parser.add_argument("--columns", type=listed([*COLUMNS, "click"]), default=[*COLUMNS, "click"], help=f"of {','.join(COLUMNS)},click")
    parser.add_argument("--loads", type=listed(LOADS), default=list(LOADS), help=f"of {','.join(LOADS)}")
    parser.add_argument("--runs", type=int, default=20, help="of each cell; 20")
    parser.add_argument("--peers", action="store_true", help="xdotool, enigo and cua-driver as well")
    parser.add_argument("--peer-runs", type=int, default=3, help="of each of their cells; 3")
    parser.add_argument("--window-manager", choices=WINDOW_MANAGERS, default="openbox", help="of the table; clicks are measured with all")
    parser.add_argument("--pace-ms", type=int, help="types the texts with _meta.pace_ms, for applications that cannot keep up")
    parser.add_argument("--desktops", type=int, default=1, help="so many applications at the same time, each on a desktop of its own; 1. Their times are then those of a machine that does other things as well")
    parser.add_argument("--quick", action="store_true", help="one run of two texts on three rows, and no files")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parent, help="folder for TABLE.md and cells.jsonl; several runs may share it")
    parser.add_argument("--pictures", type=pathlib.Path, help="folder for a picture of the screen after each run that did not pass")
    parser.add_argument("--anew", action="store_true", help="drops what the folder holds; otherwise the cells are added, each in place of its earlier self")
    parser.add_argument("--one-row", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--binary", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--target", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_row:
        options.rows, options.peers = [options.one_row], False
    if options.quick:
        options.rows, options.columns, options.loads, options.runs = list(QUICK_ROWS), ["ascii", "mixed"], ["idle"], 1
    return options


class Session:
    """One row's application on a desktop of its own, started again after it has failed."""

    def __init__(self, binary, folder, row, window_manager, plain=False, peer=None):
        self.how = binary, folder, row, window_manager, plain, peer
        self.starts, self.desktop, self.app, self.meta = 0, None, None, {}
        # Where a picture of each run goes that did not pass; nowhere by default.
        self.pictures = None

    def application(self):
        if self.app and self.app.is_running():
            return self.app
        self.close()
        binary, folder, row, window_manager, plain, peer = self.how
        self.starts += 1
        kind = peer.name if peer else "deskhand"
        self.desktop = Desktop(binary, folder / f"{row}-{kind}-{self.starts}", window_manager, plain)
        self.app = ROWS[row](self.desktop, self.desktop.folder / "application")
        self.app.meta = self.meta
        self.hands = peer(self.desktop) if peer else None
        return self.app

    def close(self):
        if self.desktop:
            self.desktop.close()
        self.desktop = self.app = None


def measure_cell(session, cell, measure, runs):
    """Runs a column so often; what stops a run is a failure of that run."""
    exceptions = 0
    while cell.runs < runs and exceptions < SLOWEST_FAILURES:
        try:
            outcome = measure(session.application(), cell.runs, cell.load)
            if not outcome.passed and session.pictures:
                session.desktop.picture(session.pictures / f"{cell.row}-{cell.column}-{cell.load}-{cell.runs + 1}.png")
        except (Failed, Refused, OSError) as error:
            outcome = Outcome(False, problem=str(error))
            exceptions += 1
            session.close()
        cell.add(outcome)
        for line in [outcome.problem] if outcome.problem else []:
            print(f"    run {cell.runs}: {table.escaped(line)}", flush=True)
    print(f"{cell.actor:10} {cell.row:17} {cell.column:7} {cell.load:8} {cell.shown().replace('<br>', '  ')}", flush=True)
    return cell


def measure_row(options, folder, row):
    """All cells of a row, one after the other in the same application."""
    session = Session(options.binary, folder, row, options.window_manager)
    session.pictures = options.pictures
    if options.pace_ms:
        session.meta = {"_meta": {"pace_ms": options.pace_ms}}
    unreceivable = {}
    try:
        for load in options.loads:
            for column in options.columns:
                if column == "click":
                    continue
                measure = COLUMNS[column][1]
                if column in TEXTS:
                    measure = lambda app, run, load_name, plain=measure: plain(app, run, load_name, lambda text: adjusted(text, unreceivable))
                cell = measure_cell(session, table.Cell(row, column, load), measure, options.runs)
                unknown = [character for character in cell.missing if character not in unreceivable]
                if column in TEXTS and unknown:
                    found = prove(options, folder, row, unknown)
                    if found:
                        unreceivable |= found
                        cell = measure_cell(session, table.Cell(row, column, load), measure, options.runs)
                if column in TEXTS:
                    text = set((pathlib.Path(__file__).parent.parent / f"corpora/texts/{column}.txt").read_text(encoding="utf-8"))
                    cell.unreceivable = {character: piece for character, piece in unreceivable.items() if character in text}
                yield cell
    finally:
        session.close()


def adjusted(text, unreceivable):
    """The text as an application shows it that makes something else of some characters, whoever types them."""
    return "".join(unreceivable.get(character, character) for character in text)


def prove(options, folder, row, characters):
    """Those of the characters that do not arrive from a plain keyboard either."""
    print(f"    a keymap that simply has {len(characters)} missing characters …", flush=True)
    try:
        found = received_from_a_static_keymap(options.binary, folder / f"proof-{row}", ROWS[row], characters)
    except (Failed, Refused, OSError) as error:
        print(f"    no proof: {error}", flush=True)
        return {}
    wrong = {character: piece for character, piece in found.items() if piece != character}
    # All of them wrong says more about the attempt than about the characters.
    print(f"    {len(wrong)} of {len(found)} do not arrive from it either", flush=True)
    return wrong


def measure_peers(options, folder):
    for peer in peers.PEERS.values():
        if peer.missing:
            continue
        for row in (name for name in PEER_ROWS if name in options.rows):
            # The window manager in the setting that is best for them.
            session = Session(options.binary, folder, row, options.window_manager, plain=True, peer=peer)
            try:
                for column in ("ascii", "mixed"):
                    measure = text_column(column, lambda text, session=session: session.hands.type(text))
                    yield measure_cell(session, table.Cell(row, column, "idle", peer.name), measure, options.peer_runs)
            finally:
                session.close()


def measure_clicks(options, folder, window_manager):
    for peer in [None, *(peer for peer in peers.PEERS.values() if options.peers and not peer.missing)]:
        runs, names = (options.runs, CLICK_TEXTS) if peer is None else (1, ("mixed",))
        try:
            for landing in click_after.measure(options.binary, folder, window_manager, names, runs, peer):
                times = ", ".join(f"{one:.0f}" for one in landing.milliseconds)
                after = ", ".join(f"{one:.0f}" for one in landing.after_text)
                after = f" ({after} from the last character)" if after else ""
                print(f"{landing.actor:10} click after {landing.text}, {window_manager}, {landing.target}: {times} ms{after}", *landing.problems, flush=True)
                yield landing
        except (Failed, Refused, OSError) as error:
            print(f"no clicks with {window_manager}: {error}", flush=True)
            yield click_after.Landing(window_manager, peer.name if peer else "Deskhand", names[0], "the page", [], [str(error)])


def origin(options):
    """With what the cells are measured."""
    version = subprocess.run([options.binary, "--version"], capture_output=True, text=True).stdout.strip()
    return {
        "binary": f"{version}, SHA-256 {hashlib.sha256(options.binary.read_bytes()).hexdigest()[:12]}",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}",
        "window manager of the table": table.MANAGERS[options.window_manager],
        "desktops at the same time": str(options.desktops),
        **({"pace_ms": str(options.pace_ms)} if options.pace_ms else {}),
    }


def side_by_side(options):
    """Each row by a process of its own, so many at a time; clicks and peers come after them. They share the folder."""
    columns = [column for column in options.columns if column != "click"]
    rows, running, failed = list(options.rows) if columns else [], {}, 0
    given = [*sys.argv[1:], "--columns", ",".join(columns)]
    try:
        while rows or running:
            while rows and len(running) < options.desktops:
                row = rows.pop(0)
                process = subprocess.Popen([sys.executable, __file__, *given, "--one-row", row])
                running[process.pid] = process
            pid, status = os.wait()
            if running.pop(pid, None):
                failed += status != 0
                print(f"    {len(rows) + len(running)} of {len(options.rows)} applications left", flush=True)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
    return failed


def kinds(options, clicks, rows):
    """What there is to do, by what takes alike long."""
    texts_and_actions = [column for column in options.columns if column != "click"]
    yield from ((column, load) for _ in rows for load in options.loads for column in texts_and_actions)
    if options.peers:
        rows = [row for row in PEER_ROWS if row in options.rows]
        yield from (peer.name for peer in peers.PEERS.values() if not peer.missing for _ in rows for _ in ("ascii", "mixed"))
    if clicks:
        yield from ("click" for _ in WINDOW_MANAGERS)


def main():
    options = arguments()
    measured, entries = origin(options), []
    if options.peers:
        peers.prepare(options.target)
    missing = {name: peer.missing for name, peer in peers.PEERS.items() if options.peers and peer.missing}
    clicks = "click" in options.columns
    apart = options.desktops > 1 and not options.one_row
    progress = Progress(kinds(options, clicks, rows=[] if apart else options.rows))
    if options.anew and not options.quick and not options.one_row:
        (options.output / store.FILE).unlink(missing_ok=True)

    def add(entry):
        entry.measured = measured
        entries.append(entry)
        if options.quick:
            return
        with store.updated(options.output, [entry]) as (cells, landings):
            runs = sorted({cell.runs for cell in cells if cell.actor == "Deskhand"})
            settings = [
                *table.origins([*cells, *landings]),
                *([f"runs of each cell: {', '.join(map(str, runs))}"] if runs else []),
                *(f"{name}: {what}" for name, what in LOADS.items() if any(cell.load == name for cell in cells)),
                *(f"{name} {peer.version(None)}" for name, peer in peers.PEERS.items() if any(cell.actor == name for cell in cells)),
            ]
            names = {name: row.name for name, row in ROWS.items()}
            page = table.markdown(settings, names, cells, landings, missing)
            (options.output / "TABLE.md").write_text(page, encoding="utf-8")

    failed = side_by_side(options) if apart else 0
    with tempfile.TemporaryDirectory(prefix="deskhand-apps-") as folder:
        folder = pathlib.Path(folder)
        for row in () if apart else options.rows:
            for cell in measure_row(options, folder, row):
                add(cell)
                progress.done((cell.column, cell.load))
        if options.peers:
            for cell in measure_peers(options, folder):
                add(cell)
                progress.done(cell.actor)
        for window_manager in WINDOW_MANAGERS if clicks else ():
            for landing in measure_clicks(options, folder, window_manager):
                add(landing)
            progress.done("click")
    ours = [entry for entry in entries if entry.actor == "Deskhand"]
    bad = [entry for entry in ours if not entry.perfect]
    if bad:
        print(f"{len(bad)} of {len(ours)} cells are not perfect")
    return 1 if bad or failed else 0


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
