"""The measuring client, benches/client, as a child process: one line of JSON to it, one back."""

import contextlib
import json
import subprocess

from .errors import Failed

NANOSECONDS = 1e-9
GOODBYE = 5  # seconds; it waits a second for each program that it has started


class Client:
    """`client("exchange", name=…, …)` is one command and its answer."""

    def __init__(self, program, processes):
        self.processes = processes
        self.process = processes.start([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.echo = processes.start([program, "echo"], stdout=subprocess.PIPE)
        self("connect", name="echo", address=self.echo.stdout.readline().decode().strip(), path="/", headers=[])

    def __call__(self, command, /, **arguments):
        line = json.dumps({"do": command, **arguments}) + "\n"
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise Failed(f"the measuring client has ended at {command}")
        answer = json.loads(answer)
        if "failed" in answer:
            raise Failed(answer["failed"])
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def seconds(self, command, /, **arguments):
        return [one * NANOSECONDS for one in self(command, **arguments)["nanoseconds"]]

    def close(self):
        """The end of its input ends it; its connections and programs go with it."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GOODBYE)
        self.processes.stop(self.process)
        self.processes.stop(self.echo)
