//! Real applications on a display, each of which can tell what it received.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;
use x11rb::protocol::xproto::Window;

use super::{Controller, Display, PATIENCE, Page, Process, Windows, files::wait_for_content};

/// Chromium with a page of ours, in a profile of its own.
pub struct Chromium {
    pub window: Window,
    pub process: Process,
    _profile: TempDir,
}

impl Chromium {
    /// Starts the browser and waits for its window; `page.wait_until_ready()` waits for the rest.
    pub fn open(display: &Display, page: &Page, name: &str) -> Self {
        Self::open_at(display, &page.url(name), &[])
    }

    /// The same at any address, with more arguments.
    pub fn open_at(display: &Display, url: &str, arguments: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let windows = Windows::new(display);
        let mut command = Command::new("chromium");
        command
            // As root its own sandbox cannot work; --test-type hides the banner about it, which would shift the page.
            .args(["--no-sandbox", "--test-type", "--no-first-run", "--no-default-browser-check", "--disable-gpu"])
            .args([
                "--disable-dev-shm-usage",
                "--disable-extensions",
                "--disable-sync",
                "--disable-background-networking",
            ])
            .args(["--disable-component-update", "--disable-breakpad", "--password-store=basic"])
            .args([
                "--disable-features=Translate,MediaRouter",
                "--force-device-scale-factor=1",
                "--window-position=0,0",
            ])
            .arg("--start-maximized")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(arguments)
            .arg(url);
        let process = start(display, &mut command, profile.path());
        let window = windows.wait_for_class("chromium");
        Self { window, process, _profile: profile }
    }
}

/// The GTK editor, with a file that tells what was typed once it is saved.
pub struct Mousepad {
    pub window: Window,
    pub process: Process,
    pub file: PathBuf,
    _directory: TempDir,
}

impl Mousepad {
    pub fn open(display: &Display, content: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("note.txt");
        fs::write(&file, content).unwrap();
        let windows = Windows::new(display);
        let mut command = Command::new("mousepad");
        // Settings in memory and no instance to hand the file to: every run is the first.
        command.arg("--disable-server").arg(&file).env("GSETTINGS_BACKEND", "memory").env("NO_AT_BRIDGE", "1");
        let process = start(display, &mut command, directory.path());
        let window = windows.wait_for_class("mousepad");
        Self { window, process, file, _directory: directory }
    }

    /// Saves until the file holds this text: what is pasted by hand arrives some time after its keys.
    pub fn save_until(&self, controller: &mut Controller, text: &str) {
        let begun = Instant::now();
        while fs::read(&self.file).unwrap_or_default() != text.as_bytes() {
            let saved = fs::read_to_string(&self.file).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "the file holds {saved:?} instead of {text:?}");
            controller.must("key", json!({"text": "ctrl+s"}));
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What was saved, once `wanted` agrees with it.
    pub fn wait_for_saved(&self, wanted: impl FnMut(&[u8]) -> bool) -> String {
        String::from_utf8(wait_for_content(&self.file, wanted)).unwrap()
    }
}

/// A terminal whose input goes into a file byte by byte, with the terminal in raw mode.
pub struct Xterm {
    pub window: Window,
    pub process: Process,
    file: PathBuf,
    _directory: TempDir,
}

impl Xterm {
    pub fn open(display: &Display) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("received");
        let windows = Windows::new(display);
        let mut command = Command::new("xterm");
        command
            .args(["-u8", "-fa", "DejaVu Sans Mono", "-fs", "10", "-geometry", "100x40+0+0", "-e", "sh", "-c"])
            // The file appears when the terminal no longer changes what is typed.
            .arg("stty raw -echo && exec cat > \"$0\"")
            .arg(&file);
        let process = start(display, &mut command, directory.path());
        let window = windows.wait_for_class("xterm");
        wait_for_content(&file, |_| file.exists());
        Self { window, process, file, _directory: directory }
    }

    /// What has arrived, once it is at least as long as `text`. A terminal sends a carriage return for Return.
    pub fn wait_for_text(&self, text: &str) -> String {
        let bytes = wait_for_content(&self.file, |content| content.len() >= text.len());
        String::from_utf8_lossy(&bytes).replace('\r', "\n")
    }
}

/// Starts a program on a display, with nothing of this machine's settings, in its own home.
pub fn start(display: &Display, command: &mut Command, home: &Path) -> Process {
    let log = File::create(home.join("application.log")).unwrap();
    start_with(display, command.stdout(log), home)
}

/// The same for a program whose standard output the test reads.
pub fn start_reading(display: &Display, command: &mut Command, home: &Path) -> Process {
    start_with(display, command.stdout(Stdio::piped()), home)
}

fn start_with(display: &Display, command: &mut Command, home: &Path) -> Process {
    let log = File::create(home.join("errors.log")).unwrap();
    display
        .give_to(command)
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("DBUS_SESSION_BUS_ADDRESS", "disabled:")
        .env("LANG", "C.UTF-8")
        .env_remove("LC_ALL")
        .stdin(Stdio::null())
        .stderr(log);
    Process::start(command)
}
