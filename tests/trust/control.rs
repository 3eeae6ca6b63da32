//! One controller at a time, and whoever may stop it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    people::{People, connect},
    support::{Controller, Deskhand, Recorded, Recorder, Windows},
};

const ADMIN: char = 'a';
const FIRST: char = '1';
const SECOND: char = '2';

fn people() -> People {
    People::new(&[("admin", "admin", ADMIN, ""), ("first", "control", FIRST, ""), ("second", "control", SECOND, "")])
}

fn nothing_is_down(server: &Deskhand) -> bool {
    let windows = Windows::new(&server.display);
    windows.pressed_keys().is_empty() && windows.pointer().1.is_empty()
}

/// A controller in a long drag with a key held.
fn in_a_drag(server: &Deskhand) -> (Controller, Recorder) {
    let recorder = Recorder::open(&server.display);
    let mut controller = connect(server, FIRST);
    controller.must("key_down", json!({"text": "shift"}));
    controller.must("mouse_move", json!({"coordinate": [20, 20]}));
    controller.must("left_mouse_down", json!({}));
    assert!(!nothing_is_down(server));
    (controller, recorder)
}

#[test]
fn an_admin_takes_the_lease_at_once_and_nothing_of_the_loser_is_held_when_that_is_answered() {
    let people = people();
    let server = people.server(&[]);
    let (mut loser, _recorder) = in_a_drag(&server);
    let mut equal = connect(&server, SECOND);
    assert_eq!(equal.must_fail("lease.acquire", json!({})).0, "lease_held");
    assert_eq!(equal.must_fail("lease.acquire", json!({"force": true})).0, "forbidden");
    assert_eq!(equal.must_fail("mouse_move", json!({"coordinate": [5, 5]})).0, "lease_held", "refused, not queued");
    // One that runs, one that waits behind it, and a picture that waits for both.
    let running = loser.send("hold_key", json!({"text": "F5", "duration": 60}));
    let waiting = loser.send("left_click", json!({"coordinate": [5, 5]}));
    let mut admin = connect(&server, ADMIN);
    let begun = Instant::now();
    let taken = admin.must("lease.acquire", json!({"force": true}));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(taken["lease"]["holder"], "self");
    assert!(nothing_is_down(&server), "everything was released before the answer");
    for request in [running, waiting] {
        assert_eq!(loser.answer(request).unwrap_err()["data"]["kind"], "lease_held");
    }
    assert_eq!(loser.must_fail("left_click", json!({"coordinate": [5, 5]})).0, "lease_held");
    loser.must("screenshot", json!({"_meta": {"observe": null}}));
    assert_eq!(loser.must("status", json!({}))["lease"]["holder"], "other");
    assert_eq!(loser.must_fail("left_click", json!({"coordinate": [5, 5]})).0, "lease_held");
    admin.must("left_click", json!({"coordinate": [9, 9]}));
    admin.must("lease.release", json!({}));
    assert_eq!(loser.must_fail("left_click", json!({"coordinate": [5, 5]})).0, "stale_frame", "it has to look first");
    loser.must("screenshot", json!({"_meta": {"observe": null}}));
    loser.must("left_click", json!({"coordinate": [5, 5]}));
}

#[test]
fn a_halt_ends_releases_and_refuses_everything_until_an_admin_resumes() {
    let people = people();
    let server = people.server(&[]);
    let (mut controller, recorder) = in_a_drag(&server);
    let running = controller.send("type", json!({"text": "abc".repeat(100), "_meta": {"pace_ms": 500}}));
    recorder.wait_for("the text's first letter", |events| {
        events.iter().any(|event| matches!(event, Recorded::Key { down: true, keysym: 0x41 | 0x61, .. })).then_some(())
    });
    let mut admin = connect(&server, ADMIN);
    assert_eq!(admin.must("session.halt", json!({})), json!({"paused": false, "halted": true}));
    assert!(nothing_is_down(&server));
    let error = controller.answer(running).unwrap_err();
    assert_eq!((&error["data"]["kind"], &error["data"]["executed"]), (&json!("halted"), &json!("partial")), "{error}");
    assert!(error["data"]["typed"].as_u64().is_some_and(|typed| (1..300).contains(&typed)), "{error}");
    for (method, params) in
        [("screenshot", json!({})), ("left_click", json!({"coordinate": [1, 1]})), ("windows.list", json!({}))]
    {
        for session in [&mut controller, &mut admin] {
            assert_eq!(session.must_fail(method, params.clone()).0, "halted", "{method}");
        }
    }
    assert_eq!(controller.must("status", json!({}))["halted"], true);
    assert_eq!(controller.must_fail("session.resume", json!({})).0, "forbidden");
    admin.must("session.resume", json!({}));
    controller.must("left_click", json!({"coordinate": [1, 1]}));
}

#[test]
fn whoever_controls_may_pause_itself_and_looking_goes_on() {
    let people = people();
    let server = people.server(&[]);
    let (mut first, mut second) = (connect(&server, FIRST), connect(&server, SECOND));
    first.must("mouse_move", json!({"coordinate": [5, 5]}));
    assert_eq!(second.must_fail("session.pause", json!({})).0, "forbidden");
    // What has begun goes on to its end, what waits behind it does not begin.
    let (running, waiting) =
        (first.send("wait", json!({"duration": 1})), first.send("mouse_move", json!({"coordinate": [7, 7]})));
    assert_eq!(first.must("session.pause", json!({})), json!({"paused": true, "halted": false}));
    assert_eq!(first.answer(waiting).unwrap_err()["data"]["kind"], "paused");
    first.answer(running).unwrap();
    assert_eq!(first.must_fail("mouse_move", json!({"coordinate": [6, 6]})).0, "paused");
    first.must("screenshot", json!({}));
    assert_eq!(first.must_fail("session.resume", json!({})).0, "forbidden");
    connect(&server, ADMIN).must("session.resume", json!({}));
    first.must("mouse_move", json!({"coordinate": [6, 6]}));
}

#[test]
fn a_connection_resumes_its_half_dead_predecessor_and_nobody_elses() {
    let people = people();
    let server = people.server(&[]);
    let (mut dead, _recorder) = in_a_drag(&server);
    let session = dead.must("status", json!({}))["session"].clone();
    let hello = |session: &serde_json::Value| json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}, "resume": session});
    assert_eq!(connect(&server, SECOND).must_fail("initialize", hello(&session)).0, "not_found");
    assert_eq!(connect(&server, FIRST).must_fail("initialize", hello(&json!("0-1"))).0, "not_found");
    // A request that is on its way when the connection is given up is answered there or nowhere.
    dead.send("hold_key", json!({"text": "F5", "duration": 60}));
    let mut again = connect(&server, FIRST);
    again.must("initialize", hello(&session));
    assert_eq!(again.must("status", json!({}))["lease"]["holder"], "self");
    again.must("mouse_move", json!({"coordinate": [50, 50]}));
    assert!(nothing_is_down(&server));
    assert_eq!(dead.closed(), Some(1008));
    assert_eq!(again.must("status", json!({}))["in_flight"], 0);
}
