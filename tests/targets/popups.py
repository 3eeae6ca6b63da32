"""A window whose menu grabs the keyboard and the pointer as its toolkit does. Prints what was chosen, one line each."""
import sys

toolkit = sys.argv[1]


def say(*words):
    print(*words, flush=True)


if toolkit == "gtk":
    import gi

    gi.require_version("Gtk", "3.0")
    from gi.repository import Gtk

    window = Gtk.Window(title="popup test")
    window.set_default_size(400, 300)
    button = Gtk.MenuButton(label="menu")
    menu = Gtk.Menu()
    for name in ("first", "second", "third"):
        item = Gtk.MenuItem(label=name)
        item.connect("activate", lambda _item, name=name: say("chosen", name))
        menu.append(item)
    menu.show_all()
    menu.connect("map", lambda *_: say("open"))
    button.set_popup(menu)
    entry = Gtk.Entry()
    entry.connect("changed", lambda entry: say("text", entry.get_text()))
    box = Gtk.VBox()
    box.pack_start(button, False, False, 0)
    box.pack_start(entry, False, False, 0)
    window.add(box)
    window.connect("map-event", lambda *_: say("ready"))
    window.show_all()
    button.grab_focus()
    Gtk.main()
elif toolkit == "qt":
    from PyQt5.QtCore import QTimer
    from PyQt5.QtWidgets import QApplication, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

    application = QApplication(sys.argv)
    window = QWidget()
    window.setWindowTitle("popup test")
    window.resize(400, 300)
    layout = QVBoxLayout(window)
    button = QPushButton("menu")
    menu = QMenu()
    for name in ("first", "second", "third"):
        menu.addAction(name).triggered.connect(lambda _checked, name=name: say("chosen", name))
    menu.aboutToShow.connect(lambda: QTimer.singleShot(50, lambda: say("open")))
    button.setMenu(menu)
    entry = QLineEdit()
    entry.textChanged.connect(lambda text: say("text", text))
    layout.addWidget(button)
    layout.addWidget(entry)
    window.show()
    button.setFocus()
    QTimer.singleShot(300, lambda: say("ready"))
    application.exec_()
elif toolkit == "tk":
    import tkinter

    root = tkinter.Tk()
    root.title("popup test")
    root.geometry("400x300+0+0")
    button = tkinter.Menubutton(root, text="menu", takefocus=True)
    menu = tkinter.Menu(button, tearoff=False)
    for name in ("first", "second", "third"):
        menu.add_command(label=name, command=lambda name=name: say("chosen", name))
    menu.bind("<Map>", lambda _event: root.after(50, lambda: say("open")))
    button["menu"] = menu
    button.pack(fill="x")
    text = tkinter.StringVar()
    text.trace_add("write", lambda *_: say("text", text.get()))
    tkinter.Entry(root, textvariable=text).pack(fill="x")
    root.after(300, lambda: (button.focus_force(), say("ready")))
    root.mainloop()
