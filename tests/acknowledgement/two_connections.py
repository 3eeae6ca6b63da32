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

KEY_PRESS, CLIENT_MESSAGE, MAPPING_NOTIFY = 2, 33, 34
KEY_PRESS_MASK, EXPOSURE_MASK, FOCUS_CHANGE_MASK = 1 << 0, 1 << 15, 1 << 21
SUBSTRUCTURE_MASKS = 1 << 19 | 1 << 20
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
descriptor_of = declare("XConnectionNumber", number, pointer)
root_of = declare("XDefaultRootWindow", window_id, pointer)
create = declare(
    "XCreateSimpleWindow", window_id, pointer, window_id, number, number, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint,
    ctypes.c_ulong, ctypes.c_ulong,
)
select_input = declare("XSelectInput", number, pointer, window_id, ctypes.c_long)
set_class = declare("XSetClassHint", number, pointer, window_id, ctypes.POINTER(ClassHint))
set_protocols = declare("XSetWMProtocols", number, pointer, window_id, ctypes.POINTER(ctypes.c_ulong), number)
atom = declare("XInternAtom", ctypes.c_ulong, pointer, ctypes.c_char_p, number)
map_window = declare("XMapWindow", number, pointer, window_id)
pending = declare("XPending", number, pointer)
next_event = declare("XNextEvent", number, pointer, pointer)
send_event = declare("XSendEvent", number, pointer, window_id, number, ctypes.c_long, pointer)
flush = declare("XFlush", number, pointer)
refresh_mapping = declare("XRefreshKeyboardMapping", number, pointer)
look_up = declare(
    "XLookupString", number, pointer, ctypes.c_char_p, number, ctypes.POINTER(ctypes.c_ulong), pointer
)

file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
keys, keymap = open_display(None), open_display(None)
root = root_of(keys)
window = create(keys, root, 0, 0, 400, 300, 0, 0, 0xFFFFFF)
select_input(keys, window, KEY_PRESS_MASK | EXPOSURE_MASK | FOCUS_CHANGE_MASK)
set_class(keys, window, ctypes.byref(ClassHint(b"two_connections.py", b"TwoConnections")))
ping = ctypes.c_ulong(atom(keys, b"_NET_WM_PING", False))
set_protocols(keys, window, ctypes.byref(ping), 1)
map_window(keys, window)
flush(keys)

# A union of at most 24 long words. Of each the first four are: type, serial, whether it was sent, display.
event = (ctypes.c_long * 24)()
keysym = ctypes.c_ulong()
text = ctypes.create_string_buffer(64)


def take_key():
    event[3] = keymap
    look_up(event, text, len(text), ctypes.byref(keysym), None)
    symbol = 0x0A if keysym.value == RETURN else keysym.value
    if symbol >= UNICODE or symbol == 0x0A or 0x20 <= symbol <= 0x7E:
        os.write(file, chr(symbol & 0x00FFFFFF).encode())


def take_from_keys():
    next_event(keys, event)
    kind = event[0] & 0x7F
    if kind == KEY_PRESS:
        take_key()
    # The window comes after the display, then the message's type, its format and its data.
    if kind == CLIENT_MESSAGE and event[7] == ping.value:
        event[4] = root
        send_event(keys, root, False, SUBSTRUCTURE_MASKS, event)
        flush(keys)


# The first look at the keymap makes Xlib ask for its changes from then on.
event[0], event[3] = KEY_PRESS, keymap
look_up(event, text, 0, ctypes.byref(keysym), None)
descriptors = [descriptor_of(keys), descriptor_of(keymap)]
while True:
    while pending(keys) or select.select(descriptors[:1], [], [], 0.002)[0]:
        while pending(keys):
            take_from_keys()
    while pending(keymap):
        next_event(keymap, event)
        if event[0] & 0x7F == MAPPING_NOTIFY:
            refresh_mapping(event)
    select.select(descriptors, [], [])
