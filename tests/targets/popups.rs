//! Menus hold the keyboard and the pointer while they are open, and what lies on top has no frame: input reaches them all.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{ChildStdout, Command, Stdio},
};

use serde_json::json;

use super::{
    Scene,
    support::{Managed, Process, Recorder, RecorderOptions, recorder},
};

/// A program with a menu.
struct Menu {
    _process: Process,
    output: BufReader<ChildStdout>,
}

impl Menu {
    fn open(desktop: &Managed, toolkit: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/popups.py");
        // Debian's own interpreter, which has Debian's toolkits.
        let mut command = Command::new("/usr/bin/python3");
        desktop.server.display.give_to(command.arg(script).arg(toolkit)).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let output = BufReader::new(process.child().stdout.take().unwrap());
        let mut menu = Self { _process: process, output };
        menu.wait_for("ready");
        menu
    }

    fn wait_for(&mut self, wanted: &str) {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "it ended before it said {wanted}");
            if line.trim_end() == wanted {
                return;
            }
        }
    }
}

/// An entry is chosen by keys while the menu holds the keyboard and the pointer.
fn keys_reach_the_menu_of(toolkit: &str, class: &str) {
    let mut desktop = Managed::start("640x480");
    let mut menu = Menu::open(&desktop, toolkit);
    let window = desktop.windows.wait_for_class(class);
    desktop.windows.wait_for_focus(window);
    desktop.controller.must("key", json!({"text": "space"}));
    menu.wait_for("open");
    desktop.controller.must("key", json!({"text": "Down Down Return"}));
    let mut line = String::new();
    menu.output.read_line(&mut line).unwrap();
    assert!(line.starts_with("chosen"), "{line}");
}

#[test]
fn keys_reach_a_gtk_menu() {
    keys_reach_the_menu_of("gtk", "popups.py");
}

#[test]
fn keys_reach_a_qt_menu() {
    keys_reach_the_menu_of("qt", "popups.py");
}

#[test]
fn keys_reach_a_tk_menu() {
    keys_reach_the_menu_of("tk", "tk");
}

#[test]
fn windows_without_a_frame_and_over_the_whole_screen_get_what_is_meant_for_them() {
    let mut scene = Scene::new();
    let options = RecorderOptions {
        title: "tooltip",
        rectangle: (100, 100, 50, 20),
        override_redirect: true,
        ..RecorderOptions::default()
    };
    let tooltip = Recorder::open_with(&scene.server.display, &options);
    scene.controller.must("left_click", json!({"coordinate": [120, 110]}));
    scene.controller.must("left_click", json!({"coordinate": [160, 110]}));
    scene.controller.must("type", json!({"text": "still the window below"}));
    assert_eq!(recorder::buttons(&tooltip.everything()).len(), 2);
    assert_eq!(recorder::buttons(&scene.recorder.everything()).len(), 2);
    assert_eq!(scene.received(), "still the window below");
}
