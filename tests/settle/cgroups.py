"""A control group of the applications' own, for `--cgroup`: processor time of exactly them, as a container has it."""

import os
import pathlib
import time

from desktop import Failed

ROOTS = ("/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")


class ControlGroup:
    """One group under each hierarchy that accounts for processor time: version 1's, version 2's or both."""

    def __init__(self):
        self.folders = []
        for root in map(pathlib.Path, ROOTS):
            # The root of version 1 is a tmpfs, in which a folder is no group.
            if not (root / "cgroup.procs").exists():
                continue
            folder = root / f"deskhand-settle-{os.getpid()}"
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                self.close()
                raise Failed(f"no control group in {root}: {error}; --cgroup needs root and a writable /sys/fs/cgroup") from error
            self.folders.append(folder)
        if not self.folders:
            raise Failed("no control groups under /sys/fs/cgroup that account for processor time; leave --cgroup out")

    def enter(self, command):
        """The command, which first puts itself into the groups."""
        files = " ".join(f"{folder}/cgroup.procs" for folder in self.folders)
        return ["sh", "-c", f'for file in {files}; do echo $$ >"$file"; done; exec "$@"', "enter", *command]

    def close(self):
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.1)  # its last processes are still ending
