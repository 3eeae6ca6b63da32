"""Another program on the display, for tests: takes the focus, the keyboard or the pointer. Says `ready` on standard output,
then what it received when standard input ends."""
import select
import sys

from Xlib import X, display

connection = display.Display()
root = connection.screen().root
mode, *arguments = sys.argv[1:]
received = 0
actions = {}


def window(x, y, width, height, events=0, **attributes):
    made = root.create_window(x, y, width, height, 0, X.CopyFromParent, event_mask=events, **attributes)
    made.map()
    connection.sync()
    return made


def own_window():
    return window(300, 300, 100, 100, X.KeyPressMask | X.ExposureMask)


if mode == "keyboard":
    assert root.grab_keyboard(False, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime) == 0
elif mode == "pointer":
    grabbed = root.grab_pointer(
        False, X.PointerMotionMask | X.ButtonPressMask, X.GrabModeAsync, X.GrabModeAsync, 0, 0, X.CurrentTime)
    assert grabbed == 0
elif mode == "silent-pointer":
    assert root.grab_pointer(False, 0, X.GrabModeAsync, X.GrabModeAsync, 0, 0, X.CurrentTime) == 0
elif mode == "popup":
    # A menu of another program: visible, on top, with the keyboard and the pointer.
    menu = window(200, 200, 120, 90, X.KeyPressMask | X.ButtonPressMask, override_redirect=True)
    events = X.PointerMotionMask | X.ButtonPressMask | X.ButtonReleaseMask
    assert menu.grab_keyboard(True, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime) == 0
    assert menu.grab_pointer(True, events, X.GrabModeAsync, X.GrabModeAsync, 0, 0, X.CurrentTime) == 0
elif mode == "hotkey":
    root.grab_key(connection.keysym_to_keycode(ord(arguments[0])), X.AnyModifier, True, X.GrabModeAsync, X.GrabModeAsync)
elif mode == "confine":
    cage = window(20, 20, 60, 60)
    grabbed = root.grab_pointer(
        True, X.PointerMotionMask, X.GrabModeAsync, X.GrabModeAsync, cage, 0, X.CurrentTime)
    assert grabbed == 0
elif mode in ("thief", "grabber"):
    # Looks on as the victim gets its keys, and takes over after so many of them.
    victim = connection.create_resource_object("window", int(arguments[0]))
    victim.change_attributes(event_mask=X.KeyPressMask)
    mine = own_window()
    seen = 0
elif mode != "warp":
    sys.exit(f"no mode {mode}")
connection.sync()
print("ready", flush=True)

while True:
    if mode == "warp":
        root.warp_pointer(50, 50)
        connection.sync()
    timeout = 0 if mode == "warp" else None
    readable, _, _ = select.select([sys.stdin, connection], [], [], timeout)
    while connection.pending_events():
        event = connection.next_event()
        if event.type == X.KeyPress and mode in ("thief", "grabber") and event.window.id == victim.id and seen >= 0:
            seen += 1
            if seen == int(arguments[1]):
                seen = -1
                if mode == "thief":
                    mine.set_input_focus(X.RevertToParent, X.CurrentTime)
                else:
                    mine.grab_keyboard(False, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
                connection.flush()
        elif event.type in (X.KeyPress, X.ButtonPress):
            received += 1
    if sys.stdin in readable:
        break
connection.sync()
while connection.pending_events():
    received += connection.next_event().type in (X.KeyPress, X.ButtonPress)
print(received, flush=True)
