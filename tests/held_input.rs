//! Nothing stays pressed: not after an error, a cancel, a disconnect, the server's end, or a start on a display where
//! something was left down.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail")]

mod support;

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;
use support::{Controller, Deskhand, Recorded, Recorder, Windows, Xvfb};
use x11rb::{
    connection::Connection as _,
    protocol::{
        xkb::{BoolCtrl, ConnectionExt as _},
        xproto::{BUTTON_PRESS_EVENT, KEY_PRESS_EVENT},
        xtest::ConnectionExt as _,
    },
};

/// `XkbUseCoreKbd`: the keyboard that clients see.
const CORE_KEYBOARD: u16 = 0x100;
/// How often a controller is killed in a drag; the soak does it more often.
const DISCONNECTS: usize = 100;

/// Waits until the server says that no key and no button is down. It is asked again each time that the recorder's
/// connection has made a round trip, so the loop runs as fast as the X server answers.
fn wait_until_nothing_is_down(windows: &Windows, limit: Duration) -> Duration {
    let begun = Instant::now();
    loop {
        let (keys, buttons) = (windows.pressed_keys(), windows.pointer().1);
        if keys.is_empty() && buttons.is_empty() {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < limit, "still down after {limit:?}: keys {keys:?}, buttons {buttons:?}");
    }
}

#[test]
fn a_controller_that_dies_in_a_drag_leaves_nothing_pressed() {
    let server = Deskhand::owned("1024x768");
    let windows = Windows::new(&server.display);
    let recorder = Recorder::open(&server.display);
    for round in 0..DISCONNECTS {
        let mut controller = Controller::connect(&server);
        controller.must("key_down", json!({"text": "shift"}));
        controller.must("mouse_move", json!({"coordinate": [20, 20]}));
        controller.must("left_mouse_down", json!({}));
        let held = controller.must("mouse_move", json!({"coordinate": [200 + round, 150]}))["held"].clone();
        assert_eq!(held, json!({"keys": ["Shift_L"], "buttons": ["left"]}));
        assert!(!windows.pressed_keys().is_empty() && windows.pointer().1 == [1], "round {round}: both are down");
        controller.abandon();
        wait_until_nothing_is_down(&windows, Duration::from_millis(250));
    }
    let releases = |events: &[Recorded]| {
        events.iter().filter(|event| matches!(event, Recorded::Button { down: false, button: 1, .. })).count()
    };
    recorder.wait_for("every release", |events| (releases(events) == DISCONNECTS).then_some(()));
}

#[test]
fn a_controller_that_dies_inside_one_long_action_leaves_nothing_pressed() {
    let server = Deskhand::owned("1024x768");
    let windows = Windows::new(&server.display);
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    controller.send("hold_key", json!({"text": "ctrl+shift+a", "duration": 300}));
    recorder.wait_for("the last key of the chord", |events| {
        events
            .iter()
            .any(|event| matches!(event, Recorded::Key { down: true, keysym, .. } if [0x61, 0x41].contains(keysym)))
            .then_some(())
    });
    controller.abandon();
    wait_until_nothing_is_down(&windows, Duration::from_millis(250));
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_one_http_request_leaves_nothing_pressed() {
    let server = Deskhand::owned("1024x768");
    let windows = Windows::new(&server.display);
    let recorder = Recorder::open(&server.display);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "hold_key", "params": {"text": "shift+b", "duration": 300}});
    let body = body.to_string();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let (address, token, length) = (server.address(), &server.token, body.len());
    write!(
        stream,
        "POST /v1/rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    recorder.wait_for("the last key of the chord", |events| {
        let is_b = |event: &Recorded| matches!(event, Recorded::Key { down: true, keysym: 0x62 | 0x42, .. });
        events.iter().any(is_b).then_some(())
    });
    drop(stream);
    wait_until_nothing_is_down(&windows, Duration::from_millis(250));
    Controller::connect(&server).must("mouse_move", json!({"coordinate": [5, 5]}));
}

#[test]
fn keys_repeat_again_when_an_executor_is_killed_in_the_middle_of_a_text() {
    let xvfb = Xvfb::start("640x480");
    let recorder = Recorder::open(&xvfb.display);
    let server = Deskhand::attached(&xvfb.display);
    let connection = xvfb.display.connect();
    connection.xkb_use_extension(1, 0).unwrap().reply().unwrap();
    let repeats = || {
        let controls = connection.xkb_get_controls(CORE_KEYBOARD).unwrap().reply().unwrap();
        controls.enabled_controls.contains(BoolCtrl::REPEAT_KEYS)
    };
    let mut controller = Controller::connect(&server);
    controller.send("type", json!({"text": "ab".repeat(100), "_meta": {"pace_ms": 100}}));
    recorder.wait_for("a letter", |events| {
        events.iter().any(|event| matches!(event, Recorded::Key { down: true, .. })).then_some(())
    });
    assert!(!repeats());
    server.kill_everything();
    // The server notices the end of the connection when it reads on.
    let begun = Instant::now();
    while !repeats() {
        assert!(begun.elapsed() < Duration::from_secs(5), "keys do not repeat any more");
    }
}

