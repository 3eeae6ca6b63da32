//! Rules about windows: input reaches those that the policy allows, and no other.

use serde_json::{Value, json};
use x11rb::{
    protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode},
    wrapper::ConnectionExt as _,
};

use super::{
    desk::{Desk, METHODS, is_untouched},
    support::{Recorded, Recorder, RecorderOptions, Windows, recorder},
};

/// Where the second window is.
const RIGHT: RecorderOptions = RecorderOptions {
    title: "Vault – accounts",
    class: "Vault",
    rectangle: (320, 0, 320, 480),
    answers_ping: true,
    override_redirect: false,
    pastes: false,
    colour: 0x20_4a_87,
};

fn left() -> RecorderOptions {
    RecorderOptions { title: "Editor", class: "Editor", rectangle: (0, 0, 320, 480), ..RecorderOptions::default() }
}

/// Two windows beside each other; the left one has the focus.
fn side_by_side(rules: &str) -> (Desk, Recorder) {
    let desk = Desk::with(&format!("{METHODS}{rules}"), &left());
    let right = Recorder::open_with(&desk.server.display, &RIGHT);
    Windows::new(&desk.server.display).focus(desk.recorder.window);
    desk.is_untouched();
    is_untouched(&right);
    (desk, right)
}

fn pointed() -> Vec<(&'static str, Value)> {
    vec![
        ("left_click", json!({"coordinate": [400, 50]})),
        ("double_click", json!({"coordinate": [400, 50], "text": "ctrl"})),
        ("mouse_move", json!({"coordinate": [400, 50]})),
        ("scroll", json!({"scroll_direction": "up", "scroll_amount": 1, "coordinate": [400, 50]})),
        ("left_click_drag", json!({"start_coordinate": [400, 50], "coordinate": [410, 60]})),
        // What is let go of there is dropped there.
        ("left_click_drag", json!({"start_coordinate": [50, 50], "coordinate": [410, 60]})),
    ]
}

fn typed() -> Vec<(&'static str, Value)> {
    vec![
        ("type", json!({"text": "a"})),
        ("key", json!({"text": "a"})),
        ("hold_key", json!({"text": "a", "duration": 0.01})),
        ("key_down", json!({"text": "a"})),
    ]
}

#[test]
fn a_denied_window_gets_no_input_of_any_kind_and_the_rule_is_named() {
    for rule in ["class = \"vault\"", "title = \"accounts\"", "class = \"Vault\"\ntitle = \"Vault\""] {
        let (mut desk, right) = side_by_side(&format!("[[window]]\n{rule}\nallow = false\n"));
        for (method, params) in pointed() {
            let message = desk.must_be_forbidden(method, params);
            assert!(message.contains("[[window]] 1") && message.contains("\"Vault\""), "{message}");
        }
        let windows = Windows::new(&desk.server.display);
        windows.focus(right.window);
        for (method, params) in typed() {
            desk.must_be_forbidden(method, params);
        }
        assert!(is_untouched(&right) && desk.is_untouched());
        // Others may have it, and what lets go is never refused.
        windows.focus(desk.recorder.window);
        for (method, params) in typed() {
            desk.controller.must(method, params);
        }
        windows.focus(right.window);
        desk.controller.must("key_up", json!({"text": "a"}));
        is_untouched(&right);
        desk.controller.must("left_click", json!({"coordinate": [50, 50]}));
        assert!(!desk.is_untouched() && is_untouched(&right));
    }
}

#[test]
fn where_a_rule_allows_something_everything_else_is_denied() {
    let (mut desk, right) = side_by_side("[[window]]\nclass = \"Editor\"\nallow = true\n");
    for (method, params) in pointed() {
        desk.must_be_forbidden(method, params);
    }
    assert!(is_untouched(&right) && desk.is_untouched());
    desk.controller.must("left_click", json!({"coordinate": [50, 50]}));
    desk.controller.must("type", json!({"text": "a"}));
    // The bare screen is no window of the list.
    drop(right);
    let message = desk.must_be_forbidden("right_click", json!({"coordinate": [400, 50]}));
    assert!(message.contains("no [[window]] rule"), "{message}");
    // A batch stops there.
    let click = |x| json!({"name": "left_click", "input": {"coordinate": [x, 50]}});
    let result = desk.controller.must("batch", json!({"actions": [click(50), click(400), click(50)]}));
    let kinds: Vec<_> =
        result["results"].as_array().unwrap().iter().map(|one| one["error"]["data"]["kind"].clone()).collect();
    assert_eq!(json!(kinds), json!([null, "forbidden", "not_executed"]));
}

