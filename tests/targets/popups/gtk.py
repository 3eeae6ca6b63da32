import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from common import CONTEXT, ENTRIES, INNER, ITEMS, LOOK, Places, say  # noqa: E402
from gi.repository import Gdk, GLib, Gtk  # noqa: E402

# GTK makes the class of every window from these.
GLib.set_prgname("deskhand-popups")
Gdk.set_program_class("deskhand-popups")
window = Gtk.Window(title="popup test")
window.set_default_size(400, 300)
if sys.argv[1:] == ["fullscreen"]:
    window.fullscreen()
places = {}


def menu_of(names):
    menu = Gtk.Menu()
    for name in names:
        item = Gtk.MenuItem(label=name)
        item.connect("activate", lambda _item, name=name: say(chosen=name))
        menu.append(item)
        places[name] = item
    return menu


menu = menu_of(ENTRIES)
more = Gtk.MenuItem(label="more")
more.set_submenu(menu_of(INNER))
menu.append(more)
places["more"] = more
menu.show_all()
button = Gtk.MenuButton(label="menu")
button.set_popup(menu)
context = menu_of(CONTEXT)
context.show_all()

combo = Gtk.ComboBoxText()
for name in ITEMS:
    combo.append_text(name)
combo.connect("changed", lambda combo: say(chosen=combo.get_active_text()))
entry = Gtk.Entry()
entry.connect("changed", lambda entry: say(text=entry.get_text()))
canvas = Gtk.EventBox()
canvas.add(Gtk.Label(label="canvas"))
canvas.set_tooltip_text("a tooltip that is wide enough to lie over the place where the next click goes")


def pressed(_canvas, event):
    say(pressed=[int(event.x_root), int(event.y_root), event.button])
    if event.button == 3:
        context.popup_at_pointer(event)
    return True


canvas.connect("button-press-event", pressed)
box = Gtk.VBox()
for widget in (button, combo, entry):
    box.pack_start(widget, False, False, 0)
box.pack_start(canvas, True, True, 0)
window.add(box)
window.connect("destroy", Gtk.main_quit)
window.show_all()
button.grab_focus()
places.update(menu=button, combo=combo, entry=entry, canvas=canvas)


def middle(widget):
    area, surface = widget.get_allocation(), widget.get_window()
    _, x, y = surface.get_origin()
    # A widget without a window of its own counts from its parent's; one with a window stands at its corner.
    if widget.get_has_window():
        return [x + area.width // 2, y + area.height // 2]
    return [x + area.x + area.width // 2, y + area.y + area.height // 2]


def look():
    found = {name: middle(widget) for name, widget in places.items() if widget.get_mapped() and widget.get_window()}
    for popup in Gtk.Menu.get_for_attach_widget(combo):
        for name, item in zip(ITEMS, popup.get_children()):
            if item.get_mapped() and popup.get_mapped():
                found[name] = middle(item)
    if button.has_focus():
        found["focus"] = middle(button)
    _, x, y = window.get_window().get_origin()
    found["window"] = [x, y, window.get_window().get_width(), window.get_window().get_height()]
    return found


GLib.timeout_add(LOOK, Places(look).tell)
Gtk.main()