#[test]
fn hold_key_ends_at_once_when_it_is_cancelled_and_answers_after_its_release() {
    let server = Deskhand::owned("1024x768");
    let windows = Windows::new(&server.display);
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    let held = controller.send("hold_key", json!({"text": "F5", "duration": 300}));
    let waiting = controller.send("left_click", json!({"coordinate": [9, 9]}));
    recorder.wait_for("F5", |events| matches!(events.last(), Some(Recorded::Key { down: true, .. })).then_some(()));
    assert_eq!(controller.must("status", json!({}))["held"]["keys"], json!(["F5"]), "told while it is held");
    assert_eq!(controller.must("cancel", json!({"id": waiting}))["cancelled"], true);
    assert_eq!(controller.answer(waiting).expect_err("cancelled")["data"]["executed"], "no");
    assert_eq!(controller.must("cancel", json!({"id": held}))["cancelled"], true);
    let error = controller.answer(held).expect_err("cancelled");
    assert_eq!((&error["data"]["kind"], &error["data"]["executed"]), (&json!("cancelled"), &json!("partial")));
    assert!(windows.pressed_keys().is_empty(), "the answer comes after the release");
    assert_eq!(controller.must("cancel", json!({"id": held}))["cancelled"], false, "it is over");
    let clicks = recorder.events().iter().filter(|event| matches!(event, Recorded::Button { .. })).count();
    assert_eq!(clicks, 0, "what was cancelled while it waited never ran");
}

#[test]
fn a_deadline_ends_what_runs_and_what_waits() {
    let server = Deskhand::owned("1024x768");
    let windows = Windows::new(&server.display);
    let _focused = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    let running = controller.send("hold_key", json!({"text": "F5", "duration": 300, "_meta": {"deadline_ms": 300}}));
    let waiting = controller.send("left_click", json!({"coordinate": [9, 9], "_meta": {"deadline_ms": 50}}));
    let late = controller.answer(waiting).expect_err("late");
    assert_eq!((&late["data"]["kind"], &late["data"]["executed"]), (&json!("deadline_exceeded"), &json!("no")));
    assert_eq!(controller.answer(running).expect_err("late")["data"]["kind"], "deadline_exceeded");
    assert!(windows.pressed_keys().is_empty());
}

#[test]
fn a_stop_of_the_server_releases_what_is_held() {
    let xvfb = Xvfb::start("1024x768");
    let windows = Windows::new(&xvfb.display);
    let _focused = Recorder::open(&xvfb.display);
    let server = Deskhand::attached(&xvfb.display);
    let mut controller = Controller::connect(&server);
    controller.must("key_down", json!({"text": "ctrl+alt"}));
    controller.must("mouse_down", json!({"button": "right"}));
    assert_eq!((windows.pressed_keys().len(), windows.pointer().1), (2, vec![3]));
    assert!(server.stop().success());
    wait_until_nothing_is_down(&windows, Duration::ZERO);
}

#[test]
fn a_start_releases_what_somebody_left_down() {
    let xvfb = Xvfb::start("1024x768");
    let windows = Windows::new(&xvfb.display);
    let connection = xvfb.display.connect();
    let root = connection.setup().roots[0].root;
    for (kind, detail) in [(KEY_PRESS_EVENT, 50), (KEY_PRESS_EVENT, 38), (BUTTON_PRESS_EVENT, 1)] {
        connection.xtest_fake_input(kind, detail, 0, root, 0, 0, 0).unwrap().check().unwrap();
    }
    drop(connection);
    assert_eq!((windows.pressed_keys().len(), windows.pointer().1.len()), (2, 1), "it stays down when its sender dies");
    let server = Deskhand::attached(&xvfb.display);
    wait_until_nothing_is_down(&windows, Duration::ZERO);
    drop(server);
}

#[test]
fn a_stopped_display_costs_a_typed_error_and_work_goes_on_with_nothing_held() {
    let server = Deskhand::owned("1024x768");
    let windows = Windows::new(&server.display);
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    controller.must("key_down", json!({"text": "shift"}));
    server.xvfb().signal(Signal::STOP);
    for (method, params) in
        [("left_click", json!({"coordinate": [50, 50]})), ("screenshot", json!({})), ("cursor_position", json!({}))]
    {
        let begun = Instant::now();
        let (kind, error) = controller.must_fail(method, params);
        assert_eq!(kind, "display_lost", "{method}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{method} took {:?}", begun.elapsed());
    }
    server.xvfb().signal(Signal::CONT);
    wait_until_nothing_is_down(&windows, support::PATIENCE);
    recorder.take_events();
    controller.must("screenshot", json!({}));
    assert_eq!(controller.must("left_click", json!({"coordinate": [60, 60]}))["cursor"], json!([60, 60]));
    recorder.wait_for("the click after the pause", |events| {
        events
            .iter()
            .any(|event| matches!(event, Recorded::Button { down: false, button: 1, x: 60, y: 60, .. }))
            .then_some(())
    });
}
