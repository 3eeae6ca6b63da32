"""What the clients beside this file need of Xlib, and how they look up a key."""

import ctypes
import os

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

# A union of at most 24 long words. Of each the first four are: type, serial, whether it was sent, display.
event = (ctypes.c_long * 24)()
keysym = ctypes.c_ulong()
text = ctypes.create_string_buffer(64)


def open_file(path):
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def open_window(display, name, class_name):
    window = create(display, root_of(display), 0, 0, 400, 300, 0, 0, 0xFFFFFF)
    select_input(display, window, KEY_PRESS_MASK | EXPOSURE_MASK | FOCUS_CHANGE_MASK)
    set_class(display, window, ctypes.byref(ClassHint(name, class_name)))
    return window


def looked_up():
    """The character of the key in `event`, if it is one."""
    look_up(event, text, len(text), ctypes.byref(keysym), None)
    symbol = 0x0A if keysym.value == RETURN else keysym.value
    is_character = symbol >= UNICODE or symbol == 0x0A or 0x20 <= symbol <= 0x7E
    return chr(symbol & 0x00FFFFFF) if is_character else None
