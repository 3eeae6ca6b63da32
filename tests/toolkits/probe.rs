//! A window of a toolkit (`probes/*.py`) and the desktop that it stands on.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use x11rb::protocol::xproto::Window;

use crate::support::{Controller, Deskhand, PATIENCE, Process, Windows, Xvfb, xvfb::start_window_manager};

/// The class that the probes give their windows.
const CLASS: &str = "deskhand-probe";
/// The keysym of F8, which asks a probe for a mark.
const F8: u64 = 0xffc5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolkit {
    Gtk,
    Qt,
    Tk,
}

impl Toolkit {
    pub(crate) const ALL: [Self; 3] = [Self::Gtk, Self::Qt, Self::Tk];

    fn program(self) -> &'static str {
        match self {
            Self::Gtk => "gtk.py",
            Self::Qt => "qt.py",
            Self::Tk => "tk.py",
        }
    }
}

/// The kind of display that the window is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Deskhand's own, managed by openbox.
    Owned,
    /// Somebody else's, managed by openbox.
    Attached,
    /// Deskhand's own without a window manager: keys go to the window under the pointer.
    Bare,
}

#[derive(Default)]
struct Shared {
    events: Mutex<Vec<Value>>,
    changed: Condvar,
}

/// Fields are dropped in this order: what uses the display goes first.
pub(crate) struct Probe {
    pub(crate) process: Process,
    pub(crate) window: Window,
    pub(crate) controller: Controller,
    pub(crate) windows: Windows,
    /// The last mark: `text`, `selection`, `areas`, `carets`.
    pub(crate) state: Value,
    shared: Arc<Shared>,
    _window_manager: Option<Process>,
    _server: Deskhand,
    _xvfb: Option<Xvfb>,
    _home: TempDir,
}

impl Probe {
    pub(crate) fn open(toolkit: Toolkit, place: Place) -> Self {
        Self::open_under(toolkit, place, start_window_manager)
    }

    /// The same with another window manager.
    pub(crate) fn open_under(
        toolkit: Toolkit,
        place: Place,
        manage: impl FnOnce(&crate::support::Display) -> Process,
    ) -> Self {
        let xvfb = (place == Place::Attached).then(|| Xvfb::start("1024x768"));
        let server =
            xvfb.as_ref().map_or_else(|| Deskhand::owned("1024x768"), |xvfb| Deskhand::attached(&xvfb.display));
        let display = xvfb.as_ref().map_or(&server.display, |xvfb| &xvfb.display);
        let window_manager = (place != Place::Bare).then(|| manage(display));
        let windows = Windows::new(display);
        let home = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared::default());
        let mut process = start(toolkit, display, home.path());
        listen(&mut process, &shared);
        let window = windows.wait_for_class(CLASS);
        let mut controller = Controller::connect(&server);
        if place == Place::Bare {
            controller.must("mouse_move", json!({"coordinate": [300, 300]}));
        } else {
            windows.wait_for_focus(window);
        }
        let mut probe = Self {
            process,
            window,
            controller,
            windows,
            state: Value::Null,
            shared,
            _window_manager: window_manager,
            _server: server,
            _xvfb: xvfb,
            _home: home,
        };
        probe.wait_until_keys_arrive();
        probe
    }

    /// A toolkit that is just starting may not look at its first keys: pressed until one has been seen.
    fn wait_until_keys_arrive(&mut self) {
        const FIRST_KEY: Duration = Duration::from_secs(1);
        let begun = Instant::now();
        loop {
            self.must("key", json!({"text": "F8"}));
            let marked = |events: &[Value]| events.iter().any(|event| event["kind"] == "mark").then_some(());
            if self.wait_within(FIRST_KEY, marked).is_some() {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "no key reaches the probe: {:#?}", self.events());
        }
        self.settle();
        self.forget();
    }

    pub(crate) fn must(&mut self, method: &str, params: Value) -> Value {
        self.controller.must(method, params)
    }

    /// All events so far, without waiting for what is on its way.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.shared.events.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.shared.events.lock().unwrap().clear();
    }

    pub(crate) fn wait_for<T>(&self, what: &str, look: impl FnMut(&[Value]) -> Option<T>) -> T {
        self.wait_within(PATIENCE, look)
            .unwrap_or_else(|| panic!("the probe does not report {what}, but {:#?}", self.events()))
    }

    pub(crate) fn wait_within<T>(&self, limit: Duration, mut look: impl FnMut(&[Value]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut events = self.shared.events.lock().unwrap();
        loop {
            if let Some(found) = look(&events) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            events = self.shared.changed.wait_timeout(events, left).unwrap().0;
        }
    }

    /// Waits until the probe has received everything that was sent to it, and returns what it has reported since `forget`.
    pub(crate) fn settle(&mut self) -> Vec<Value> {
        self.settle_by("F8")
    }

    /// Empties the text.
    pub(crate) fn clear(&mut self) {
        self.settle_by("shift+F8");
        self.forget();
    }

    fn settle_by(&mut self, chord: &str) -> Vec<Value> {
        let marks = |events: &[Value]| events.iter().filter(|event| event["kind"] == "mark").count();
        let before = marks(&self.events());
        self.must("key", json!({ "text": chord }));
        let events = self.wait_for("its mark", |events| (marks(events) > before).then(|| events.to_vec()));
        self.state = events.iter().rfind(|event| event["kind"] == "mark").unwrap().clone();
        events.into_iter().filter(|event| event["kind"] != "mark" && event["keysym"] != F8).collect()
    }

    /// Does one thing and returns the events that it caused.
    pub(crate) fn after(&mut self, method: &str, params: Value) -> Vec<Value> {
        self.forget();
        self.must(method, params);
        self.settle()
    }

    /// The place of an area at the last mark: x, y, width, height.
    pub(crate) fn area(&self, name: &str) -> [i64; 4] {
        let area = &self.state["areas"][name];
        [0, 1, 2, 3].map(|at| area[at].as_i64().unwrap_or_else(|| panic!("no area {name} in {}", self.state)))
    }

    pub(crate) fn middle(&self, name: &str) -> [i64; 2] {
        let [x, y, width, height] = self.area(name);
        [x + width / 2, y + height / 2]
    }

    /// Where the caret would stand before this character of the text.
    pub(crate) fn caret(&self, index: usize) -> [i64; 2] {
        [0, 1].map(|at| self.state["carets"][index][at].as_i64().expect("a character of the first line"))
    }
}

fn start(toolkit: Toolkit, display: &crate::support::Display, home: &Path) -> Process {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/toolkits/probes").join(toolkit.program());
    // The distribution's own interpreter: only that one has the distribution's toolkits.
    let mut command = Command::new("/usr/bin/python3");
    display
        .give_to(&mut command)
        .arg("-B")
        .arg(program)
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("DBUS_SESSION_BUS_ADDRESS", "disabled:")
        .env("GSETTINGS_BACKEND", "memory")
        .env("NO_AT_BRIDGE", "1")
        .env("LANG", "C.UTF-8")
        .env_remove("LC_ALL")
        .env_remove("GTK_IM_MODULE")
        .env_remove("QT_IM_MODULE")
        .env_remove("XMODIFIERS")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    Process::start(&mut command)
}

/// Takes in what the probe writes until it ends.
fn listen(process: &mut Process, shared: &Arc<Shared>) {
    let output = process.child().stdout.take().unwrap();
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
            shared.events.lock().unwrap().push(event);
            shared.changed.notify_all();
        }
    });
}
