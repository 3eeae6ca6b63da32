//! What was in the clipboard before is there afterwards, as far as its owner lets it be saved.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    owners::{Manner, copy, hostile, manager, read, wait_until_nobody_owns},
    support::{Managed, Mousepad},
};

struct Scene {
    mousepad: Mousepad,
    desktop: Managed,
}

impl Scene {
    fn new() -> Self {
        let desktop = Managed::start("800x600");
        let mousepad = Mousepad::open(&desktop.server.display, "");
        desktop.windows.wait_for_focus(mousepad.window);
        Self { mousepad, desktop }
    }

    fn paste(&mut self, text: &str) {
        self.desktop.controller.must("paste", json!({ "text": text }));
    }

    /// The file after saving.
    fn assert_received(&mut self, text: &str) {
        self.desktop.controller.must("key", json!({"text": "ctrl+s"}));
        self.mousepad.wait_for_saved(|content| content == text.as_bytes());
    }

    fn read(&self, selection: &str, form: &str) -> String {
        String::from_utf8(read(&self.desktop.server.display, selection, form)).unwrap()
    }

    /// The server's memory in bytes, with its children that are not the display.
    fn memory(&self, field: &str) -> usize {
        let deskhand =
            self.desktop.server.process.descendants().into_iter().filter(|child| child.name.starts_with("deskhand"));
        let pids = deskhand.map(|child| child.pid).chain([self.desktop.server.process.pid()]);
        pids.map(|pid| size_of(pid, field)).sum()
    }
}

/// A size of a process: `VmRSS:` now, `VmHWM:` the most so far.
fn size_of(pid: u32, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or("none: 0 kB");
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn other_programs_read_what_was_copied_before() {
    let mut scene = Scene::new();
    copy(&scene.desktop.server.display, "clipboard", "UTF8_STRING", "copied — before".as_bytes());
    copy(&scene.desktop.server.display, "primary", "UTF8_STRING", b"selected before");
    for round in 0..3 {
        scene.paste(&format!("paste {round}\n"));
        for form in ["UTF8_STRING", "text/plain;charset=utf-8"] {
            assert_eq!(scene.read("clipboard", form), "copied — before");
        }
        for form in ["UTF8_STRING", "STRING"] {
            assert_eq!(scene.read("primary", form), "selected before");
        }
    }
    scene.assert_received("paste 0\npaste 1\npaste 2\n");
    let targets = scene.read("clipboard", "TARGETS");
    assert!(targets.contains("UTF8_STRING") && targets.contains("TIMESTAMP"), "{targets}");
    assert!(!targets.lines().any(|target| target == "STRING"), "a dash is not in Latin-1: {targets}");
}

#[test]
fn the_user_pastes_by_hand_what_was_copied_before() {
    let mut scene = Scene::new();
    copy(&scene.desktop.server.display, "clipboard", "UTF8_STRING", b"copied");
    scene.paste("pasted, ");
    scene.desktop.controller.must("key", json!({"text": "ctrl+v"}));
    scene.mousepad.save_until(&mut scene.desktop.controller, "pasted, copied");
}

#[test]
fn a_picture_larger_than_a_request_comes_back_whole() {
    let mut scene = Scene::new();
    let picture: Vec<u8> = (0..2_500_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    copy(&scene.desktop.server.display, "clipboard", "image/png", &picture);
    scene.paste("text");
    assert!(read(&scene.desktop.server.display, "clipboard", "image/png") == picture);
    scene.assert_received("text");
}

#[test]
fn a_clipboard_that_had_no_owner_has_none_afterwards() {
    let mut scene = Scene::new();
    scene.paste("a secret");
    assert_eq!(scene.read("clipboard", "UTF8_STRING"), "");
    for selection in ["CLIPBOARD", "PRIMARY"] {
        wait_until_nobody_owns(&scene.desktop.server.display, selection);
    }
    scene.assert_received("a secret");
}

#[test]
fn a_clipboard_manager_that_asks_at_once_neither_gets_the_text_nor_counts() {
    let mut scene = Scene::new();
    let (_manager, got) = manager(&scene.desktop.server.display);
    copy(&scene.desktop.server.display, "clipboard", "UTF8_STRING", b"copied");
    for round in 0..5 {
        scene.paste(&format!("{round} secret, "));
    }
    scene.assert_received("0 secret, 1 secret, 2 secret, 3 secret, 4 secret, ");
    let got = got.lock().unwrap();
    assert!(got.iter().all(|text| text == b"copied"), "{got:?}");
}

#[test]
fn what_is_copied_after_a_paste_is_what_the_next_paste_keeps() {
    let mut scene = Scene::new();
    copy(&scene.desktop.server.display, "clipboard", "UTF8_STRING", b"first");
    scene.paste("a");
    copy(&scene.desktop.server.display, "clipboard", "UTF8_STRING", b"second");
    scene.paste("b");
    assert_eq!(scene.read("clipboard", "UTF8_STRING"), "second");
    scene.assert_received("ab");
}

fn hostile_owner(manner: Manner) {
    let mut scene = Scene::new();
    // The first paste brings what every paste needs.
    scene.paste("a");
    wait_until_nobody_owns(&scene.desktop.server.display, "CLIPBOARD");
    let before = scene.memory("VmHWM:");
    assert!(before > 8 * 1024 * 1024, "the server itself is measured, not only its supervisor: {before} bytes");
    for _ in 0..3 {
        let owner = hostile(&scene.desktop.server.display, manner);
        let begun = Instant::now();
        scene.paste("b");
        let took = begun.elapsed();
        eprintln!("{manner:?}: {took:?}");
        assert!(took < Duration::from_secs(2), "{manner:?}: {took:?}");
        drop(owner);
    }
    let grown = scene.memory("VmHWM:").saturating_sub(before);
    eprintln!("{manner:?}: {} KiB more", grown / 1024);
    assert!(grown < 8 * 1024 * 1024, "{manner:?}: {grown} bytes more");
    scene.assert_received("abbb");
}

#[test]
fn an_owner_that_never_answers_costs_a_bounded_time() {
    hostile_owner(Manner::Silent);
}

#[test]
fn an_owner_that_sends_without_end_costs_a_bounded_time_and_memory() {
    hostile_owner(Manner::Endless);
}

#[test]
fn an_owner_with_64_mebibytes_costs_a_bounded_time_and_memory() {
    hostile_owner(Manner::Huge);
}

#[test]
fn an_owner_with_a_gibibyte_costs_a_bounded_time_and_memory() {
    hostile_owner(Manner::Gibibyte);
}
