"""A GTK 3 window that reports its events."""

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GLib, Gtk

from probe import CLASS, SIZE, TEXT, Presses, held, say

GLib.set_prgname(CLASS)
Gdk.set_program_class(CLASS)
window = Gtk.Window(title=CLASS)
window.set_default_size(*SIZE)
rows = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
top = Gtk.Box()
window.add(rows)
rows.pack_start(top, False, False, 0)
areas = {}
for name in ("pad", "source", "target"):
    box = Gtk.EventBox(name=name)
    box.add(Gtk.Label(label=name))
    box.set_size_request(180, 120)
    box.add_events(Gdk.EventMask.BUTTON_PRESS_MASK | Gdk.EventMask.BUTTON_RELEASE_MASK | Gdk.EventMask.SCROLL_MASK)
    top.pack_start(box, True, True, 6)
    areas[name] = box
text = Gtk.TextView(name="text")
# The key of the context menu must arrive as a key here.
text.connect("popup-menu", lambda _: True)
buffer = text.get_buffer()
buffer.set_text(TEXT)
rows.pack_start(text, True, True, 0)
areas["text"] = text

targets = [Gtk.TargetEntry.new("text/plain", 0, 0)]
actions = Gdk.DragAction.COPY | Gdk.DragAction.MOVE
areas["source"].drag_source_set(Gdk.ModifierType.BUTTON1_MASK, targets, actions)
areas["source"].connect("drag-begin", lambda *_: say("drag", what="begin"))
areas["source"].connect("drag-data-get", lambda _, __, data, *___: data.set(data.get_target(), 8, b"parcel"))
areas["source"].connect("drag-end", lambda *_: say("drag", what="end"))
areas["target"].drag_dest_set(Gtk.DestDefaults.ALL, targets, actions)
areas["target"].connect(
    "drag-data-received",
    lambda _, context, x, y, data, *__: say(
        "drag",
        what="drop",
        data=data.get_data().decode(),
        action=context.get_selected_action().value_nicks[0],
    ),
)

presses = Presses()


def modifiers(state):
    kinds = Gdk.ModifierType
    return held(
        [
            ("Shift", state & kinds.SHIFT_MASK),
            ("Control", state & kinds.CONTROL_MASK),
            ("Alt", state & kinds.MOD1_MASK),
            ("Super", state & kinds.MOD4_MASK),
        ]
    )


def rectangle(widget):
    inside = widget.get_window(Gtk.TextWindowType.WIDGET) if widget is text else widget.get_window()
    _, x, y = inside.get_origin()
    place = widget.get_allocation()
    return [x, y, place.width, place.height]


def caret(index):
    place = text.get_iter_location(buffer.get_iter_at_offset(index))
    x, y = text.buffer_to_window_coords(Gtk.TextWindowType.WIDGET, place.x, place.y + place.height // 2)
    _, left, top = text.get_window(Gtk.TextWindowType.WIDGET).get_origin()
    return [left + x, top + y]


def mark():
    bounds = buffer.get_selection_bounds()
    content = buffer.get_text(*buffer.get_bounds(), True)
    say(
        "mark",
        text=content,
        selection=buffer.get_text(*bounds, True) if bounds else "",
        areas={name: rectangle(widget) for name, widget in areas.items()},
        carets=[caret(index) for index in range(min(len(content), 17))],
    )


SCROLL = {
    Gdk.ScrollDirection.UP: (0, -1),
    Gdk.ScrollDirection.DOWN: (0, 1),
    Gdk.ScrollDirection.LEFT: (-1, 0),
    Gdk.ScrollDirection.RIGHT: (1, 0),
}


def see(event, _):
    kind = event.type
    if kind in (Gdk.EventType.DOUBLE_BUTTON_PRESS, Gdk.EventType.TRIPLE_BUTTON_PRESS):
        presses.count(2 if kind == Gdk.EventType.DOUBLE_BUTTON_PRESS else 3)
    else:
        presses.flush()
    if kind in (Gdk.EventType.BUTTON_PRESS, Gdk.EventType.BUTTON_RELEASE):
        button = event.button
        fields = {
            "button": button.button,
            "at": [round(button.x_root), round(button.y_root)],
            "held": modifiers(button.state),
            "time": button.time,
        }
        if kind == Gdk.EventType.BUTTON_PRESS:
            presses.press(count=1, **fields)
        else:
            say("release", **fields)
    elif kind == Gdk.EventType.SCROLL:
        scroll = event.scroll
        smooth = scroll.direction == Gdk.ScrollDirection.SMOOTH
        x, y = (scroll.delta_x, scroll.delta_y) if smooth else SCROLL[scroll.direction]
        say("wheel", x=x, y=y, held=modifiers(scroll.state))
    elif kind in (Gdk.EventType.KEY_PRESS, Gdk.EventType.KEY_RELEASE):
        key = event.key
        down = kind == Gdk.EventType.KEY_PRESS
        say("key", down=down, keysym=key.keyval, held=modifiers(key.state), time=key.time)
        if key.keyval == Gdk.KEY_F8 and not down:
            mark()
        elif key.keyval == Gdk.KEY_F8 and key.state & Gdk.ModifierType.SHIFT_MASK:
            buffer.set_text("")
            text.grab_focus()
    Gtk.main_do_event(event)


Gdk.Event.handler_set(see, None)
window.connect("destroy", lambda _: (say("closed"), Gtk.main_quit()))
window.show_all()
text.grab_focus()
Gtk.main()
