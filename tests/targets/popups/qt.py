import sys

from common import CONTEXT, ENTRIES, INNER, ITEMS, LOOK, Places, say
from PyQt5.QtCore import QPoint, Qt, QTimer
from PyQt5.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

application = QApplication(["deskhand-popups"])
window = QWidget()
window.setWindowTitle("popup test")
window.resize(400, 300)
layout = QVBoxLayout(window)
actions = {}


def fill(menu, names):
    for name in names:
        action = menu.addAction(name)
        action.triggered.connect(lambda _checked, name=name: say(chosen=name))
        actions[name] = (menu, action)


button = QPushButton("menu")
menu = QMenu()
fill(menu, ENTRIES)
inner = menu.addMenu("more")
actions["more"] = (menu, inner.menuAction())
fill(inner, INNER)
button.setMenu(menu)
context = QMenu()
fill(context, CONTEXT)
combo = QComboBox()
combo.addItems(ITEMS)
combo.setCurrentIndex(-1)
combo.currentTextChanged.connect(lambda text: say(chosen=text))
entry = QLineEdit()
entry.textChanged.connect(lambda text: say(text=text))


class Canvas(QLabel):
    def mousePressEvent(self, event):
        buttons = {Qt.LeftButton: 1, Qt.MiddleButton: 2, Qt.RightButton: 3}
        say(pressed=[event.globalX(), event.globalY(), buttons[event.button()]])
        if event.button() == Qt.RightButton:
            context.popup(event.globalPos())


canvas = Canvas("canvas")
canvas.setToolTip("a tooltip that is wide enough to lie over the place where the next click goes")
for widget in (button, combo, entry):
    layout.addWidget(widget)
layout.addWidget(canvas, 1)
if sys.argv[1:] == ["fullscreen"]:
    window.showFullScreen()
else:
    window.show()
button.setFocus()
widgets = {"menu": button, "combo": combo, "entry": entry, "canvas": canvas}


def middle(widget, area):
    at = widget.mapToGlobal(area.center())
    return [at.x(), at.y()]


def look():
    found = {name: middle(widget, widget.rect()) for name, widget in widgets.items()}
    for name, (menu, action) in actions.items():
        if menu.isVisible():
            found[name] = middle(menu, menu.actionGeometry(action))
    view = combo.view()
    if view.isVisible():
        for row, name in enumerate(ITEMS):
            found[name] = middle(view.viewport(), view.visualRect(combo.model().index(row, 0)))
    if button.hasFocus():
        found["focus"] = found["menu"]
    corner = window.mapToGlobal(QPoint(0, 0))
    found["window"] = [corner.x(), corner.y(), window.width(), window.height()]
    return found


places = Places(look)
timer = QTimer()
timer.timeout.connect(places.tell)
timer.start(LOOK)
application.exec_()
