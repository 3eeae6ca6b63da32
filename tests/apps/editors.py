"""Editors: GTK, Qt, Tk and Emacs."""

import shutil

from applications import Editor
from desktop import ROOT


class Mousepad(Editor):
    name, window_class, packages = "mousepad (GTK)", "mousepad", ("mousepad",)

    def start(self):
        return self.desktop.start(["mousepad", "--disable-server", self.file], home=self.folder)


class Featherpad(Editor):
    name, window_class, packages = "featherpad (Qt)", "featherpad", ("featherpad",)

    def start(self):
        settings = self.folder / ".config/featherpad/fp.conf"
        settings.parent.mkdir(parents=True, exist_ok=True)
        # It would otherwise change what is typed: three dots into one character, a bracket into two.
        options = "autoBracket=false\nautoReplace=false\nnoIndent=true\nappendEmptyLine=false\n"
        settings.write_text(f"[text]\n{options}")
        return self.desktop.start(["featherpad", "--standalone", self.file], home=self.folder)


class TkText(Editor):
    name, window_class, packages = "Tk Text", "tktext", ("python3-tk",)

    def start(self):
        # Debian's own Python: python3-tk is for that one.
        return self.desktop.start(["/usr/bin/python3", ROOT / "tests/apps/tk_text.py", self.file], home=self.folder)


class Emacs(Editor):
    name, window_class, packages = "Emacs (Lucid)", "emacs", ("emacs-lucid",)
    select_all, save_keys = "ctrl+x h", "ctrl+x ctrl+s"

    def clear(self):
        # Delete in an empty buffer is an error, and with every error Emacs throws away what has been typed ahead, from any
        # keyboard (`command_error_default_function` calls `discard-input`): the text that follows would lack its beginning.
        self.desk("key", text=f"x {self.select_all} Delete")

    def start(self):
        settings = [
            # No files beside the file, no questions, no newline that nobody typed.
            "(setq make-backup-files nil auto-save-default nil create-lockfiles nil require-final-newline nil mode-require-final-newline nil)",
            "(setq inhibit-startup-screen t write-region-inhibit-fsync t ring-bell-function 'ignore)",
            "(prefer-coding-system 'utf-8-unix)",
            # As in the other editors: typing replaces what is selected, Tab and Return insert themselves.
            "(delete-selection-mode 1)",
            "(electric-indent-mode -1)",
            "(setq-default indent-tabs-mode t)",
            "(global-set-key (kbd \"TAB\") 'self-insert-command)",
            # What the mouse selects belongs to other programs too.
            "(setq select-active-regions t mouse-drag-copy-region nil)",
            # ctrl+x ctrl+s writes even what Emacs takes for unchanged, and a wheel's notch scrolls at once.
            "(setq mouse-wheel-progressive-speed nil)",
        ]
        return self.desktop.start(
            ["emacs-lucid" if _has("emacs-lucid") else "emacs", "-Q", "--geometry=100x36+0+0", "--eval", f"(progn {' '.join(settings)})",
             self.file, "--eval", "(fundamental-mode)"],
            home=self.folder,
        )  # fmt: skip


def _has(program):
    return shutil.which(program) is not None
