"""Fills a terminal with a listing in colours, says so by making a file, and stays: listing.py SEED COLUMNS LINES FILE."""

import pathlib
import random
import sys
import time

seed, columns, lines, file = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])
choose = random.Random(seed)
words = "cache config desk display event figure frame grab image input journal keymap lease open plan queue server step target wire".split()
text = []
for _ in range(lines - 1):
    names = []
    while sum(map(len, names)) + 3 * len(names) < columns - 52:
        names.append("-".join(choose.choices(words, k=choose.randint(1, 3))))
    colour = choose.choice((31, 32, 33, 34, 35, 36, 37))
    owner = f"-rw-r--r-- 1 desk desk {choose.randrange(10**7):8} {choose.randint(1, 28):2} Nov {choose.randrange(24):02}:{choose.randrange(60):02} "
    text.append(owner + f"\033[{colour}m" + "   ".join(names)[: columns - 52] + "\033[0m")
# No cursor: it would blink.
sys.stdout.write("\033[?25l\033[2J\033[H" + "\r\n".join(text))
sys.stdout.flush()
# The terminal answers this after it has drawn all before it; the answer comes without a newline, hence raw mode.
import termios
import tty

before = termios.tcgetattr(0)
tty.setraw(0)
sys.stdout.write("\033[6n")
sys.stdout.flush()
sys.stdin.buffer.raw.read(1)
time.sleep(0.3)  # the answer says that it was read; drawing follows at once, and nothing tells of its end
file.touch()
time.sleep(3600)
