//! What needs a person's consent waits for it, and nothing of it runs before.

use std::time::{Duration, Instant};

use deskhand::protocol::token::TokenHash;
use serde_json::{Value, json};

use super::{
    desk::{Desk, METHODS, write},
    support::{Controller, Deskhand, Recorder, RecorderOptions, Windows, recorder},
};

const CLICKS: &str = "[[confirm]]\nmethod = \"left_click\"\n";

fn desk(rules: &str) -> (Desk, Controller) {
    let desk = Desk::new(&format!("{METHODS}{rules}"));
    let admin = watcher(&desk);
    (desk, admin)
}

/// Another session of the same token, which is told what waits.
fn watcher(desk: &Desk) -> Controller {
    let mut admin = Controller::connect(&desk.server);
    admin.must("subscribe", json!({"events": ["confirm"]}));
    admin
}

fn asked(admin: &mut Controller) -> Value {
    admin.event(|event| event["type"] == "confirm")
}

fn click() -> Value {
    json!({"coordinate": [50, 60]})
}

#[test]
fn a_request_waits_until_somebody_else_consents() {
    let (mut desk, mut admin) = desk(CLICKS);
    let waiting = desk.controller.send("left_click", click());
    let event = asked(&mut admin);
    assert_eq!(event["method"], "left_click");
    assert_eq!(event["summary"], "left_click left (50, 60) in \"Editor\" of class \"Editor\"");
    assert!((1..=60_000).contains(&event["deadline_ms"].as_u64().unwrap()), "{event}");
    assert!(desk.is_untouched());
    let answer = json!({"id": event["id"], "allow": true});
    assert_eq!(desk.controller.must_fail("confirm.answer", answer.clone()).0, "forbidden", "not for oneself");
    assert_eq!(admin.must_fail("confirm.answer", json!({"id": 4711, "allow": true})).0, "not_found");
    admin.must("confirm.answer", answer.clone());
    desk.controller.answer(waiting).unwrap();
    assert_eq!(recorder::buttons(&desk.recorder.everything()).len(), 2);
    assert_eq!(admin.must_fail("confirm.answer", answer).0, "not_found", "once");
    // What no rule names does not wait.
    desk.controller.must("mouse_move", json!({"coordinate": [5, 5]}));
    desk.controller.must("key", json!({"text": "a"}));
}

#[test]
fn what_is_refused_or_not_answered_in_time_has_not_run() {
    let (mut desk, mut admin) = desk("[[confirm]]\nmethod = \"left_click\"\ndeadline_s = 1\n");
    let waiting = desk.controller.send("left_click", click());
    let event = asked(&mut admin);
    admin.must("confirm.answer", json!({"id": event["id"], "allow": false}));
    let error = desk.controller.answer(waiting).unwrap_err();
    assert_eq!((&error["data"]["kind"], &error["data"]["executed"]), (&json!("forbidden"), &json!("no")), "{error:#}");
    let begun = Instant::now();
    let (kind, error) = desk.controller.must_fail("left_click", click());
    assert_eq!((kind.as_str(), &error["data"]["executed"]), ("deadline_exceeded", &json!("no")), "{error:#}");
    assert!(begun.elapsed() >= Duration::from_secs(1) && begun.elapsed() < Duration::from_secs(3));
    let (kind, _) =
        desk.controller.must_fail("left_click", json!({"coordinate": [50, 60], "_meta": {"deadline_ms": 50}}));
    assert_eq!(kind, "deadline_exceeded");
    assert!(desk.is_untouched());
}

#[test]
fn an_older_tool_and_a_batch_wait_as_well() {
    let (mut desk, mut admin) = desk(CLICKS);
    let by_tool = desk.controller.send("computer", json!({"action": "left_click", "coordinate": [50, 60]}));
    let event = asked(&mut admin);
    admin.must("confirm.answer", json!({"id": event["id"], "allow": false}));
    assert_eq!(desk.controller.answer(by_tool).unwrap_err()["data"]["kind"], "forbidden");
    assert!(desk.is_untouched());
    let actions = json!([{"name": "key", "input": {"text": "a"}}, {"name": "left_click", "input": click()}, {"name": "key", "input": {"text": "b"}}]);
    let batch = desk.controller.send("batch", json!({ "actions": actions }));
    let event = asked(&mut admin);
    admin.must("confirm.answer", json!({"id": event["id"], "allow": false}));
    let result = desk.controller.answer(batch).unwrap();
    let kinds: Vec<_> =
        result["results"].as_array().unwrap().iter().map(|one| one["error"]["data"]["kind"].clone()).collect();
    assert_eq!(json!(kinds), json!([null, "forbidden", "not_executed"]));
    assert_eq!(recorder::typed(&desk.recorder.everything()), "a");
}

