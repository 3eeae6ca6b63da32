"""An X client that answers no question: plain Xlib, one window, and every character that it looks up goes into a file.

usage: silent_client.py FILE [slow|gathering]
slow: after every eighth key it pauses for 25 ms, with the next keys already in Xlib's queue and none in its socket.
gathering: pauses likewise and does as LibreOffice Writer, and says that it is one. Plain characters are gathered as long as something
waits in the queue; one beyond U+FFFF goes into the file at once.
"""

import ctypes
import os
import select
import sys

KEY_PRESS, MAPPING_NOTIFY = 2, 34
KEY_PRESS_MASK, EXPOSURE_MASK, FOCUS_CHANGE_MASK = 1 << 0, 1 << 15, 1 << 21
RETURN, UNICODE = 0xFF0D, 0x01000000

x = ctypes.CDLL("libX11.so.6")
pointer, window_id, number = ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int


def declare(name, result, *arguments):
    function = getattr(x, name)
    function.restype, function.argtypes = result, arguments
    return function


class ClassHint(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("class_name", ctypes.c_char_p)]


open_display = declare("XOpenDisplay", pointer, ctypes.c_char_p)
root_of = declare("XDefaultRootWindow", window_id, pointer)
create = declare(
    "XCreateSimpleWindow", window_id, pointer, window_id, number, number, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint,
    ctypes.c_ulong, ctypes.c_ulong,
)
select_input = declare("XSelectInput", number, pointer, window_id, ctypes.c_long)
set_class = declare("XSetClassHint", number, pointer, window_id, ctypes.POINTER(ClassHint))
map_window = declare("XMapWindow", number, pointer, window_id)
pending = declare("XPending", number, pointer)
next_event = declare("XNextEvent", number, pointer, pointer)
refresh_mapping = declare("XRefreshKeyboardMapping", number, pointer)
look_up = declare(
    "XLookupString", number, pointer, ctypes.c_char_p, number, ctypes.POINTER(ctypes.c_ulong), pointer
)

file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
slow, gathering = sys.argv[2:] == ["slow"], sys.argv[2:] == ["gathering"]
display = open_display(None)
window = create(display, root_of(display), 0, 0, 400, 300, 0, 0, 0xFFFFFF)
select_input(display, window, KEY_PRESS_MASK | EXPOSURE_MASK | FOCUS_CHANGE_MASK)
set_class(display, window, ctypes.byref(ClassHint(b"silent_client.py", b"libreoffice-writer" if gathering else b"Silent")))
map_window(display, window)

# A union of at most 24 long words; the type comes first in each of its members.
event = (ctypes.c_long * 24)()
keysym = ctypes.c_ulong()
text = ctypes.create_string_buffer(64)
keys = 0
gathered = ""
while True:
    if gathered and not pending(display):
        os.write(file, gathered.encode())
        gathered = ""
    next_event(display, event)
    kind = event[0] & 0x7F
    if kind == MAPPING_NOTIFY:
        refresh_mapping(event)
    if kind != KEY_PRESS:
        continue
    look_up(event, text, len(text), ctypes.byref(keysym), None)
    symbol = 0x0A if keysym.value == RETURN else keysym.value
    if symbol >= UNICODE or symbol == 0x0A or 0x20 <= symbol <= 0x7E:
        character = chr(symbol & 0x00FFFFFF)
        if gathering and character <= "\uffff":
            gathered += character
        else:
            os.write(file, character.encode())
        keys += 1
        if (slow or gathering) and keys % 8 == 0:
            select.select([], [], [], 0.025)
