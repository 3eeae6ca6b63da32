"""A GTK 3 text view that puts what it holds into a file whenever that changes.

usage: gtk_text.py FILE
"""

import sys

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GLib, Gtk

CLASS = "deskhand-text"
GLib.set_prgname(CLASS)
Gdk.set_program_class(CLASS)


def changed(buffer):
    with open(sys.argv[1], "w", newline="", encoding="utf-8") as file:
        file.write(buffer.get_text(*buffer.get_bounds(), True))


text = Gtk.TextView()
text.get_buffer().connect("changed", changed)
window = Gtk.Window(title=CLASS)
window.set_default_size(600, 400)
window.add(text)
window.show_all()
text.grab_focus()
Gtk.main()
