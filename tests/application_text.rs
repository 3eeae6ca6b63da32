//! Typed text, compared with what the application received: nothing lost, swapped or repeated, or the call says where it
//! stopped. The long runs are in the soak.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and shows its times")]

mod support;

use serde_json::{Value, json};
use support::{
    Browser, Controller, Deskhand, Managed, Mousepad, Windows, Xterm,
    texts::{ascii, difference, mixed},
};

/// How often a text is typed in the ordinary suite, and in the soak.
const RUNS: usize = 3;
const SOAK_RUNS: usize = 20;
const SOAK_MIXED_RUNS: usize = 10;

/// Prints the times of all runs, which only `--no-capture` shows.
fn print_times(what: &str, times: &[f64]) {
    let times: Vec<String> = times.iter().map(|time| format!("{time:.1}")).collect();
    eprintln!("{what}: {} ms", times.join(" "));
}

fn into_chromium(runs: usize, text: impl Fn(usize) -> String) {
    let mut browser = Browser::open("textarea.html");
    let mut times = Vec::new();
    for run in 0..runs {
        let wanted = text(run);
        browser.page.forget_events();
        browser.must("key", json!({"text": "ctrl+a Delete"}));
        assert_eq!(browser.settle().state["text"], "", "run {run}");
        times.push(browser.desktop.type_text(&wanted));
        let state = browser.settle().state;
        let received = state["text"].as_str().unwrap();
        assert!(received == wanted, "run {run}: {}", difference(&wanted, received));
    }
    print_times("chromium", &times);
}

fn into_mousepad(runs: usize, text: impl Fn(usize) -> String) {
    let mut desktop = Managed::start("1024x768");
    let mousepad = Mousepad::open(&desktop.server.display, "");
    desktop.windows.wait_for_focus(mousepad.window);
    let mut times = Vec::new();
    for run in 0..runs {
        let wanted = text(run);
        desktop.controller.must("key", json!({"text": "ctrl+a Delete"}));
        times.push(desktop.type_text(&wanted));
        desktop.controller.must("key", json!({"text": "ctrl+s"}));
        mousepad.wait_for_saved(|content| content == wanted.as_bytes());
    }
    print_times("mousepad", &times);
}

fn into_xterm(runs: usize, controller: &mut Controller, xterm: &Xterm) {
    let mut all = String::new();
    for run in 0..runs {
        let text = ascii(run);
        controller.must("type", json!({ "text": text }));
        all.push_str(&text);
        let received = xterm.wait_for_text(&all);
        assert!(received == all, "run {run}: {}", difference(&all, &received));
    }
}

#[test]
fn chromium_receives_every_ascii_character() {
    into_chromium(RUNS, ascii);
}

#[test]
#[ignore = "soak: 20 texts"]
fn chromium_receives_every_ascii_character_every_time() {
    into_chromium(SOAK_RUNS, ascii);
}

#[test]
fn chromium_receives_every_character_of_many_scripts() {
    into_chromium(1, mixed);
}

#[test]
#[ignore = "soak: 10 texts of 752 characters"]
fn chromium_receives_every_character_of_many_scripts_every_time() {
    into_chromium(SOAK_MIXED_RUNS, mixed);
}

#[test]
fn mousepad_receives_every_ascii_character() {
    into_mousepad(RUNS, ascii);
}

#[test]
#[ignore = "soak: 20 texts"]
fn mousepad_receives_every_ascii_character_every_time() {
    into_mousepad(SOAK_RUNS, ascii);
}

#[test]
fn mousepad_receives_every_character_of_many_scripts() {
    into_mousepad(1, mixed);
}

#[test]
#[ignore = "soak: 10 texts of 752 characters"]
fn mousepad_receives_every_character_of_many_scripts_every_time() {
    into_mousepad(SOAK_MIXED_RUNS, mixed);
}

#[test]
fn xterm_receives_every_ascii_character() {
    let mut desktop = Managed::start("1024x768");
    let xterm = Xterm::open(&desktop.server.display);
    desktop.windows.wait_for_focus(xterm.window);
    into_xterm(RUNS, &mut desktop.controller, &xterm);
}

#[test]
#[ignore = "soak: 20 texts"]
fn xterm_receives_every_ascii_character_every_time() {
    let mut desktop = Managed::start("1024x768");
    let xterm = Xterm::open(&desktop.server.display);
    desktop.windows.wait_for_focus(xterm.window);
    into_xterm(SOAK_RUNS, &mut desktop.controller, &xterm);
}

#[test]
fn xterm_under_the_pointer_receives_every_ascii_character_without_a_window_manager() {
    let server = Deskhand::owned("1024x768");
    let xterm = Xterm::open(&server.display);
    let [x, y, width, height] = Windows::new(&server.display).rectangle(xterm.window);
    let mut controller = Controller::connect(&server);
    controller.must("mouse_move", json!({"coordinate": [x + width / 2, y + height / 2]}));
    into_xterm(RUNS, &mut controller, &xterm);
}

#[test]
fn mousepad_under_the_pointer_receives_every_ascii_character_without_a_window_manager() {
    let server = Deskhand::owned("1024x768");
    let mousepad = Mousepad::open(&server.display, "");
    let [x, y, width, height] = Windows::new(&server.display).rectangle(mousepad.window);
    let mut controller = Controller::connect(&server);
    controller.must("left_click", json!({"coordinate": [x + width / 2, y + height / 2]}));
    let wanted = ascii(0);
    controller.must("type", json!({ "text": wanted }));
    controller.must("key", json!({"text": "ctrl+s"}));
    mousepad.wait_for_saved(|content| content == wanted.as_bytes());
}

/// xterm announces no ping. Whatever is known about it, the answer must agree with what arrived.
#[test]
fn xterm_receives_exactly_as_many_characters_of_many_scripts_as_the_answer_says() {
    let mut desktop = Managed::start("1024x768");
    let xterm = Xterm::open(&desktop.server.display);
    desktop.windows.wait_for_focus(xterm.window);
    let wanted = mixed(0);
    let count = match desktop.controller.call("type", json!({ "text": wanted })) {
        Ok(_) => wanted.chars().count(),
        Err(error) => {
            assert_eq!(error["data"]["executed"], "partial", "{error}");
            usize::try_from(error["data"]["typed"].as_u64().unwrap()).unwrap()
        }
    };
    eprintln!("xterm: {count} of {} characters", wanted.chars().count());
    // What is typed next stands behind the rest of the text, if any of it is still on its way.
    desktop.controller.must("type", json!({"text": "\nthe end"}));
    let expected: String = wanted.chars().take(count).chain("\nthe end".chars()).collect();
    let received = xterm.wait_for_text(&expected);
    assert!(received == expected, "{}", difference(&expected, &received));
}

#[test]
fn text_without_a_reader_is_not_typed() {
    let mut desktop = Managed::start("320x240");
    let (kind, error) = desktop.controller.must_fail("type", json!({"text": "nobody"}));
    assert_eq!((kind.as_str(), &error["data"]["typed"]), ("focus_lost", &Value::from(0)), "{error}");
}