#[test]
fn a_pop_up_is_what_it_came_out_of() {
    let mut desk = Desk::with(&format!("{METHODS}[[window]]\ntitle = \"Editor\"\nallow = false\n"), &left());
    let popup = Recorder::open_with(
        &desk.server.display,
        &RecorderOptions { title: "", class: "menu", rectangle: (350, 0, 100, 100), override_redirect: true, ..left() },
    );
    // It says so itself; it is another client here, so nobody believes it.
    let connection = desk.server.display.connect();
    let (property, kind) = (AtomEnum::WM_TRANSIENT_FOR, AtomEnum::WINDOW);
    let window = desk.recorder.window;
    connection.change_property32(PropMode::REPLACE, popup.window, property, kind, &[window]).unwrap().check().unwrap();
    desk.controller.must("left_click", json!({"coordinate": [400, 50]}));
    assert!(!is_untouched(&popup));
    // A pop-up of the same client.
    let mine = connection_of_recorder_popup(&desk);
    desk.must_be_forbidden("left_click", json!({"coordinate": [550, 50]}));
    drop(mine);
    assert!(desk.is_untouched());
}

/// A pop-up of a client whose window is denied: both are made on one connection.
fn connection_of_recorder_popup(desk: &Desk) -> x11rb::rust_connection::RustConnection {
    use super::support::recorder_window::create_window;
    let connection = desk.server.display.connect();
    let owner = create_window(&connection, &RecorderOptions { rectangle: (500, 300, 50, 50), ..left() });
    let options =
        RecorderOptions { title: "", class: "", rectangle: (500, 0, 100, 100), override_redirect: true, ..left() };
    let popup = create_window(&connection, &options);
    let (property, kind) = (AtomEnum::WM_TRANSIENT_FOR, AtomEnum::WINDOW);
    connection.change_property32(PropMode::REPLACE, popup, property, kind, &[owner]).unwrap().check().unwrap();
    for window in [owner, popup] {
        connection.map_window(window).unwrap().check().unwrap();
    }
    connection
}

#[test]
fn the_executable_counts_and_not_what_a_window_says_of_itself() {
    let ours = std::env::current_exe().unwrap();
    let ours = ours.to_str().unwrap();
    let (mut desk, right) = side_by_side(&format!("[[window]]\nexecutable = \"{ours}\"\nallow = false\n"));
    let message = desk.must_be_forbidden("left_click", json!({"coordinate": [50, 50]}));
    assert!(message.contains(ours), "{message}");
    desk.must_be_forbidden("type", json!({"text": "a"}));
    assert!(desk.is_untouched() && is_untouched(&right));
    let rules = format!(
        "[[window]]\nclass = \"Editor\"\nexecutable = \"/bin/false\"\nallow = false\n\
                         [[window]]\nexecutable = \"{ours}\"\nallow = true\n"
    );
    let (mut desk, right) = side_by_side(&rules);
    desk.controller.must("left_click", json!({"coordinate": [400, 50]}));
    desk.controller.must("type", json!({"text": "a"}));
    assert!(!desk.is_untouched() && !is_untouched(&right));
}

#[test]
fn a_text_stops_when_its_window_becomes_one_that_must_not_have_it() {
    let mut desk = Desk::new(&format!("{METHODS}[[window]]\ntitle = \"Vault\"\nallow = false\n"));
    let text = "a".repeat(200);
    let running = desk.controller.send("type", json!({"text": text, "_meta": {"pace_ms": 100}}));
    desk.recorder.wait_for("the first letter", |events| {
        events.iter().any(|event| matches!(event, Recorded::Key { .. })).then_some(())
    });
    let connection = desk.server.display.connect();
    let (name, kind) = (AtomEnum::WM_NAME, AtomEnum::STRING);
    connection
        .change_property8(PropMode::REPLACE, desk.recorder.window, name, kind, b"Vault")
        .unwrap()
        .check()
        .unwrap();
    let error = desk.controller.answer(running).unwrap_err();
    assert_eq!(
        (&error["data"]["kind"], &error["data"]["executed"]),
        (&json!("forbidden"), &json!("partial")),
        "{error:#}"
    );
    let received = recorder::typed(&desk.recorder.everything()).chars().count();
    assert_eq!(error["data"]["typed"], received, "{error:#}");
    assert!((1..200).contains(&received), "{received}");
    // The focus goes to another window that must not have it.
    desk.recorder.take_events();
    desk.must_be_forbidden("type", json!({"text": "b"}));
    assert!(desk.is_untouched());
}

#[test]
fn keys_are_not_sent_to_the_menu_of_a_denied_program_that_holds_the_keyboard() {
    let mut desk = Desk::with(&format!("{METHODS}[[window]]\nclass = \"menu\"\nallow = false\n"), &left());
    let options =
        RecorderOptions { title: "", class: "menu", rectangle: (350, 0, 100, 100), override_redirect: true, ..left() };
    let connection = desk.server.display.connect();
    let popup = super::support::recorder_window::create_window(&connection, &options);
    connection.map_window(popup).unwrap().check().unwrap();
    let mode = x11rb::protocol::xproto::GrabMode::ASYNC;
    let status =
        connection.grab_keyboard(false, popup, x11rb::CURRENT_TIME, mode, mode).unwrap().reply().unwrap().status;
    assert_eq!(status, x11rb::protocol::xproto::GrabStatus::SUCCESS);
    desk.must_be_forbidden("key", json!({"text": "Down"}));
    connection.ungrab_keyboard(x11rb::CURRENT_TIME).unwrap().check().unwrap();
    desk.controller.must("key", json!({"text": "Down"}));
    assert!(!desk.is_untouched());
}
