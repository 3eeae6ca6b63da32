"""An X client that answers no question: plain Xlib, one window, and every character that it looks up goes into a file.

usage: silent_client.py FILE [slow|gathering]
slow: after every eighth key it pauses for 25 ms, with the next keys already in Xlib's queue and none in its socket.
gathering: pauses likewise and does as LibreOffice Writer, and says that it is one. Plain characters are gathered as long as something
waits in the queue; one beyond U+FFFF goes into the file at once.
"""

import os
import select
import sys

import xlib

file = xlib.open_file(sys.argv[1])
slow, gathering = sys.argv[2:] == ["slow"], sys.argv[2:] == ["gathering"]
display = xlib.open_display(None)
window = xlib.open_window(display, b"silent_client.py", b"libreoffice-writer" if gathering else b"Silent")
xlib.map_window(display, window)

keys = 0
gathered = ""
while True:
    if gathered and not xlib.pending(display):
        os.write(file, gathered.encode())
        gathered = ""
    xlib.next_event(display, xlib.event)
    kind = xlib.event[0] & 0x7F
    if kind == xlib.MAPPING_NOTIFY:
        xlib.refresh_mapping(xlib.event)
    if kind != xlib.KEY_PRESS:
        continue
    character = xlib.looked_up()
    if character:
        if gathering and character <= "\uffff":
            gathered += character
        else:
            os.write(file, character.encode())
        keys += 1
        if (slow or gathering) and keys % 8 == 0:
            select.select([], [], [], 0.025)
