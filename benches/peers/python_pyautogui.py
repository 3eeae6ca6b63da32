"""pyautogui behind lines on standard input: `screenshot [FILE]`, `click X Y`, `type JSON`, answered by nanoseconds and bytes.

Its pause of 0.1 s after every call is switched off, which its documentation offers: what is left is its own work."""

import io
import json
import sys
import time

import pyautogui

pyautogui.PAUSE = 0
pyautogui.FAILSAFE = False

for line in sys.stdin:
    action, _, rest = line.strip().partition(" ")
    length = 0
    if action == "screenshot":
        begun = time.perf_counter_ns()
        png = io.BytesIO()
        pyautogui.screenshot().save(png, "PNG")
        took = time.perf_counter_ns() - begun
        length = png.tell()
        if rest:
            with open(rest, "wb") as output:
                output.write(png.getvalue())
    elif action == "click":
        x, y = map(int, rest.split())
        begun = time.perf_counter_ns()
        pyautogui.click(x, y)
        took = time.perf_counter_ns() - begun
    else:
        text = json.loads(rest)
        begun = time.perf_counter_ns()
        pyautogui.write(text)
        took = time.perf_counter_ns() - begun
    print(took, length, flush=True)
