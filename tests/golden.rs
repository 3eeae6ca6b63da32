//! One file a method with requests and their answers, as they are on the wire.
//!
//! `DESKHAND_BLESS=1 cargo nextest run --test golden` writes the files anew; read the difference before you commit it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail")]

mod support;

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use support::{Controller, Deskhand, Recorder, RecorderOptions};

/// Every method that is served, with the requests that show what it takes and how it refuses.
fn requests() -> Vec<(&'static str, Vec<Value>)> {
    let here = json!({"coordinate": [100, 80]});
    vec![
        (
            "initialize",
            vec![
                json!({"protocol": "deskhand.v1", "client": {"name": "golden", "version": "1"}, "screen": {"max_long_edge": 512}}),
                json!({"protocol": "deskhand.v1", "client": {"name": "golden", "version": "1"}}),
            ],
        ),
        ("ping", vec![json!({}), json!({"extra": 1})]),
        ("status", vec![json!({}), json!({"request_key": "a"})]),
        ("cancel", vec![json!({"id": 4711}), json!({"id": 1.5}), json!({})]),
        ("display.info", vec![json!({})]),
        (
            "screenshot",
            vec![
                json!({}),
                json!({"_meta": {"format": "jpeg"}}),
                json!({"_meta": {"format": "webp", "quality": 85}}),
                json!({"_meta": {"format": "jpeg", "quality": 0}}),
                json!({"_meta": {"preset": "compact", "if_changed": {"frame": "0-1", "region": [0, 0, 10, 10]}}}),
                json!({"_meta": {"if_changed": {"frame": "1-1", "region": [10, 10, 600, 20]}}}),
                json!({"region": [0, 0, 1, 1]}),
            ],
        ),
        ("zoom", vec![json!({"region": [0, 0, 64, 48]}), json!({"region": [10, 10, 10, 20]}), json!({})]),
        (
            "left_click",
            vec![
                here.clone(),
                json!({}),
                json!({"coordinate": [100, 80], "text": "ctrl+shift"}),
                json!({"coordinate": [512, 0]}),
            ],
        ),
        ("right_click", vec![here.clone(), json!({"text": "nokey"})]),
        ("middle_click", vec![here.clone()]),
        ("double_click", vec![here.clone()]),
        ("triple_click", vec![here.clone()]),
        (
            "left_click_drag",
            vec![json!({"start_coordinate": [100, 80], "coordinate": [120, 90]}), json!({"start_coordinate": [1, 1]})],
        ),
        ("mouse_move", vec![here.clone(), json!({"coordinate": [-1, 5]}), json!({"coordinate": [1.5, 2]})]),
        ("left_mouse_down", vec![json!({})]),
        ("left_mouse_up", vec![json!({})]),
        ("cursor_position", vec![json!({})]),
        (
            "scroll",
            vec![
                json!({"scroll_direction": "down", "scroll_amount": 3, "coordinate": [100, 80]}),
                json!({"scroll_direction": "sideways", "scroll_amount": 3}),
                json!({"scroll_direction": "up", "scroll_amount": 101}),
            ],
        ),
        (
            "scroll_pixels",
            vec![
                json!({"dx": -80, "dy": 120, "coordinate": [100, 80]}),
                json!({"dx": 10, "dy": -10}),
                json!({"dx": 0, "dy": 5327}),
                json!({"dx": 0}),
            ],
        ),
        (
            "type",
            vec![
                json!({"text": "Hello, wörld\n"}),
                json!({"text": "a\u{0}b"}),
                json!({"secret": "bank"}),
                json!({"secret": "../x"}),
                json!({}),
            ],
        ),
        (
            "key",
            vec![
                json!({"text": "ctrl+a"}),
                json!({"text": "Home shift+End", "repeat": 2}),
                json!({"text": "ctrl+"}),
                json!({"text": "Retrun"}),
                json!({"text": "a", "repeat": 101}),
            ],
        ),
        ("hold_key", vec![json!({"text": "a", "duration": 0.01}), json!({"text": "a", "duration": 301})]),
        ("wait", vec![json!({"duration": 0}), json!({"duration": -0.1})]),
        (
            "computer",
            vec![
                json!({"action": "mouse_move", "coordinate": [100, 80]}),
                json!({"action": "zoom", "region": [0, 0, 8, 8], "_meta": {"tool": "computer_20250124"}}),
                json!({"action": "explode"}),
                json!({}),
            ],
        ),
        (
            "click",
            vec![
                json!({"button": "forward", "count": 2, "coordinate": [100, 80]}),
                json!({"button": "sixth"}),
                json!({"count": 4}),
            ],
        ),
        ("mouse_down", vec![json!({"button": "right"})]),
        ("mouse_up", vec![json!({"button": "right"})]),
        ("drag", vec![json!({"path": [[100, 80], [110, 85], [120, 80]], "text": "alt"}), json!({"path": [[1, 1]]})]),
        ("key_down", vec![json!({"text": "shift"})]),
        ("key_up", vec![json!({"text": "shift"})]),
        ("paste", vec![json!({"text": "a\u{0}b"}), json!({})]),
        (
            "batch",
            vec![
                json!({"actions": [{"name": "mouse_move", "input": {"coordinate": [100, 80]}}, {"name": "key", "input": {"text": "x"}}]}),
                json!({"actions": [{"name": "mouse_move", "input": {"coordinate": [5, 5]}}, {"name": "mouse_move", "input": {"coordinate": [-5, 5]}}]}),
                json!({"actions": []}),
            ],
        ),
        ("exec", vec![json!({"cmd": "id"})]),
    ]
}

