//! Keyboards and pointers that another program holds: named, and never a false done.

use serde_json::{Value, json};
use x11rb::protocol::xproto::ConnectionExt as _;

use super::{
    Scene, data,
    other::Other,
    support::{Recorded, RecorderOptions},
};

/// Whether the error names this process.
fn names(error: &Value, other: &Other) -> bool {
    let process = &data(error)["process"];
    process["pid"] == other.pid() && process["executable"].as_str().is_some_and(|path| path.contains("python"))
}

#[test]
fn a_text_for_a_window_whose_keys_another_program_takes_is_refused_and_the_program_named() {
    let mut scene = Scene::new();
    let other = Other::start(&scene.server.display, &["keyboard"]);
    for (method, params) in [("type", json!({"text": "abc"})), ("key", json!({"text": "ctrl+s"}))] {
        let (kind, error) = scene.controller.must_fail(method, params);
        assert_eq!(kind, "input_grabbed", "{error:#}");
        assert_eq!(data(&error)["executed"], "no", "{error:#}");
        assert!(names(&error, &other), "{error:#}");
    }
    assert!(scene.is_untouched());
    other.end();
    scene.controller.must("type", json!({"text": "abc"}));
    assert_eq!(scene.received(), "abc");
}

#[test]
fn a_click_that_another_program_would_get_is_refused_and_the_program_named() {
    let mut scene = Scene::new();
    let other = Other::start(&scene.server.display, &["pointer"]);
    for params in [json!({"coordinate": [100, 100]}), json!({})] {
        let (kind, error) = scene.controller.must_fail("left_click", params);
        assert_eq!(kind, "input_grabbed", "{error:#}");
        assert!(names(&error, &other), "{error:#}");
    }
    assert!(scene.is_untouched());
    assert_eq!(other.end(), 0, "nobody got a press");
    scene.controller.must("left_click", json!({"coordinate": [100, 100]}));
    assert!(!scene.is_untouched());
}

#[test]
fn a_holder_that_takes_no_events_cannot_be_named_and_the_click_is_refused_all_the_same() {
    let mut scene = Scene::new();
    let other = Other::start(&scene.server.display, &["silent-pointer"]);
    let (kind, error) = scene.controller.must_fail("left_click", json!({"coordinate": [100, 100]}));
    assert_eq!(kind, "input_grabbed", "{error:#}");
    assert_eq!(data(&error)["process"], Value::Null, "nobody is named without proof");
    assert!(scene.is_untouched());
    other.end();
}

#[test]
fn a_hotkey_of_another_program_in_a_text_is_no_false_done() {
    let mut scene = Scene::new();
    let other = Other::start(&scene.server.display, &["hotkey", "l"]);
    let (kind, error) = scene.controller.must_fail("type", json!({"text": "hello"}));
    assert_eq!(kind, "input_grabbed", "{error:#}");
    assert_eq!(data(&error)["typed"], 2, "`he` arrived, the first l was taken: {error:#}");
    other.end();
    assert!(scene.received().starts_with("he"));
}

#[test]
fn a_menu_of_another_program_gets_chords_and_its_own_clicks_but_no_text_and_no_clicks_for_others() {
    let mut scene = Scene::new();
    let other = Other::start(&scene.server.display, &["popup"]);
    scene.controller.must("key", json!({"text": "Down"}));
    scene.controller.must("left_click", json!({"coordinate": [230, 230]}));
    let (kind, error) = scene.controller.must_fail("type", json!({"text": "abc"}));
    assert_eq!(kind, "input_grabbed", "{error:#}");
    let (kind, error) = scene.controller.must_fail("left_click", json!({"coordinate": [20, 20]}));
    assert_eq!(kind, "input_grabbed", "{error:#}");
    assert!(names(&error, &other), "{error:#}");
    assert!(scene.is_untouched());
    assert!(other.end() >= 2);
}

#[test]
fn a_first_paste_while_another_program_holds_the_display_says_so_and_everything_else_works() {
    let mut scene = Scene::with(&RecorderOptions { pastes: true, ..RecorderOptions::default() });
    let connection = scene.server.display.connect();
    connection.grab_server().unwrap().check().unwrap();
    let (kind, error) = scene.controller.must_fail("paste", json!({"text": "abc"}));
    assert_eq!(kind, "display_grabbed", "{error:#}");
    assert_eq!(data(&error)["executed"], "no", "{error:#}");
    scene.controller.must("left_click", json!({"coordinate": [100, 100]}));
    connection.ungrab_server().unwrap().check().unwrap();
    scene.controller.must("paste", json!({"text": "abc"}));
    let pasted = scene.recorder.wait_for("the text", |events| {
        events.iter().find_map(|event| if let Recorded::Pasted { text } = event { Some(text.clone()) } else { None })
    });
    assert_eq!(pasted, "abc");
}
