//! Applications that only these tests use.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::support::{Display, Process, Windows, applications::start, files::wait_for_content};

/// Writes into a file what its widget holds, whenever that changes, and makes another one once keys go to the widget: the window
/// has the focus before that, and Tk passes it on by events of its own.
const TK: &str = r#"
import sys, tkinter
root = tkinter.Tk()
text = tkinter.Text(root)
text.pack()
text.focus_force()
def changed(event):
    with open(sys.argv[1], "w", newline="") as file:
        file.write(text.get("1.0", "end-1c"))
    text.edit_modified(False)
text.bind("<<Modified>>", changed)
def focused(event):
    with open(sys.argv[1] + ".ready", "w") as file:
        file.write("ready")
text.bind("<FocusIn>", focused)
root.mainloop()
"#;

/// An application with a file that tells what it received.
pub struct Application {
    file: PathBuf,
    // Dropped in this order: the program goes before its files.
    _process: Process,
    _directory: TempDir,
}

impl Application {
    fn open(display: &Display, class: &str, command: impl FnOnce(&Path) -> Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("received.txt");
        fs::write(&file, "").unwrap();
        let windows = Windows::new(display);
        let process = start(display, &mut command(&file), directory.path());
        let window = windows.wait_for_class(class);
        windows.wait_for_focus(window);
        Self { file, _process: process, _directory: directory }
    }

    /// Tk's `Text`; its file is always up to date.
    pub fn tk(display: &Display) -> Self {
        let application = Self::open(display, "tk", |file| {
            // Debian's own interpreter has Debian's Tk.
            let mut command = Command::new("/usr/bin/python3");
            command.args(["-c", TK]).arg(file);
            command
        });
        application.wait_until_ready();
        application
    }

    /// A Qt editor; its file is up to date after ctrl+s.
    pub fn featherpad(display: &Display) -> Self {
        Self::open(display, "featherpad", |file| {
            let mut command = Command::new("featherpad");
            command.arg("--standalone").arg(file);
            command
        })
    }

    /// A terminal in raw mode, started with these arguments before the program that it runs.
    pub fn terminal(display: &Display, program: &str, arguments: &[&str], class: &str) -> Self {
        let application = Self::open(display, class, |file| {
            let mut command = Command::new(program);
            // The second file appears when the terminal no longer changes what is pasted.
            let reader = "stty raw -echo && echo > \"$0.ready\" && exec cat > \"$0\"";
            command.args(arguments).args(["sh", "-c", reader]).arg(file);
            command
        });
        application.wait_until_ready();
        application
    }

    /// Waits for the second file.
    fn wait_until_ready(&self) {
        wait_for_content(&self.file.with_extension("txt.ready"), |content| !content.is_empty());
    }

    /// Waits until the file holds exactly this text. A terminal has a carriage return for a line end.
    pub fn wait_for(&self, text: &str) {
        let expected = |content: &[u8]| {
            content.len() >= text.len() && String::from_utf8_lossy(content).replace('\r', "\n") == text
        };
        wait_for_content(&self.file, expected);
    }
}
