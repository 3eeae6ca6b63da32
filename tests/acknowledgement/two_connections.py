"""An X client that does with its keys as Chromium does: they come by one connection, and what they mean is looked up in a keymap
that another connection keeps up to date. It answers pings.

usage: two_connections.py FILE

Everything that the first connection has is dealt with before the other one is looked at, and so is what comes within two
milliseconds after that: keys right behind a change of the keymap are looked up in the old one.
"""

import ctypes
import os
import select
import sys

import xlib

file = xlib.open_file(sys.argv[1])
keys, keymap = xlib.open_display(None), xlib.open_display(None)
root = xlib.root_of(keys)
window = xlib.open_window(keys, b"two_connections.py", b"TwoConnections")
ping = ctypes.c_ulong(xlib.atom(keys, b"_NET_WM_PING", False))
xlib.set_protocols(keys, window, ctypes.byref(ping), 1)
xlib.map_window(keys, window)
xlib.flush(keys)


def take_from_keys():
    event = xlib.event
    xlib.next_event(keys, event)
    kind = event[0] & 0x7F
    if kind == xlib.KEY_PRESS:
        event[3] = keymap
        os.write(file, (xlib.looked_up() or "").encode())
    # The window comes after the display, then the message's type, its format and its data.
    if kind == xlib.CLIENT_MESSAGE and event[7] == ping.value:
        event[4] = root
        xlib.send_event(keys, root, False, xlib.SUBSTRUCTURE_MASKS, event)
        xlib.flush(keys)


# The first look at the keymap makes Xlib ask for its changes from then on.
xlib.event[0], xlib.event[3] = xlib.KEY_PRESS, keymap
xlib.looked_up()
descriptors = [xlib.descriptor_of(keys), xlib.descriptor_of(keymap)]
while True:
    while xlib.pending(keys) or select.select(descriptors[:1], [], [], 0.002)[0]:
        while xlib.pending(keys):
            take_from_keys()
    while xlib.pending(keymap):
        xlib.next_event(keymap, xlib.event)
        if xlib.event[0] & 0x7F == xlib.MAPPING_NOTIFY:
            xlib.refresh_mapping(xlib.event)
    select.select(descriptors, [], [])
