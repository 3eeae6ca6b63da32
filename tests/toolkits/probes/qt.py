"""A Qt 5 window that reports its events."""

import sys

from PyQt5.QtCore import QEvent, QMimeData, QObject, QPoint, Qt
from PyQt5.QtGui import QDrag, QTextCursor
from PyQt5.QtWidgets import QApplication, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from probe import CLASS, SIZE, TEXT, Presses, held, say

application = QApplication([CLASS, "-name", CLASS])
application.setApplicationName(CLASS)

BUTTONS = {
    Qt.LeftButton: 1,
    Qt.MiddleButton: 2,
    Qt.RightButton: 3,
    Qt.BackButton: 8,
    Qt.ForwardButton: 9,
}
presses = Presses()


def modifiers(state):
    return held(
        [
            ("Shift", state & Qt.ShiftModifier),
            ("Control", state & Qt.ControlModifier),
            ("Alt", state & Qt.AltModifier),
            ("Super", state & Qt.MetaModifier),
        ]
    )


class Source(QLabel):
    def mousePressEvent(self, event):
        self.start = event.pos()

    def mouseMoveEvent(self, event):
        if (event.pos() - self.start).manhattanLength() < QApplication.startDragDistance():
            return
        drag = QDrag(self)
        data = QMimeData()
        data.setText("parcel")
        drag.setMimeData(data)
        say("drag", what="begin")
        drag.exec_(Qt.CopyAction | Qt.MoveAction, Qt.MoveAction)
        say("drag", what="end")


class Target(QLabel):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event):
        event.acceptProposedAction()

    def dragMoveEvent(self, event):
        event.acceptProposedAction()

    def dropEvent(self, event):
        action = {Qt.MoveAction: "move", Qt.CopyAction: "copy"}.get(event.dropAction(), "other")
        say("drag", what="drop", data=event.mimeData().text(), action=action)
        event.acceptProposedAction()


window = QWidget()
window.setWindowTitle(CLASS)
window.resize(*SIZE)
rows = QVBoxLayout(window)
top = QHBoxLayout()
rows.addLayout(top)
areas = {"pad": QLabel("pad"), "source": Source("source"), "target": Target("target")}
for area in areas.values():
    area.setMinimumSize(180, 120)
    top.addWidget(area)
text = QPlainTextEdit(TEXT)
# The key of the context menu must arrive as a key here.
text.setContextMenuPolicy(Qt.NoContextMenu)
areas["text"] = text.viewport()
rows.addWidget(text)


def rectangle(widget):
    corner = widget.mapToGlobal(QPoint(0, 0))
    return [corner.x(), corner.y(), widget.width(), widget.height()]


def caret(index):
    cursor = QTextCursor(text.document())
    cursor.setPosition(index)
    place = text.viewport().mapToGlobal(text.cursorRect(cursor).center())
    return [place.x(), place.y()]


def mark():
    content = text.toPlainText()
    say(
        "mark",
        text=content,
        selection=text.textCursor().selectedText().replace("\u2029", "\n"),
        areas={name: rectangle(widget) for name, widget in areas.items()},
        carets=[caret(index) for index in range(min(len(content), 17))],
    )


class Eyes(QObject):
    """Sees each event once, before the first widget that it is offered to."""

    def eventFilter(self, receiver, event):
        kind = event.type()
        if not receiver.isWindowType():
            return False
        if kind == QEvent.MouseButtonDblClick:
            presses.count(2)
            return False
        presses.flush()
        if kind in (QEvent.MouseButtonPress, QEvent.MouseButtonRelease):
            fields = {
                "button": BUTTONS.get(event.button(), 0),
                "at": [event.globalX(), event.globalY()],
                "held": modifiers(event.modifiers()),
                "time": event.timestamp(),
            }
            if kind == QEvent.MouseButtonRelease:
                say("release", **fields)
            else:
                presses.press(count=1, **fields)
        elif kind == QEvent.Wheel:
            turned = event.angleDelta()
            # Up and left are positive here; Alt turns the wheel's axis in Qt.
            say("wheel", x=-turned.x() / 120, y=-turned.y() / 120, held=modifiers(event.modifiers()))
        elif kind in (QEvent.KeyPress, QEvent.KeyRelease):
            down = kind == QEvent.KeyPress
            say(
                "key",
                down=down,
                keysym=event.nativeVirtualKey(),
                held=modifiers(event.modifiers()),
                time=event.timestamp(),
            )
        return False


class Marker(QObject):
    """F8, after every other filter."""

    def eventFilter(self, receiver, event):
        if event.type() == QEvent.KeyRelease and event.key() == Qt.Key_F8:
            mark()
        elif event.type() == QEvent.KeyPress and event.key() == Qt.Key_F8 and event.modifiers() & Qt.ShiftModifier:
            text.clear()
        return False


eyes, marker = Eyes(), Marker()
application.installEventFilter(eyes)
text.installEventFilter(marker)
text.setFocus()
window.show()
status = application.exec_()
say("closed")
sys.exit(status)
