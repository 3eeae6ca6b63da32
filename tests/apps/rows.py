"""The rows."""

from browsers import Chromium, ChromiumEditable, Firefox
from editors import Emacs, Featherpad, Mousepad, TkText
from office import Calc, Writer, WriterGtk
from terminals import St, Urxvt, Vte, Xterm

ROWS = {
    "xterm": Xterm, "urxvt": Urxvt, "st": St, "vte": Vte, "mousepad": Mousepad, "featherpad": Featherpad,
    "writer": Writer, "writer-gtk": WriterGtk, "calc": Calc,
    "tk": TkText, "emacs": Emacs, "chromium": Chromium, "chromium-editable": ChromiumEditable, "firefox": Firefox,
}  # fmt: skip
QUICK_ROWS = ("xterm", "mousepad", "chromium")
PEER_ROWS = ("xterm", "mousepad", "chromium")
