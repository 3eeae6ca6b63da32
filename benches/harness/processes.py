"""Starts programs, ends them by process id, and looks at what they use."""

import os
import pathlib
import secrets
import signal
import subprocess
import time

MARK = "DESKHAND_BENCH"
POLITE = 5  # seconds between SIGTERM and SIGKILL
PAUSE = 0.002


class Processes:
    """All that was started. Some peers leave helpers behind that outlive them; everything has a mark in its environment, by
    which its process id is found in the end."""

    def __init__(self):
        self.mark, self.started = secrets.token_hex(8), []

    def environment(self, **more):
        """Nothing of this machine's settings."""
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
        return kept | {"LANG": "C.UTF-8", "NO_AT_BRIDGE": "1", "DO_NOT_TRACK": "1", MARK: self.mark} | more

    def start(self, command, environment=None, **options):
        """A program in a session of its own, without input."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options
        process = subprocess.Popen(
            [str(part) for part in command], env=environment or self.environment(), start_new_session=True, **options
        )
        self.started.append(process)
        return process

    def stop(self, process):
        """Ends a program and all that is in its session."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(POLITE)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        process.wait()
        if process in self.started:
            self.started.remove(process)

    def close(self):
        for process in reversed(self.started[:]):
            self.stop(process)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.left():
                signal_process(pid, number)
            deadline = time.monotonic() + POLITE
            while self.left() and time.monotonic() < deadline:
                time.sleep(PAUSE)

    def left(self):
        """Those that carry our mark."""
        wanted, found = f"{MARK}={self.mark}".encode(), []
        for folder in pathlib.Path("/proc").iterdir():
            try:
                if folder.name.isdecimal() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                pass  # gone, or somebody else's
        return found


def signal_process(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def stat(pid):
    """The fields of proc(5)'s stat after the name: the state is the first, the parent the second."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(pid, without=("Xvfb",)):
    """A process and its descendants, less the named ones and theirs."""
    parents = {}
    for folder in pathlib.Path("/proc").iterdir():
        try:
            if folder.name.isdecimal():
                parents.setdefault(int(stat(folder.name)[1]), []).append(int(folder.name))
        except OSError:
            pass
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        try:
            if pathlib.Path(f"/proc/{one}/comm").read_text().strip() in without:
                continue
        except OSError:
            continue
        found.append(one)
        waiting += parents.get(one, [])
    return found


def proportional_memory(pids):
    """Bytes: what they have for themselves and their share of what they share."""
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def processor_time(pids):
    """Seconds of each thread, to the nanosecond: the first field of its schedstat. For `used_since`."""
    found = {}
    for pid in pids:
        for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                found[thread.name] = int((thread / "schedstat").read_text().split()[0]) / 1e9
            except OSError:
                pass  # it has just ended
    return found


def used_since(before, pids):
    """Seconds that the processes have used since then; threads that have ended meanwhile are not counted."""
    return sum(now - before.get(thread, 0) for thread, now in processor_time(pids).items())
