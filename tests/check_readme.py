#!/usr/bin/env python3
"""Runs the README's code as a reader would paste it.

Every ```sh and ```python block must have one of these comments on the line before it:

    <!-- run -->                 run it; it must end with 0
    <!-- run in background -->   start it, wait for its ready line, keep it until the end
    <!-- not run: REASON -->     leave it out, and say why

The blocks run one after the other in one empty folder that has the project's `xvfb` in it, with `deskhand` on the PATH and
`python3` being one that has the package `websockets`.
"""

import argparse
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 60  # seconds for one block
BLOCK = re.compile(r"(?:^<!-- (?P<mark>.*?) -->\n\s*)?^```(?P<language>sh|python)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


class Wrong(Exception):
    """The README breaks a promise."""


def blocks(text):
    """(line, mark, language, code) of every block; raises on one without a mark."""
    found = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        mark = match["mark"] or ""
        if mark not in ("run", "run in background") and not re.fullmatch(r"not run: \S.*", mark):
            raise Wrong(f"README line {line}: a {match['language']} block without <!-- run --> or <!-- not run: REASON --> before it")
        found.append((line, mark, match["language"], match["code"]))
    fences = len(re.findall(r"^```(?:sh|python)$", text, re.MULTILINE))
    if fences != len(found):
        raise Wrong(f"{fences} code blocks open but {len(found)} were understood")
    return found


def command(language, code):
    return ["bash", "-euo", "pipefail", "-c", code] if language == "sh" else [sys.executable, "-c", code]


def wait_until_ready(process, line):
    """Reads standard output until the ready line."""
    deadline = time.monotonic() + LIMIT
    while select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
        text = process.stdout.readline()
        if not text:
            raise Wrong(f"README line {line}: ended with {process.wait()} instead of becoming ready")
        try:
            if json.loads(text).get("event") == "ready":
                return
        except json.JSONDecodeError:
            pass
    raise Wrong(f"README line {line}: not ready after {LIMIT} s")


def stop(process):
    """Ends a background block: asks its whole group, which includes what the shell started, and waits."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run(found, binary):
    background, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        programs = pathlib.Path(folder) / ".programs"
        programs.mkdir()
        (programs / "deskhand").symlink_to(binary.resolve())
        (programs / "python3").symlink_to(sys.executable)
        (pathlib.Path(folder) / "xvfb").symlink_to(ROOT / "xvfb")
        path = f"{programs}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        for name in ("DISPLAY", "XAUTHORITY"):
            environment.pop(name, None)
        try:
            for line, mark, language, code in found:
                if mark.startswith("not run"):
                    print(f"README line {line}: {mark}", flush=True)
                    continue
                start = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL}
                if mark == "run in background":
                    process = subprocess.Popen(
                        command(language, code), stdout=subprocess.PIPE, text=True, start_new_session=True, **start
                    )
                    background.append(process)
                    wait_until_ready(process, line)
                else:
                    ended = subprocess.run(command(language, code), timeout=LIMIT, check=False, **start)
                    if ended.returncode != 0:
                        raise Wrong(f"README line {line}: ended with {ended.returncode}:\n{code}")
                count += 1
                print(f"README line {line}: {language} works", flush=True)
        finally:
            for process in reversed(background):
                stop(process)
    return count


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", required=True, type=pathlib.Path)
    arguments.add_argument("--readme", default=ROOT / "README.md", type=pathlib.Path)
    options = arguments.parse_args()
    try:
        count = run(blocks(options.readme.read_text()), options.binary)
        if count == 0:
            raise Wrong("the README has no block to run")
    except (Wrong, OSError, subprocess.TimeoutExpired) as error:
        print(f"check_readme: {error}", file=sys.stderr)
        return 1
    print(f"{count} blocks of the README work")
    return 0


if __name__ == "__main__":
    sys.exit(main())
