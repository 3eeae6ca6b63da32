"""The measuring client, benches/client, as a child process: one line of JSON to it, one back."""

import json
import os
import signal
import subprocess

from .errors import Failed

NANOSECONDS = 1e-9


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
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.processes.stop(self.process)
        self.processes.stop(self.echo)
