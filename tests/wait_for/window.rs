//! `wait_for` a window, to come and to go.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    client::{Client, Kind},
    support::{Controller, Deskhand, Mousepad, Process, Xterm, xvfb::start_window_manager},
};

const PLACE: [i16; 4] = [40, 60, 200, 100];

/// A server, with or without a window manager.
pub struct Scene {
    pub controller: Controller,
    pub client: Client,
    _window_manager: Option<Process>,
    pub server: Deskhand,
}

/// Who places windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    Nobody,
    Openbox,
}

impl Scene {
    pub fn new(manager: Manager) -> Self {
        let server = Deskhand::owned("800x600");
        let window_manager = (manager == Manager::Openbox).then(|| start_window_manager(&server.display));
        let client = Client::on(&server.display);
        Self { controller: Controller::connect(&server), client, _window_manager: window_manager, server }
    }

    /// Asks, and returns when the wait has begun.
    pub fn begin(&mut self, window: Value) -> u64 {
        let id = self.controller.send("wait_for", json!({"window": window, "timeout_ms": 40_000}));
        self.controller.must("windows.list", json!({}));
        assert!(!self.controller.has_answer(id), "nothing has happened yet");
        id
    }

    pub fn met(&mut self, id: u64) {
        let result = self.controller.answer(id).unwrap();
        assert_eq!(result["met"], true, "{result}");
        let members: Vec<&String> = result.as_object().unwrap().keys().collect();
        assert_eq!(members, ["met", "waited_ms"], "no picture");
    }

    /// What a wait of a moment finds.
    pub fn now(&mut self, window: Value) -> bool {
        let result = self.controller.must("wait_for", json!({"window": window, "timeout_ms": 1}));
        result["met"].as_bool().unwrap()
    }
}

#[test]
fn a_window_that_comes_changes_and_goes_ends_the_waits_for_it() {
    for manager in [Manager::Nobody, Manager::Openbox] {
        for kind in [Kind::Ordinary, Kind::OverrideRedirect] {
            let mut scene = Scene::new(manager);
            let window = scene.client.window(kind, PLACE, ["printer", "Print-Dialog"], "Print: a page");
            assert!(!scene.now(json!({"class": "print-dialog"})), "it is not mapped yet");
            let both = scene.begin(json!({"class": "PRINT-dialog", "title": ": a "}));
            let other = scene.begin(json!({"class": "printer", "title": "Save"}));
            scene.client.map(window);
            scene.met(both);
            assert!(scene.now(json!({"class": "printer"})), "it is there already");
            assert!(!scene.now(json!({"class": "print"})), "a class is no part of one");
            assert!(!scene.now(json!({"title": "print"})), "the case of a title matters");
            assert!(!scene.now(json!({"class": "printer", "gone": true})));
            let end = scene.begin(json!({"class": "printer", "gone": true}));
            scene.client.title(window, "Save as");
            scene.met(other);
            scene.client.unmap(window);
            scene.met(end);
            let again = scene.begin(json!({"title": "Save"}));
            scene.client.map(window);
            scene.met(again);
            let end = scene.begin(json!({"title": "Save", "gone": true}));
            scene.client.destroy(window);
            scene.met(end);
            assert!(scene.now(json!({"class": "printer", "gone": true})), "{manager:?} {kind:?}");
        }
    }
}

#[test]
fn a_wait_whose_time_is_over_says_so_and_the_others_end_as_they_are_told() {
    let mut scene = Scene::new(Manager::Openbox);
    let never = json!({"class": "never"});
    let result = scene.controller.must("wait_for", json!({"window": never, "timeout_ms": 150}));
    assert_eq!(result["met"], false);
    assert!(result["waited_ms"].as_u64().unwrap() >= 150);
    let id = scene.begin(never.clone());
    assert_eq!(scene.controller.must("cancel", json!({ "id": id }))["cancelled"], true);
    let error = scene.controller.answer(id).unwrap_err();
    assert_eq!((&error["data"]["kind"], &error["data"]["executed"]), (&json!("cancelled"), &json!("no")), "{error}");
    let limited = json!({"window": never, "timeout_ms": 40_000, "_meta": {"deadline_ms": 100}});
    let (kind, _) = scene.controller.must_fail("wait_for", limited);
    assert_eq!(kind, "deadline_exceeded");
    let id = scene.begin(never);
    scene.server.xvfb().kill();
    assert_eq!(scene.controller.answer(id).unwrap_err()["data"]["kind"], "display_lost");
}

#[test]
fn real_programs_are_seen_with_and_without_a_window_manager() {
    for manager in [Manager::Nobody, Manager::Openbox] {
        let mut scene = Scene::new(manager);
        let (terminal, editor) = (scene.begin(json!({"class": "XTerm"})), scene.begin(json!({"title": "note.txt"})));
        let xterm = Xterm::open(&scene.server.display);
        scene.met(terminal);
        let mousepad = Mousepad::open(&scene.server.display, "text");
        scene.met(editor);
        assert!(scene.now(json!({"class": "mousepad"})));
        let gone = scene.begin(json!({"class": "mousepad", "gone": true}));
        drop(mousepad);
        scene.met(gone);
        let gone = scene.begin(json!({"class": "xterm", "gone": true}));
        drop(xterm);
        scene.met(gone);
    }
}

#[test]
fn a_title_that_a_terminal_sets_later_is_seen_without_what_could_act_on_its_reader() {
    let mut scene = Scene::new(Manager::Openbox);
    let id = scene.begin(json!({"class": "xterm", "title": "work evilgpj.exe"}));
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("xterm");
    command.args(["-u8", "-e", "sh", "-c", "printf '\\033]0;work evil\\342\\200\\256gpj.exe\\007'; exec sleep 600"]);
    let _xterm = crate::support::applications::start(&scene.server.display, &mut command, home.path());
    scene.met(id);
    let shown = scene.controller.must("windows.list", json!({})).to_string();
    assert!(shown.contains("work evilgpj.exe"), "{shown}");
}
