"""A window over the whole screen that does what it is told for each press of a button: sleeps, computes, draws."""

import json
import sys
import time

import Xlib.display
import Xlib.X

reaction = json.loads(sys.argv[1])
display = Xlib.display.Display()
screen = display.screen()
window = screen.root.create_window(
    0, 0, screen.width_in_pixels, screen.height_in_pixels, 0, screen.root_depth,
    background_pixel=0x404040, override_redirect=1, event_mask=Xlib.X.ButtonPressMask | Xlib.X.ExposureMask,
)
context = window.create_gc()
window.map()


def play(part):
    if "sleep" in part:
        time.sleep(part["sleep"] / 1000)
    elif "compute" in part:
        end = time.monotonic() + part["compute"] / 1000
        while time.monotonic() < end:
            pass
    else:
        context.change(foreground=part["color"])
        window.fill_rectangle(context, *part["draw"])
        display.sync()


shown = False
while True:
    event = display.next_event()
    if event.type == Xlib.X.Expose and not shown:
        shown = True
        print("ready", flush=True)
    if event.type == Xlib.X.ButtonPress:
        for part in reaction:
            play(part)
        print("done", flush=True)
