import sys
import tkinter
from tkinter import ttk

from common import CONTEXT, ENTRIES, INNER, ITEMS, LOOK, Places, say

root = tkinter.Tk(className="deskhand-popups")
root.title("popup test")
root.geometry("400x300+0+0")
if sys.argv[1:] == ["fullscreen"]:
    root.attributes("-fullscreen", True)


def menu_of(parent, names):
    menu = tkinter.Menu(parent, tearoff=False)
    for name in names:
        menu.add_command(label=name, command=lambda name=name: say(chosen=name))
    return menu


button = tkinter.Menubutton(root, text="menu", takefocus=True)
menu = menu_of(button, ENTRIES)
inner = menu_of(menu, INNER)
menu.add_cascade(label="more", menu=inner)
button["menu"] = menu
context = menu_of(root, CONTEXT)
combo = ttk.Combobox(root, values=ITEMS, state="readonly")
combo.bind("<<ComboboxSelected>>", lambda _event: say(chosen=combo.get()))
text = tkinter.StringVar()
text.trace_add("write", lambda *_: say(text=text.get()))
entry = tkinter.Entry(root, textvariable=text)
canvas = tkinter.Label(root, text="canvas")


def pressed(event):
    say(pressed=[event.x_root, event.y_root, event.num])
    if event.num == 3:
        context.tk_popup(event.x_root, event.y_root)


canvas.bind("<ButtonPress>", pressed)
for widget in (button, combo, entry):
    widget.pack(fill="x")
canvas.pack(fill="both", expand=True)
focused = []
button.bind("<FocusIn>", focused.append)
button.focus_force()


def middle(widget):
    return [widget.winfo_rootx() + widget.winfo_width() // 2, widget.winfo_rooty() + widget.winfo_height() // 2]


def entries(menu, names):
    """The entries stand below each other; the last one ends where the menu does. A menu that was posted is another window than
    the one that was made, with its place."""
    x, y, height = menu.winfo_rootx(), menu.winfo_rooty(), menu.winfo_height()
    tops = [menu.yposition(index) for index in range(len(names))] + [height]
    return {name: [x + menu.winfo_width() // 2, y + (tops[i] + tops[i + 1]) // 2] for i, name in enumerate(names)}


def look():
    found = {"menu": middle(button), "combo": middle(combo), "entry": middle(entry), "canvas": middle(canvas)}
    for shown, names in ((menu, (*ENTRIES, "more")), (inner, INNER), (context, CONTEXT)):
        if shown.winfo_ismapped():
            found |= entries(shown, names)
    popdown = root.tk.call("ttk::combobox::PopdownWindow", combo)
    if int(root.tk.call("winfo", "ismapped", popdown)):
        rows = f"{popdown}.f.l"
        corner = [int(root.tk.call("winfo", axis, rows)) for axis in ("rootx", "rooty")]
        for index, name in enumerate(ITEMS):
            box = root.tk.call(rows, "bbox", index)
            if box:
                x, y, _width, height = (int(value) for value in box)
                found[name] = [corner[0] + x + 5, corner[1] + y + height // 2]
    if focused:
        found["focus"] = found["menu"]
    found["window"] = [root.winfo_rootx(), root.winfo_rooty(), root.winfo_width(), root.winfo_height()]
    return found


places = Places(look)


def tell():
    places.tell()
    root.after(LOOK, tell)


tell()
root.mainloop()
