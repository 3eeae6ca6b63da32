"""A Tk window that reports its events."""

import tkinter

from probe import CLASS, SIZE, TEXT, held, say

root = tkinter.Tk(className=CLASS)
root.title(CLASS)
root.geometry("{}x{}".format(*SIZE))
top = tkinter.Frame(root)
top.pack(fill="x")
areas = {}
for name in ("pad", "source", "target"):
    areas[name] = tkinter.Label(top, text=name, width=20, height=7, relief="groove")
    areas[name].pack(side="left", expand=True, fill="both")
text = tkinter.Text(root, font=("DejaVu Sans Mono", 10))
text.insert("1.0", TEXT)
text.pack(fill="both", expand=True)
areas["text"] = text


def modifiers(state):
    state = state if isinstance(state, int) else 0
    return held([("Shift", state & 1), ("Control", state & 4), ("Alt", state & 8), ("Super", state & 64)])


WHEEL = {4: (0, -1), 5: (0, 1)}


def press(count):
    def see(event):
        if event.num in WHEEL:
            # Tk knows the sideways wheel only as the upright one with Shift.
            x, y = WHEEL[event.num]
            keys = modifiers(event.state)
            say("wheel", x=y if "Shift" in keys else x, y=0 if "Shift" in keys else y, held=keys)
        else:
            place = [event.x_root, event.y_root]
            say("press", count=count, button=event.num, at=place, held=modifiers(event.state), time=event.time)

    return see


def release(event):
    if event.num not in WHEEL:
        place = [event.x_root, event.y_root]
        say("release", button=event.num, at=place, held=modifiers(event.state), time=event.time)


# A tag of its own, so that the widgets' own bindings work as ever. Of the counts only the highest that fits fires.
TAG = "Probe"
for widget in (root, *areas.values()):
    widget.bindtags((TAG, *widget.bindtags()))
for count, prefix in ((1, ""), (2, "Double-"), (3, "Triple-"), (4, "Quadruple-")):
    root.bind_class(TAG, f"<{prefix}Button>", press(count))
root.bind_class(TAG, "<ButtonRelease>", release)


def key(down):
    def see(event):
        # A key goes to the toplevel after the widget that has the focus.
        if event.widget is root and root.focus_get() is not root:
            return
        say("key", down=down, keysym=event.keysym_num, char=event.char, held=modifiers(event.state), time=event.time)
        if event.keysym == "F8" and not down:
            mark()
        elif event.keysym == "F8" and "Shift" in modifiers(event.state):
            text.delete("1.0", "end")
            text.focus_set()

    return see


root.bind_class(TAG, "<KeyPress>", key(True))
root.bind_class(TAG, "<KeyRelease>", key(False))


def caret(index):
    x, y, _, height = text.bbox(f"1.0+{index}c")
    return [text.winfo_rootx() + x, text.winfo_rooty() + y + height // 2]


def mark():
    content = text.get("1.0", "end-1c")
    say(
        "mark",
        text=content,
        selection=text.get("sel.first", "sel.last") if text.tag_ranges("sel") else "",
        areas={
            name: [widget.winfo_rootx(), widget.winfo_rooty(), widget.winfo_width(), widget.winfo_height()]
            for name, widget in areas.items()
        },
        carets=[caret(index) for index in range(min(len(content), 17))],
    )


text.focus_set()
root.mainloop()
say("closed")