#[test]
fn a_cancel_a_halt_and_a_disconnect_end_the_wait() {
    let (mut desk, mut admin) = desk(CLICKS);
    let waiting = desk.controller.send("left_click", click());
    let first = asked(&mut admin);
    assert_eq!(desk.controller.must("cancel", json!({"id": waiting}))["cancelled"], true);
    assert_eq!(desk.controller.answer(waiting).unwrap_err()["data"]["kind"], "cancelled");
    assert_eq!(admin.must_fail("confirm.answer", json!({"id": first["id"], "allow": true})).0, "not_found");
    let waiting = desk.controller.send("left_click", click());
    asked(&mut admin);
    admin.must("session.halt", json!({}));
    assert_eq!(desk.controller.answer(waiting).unwrap_err()["data"]["kind"], "halted");
    admin.must("session.resume", json!({}));
    desk.controller.send("left_click", click());
    let event = asked(&mut admin);
    let controller = std::mem::replace(&mut desk.controller, Controller::connect(&desk.server));
    controller.abandon();
    let begun = Instant::now();
    while admin.must("status", json!({}))["lease"]["holder"] != "none" {
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(admin.must_fail("confirm.answer", json!({"id": event["id"], "allow": true})).0, "not_found");
    assert!(desk.is_untouched());
}

#[test]
fn a_rule_about_a_class_asks_for_that_window_only_and_tells_no_text() {
    let (mut desk, mut admin) = desk("[[confirm]]\nclass = \"bank\"\n");
    let options =
        RecorderOptions { title: "Bank", class: "Bank", rectangle: (320, 0, 320, 480), ..RecorderOptions::default() };
    let bank = Recorder::open_with(&desk.server.display, &options);
    desk.controller.must("left_click", json!({"coordinate": [50, 50]}));
    desk.controller.must("type", json!({"text": "a"}));
    Windows::new(&desk.server.display).focus(bank.window);
    for (method, params, summary) in [
        ("left_click", json!({"coordinate": [400, 50]}), "left_click left (400, 50) in \"Bank\" of class \"Bank\""),
        ("type", json!({"text": "hunter2"}), "type 7 characters in \"Bank\" of class \"Bank\""),
        ("key", json!({"text": "x ctrl+c"}), "key a character ctrl+c in \"Bank\" of class \"Bank\""),
    ] {
        let waiting = desk.controller.send(method, params);
        let event = asked(&mut admin);
        assert_eq!(event["summary"], summary);
        admin.must("confirm.answer", json!({"id": event["id"], "allow": false}));
        assert_eq!(desk.controller.answer(waiting).unwrap_err()["data"]["kind"], "forbidden");
    }
    assert!(super::desk::is_untouched(&bank));
    assert!(!desk.server.log().contains("hunter2"));
}

#[test]
fn only_an_admin_is_asked_and_answers() {
    let directory = tempfile::tempdir().unwrap();
    let (policy, tokens) = (directory.path().join("policy.toml"), directory.path().join("tokens.toml"));
    write(&policy, &format!("{METHODS}{CLICKS}"));
    let token = |letter: char| letter.to_string().repeat(64);
    let row = |role: &str, letter: char| {
        let hash = TokenHash::of(token(letter).as_bytes());
        format!("[[token]]\nuser = \"{role}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n")
    };
    write(&tokens, &(row("control", '1') + &row("admin", '2') + &row("observe", '3')));
    let arguments = ["--policy", policy.to_str().unwrap(), "--tokens", tokens.to_str().unwrap()];
    let server = Deskhand::owned_with("640x480", &arguments);
    let connect = |letter| {
        Controller::connect_with(&server, &[("authorization", &format!("Bearer {}", token(letter)))])
            .expect("a WebSocket")
    };
    let (mut controller, mut admin, mut observer) = (connect('1'), connect('2'), connect('3'));
    for other in [&mut controller, &mut observer] {
        assert_eq!(other.must_fail("subscribe", json!({"events": ["cursor", "confirm"]})).0, "forbidden");
    }
    let waiting = controller.send("left_click", click());
    // Whoever subscribes later is told as well.
    admin.must("subscribe", json!({"events": ["confirm"]}));
    let event = asked(&mut admin);
    let answer = json!({"id": event["id"], "allow": true});
    for other in [&mut connect('1'), &mut observer] {
        assert_eq!(other.must_fail("confirm.answer", answer.clone()).0, "forbidden");
    }
    admin.must("confirm.answer", answer);
    controller.answer(waiting).unwrap();
}