/// Who controls, tasks, and tokens.
fn controls() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("lease.acquire", vec![json!({}), json!({"force": true}), json!({"force": 1})]),
        ("lease.release", vec![json!({}), json!({"force": true})]),
        ("session.pause", vec![json!({})]),
        ("session.halt", vec![json!({})]),
        ("session.resume", vec![json!({}), json!({"now": true})]),
        (
            "task.begin",
            vec![
                json!({"max_turns": 0}),
                json!({"max_seconds": 86_401}),
                json!({"objective": "o", "model": "m", "purpose": "p", "max_turns": 40, "max_seconds": 60}),
                json!({}),
            ],
        ),
        ("task.end", vec![json!({}), json!({"success": true, "summary": "s"}), json!({"success": false})]),
        ("usage.check", vec![json!({"estimated_tokens": 5}), json!({"estimated_tokens": -1}), json!({})]),
        (
            "usage.report",
            vec![
                json!({"model": "m", "input_tokens": 5, "output_tokens": 6}),
                json!({"model": "m", "input_tokens": 1_000_000_001_u64, "output_tokens": 0}),
            ],
        ),
        ("usage.get", vec![json!({})]),
        (
            "secret.put",
            vec![
                json!({"name": "bank", "value": "correct horse", "rule": {"class": "Login", "taint": "mask", "clear": {"after_s": 30}}, "ttl_s": 600, "uses": 1}),
                json!({"name": "bank", "value": "correct horse", "rule": {}}),
                json!({"name": "bank", "value": 4711, "rule": {"title": "Sign in"}}),
                json!({"name": "../x", "value": "a", "rule": {"title": "Sign in"}}),
            ],
        ),
        ("secret.forget", vec![json!({"name": "bank"}), json!({"name": "bank"}), json!({})]),
        ("secret.list", vec![json!({})]),
        ("confirm.answer", vec![json!({"id": 1, "allow": true}), json!({"id": 1})]),
    ]
}

/// The same for events.
fn subscriptions() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        (
            "subscribe",
            vec![
                json!({"events": ["changed"]}),
                json!({"events": ["cursor", "sounds"]}),
                json!({"events": ["frames", "egress"]}),
                json!({"events": ["frames", "frames"]}),
                json!({"events": []}),
            ],
        ),
        (
            "frames.ack",
            vec![
                json!({"subscription": 1, "serial": 1}),
                json!({"subscription": 2, "serial": 1}),
                json!({"subscription": 1}),
            ],
        ),
        ("unsubscribe", vec![json!({"subscription": 1}), json!({"subscription": 1}), json!({"subscription": "1"})]),
    ]
}

