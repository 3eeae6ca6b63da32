//! `_meta.expect_window`: input for another window than the one that is meant is not sent.

use serde_json::{Value, json};
use x11rb::{
    protocol::xproto::{AtomEnum, PropMode},
    wrapper::ConnectionExt as _,
};

use super::{
    Scene, data,
    support::{Managed, Recorder, RecorderOptions, recorder},
};

/// Every way to send input, with the window that is expected.
fn inputs(expected: &Value) -> Vec<(&'static str, Value)> {
    let with = |mut params: Value| {
        params["_meta"] = json!({ "expect_window": expected });
        params
    };
    vec![
        ("left_click", with(json!({"coordinate": [50, 50]}))),
        ("left_click", with(json!({}))),
        ("mouse_move", with(json!({"coordinate": [51, 50]}))),
        ("left_click_drag", with(json!({"start_coordinate": [50, 50], "coordinate": [60, 60]}))),
        ("scroll", with(json!({"scroll_direction": "up", "scroll_amount": 1, "coordinate": [50, 50]}))),
        ("scroll_pixels", with(json!({"dx": 0, "dy": 53, "coordinate": [50, 50]}))),
        ("type", with(json!({"text": "a"}))),
        ("key", with(json!({"text": "a"}))),
        ("hold_key", with(json!({"text": "a", "duration": 0.01}))),
    ]
}

#[test]
fn input_for_another_window_is_refused_with_what_is_there_and_nothing_is_sent() {
    let mut scene = Scene::new();
    for expected in [json!({"title": "Bank"}), json!({"class": "xterm"}), json!({"id": 4711})] {
        for (method, params) in inputs(&expected) {
            let (kind, error) = scene.controller.must_fail(method, params);
            assert_eq!(kind, "target_mismatch", "{method}: {error:#}");
            assert_eq!(data(&error)["executed"], "no", "{method}");
            assert!(error["message"].as_str().unwrap().contains("Editor – notes.txt"), "{error:#}");
        }
    }
    assert!(scene.is_untouched());
    let expected = json!({"id": scene.recorder.window, "class": "EDITOR", "title": "notes"});
    for (method, params) in inputs(&expected) {
        scene.controller.must(method, params);
    }
    assert!(!scene.is_untouched());
}

#[test]
fn a_batch_stops_at_the_first_action_for_another_window() {
    let mut scene = Scene::new();
    let options = RecorderOptions { title: "Other", rectangle: (400, 0, 100, 100), ..RecorderOptions::default() };
    let other = Recorder::open_with(&scene.server.display, &options);
    let click = |x| json!({"name": "left_click", "input": {"coordinate": [x, 50]}});
    let result = scene.controller.must(
        "batch",
        json!({
            "actions": [click(50), {"name": "screenshot", "input": {}}, click(450), click(50)],
            "_meta": {"expect_window": {"class": "editor"}},
        }),
    );
    let kinds: Vec<_> =
        result["results"].as_array().unwrap().iter().map(|one| one["error"]["data"]["kind"].clone()).collect();
    assert_eq!(json!(kinds), json!([null, null, "target_mismatch", "not_executed"]));
    assert!(recorder::buttons(&other.everything()).is_empty());
    assert_eq!(recorder::buttons(&scene.recorder.everything()).len(), 2);
}

#[test]
fn a_title_of_many_megabytes_costs_its_first_kibibyte() {
    let mut scene = Scene::new();
    let connection = scene.server.display.connect();
    let hostile = format!("\u{1b}]0;x\u{7}\u{202e}Editor {}", "A".repeat(200_000));
    let (window, name, kind) = (scene.recorder.window, AtomEnum::WM_NAME, AtomEnum::STRING);
    connection.change_property8(PropMode::REPLACE, window, name, kind, hostile.as_bytes()).unwrap().check().unwrap();
    for _ in 0..100 {
        connection
            .change_property8(PropMode::APPEND, window, name, kind, "A".repeat(200_000).as_bytes())
            .unwrap()
            .check()
            .unwrap();
    }
    let (kind, error) =
        scene.controller.must_fail("type", json!({"text": "a", "_meta": {"expect_window": {"title": "B"}}}));
    assert_eq!(kind, "target_mismatch");
    let message = error["message"].as_str().unwrap();
    assert!(message.len() < 500 && message.contains("\"Editor AAA"), "{message}");
    scene.controller.must("type", json!({"text": "a", "_meta": {"expect_window": {"title": "Editor A"}}}));
}

#[test]
fn under_a_window_manager_the_frame_counts_as_the_window() {
    let mut desktop = Managed::start("640x480");
    let options = RecorderOptions {
        title: "Framed",
        class: "Framed",
        rectangle: (100, 100, 300, 200),
        ..RecorderOptions::default()
    };
    let recorder = Recorder::open_with(&desktop.server.display, &options);
    desktop.windows.wait_for_focus(recorder.window);
    let [x, y, ..] = desktop.windows.rectangle(recorder.window);
    for at in [[x + 10, y + 10], [x + 100, y - 8]] {
        let params = json!({"coordinate": at, "_meta": {"expect_window": {"class": "framed", "title": "Framed"}}});
        desktop.controller.must("left_click", params);
    }
    let params = json!({"text": "ok", "_meta": {"expect_window": {"id": recorder.window}}});
    desktop.controller.must("type", params);
    assert_eq!(recorder::typed(&recorder.everything()), "ok");
    let params = json!({"coordinate": [5, 470], "_meta": {"expect_window": {"class": "framed"}}});
    let (kind, error) = desktop.controller.must_fail("left_click", params);
    assert_eq!(kind, "target_mismatch", "{error:#}");
}
