"""mss and Pillow behind lines on standard input: `screenshot [FILE]`, answered by nanoseconds and bytes."""

import io
import sys
import time

import mss
from PIL import Image

with mss.mss() as screen:
    for line in sys.stdin:
        begun = time.perf_counter_ns()
        shot = screen.grab(screen.monitors[1])
        png = io.BytesIO()
        Image.frombytes("RGB", shot.size, shot.bgra, "raw", "BGRX").save(png, "PNG")
        took = time.perf_counter_ns() - begun
        _, _, file = line.strip().partition(" ")
        if file:
            with open(file, "wb") as output:
                output.write(png.getvalue())
        print(took, png.tell(), flush=True)
