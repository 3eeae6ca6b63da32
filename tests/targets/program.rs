//! A window of a toolkit with menus (`popups/*.py`), which says what was chosen, typed and pressed and where everything stands.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Command,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use x11rb::protocol::xproto::Window;

use super::support::{
    Controller, Deskhand, Display, PATIENCE, Process, Windows, applications, xvfb::start_window_manager,
};

/// The class that the windows give themselves.
const CLASS: &str = "deskhand-popups";

/// A desktop of our own. Dropped in this order: what uses the display goes first.
pub struct Desk {
    pub controller: Controller,
    pub windows: Windows,
    window_manager: Option<Process>,
    pub server: Deskhand,
}

impl Desk {
    /// With openbox.
    pub fn managed() -> Self {
        Self::start(Some(start_window_manager))
    }

    /// Without a window manager: keys go to the window under the pointer.
    pub fn bare() -> Self {
        Self::start(None)
    }

    fn start(manager: Option<fn(&Display) -> Process>) -> Self {
        let server = Deskhand::owned("800x600");
        let window_manager = manager.map(|start| start(&server.display));
        let windows = Windows::new(&server.display);
        Self { controller: Controller::connect(&server), windows, window_manager, server }
    }

    pub fn click(&mut self, at: [i64; 2]) {
        self.controller.must("left_click", json!({ "coordinate": at }));
    }
}

/// The program. Its window is there and can be clicked.
pub struct Program {
    pub window: Window,
    lines: Receiver<Value>,
    places: Value,
    _process: Process,
    home: TempDir,
}

impl Program {
    pub fn open(desk: &Desk, toolkit: &str, arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/targets/popups/{toolkit}.py"));
        // Debian's own interpreter, which has Debian's toolkits.
        let mut command = Command::new("/usr/bin/python3");
        command.arg("-B").arg(script).args(arguments).env("GSETTINGS_BACKEND", "memory").env("NO_AT_BRIDGE", "1");
        let mut process = applications::start_reading(&desk.server.display, &mut command, home.path());
        let output = BufReader::new(process.child().stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let window = desk.windows.wait_for_class(CLASS);
        let mut program = Self { window, lines, places: Value::Null, _process: process, home };
        program.place("canvas");
        if desk.window_manager.is_some() {
            // A menu that opens before the window manager has given the window its focus is closed again by that (seen once with Tk
            // on a busy machine); no person is that fast.
            desk.windows.wait_for_focus(window);
        }
        program
    }

    /// Waits until the program has said something in which `find` finds what it looks for.
    pub fn wait_for<T>(&mut self, what: &str, mut find: impl FnMut(&Value) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                let errors = fs::read_to_string(self.home.path().join("errors.log")).unwrap_or_default();
                panic!("the program does not say {what}; everything stands at {}; {errors}", self.places)
            };
            if line["places"].is_object() {
                self.places = line["places"].clone();
            }
            if let Some(found) = find(&line) {
                return found;
            }
        }
    }

    /// Waits until this was chosen, from a menu or a box.
    pub fn chosen(&mut self, name: &str) {
        let chosen =
            self.wait_for(&format!("that {name} was chosen"), |line| line["chosen"].as_str().map(str::to_owned));
        assert_eq!(chosen, name);
    }

    /// Waits until a button went down on the canvas, and says where and which.
    pub fn pressed(&mut self) -> Value {
        self.wait_for("a press", |line| line["pressed"].is_array().then(|| line["pressed"].clone()))
    }

    /// The middle of what has this name, once it can be seen.
    pub fn place(&mut self, name: &str) -> [i64; 2] {
        let place = self.place_where(name, Value::is_array);
        [0, 1].map(|axis| place[axis].as_i64().unwrap())
    }

    /// The place of what has this name, once it is as wanted.
    pub fn place_where(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if wanted(&self.places[name]) {
            return self.places[name].clone();
        }
        self.wait_for(&format!("the place of {name}"), |line| {
            let place = &line["places"][name];
            (place.is_array() && wanted(place)).then(|| place.clone())
        })
    }

    /// Waits until what has this name can no longer be seen.
    pub fn gone(&mut self, name: &str) {
        if self.places[name].is_array() {
            self.wait_for(&format!("that {name} is gone"), |line| {
                (line["places"].is_object() && line["places"][name].is_null()).then_some(())
            });
        }
    }
}
