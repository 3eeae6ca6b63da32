"""A Tk Text widget that fills a window and writes what it holds into a file on ctrl+s."""

import pathlib
import sys
import tkinter

file = pathlib.Path(sys.argv[1])
window = tkinter.Tk(className="tktext")
window.geometry("800x700+0+0")
text = tkinter.Text(window, font=("DejaVu Sans Mono", 10), wrap="char", undo=False)
text.pack(fill="both", expand=True)
text.focus_set()


def save(_):
    new = file.with_name(file.name + ".new")
    new.write_text(text.get("1.0", "end-1c"), encoding="utf-8", errors="surrogatepass")
    new.replace(file)
    return "break"


def select_all(_):
    text.tag_add("sel", "1.0", "end")
    return "break"


text.bind("<Control-s>", save)
# Tk on X11 has ctrl+a for the beginning of the line, as Emacs does.
text.bind("<Control-a>", select_all)
window.mainloop()
