"""A Qt 5 text editor that puts what it holds into a file whenever that changes.

usage: qt_text.py FILE
"""

import sys

from PyQt5.QtWidgets import QApplication, QPlainTextEdit

CLASS = "deskhand-text"


def changed():
    with open(sys.argv[1], "w", newline="", encoding="utf-8") as file:
        file.write(text.toPlainText())


application = QApplication([CLASS, "-name", CLASS])
application.setApplicationName(CLASS)
text = QPlainTextEdit()
text.textChanged.connect(changed)
text.setWindowTitle(CLASS)
text.resize(600, 400)
text.show()
sys.exit(application.exec_())
