//! After a secret: no picture that could show it, by any way, until it can no longer be seen.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use x11rb::protocol::xproto::ConnectionExt as _;

use super::{
    desk::{Desk, window},
    support::{Controller, Picture, Recorder, viewer::Viewer},
};

/// Asks until there is a picture again.
fn picture_again(controller: &mut Controller) -> (Picture, Value) {
    let begun = Instant::now();
    loop {
        match controller.call("screenshot", json!({"_meta": {"observe": null}})) {
            Ok(result) => return (Picture::from_result(&result), result["frame"].clone()),
            Err(error) => assert_eq!(error["data"]["kind"], "screen_tainted", "{error}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "no picture again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn close(desk: &Desk) {
    let connection = desk.server.display.connect();
    // Waited for: the server drops a client that has gone without reading what it had sent.
    connection.kill_client(desk.login.window).unwrap().check().unwrap();
}

#[test]
fn no_way_to_a_picture_is_open_while_a_secret_may_be_on_the_screen() {
    let mut desk = Desk::new(&[]);
    desk.put(&json!({}), &json!({}));
    let mut viewer = Viewer::connect(&desk.server);
    viewer.next_frame();
    // With a picture in its answer it is not typed at all.
    let error = desk.controller.call("type", json!({"secret": "pin", "_meta": {"observe": {}}})).unwrap_err();
    assert_eq!((&error["data"]["kind"], &error["data"]["executed"]), (&json!("screen_tainted"), &json!("no")));
    assert_eq!(desk.received(), "");
    let result = desk.controller.must(
        "batch",
        json!({"actions": [{"name": "type", "input": {"secret": "pin"}}, {"name": "screenshot"}, {"name": "wait", "input": {"duration": 0}}]}),
    );
    let kinds: Vec<_> =
        result["results"].as_array().unwrap().iter().map(|one| one["error"]["data"]["kind"].clone()).collect();
    assert_eq!(kinds, [Value::Null, json!("screen_tainted"), json!("not_executed")]);
    for (method, params) in [
        ("screenshot", json!({})),
        ("screenshot", json!({"_meta": {"observe": null}})),
        ("zoom", json!({"region": [0, 0, 10, 10]})),
        ("wait_for", json!({"stable": {"quiet_ms": 1}, "timeout_ms": 1000})),
        ("mouse_move", json!({"coordinate": [1, 1], "_meta": {"observe": {}}})),
    ] {
        assert_eq!(desk.controller.must_fail(method, params).0, "screen_tainted", "{method}");
    }
    let (host, token) = (desk.server.address(), &desk.server.token);
    let request = format!(
        "GET /v1/screenshot.png HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    assert!(!desk.server.http(request.as_bytes()).starts_with("HTTP/1.1 200"));
    // What acts without a picture goes on, also where it waits for the screen.
    desk.controller.must("mouse_move", json!({"coordinate": [1, 1]}));
    desk.controller.must("left_click", json!({"coordinate": [600, 400], "_meta": {"observe": {"image": false}}}));
    let titles = desk.controller.must("windows.list", json!({}));
    assert!(titles["windows"].as_array().unwrap().iter().all(|window| window["title"] == ""), "{titles}");
    // Nor is a title told where an action is refused for its window.
    let elsewhere = json!({"text": "a", "_meta": {"expect_window": {"class": "Elsewhere"}}});
    let (kind, error) = desk.controller.must_fail("type", elsewhere);
    assert_eq!(kind, "target_mismatch");
    assert!(!error.to_string().contains("Sign in"), "{error}");
    // A window that comes is not streamed; when pictures come again, it is.
    let _other = Recorder::open_with(&desk.server.display, &window("Other", (400, 300, 100, 100)));
    desk.controller.must("wait", json!({"duration": 0.5}));
    viewer.controller.must("ping", json!({}));
    assert_eq!(viewer.controller.waiting_events(), 0, "nothing was sent");
    close(&desk);
    let (picture, frame) = picture_again(&mut desk.controller);
    viewer.catch_up(&frame);
    assert!(viewer.shows(&picture));
    let titles = desk.controller.must("windows.list", json!({}));
    assert!(titles["windows"].as_array().unwrap().iter().any(|window| window["title"] == "Sign in"), "{titles}");
}

#[test]
fn who_waited_for_a_picture_when_the_secret_was_typed_gets_none() {
    let mut desk = Desk::new(&[]);
    desk.put(&json!({}), &json!({}));
    let mut eyes = Controller::connect(&desk.server);
    let waiting = eyes.send("wait_for", json!({"change": {}, "timeout_ms": 30_000}));
    // Taken up before what comes now.
    eyes.must("ping", json!({}));
    desk.type_it().unwrap();
    let _other = Recorder::open_with(&desk.server.display, &window("Other", (400, 300, 100, 100)));
    let error = eyes.answer(waiting).expect_err("no picture");
    assert_eq!(error["data"]["kind"], "screen_tainted", "{error}");
}

#[test]
fn a_client_that_goes_away_in_the_middle_leaves_no_screen_without_pictures() {
    let mut desk = Desk::new(&[]);
    desk.put(&json!({}), &json!({}));
    for pause in 0..40 {
        let mut controller = Controller::connect(&desk.server);
        controller.send("type", json!({"secret": "pin"}));
        // Somewhere between the request's arrival and its end, which takes some five milliseconds.
        std::thread::sleep(Duration::from_micros(150 * pause));
        controller.abandon();
        // The lease is free again when the session has ended, and with it what it typed.
        desk.controller.must("status", json!({}));
    }
    close(&desk);
    picture_again(&mut desk.controller);
}

#[test]
fn pictures_come_again_after_the_time_that_the_rule_says() {
    let mut desk = Desk::new(&[]);
    desk.put(&json!({"clear": {"after_s": 1}}), &json!({}));
    let begun = Instant::now();
    desk.type_it().unwrap();
    picture_again(&mut desk.controller);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // A window that is only hidden is not gone.
    desk.put(&json!({}), &json!({}));
    desk.windows.focus(desk.login.window);
    desk.type_it().unwrap();
    let connection = desk.server.display.connect();
    connection.unmap_window(desk.login.window).unwrap().check().unwrap();
    desk.controller.must("wait", json!({"duration": 1.5}));
    assert_eq!(desk.controller.must_fail("screenshot", json!({})).0, "screen_tainted");
}

#[test]
fn a_window_can_be_painted_over_instead_and_all_others_seen() {
    let mut desk = Desk::new(&[]);
    let other = Recorder::open_with(
        &desk.server.display,
        &super::support::RecorderOptions { colour: 0x00_ff_00, ..window("Other", (400, 300, 100, 100)) },
    );
    desk.windows.focus(desk.login.window);
    desk.put(&json!({"taint": "mask"}), &json!({}));
    let mut viewer = Viewer::connect(&desk.server);
    viewer.next_frame();
    let before = desk.controller.screenshot();
    assert_ne!(before.pixel(100, 100), [0x50; 3]);
    let result = desk.controller.must("type", json!({"secret": "pin", "_meta": {"observe": {}}}));
    let picture = Picture::from_result(&result);
    assert_eq!(
        (picture.pixel(50, 50), picture.pixel(349, 249), picture.pixel(450, 350)),
        ([0x50; 3], [0x50; 3], [0, 0xff, 0])
    );
    viewer.catch_up(&result["frame"]);
    assert!(viewer.shows(&picture));
    // Until it is gone.
    close(&desk);
    let begun = Instant::now();
    while desk.controller.screenshot().pixel(100, 100) == [0x50; 3] {
        assert!(begun.elapsed() < Duration::from_secs(20), "the place stays painted over");
    }
    drop(other);
}
