"""A desktop of the strong profile for tests: made by deploy/compose/desktop, and ended whatever happens."""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

ROOT = pathlib.Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "deploy/compose"
SCRIPT = COMPOSE / "desktop"
PROGRAM = os.environ["DESKHAND_TEST_PROGRAM"]
IMAGE = os.environ["DESKHAND_TEST_STRONG"]
CHROMIUM = os.environ.get("DESKHAND_TEST_STRONG_CHROMIUM")
# A text that no layout has: Latin beyond ASCII, a currency, an arrow, two Chinese characters.
TEXT = "Wörld €→漢字"
Value = TypeVar("Value")


def run(*command: object, check: bool = True, timeout: float = 300, **options: object) -> subprocess.CompletedProcess:
    """A command to its end. What waits for ever is a failure, and must not keep containers from being removed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return done


def wait_for(what: str, seconds: float, condition: Callable[[], Value]) -> Value:
    """Asks until the answer is true. Each question is a process, so ten a second are enough."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)
    return answer


class Desktop:
    def __init__(self, directory: pathlib.Path, token: pathlib.Path, override: pathlib.Path | None) -> None:
        self.directory, self.token, self.override = directory, token, override
        self.settings = dict(line.split("=", 1) for line in (directory / "desktop.env").read_text().splitlines() if not line.startswith("#"))

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """docker-compose as the script calls it, with the override where there is one."""
        files = [COMPOSE / "docker-compose.yml"]
        if self.settings["DESKTOP_CHROMIUM"] == "yes":
            files.append(COMPOSE / "docker-compose.chromium.yml")
        if self.override is not None:
            files.append(self.override)
        words = [word for file in files for word in ("--file", str(file))]
        own = {"DESKTOP_DIRECTORY": str(self.directory), "DESKTOP_SECCOMP": str(COMPOSE / "seccomp-chromium.json")}
        return run("docker-compose", "--project-name", self.settings["DESKTOP_PROJECT"], *words, *arguments, check=check, env={**os.environ, **self.settings, **own})

    def container(self, service: str) -> str:
        filters = [f"label=com.docker.compose.{key}={value}" for key, value in (("project", self.settings["DESKTOP_PROJECT"]), ("service", service))]
        (name,) = run("docker", "ps", "--all", "--format", "{{.Names}}", "--filter", filters[0], "--filter", filters[1]).stdout.split()
        return name

    def inspect(self, service: str) -> dict:
        (found,) = json.loads(run("docker", "inspect", self.container(service)).stdout)
        return found

    def execute(self, service: str, *command: str, check: bool = True, user: str | None = None) -> subprocess.CompletedProcess:
        as_user = ["--user", user] if user else []
        return run("docker", "exec", *as_user, self.container(service), *command, check=check)

    def call(self, method: str, check: bool = True, **params: object) -> dict:
        done = run(PROGRAM, "call", method, json.dumps(params), "--socket", self.directory / "control/deskhand.sock", "--token-file", self.token, check=check)
        return json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr}

    def processes(self, service: str) -> dict[int, str]:
        """Process ids on the host and command lines."""
        said = run("docker", "top", self.container(service), "-eo", "pid,args").stdout.splitlines()[1:]
        return {int(line.split(None, 1)[0]): line.split(None, 1)[1] for line in said}

    def process(self, service: str, beginning: str) -> int:
        (found,) = [pid for pid, line in self.processes(service).items() if line.startswith(beginning)]
        return found

    def terminal(self) -> None:
        """Waits until the terminal has the focus: a display answers before its first window is there."""
        what = "DeskhandTerminal"
        wait_for("the terminal's window", 60, lambda: any(window["class"] == what and window["active"] for window in self.call("windows.list", check=False).get("windows", [])))

    def typed_arrives(self, text: str) -> None:
        """Types into the terminal a command that keeps a text, and reads the file."""
        self.terminal()
        file = f"typed-{secrets.token_hex(4)}"
        self.call("type", text=f"printf %s '{text}' > /workspace/{file}.new && mv /workspace/{file}.new /workspace/{file}\n", _meta={"observe": {"image": False}})
        wait_for(f"{file} in the workspace", 10, lambda: self.execute("applications", "test", "-e", f"/workspace/{file}", check=False).returncode == 0)
        got = self.execute("applications", "cat", f"/workspace/{file}").stdout
        if got != text:
            raise AssertionError(f"typed {text!r}, and {got!r} arrived")


@contextlib.contextmanager
def desktop(*arguments: str, override: str | None = None, settings: dict[str, str] | None = None, secret: str | None = None) -> Iterator[Desktop]:
    """One that runs. `override` is the text of a further compose file, for taking a defence out; `settings`
    are written over those of the desktop."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="deskhand-compose-"))
    directory, token = work / f"test-{secrets.token_hex(4)}", work / "token"
    given = []
    if secret is not None:
        (work / "secrets.jsonl").write_text(json.dumps({"name": "shop", "value": secret, "rule": {"class": "nobody"}}) + "\n")
        given = ["--secrets", str(work / "secrets.jsonl")]
    extra = None
    if override is not None:
        extra = work / "override.yml"
        extra.write_text(override)
    image = [] if "--image" in arguments else ["--image", IMAGE]
    try:
        run(SCRIPT, "new", directory, "--token", token, *given, *image, *arguments)
        for name, value in (settings or {}).items():
            with (directory / "desktop.env").open("a") as file:
                file.write(f"{name}={value}\n")
        made = Desktop(directory, token, extra)
        try:
            if override is None and settings is None:
                run(SCRIPT, "up", directory)
            else:
                made.compose("up", "--detach")
                wait_for("the display answers", 60, lambda: made.execute("display", "deskhand", "health", check=False).returncode == 0)
            yield made
        finally:
            made.compose("down", "--volumes", "--timeout", "5")
    finally:
        shutil.rmtree(work)
