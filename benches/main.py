"""The benchmarks: what `benches/run` runs once its own needs are installed."""

import argparse
import datetime
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from actors import PEERS  # noqa: E402
from harness import report  # noqa: E402
from harness.client import Client  # noqa: E402
from harness.errors import Failed, NotInThisVersion  # noqa: E402
from harness.install import Install  # noqa: E402
from harness.measure import Figure, reason_of  # noqa: E402
from harness.processes import Processes  # noqa: E402
from rows import ROWS  # noqa: E402

BUSY = 0.5  # a load from which on figures are not those of an idle machine

ROOT = pathlib.Path(__file__).resolve().parent.parent


def listed(known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def arguments():
    rows = "\n".join(f"  {name:24} {row.summary}{' (also with --quick)' if row.quick else ''}" for name, row in ROWS.items())
    peers = "\n".join(f"  {peer.name:28} {peer.how}" for peer in PEERS)
    parser = argparse.ArgumentParser(
        prog="benches/run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures Deskhand through a WebSocket on loopback, beside its peers and beside the limits of this machine.",
        epilog=f"""rows:\n{rows}\n\npeers:\n{peers}\n
examples:
  benches/run                                  everything, about two hours on a machine that does nothing else
  benches/run --readme                         and writes the table into README.md
  benches/run --quick                          few rounds of some rows, three minutes
  benches/run --quick --no-peers               the same without peers, a minute: whether the benchmark works
  benches/run --only click,fifty-characters    two rows
  benches/run --from target/benches/results    the tables again, of an earlier run

Figures mean something on an idle machine only. benches/README.md says how each is measured.""",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds of a part of the rows; the figures are rough")
    parser.add_argument("--only", type=listed(ROWS), metavar="ROW,…", help="these rows")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="whether to measure other programs as well; they are installed on first use")
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR", help="folder for results.json and TABLE.md (target/benches/results, or results-quick); with --only, other rows that it holds stay")
    parser.add_argument("--readme", action="store_true", help="writes the table into README.md")
    parser.add_argument("--from", type=pathlib.Path, dest="source", metavar="DIR", help="measures nothing and makes the tables of what this folder holds")
    parser.add_argument("--binary", type=pathlib.Path, metavar="FILE", help="a deskhand that is built already")
    parser.add_argument("--client", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--target", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.readme and options.quick:
        parser.error("--readme with --quick: README's figures are those of a full run; leave one of the two out")
    return options


class Bench:
    """What rows measure with."""

    def __init__(self, options, folder):
        self.options, self.folder, self.binary, self.target = options, folder, options.binary, options.target
        self.begun, self.peers = time.monotonic(), []
        self.processes, self.client = Processes(), None

    def say(self, text):
        minutes, seconds = divmod(int(time.monotonic() - self.begun), 60)
        print(f"[{minutes:3}:{seconds:02}] {text}", flush=True)

    def prepare_peers(self):
        install = Install(self.target, self.say)
        for peer in PEERS:
            try:
                peer.prepare(install)
            except (Failed, OSError) as error:
                peer.missing = f"not installed: {reason_of(error)}"
                self.say(f"{peer.name}: {peer.missing}")
            self.peers.append(peer)

    def row(self, name):
        """The figures of one row, with a client of its own: whatever breaks, the next row begins anew."""
        self.client = Client(self.options.client, self.processes)
        figures = []
        try:
            for figure in ROWS[name](self).measure():
                figures.append(figure)
                report.show(figure)
        except Exception as error:  # one row that breaks must not cost the hours of the others
            if not isinstance(error, (Failed, NotInThisVersion, OSError)):
                traceback.print_exc()
            figures.append(Figure(name, "", "Deskhand", "deskhand", reason=reason_of(error)))
            report.show(figures[-1])
        finally:
            self.client.close()
        return figures


def measured_on(options, load):
    """With what and where."""
    version = subprocess.run([options.binary, "--version"], capture_output=True, text=True).stdout.strip()
    model = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return {
        "binary": version,
        "machine": f"{model}, {os.cpu_count()} processors, Linux {platform.release()}",
        "date": datetime.date.today().isoformat(),
        "load": load,
        "peers": {peer.name: peer.missing or peer.version for peer in PEERS} if options.peers else {},
    }


def measure(options, names, record, output):
    """Measures rows, one after the other; what is there is written after each. Returns how many have no figure of Deskhand's."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="deskhand-benches-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        try:
            if options.peers:
                bench.prepare_peers()
            load, bench.begun = os.getloadavg()[0], time.monotonic()
            if load > BUSY and not options.quick:
                bench.say(f"something else is running here (load {load:.1f}): these figures will be too large")
            record["measured"], record["quick"] = measured_on(options, load), options.quick
            for number, name in enumerate(names, 1):
                bench.say(f"{number} of {len(names)}: {name}")
                figures = bench.row(name)
                failed += report.has_failed(figures, name)
                kept = [one for one in record["figures"] if one["row"] != name]
                record["figures"] = kept + [figure.as_json() for figure in figures]
                report.write(output, record, ROWS)
            bench.say("measured")
        finally:
            bench.processes.close()
    return failed


def main():
    options = arguments()
    # A quick run's rough figures do not get among those of a full one.
    output = options.output or options.source or options.target / ("results-quick" if options.quick else "results")
    failed = 0
    if options.source:
        record = report.read(options.source)
        report.write(output, record, ROWS)
    else:
        names = options.only or [name for name, row in ROWS.items() if row.quick or not options.quick]
        record = report.read(output) if options.only and (output / report.FILE).exists() else {"figures": []}
        failed = measure(options, names, record, output)
    print("\n" + report.short_table(record, ROWS))
    print(f"all figures: {output / report.TABLE} and {output / report.FILE}")
    if options.readme:
        report.write_readme(ROOT / "README.md", record, ROWS)
        print("the table is in README.md")
    if failed:
        print(f"{failed} of {len(names)} rows have no figure of Deskhand's")
    return 1 if failed else 0


def end(*_):
    """Being told to end also ends everything that was started; a second signal must not interrupt that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        sys.exit(main())
    except Failed as error:
        print(f"benches: {error}", file=sys.stderr)
        sys.exit(1)
