"""Text to click at, in which every word occurs once: whatever a click selects, it is known where that was."""

LINES = 60
# The first word is so long that a place a little to the right of a window's edge is inside it.
# No key comes twice in a row: a program that loses the second one must still be able to hold it.
NUMBERED = "\n".join(f"line{number // 10}x{number % 10}abcdefghijklmnopqrst tail{number // 10}x{number % 10}" for number in range(LINES))