/// What waits for the display, and tells of its windows.
fn waits() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("windows.list", vec![json!({}), json!({"class": "recorder"})]),
        (
            "wait_for",
            vec![
                json!({"stable": {"quiet_ms": 1}, "timeout_ms": 10_000}),
                json!({"change": {"since": "1-0", "region": [0, 0, 64, 48]}, "timeout_ms": 10_000}),
                json!({"change": {}, "timeout_ms": 1}),
                json!({"window": {"class": "recorder"}, "timeout_ms": 10_000}),
                json!({"window": {"title": "recorder", "gone": true}, "timeout_ms": 1}),
                json!({"change": {"since": "2-1"}, "timeout_ms": 1}),
                json!({"change": {}, "timeout_ms": 300_001}),
                json!({"stable": {"quiet_ms": 0}, "timeout_ms": 1}),
                json!({"window": {}, "timeout_ms": 1}),
                json!({"change": {}, "window": {"class": "recorder"}, "timeout_ms": 1}),
            ],
        ),
    ]
}

/// Replaces what differs from run to run by its type.
fn normalise(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                match key.as_str() {
                    "boot" | "session" | "version" | "data" if value.is_string() => *value = json!("<text>"),
                    "queue_us" | "act_us" | "settle_us" | "capture_us" | "encode_us" | "bytes" | "waited_ms"
                    | "duration_ms" => {
                        *value = json!("<number>");
                    }
                    // An X id is given by the server.
                    "id" if value.is_number() => *value = json!("<number>"),
                    // What this machine has.
                    "evidence" => *value = json!("<evidence>"),
                    "sandbox" => *value = json!("<sandbox>"),
                    "name" if value.as_str().is_some_and(|name| name.starts_with(':')) => *value = json!("<display>"),
                    _ => normalise(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(normalise),
        _ => {}
    }
}

#[test]
fn requests_and_answers_are_as_recorded() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("DESKHAND_BLESS").is_some();
    let server = Deskhand::owned("1024x768");
    let whole_screen = RecorderOptions { rectangle: (0, 0, 1024, 768), ..RecorderOptions::default() };
    let _window = Recorder::open_with(&server.display, &whole_screen);
    let mut controller = Controller::connect(&server);
    let mut wrong = Vec::new();
    for (method, cases) in requests().into_iter().chain(controls()).chain(subscriptions()).chain(waits()) {
        let exchanges: Vec<Value> = cases
            .into_iter()
            .map(|params| {
                let mut answer = match controller.call(method, params.clone()) {
                    Ok(result) => json!({ "result": result }),
                    Err(error) => json!({ "error": error }),
                };
                normalise(&mut answer);
                json!({"request": {"method": method, "params": params}, "answer": answer})
            })
            .collect();
        let found = format!("{}\n", serde_json::to_string_pretty(&exchanges).unwrap());
        let path = directory.join(format!("{method}.json"));
        if bless {
            fs::create_dir_all(&directory).unwrap();
            fs::write(&path, &found).unwrap();
        }
        let recorded = fs::read_to_string(&path).unwrap_or_default();
        if found != recorded {
            wrong.push(format!("{method}: recorded {recorded}\nfound {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One event of each kind, of a session that sees the screen in half its size.
#[test]
fn events_are_as_recorded() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    let client = json!({"name": "golden", "version": "1"});
    controller
        .must("initialize", json!({"protocol": "deskhand.v1", "client": client, "screen": {"max_long_edge": 160}}));
    let mut events = Vec::new();
    for kind in ["frames", "cursor", "lease"] {
        controller.must("subscribe", json!({"events": [kind]}));
        events.push(controller.event(|event| event["type"] == kind));
    }
    let found = format!("{}\n", serde_json::to_string_pretty(&events).unwrap());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/event.json");
    if std::env::var_os("DESKHAND_BLESS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(&path).unwrap_or_default());
}

#[test]
fn every_method_that_is_served_has_a_golden_file() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    let methods = controller
        .must("initialize", json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}}))["methods"]
        .clone();
    let covered: Vec<_> = requests()
        .into_iter()
        .chain(controls())
        .chain(subscriptions())
        .chain(waits())
        .map(|(method, _)| method)
        .collect();
    for method in methods.as_array().unwrap() {
        assert!(covered.contains(&method.as_str().unwrap()), "{method} has no golden file");
    }
}
