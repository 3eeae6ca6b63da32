//! Applications of each class, all of which can tell what they received.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use x11rb::protocol::xproto::Window;

use super::support::{Display, Process, Windows, files::wait_for_content};

/// A program that puts what it receives into a file as it comes.
pub struct Application {
    pub window: Window,
    /// What reads the keys.
    pub process: Process,
    file: PathBuf,
    _directory: TempDir,
}

impl Application {
    /// A window of the GTK toolkit.
    pub fn gtk(display: &Display) -> Self {
        // GTK's Python package belongs to the system's own Python.
        let mut command = Command::new("/usr/bin/python3");
        command.env("NO_AT_BRIDGE", "1").env("GTK_IM_MODULE", "gtk-im-context-simple");
        Self::program(display, command, "gtk_window.py", &[])
    }

    /// A terminal of the Xt toolkit, in which a program reads raw bytes.
    pub fn xterm(display: &Display) -> Self {
        let mut command = Command::new("xterm");
        command.args(["-u8", "-fa", "DejaVu Sans Mono", "-fs", "10", "-geometry", "80x24+0+0", "-e", "sh", "-c"]);
        Self::terminal(display, command, "xterm")
    }

    /// A terminal on bare Xlib that owns selections.
    pub fn st(display: &Display) -> Self {
        let mut command = Command::new("stterm");
        command.args(["-e", "sh", "-c"]);
        Self::terminal(display, command, "st-256color")
    }

    fn terminal(display: &Display, mut command: Command, class: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("received");
        // The file appears when the terminal no longer changes what is typed.
        command.arg("stty raw -echo && exec cat > \"$0\"").arg(&file);
        let application = Self::start(display, command, class, directory, file);
        wait_for_content(&application.file, |_| application.file.exists());
        application
    }

    /// The client that answers nothing. `modes` are its own.
    pub fn silent(display: &Display, modes: &[&str]) -> Self {
        Self::program(display, Command::new("python3"), "silent_client.py", modes)
    }

    /// The client that has its keys from one connection and its keymap from another one.
    pub fn two_connections(display: &Display) -> Self {
        Self::program(display, Command::new("python3"), "two_connections.py", &[])
    }

    /// The silent client where the kernel does not tell us about its sockets: they are those of another network namespace.
    pub fn silent_elsewhere(display: &Display) -> Self {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", "python3"]);
        Self::program(display, command, "silent_client.py", &[])
    }

    /// One of the programs beside this file; its name is its class, too.
    fn program(display: &Display, mut command: Command, name: &str, modes: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("received");
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acknowledgement").join(name);
        command.arg(program).arg(&file).args(modes);
        Self::start(display, command, name, directory, file)
    }

    fn start(display: &Display, mut command: Command, class: &str, directory: TempDir, file: PathBuf) -> Self {
        let windows = Windows::new(display);
        let log = File::create(directory.path().join("log")).unwrap();
        display
            .give_to(&mut command)
            .env("HOME", directory.path())
            .env("LANG", "C.UTF-8")
            .env_remove("LC_ALL")
            .env_remove("XMODIFIERS")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let process = Process::start(&mut command);
        let window = windows.wait_for_class(class);
        Self { window, process, file, _directory: directory }
    }

    /// What was typed, once it ends like that.
    pub fn received(&self, ending: &str) -> String {
        let bytes = wait_for_content(&self.file, |content| content.ends_with(ending.as_bytes()));
        // Return is a carriage return to a terminal.
        String::from_utf8_lossy(&bytes).replace('\r', "\n")
    }
}
