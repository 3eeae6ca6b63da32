"""What else goes on while text is typed."""

import contextlib
import os
import random
import signal
import subprocess
import threading

LOADS = {
    "idle": "nothing else runs",
    "busy": "a busy loop for each processor",
    "stopped": "the application's process group is stopped for 20–150 ms at random, with 5–60 ms in between",
}


@contextlib.contextmanager
def load(name, process, seed):
    if name == "busy":
        with _busy():
            yield
    elif name == "stopped":
        with _stopped(process, seed):
            yield
    else:
        yield


@contextlib.contextmanager
def _busy():
    hogs = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


@contextlib.contextmanager
def _stopped(process, seed):
    over, chance = threading.Event(), random.Random(seed)

    def stop_and_continue():
        while not over.wait(chance.uniform(0.005, 0.06)):
            os.killpg(process.pid, signal.SIGSTOP)
            over.wait(chance.uniform(0.02, 0.15))
            os.killpg(process.pid, signal.SIGCONT)

    thread = threading.Thread(target=stop_and_continue)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
