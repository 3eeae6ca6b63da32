"""Runs inside a terminal: shows numbered lines, then writes down byte by byte what the terminal sends.

    reader.py FILE

FILE.times gets a line `nanoseconds length` for each piece that arrives. A cooked terminal would cut lines at 4,096 bytes and keep
control characters for itself, so the terminal is raw.
"""

import os
import sys
import time
import tty

import content

received = os.open(sys.argv[1] + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
times = open(sys.argv[1] + ".times", "w", buffering=1)
tty.setraw(0)
os.write(1, content.NUMBERED.replace("\n", "\r\n").encode())
# The file's name says that from now on nothing is lost.
os.rename(sys.argv[1] + ".new", sys.argv[1])
length = 0
while piece := os.read(0, 65536):
    os.write(received, piece)
    length += len(piece)
    times.write(f"{time.time_ns()} {length}\n")
