#!/usr/bin/env python3
"""Takes the defences of the hardened container out, one at a time, and sees that a test then fails.

Each row of mutations.toml is a place in deploy/docker and what stands there instead, or what is done to the image, and the test that
has to fail. Files of deploy/docker/desktop are replaced in an image of the row's own; nothing here is changed.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
DOCKER = HERE.parent.parent.parent / "deploy/docker"
IMAGE = os.environ.get("DESKHAND_TEST_DESKTOP", "deskhand-desktop")
MODULES = ["test_image", "test_confinement", "test_control", "test_survival"]


def wrong_rows(table):
    """Each place stands exactly once, or the row has been left behind by the sources; and the test is there."""
    tests = "".join((HERE / f"{module}.py").read_text() for module in MODULES)
    for row in table:
        if "file" in row:
            count = (DOCKER / row["file"]).read_text().count(row["from"])
            if count != 1:
                yield f"{row['name']}: deploy/docker/{row['file']} has its place {count} times, not once"
        if tests.count(f"def {row['test']}(") != 1:
            yield f"{row['name']}: there is no one test {row['test']}"


def image_with(row, folder, mutated):
    """An image in which this row's defence is missing."""
    tag = f"deskhand-mutation:{row['name']}-{os.getpid()}"
    user = subprocess.run(["docker", "image", "inspect", "--format", "{{.Config.User}}", IMAGE], capture_output=True, text=True, check=True).stdout.strip()
    if mutated:
        change = f"COPY mutated /usr/lib/deskhand/{row['file'].removeprefix('desktop/')}\n"
    else:
        change = f"RUN {row['image']}\n"
    (folder / "Dockerfile").write_text(f"FROM {IMAGE}\nUSER 0\n{change}USER {user}\n")
    done = subprocess.run(["docker", "build", "--quiet", "--tag", tag, str(folder)], capture_output=True, text=True, check=False,
                          env=os.environ | {"DOCKER_BUILDKIT": "0"})
    if done.returncode != 0:
        raise SystemExit(f"{row['name']}: the image cannot be built:\n{done.stdout}{done.stderr}")
    return tag


def outcome(row, log):
    """How the row's test ends without the defence."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        tag = None
        mutated = folder / "mutated"
        if "file" in row:
            mutated.write_text((DOCKER / row["file"]).read_text().replace(row["from"], row["to"]))
            mutated.chmod(0o755)
        if row.get("file") == "run":
            environment["DESKHAND_TEST_RUN"] = str(mutated)
        else:
            tag = image_with(row, folder, "file" in row)
            environment["DESKHAND_TEST_DESKTOP"] = tag
        try:
            done = subprocess.run([sys.executable, "-m", "unittest", "-k", row["test"], *MODULES], cwd=HERE, env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        finally:
            if tag:
                subprocess.run(["docker", "image", "rm", tag], capture_output=True, check=False)
    log.write(f"=== {row['name']}\n{done.stdout}\n")
    ran = re.search(r"^Ran (\d+) tests?", done.stdout, re.MULTILINE)
    if "skipped" in done.stdout:
        return "was skipped"
    if done.returncode == 0:
        return "passed"
    # A class whose desktop does not even start counts: without that defence there is none.
    return "failed" if ran else f"ended with {done.returncode}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only that each row still has its place; needs no Docker")
    parser.add_argument("--only", metavar="NAMES", help="these rows, by name, with commas between them")
    parser.add_argument("--log", metavar="FILE", default=os.devnull, help="where the tests' own output goes")
    arguments = parser.parse_args()
    with open(HERE / "mutations.toml", "rb") as file:
        table = tomllib.load(file)["mutation"]
    wrong = list(wrong_rows(table))
    if wrong:
        raise SystemExit("\n".join(wrong))
    if arguments.only:
        names = arguments.only.split(",")
        unknown = set(names) - {row["name"] for row in table}
        if unknown:
            raise SystemExit(f"no row is called {', '.join(sorted(unknown))}")
        table = [row for row in table if row["name"] in names]
    if arguments.check:
        return
    survived = []
    with open(arguments.log, "w") as log:
        for number, row in enumerate(table, 1):
            started = time.monotonic()
            how = outcome(row, log)
            log.flush()
            print(f"{number}/{len(table)} without {row['name']}: {row['test']} {how} ({time.monotonic() - started:.0f} s)", flush=True)
            if how != "failed":
                survived.append(row["name"])
    if survived:
        raise SystemExit(f"no test misses: {', '.join(survived)}")


if __name__ == "__main__":
    main()
