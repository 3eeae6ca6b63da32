"""A GTK window that puts every character it receives into a file and draws nothing.

usage: gtk_window.py FILE
"""

import os
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402

file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def pressed(_window, event):
    character = "\n" if event.keyval == Gdk.KEY_Return else chr(Gdk.keyval_to_unicode(event.keyval))
    if character != "\0":
        os.write(file, character.encode())
    return True


window = Gtk.Window(title="gtk", default_width=400, default_height=300)
window.connect("key-press-event", pressed)
window.show_all()
Gtk.main()
