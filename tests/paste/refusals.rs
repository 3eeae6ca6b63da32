//! A paste that does not come about says so, and leaves nothing behind.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    owners::{copy, read, wait_until_nobody_owns},
    support::{Controller, Deskhand, Managed, Mousepad, Recorder, Windows, recorder::typed},
};

/// A window that takes keys and never asks for a selection.
fn window_that_never_pastes(server: &Deskhand) -> Recorder {
    let recorder = Recorder::open(&server.display);
    Windows::new(&server.display).focus(recorder.window);
    recorder
}

#[test]
fn an_application_that_never_asks_is_told_within_three_seconds() {
    let server = Deskhand::owned("640x480");
    let recorder = window_that_never_pastes(&server);
    copy(&server.display, "clipboard", "UTF8_STRING", b"copied");
    let mut controller = Controller::connect(&server);
    let begun = Instant::now();
    let (kind, error) = controller.must_fail("paste", json!({"text": "nobody"}));
    assert_eq!((kind.as_str(), error["data"]["executed"].as_str()), ("clipboard_timeout", Some("partial")), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(error["message"].as_str().unwrap().contains("`type`"), "{error}");
    assert_eq!(read(&server.display, "clipboard", "UTF8_STRING"), b"copied");
    assert_eq!(Windows::new(&server.display).pressed_keys(), Vec::<u8>::new());
    controller.must("type", json!({"text": "typed"}));
    assert_eq!(recorder.wait_for_text("typed"), "typed");
    assert_eq!(typed(&recorder.everything()), "typed");
}

#[test]
fn a_cancel_ends_a_paste_at_once_and_gives_the_clipboard_back() {
    let server = Deskhand::owned("640x480");
    let recorder = window_that_never_pastes(&server);
    copy(&server.display, "clipboard", "UTF8_STRING", b"copied");
    let mut controller = Controller::connect(&server);
    let paste = controller.send("paste", json!({"text": "cancelled"}));
    recorder.wait_for("the chord", |events| (events.len() >= 4).then_some(()));
    let begun = Instant::now();
    controller.must("cancel", json!({ "id": paste }));
    let error = controller.answer(paste).unwrap_err();
    assert_eq!(error["data"]["kind"], "cancelled", "{error}");
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert_eq!(read(&server.display, "clipboard", "UTF8_STRING"), b"copied");
}

#[test]
fn a_deadline_ends_a_paste() {
    let server = Deskhand::owned("640x480");
    let _recorder = window_that_never_pastes(&server);
    let mut controller = Controller::connect(&server);
    let (kind, _) = controller.must_fail("paste", json!({"text": "late", "_meta": {"deadline_ms": 300}}));
    assert_eq!(kind, "deadline_exceeded");
    wait_until_nobody_owns(&server.display, "CLIPBOARD");
}

#[test]
fn without_a_window_nothing_is_offered() {
    let mut desktop = Managed::start("320x240");
    let (kind, error) = desktop.controller.must_fail("paste", json!({"text": "nobody"}));
    assert_eq!((kind.as_str(), error["data"]["executed"].as_str()), ("focus_lost", Some("no")), "{error}");
    wait_until_nobody_owns(&desktop.server.display, "CLIPBOARD");
}

/// An application that hangs gets neither the text nor what was copied before it, when it asks after all.
#[test]
fn an_application_that_asks_too_late_gets_nothing() {
    let mut desktop = Managed::start("640x480");
    let mousepad = Mousepad::open(&desktop.server.display, "");
    desktop.windows.wait_for_focus(mousepad.window);
    copy(&desktop.server.display, "clipboard", "UTF8_STRING", b"copied");
    mousepad.process.stop();
    let (kind, error) = desktop.controller.must_fail("paste", json!({"text": "too late"}));
    assert_eq!((kind.as_str(), error["data"]["executed"].as_str()), ("clipboard_timeout", Some("partial")), "{error}");
    mousepad.process.resume();
    desktop.controller.must("type", json!({"text": "typed"}));
    desktop.controller.must("key", json!({"text": "ctrl+s"}));
    mousepad.wait_for_saved(|content| content == b"typed");
    // What is pasted by hand later, after two seconds is what was copied.
    thread::sleep(Duration::from_secs(2));
    desktop.controller.must("key", json!({"text": "ctrl+v"}));
    mousepad.save_until(&mut desktop.controller, "typedcopied");
}

/// An application that hangs for a moment gets the text, once.
#[test]
fn an_application_that_hangs_for_a_moment_gets_the_text() {
    let mut desktop = Managed::start("640x480");
    let mousepad = Mousepad::open(&desktop.server.display, "");
    desktop.windows.wait_for_focus(mousepad.window);
    mousepad.process.stop();
    let paste = desktop.controller.send("paste", json!({"text": "once"}));
    // The hang itself is what the test is about.
    thread::sleep(Duration::from_millis(700));
    mousepad.process.resume();
    desktop.controller.answer(paste).unwrap();
    desktop.controller.must("key", json!({"text": "ctrl+s"}));
    mousepad.wait_for_saved(|content| content == b"once");
}

#[test]
fn a_text_with_a_zero_character_is_refused_before_anything_happens() {
    let mut desktop = Managed::start("320x240");
    let (kind, error) = desktop.controller.must_fail("paste", json!({"text": "a\0b"}));
    assert_eq!((kind.as_str(), error["data"]["executed"].as_str()), ("invalid_params", Some("no")), "{error}");
}
