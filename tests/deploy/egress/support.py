"""What the egress tests share: changed copies of deploy/egress, runs of its check, and attempts in its lab."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Callable, Iterator
from contextlib import contextmanager

ROOT = pathlib.Path(__file__).resolve().parents[3]
SOURCE = ROOT / "deploy" / "egress"
HERE = pathlib.Path(__file__).resolve().parent
# The whole list takes a minute and a half on a busy machine against a proxy that answers nothing.
CHECK_S = 600

sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE))


@contextmanager
def changed(*edits: tuple[str, str, str]) -> Iterator[pathlib.Path]:
    """A copy of deploy/egress with (file, old, new) done; each old has to be there exactly once, or the test is out of date."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="egress-test-"))
    try:
        # Another user starts what is in it.
        folder.chmod(0o755)
        tree = folder / "egress"
        shutil.copytree(SOURCE, tree, ignore=shutil.ignore_patterns("__pycache__"))
        for name, old, new in edits:
            path = tree / name
            text = path.read_text()
            if text.count(old) != 1:
                raise AssertionError(f"{name} has {old!r} {text.count(old)} times: this test is out of date")
            path.write_text(text.replace(old, new))
        yield tree
    finally:
        shutil.rmtree(folder)


def check(tree: pathlib.Path, *arguments: str) -> dict:
    """What the check of a tree says, as JSON, with its exit code."""
    with subprocess.Popen([str(tree / "check"), "--json", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            said, errors = running.communicate(timeout=CHECK_S)
        except BaseException:
            # Not a kill, which would leave its folder.
            running.terminate()
            running.communicate()
            raise
    try:
        return {"code": running.returncode, **json.loads(said)}
    except ValueError:
        raise AssertionError(f"check {' '.join(arguments)} ended with {running.returncode} and no result:\n{said}\n{errors}") from None


def verdicts(result: dict, verdict: str) -> set[str]:
    return {one["row"] for one in result["results"] if one["verdict"] == verdict}


def from_applications(lab, action: Callable[[], object]) -> object:
    """What an action returns in the applications' namespace: it runs in a child, for a thread cannot leave its namespace."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            lab.applications.enter()
            answer = {"value": action()}
        except BaseException as error:  # noqa: BLE001 - the parent raises it
            answer = {"error": repr(error)}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    answer = json.loads(data)
    if "error" in answer:
        raise AssertionError(answer["error"])
    return answer["value"]
