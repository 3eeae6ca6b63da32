"""What an application does with a character from a keyboard that simply has it.

A character that Deskhand could not deliver is given to the application once more in the plainest way there is: it has a key of its own in
a keymap that is set before the application starts and never changes, and the key is pressed with a pause. What the application makes of
it then, it makes of it from every keyboard."""

import time

import Xlib.X
from Xlib.ext import xtest

from desktop import Desktop

# Chromium, xterm and others act on these instead of taking a character from them.
TAKEN = {135, 141, 143, 145, 164, 166, 167, 180, 181, 225}
SPACE = 65
PAUSE = 0.05  # seconds between keys, which is far more than any application needs for one
MOST = 120  # characters to look at; more missing ones are no question of single characters


def keysym(character):
    code = ord(character)
    return code if 0x20 <= code < 0x7F or 0xA0 <= code < 0x100 else 0x01000000 + code


def without_symbols(connection):
    """The keys that mean nothing."""
    first, last = connection.display.info.min_keycode, connection.display.info.max_keycode
    table = connection.get_keyboard_mapping(first, last - first + 1)
    return [first + at for at, symbols in enumerate(table) if not any(symbols) and first + at not in TAKEN]


def received_from_a_static_keymap(binary, folder, row, characters):
    """What an application of this row makes of each of the characters."""
    found, left = {}, list(characters)[:MOST]
    while left:
        keys = {}

        def give_keys(connection, keys=keys):
            for code, character in zip(without_symbols(connection), left, strict=False):
                connection.change_keyboard_mapping(code, [[keysym(character)]])
                keys[code] = character
            connection.sync()

        desktop = Desktop(binary, folder / f"proof-{len(left)}", plain=True, keymap=give_keys)
        try:
            app = row(desktop, desktop.folder / "application")
            app.begin()
            for code in keys:
                press(desktop.keymap_connection, code)
                press(desktop.keymap_connection, SPACE)
            wanted = "".join(f"{character} " for character in keys.values())
            received, _ = app.received(wanted)
            pieces = received.split(" ")
            found |= dict(zip(keys.values(), pieces + [""] * (len(keys) - len(pieces)), strict=False))
        finally:
            desktop.close()
        left = left[len(keys) :]
    return found


def press(connection, code):
    for kind in (Xlib.X.KeyPress, Xlib.X.KeyRelease):
        xtest.fake_input(connection, kind, code)
    connection.sync()
    time.sleep(PAUSE)
