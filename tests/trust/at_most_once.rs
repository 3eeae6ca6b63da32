//! A request with a key runs at most once, whatever becomes of its connection.

use serde_json::{Value, json};

use super::{
    people::{People, connect},
    support::{Controller, Deskhand, Recorded, Recorder},
};

fn presses(recorder: &Recorder) -> usize {
    recorder.everything().iter().filter(|event| matches!(event, Recorded::Button { down: true, button: 1, .. })).count()
}

fn click(key: &str) -> Value {
    json!({"coordinate": [30, 30], "_meta": {"request_key": key}})
}

#[test]
fn a_click_that_is_sent_again_is_answered_again_and_not_done_again() {
    let server = Deskhand::owned("640x480");
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    let first = controller.must("left_click", click("one"));
    assert_eq!(first["replayed"], Value::Null);
    controller.abandon();
    let mut again = Controller::connect(&server);
    let replayed = again.must("left_click", click("one"));
    assert_eq!(replayed["replayed"], true);
    assert_eq!(replayed["cursor"], first["cursor"]);
    let status = again.must("status", json!({"request_key": "one"}));
    assert_eq!(
        (&status["request"]["state"], &status["request"]["result"]["cursor"]),
        (&json!("done"), &first["cursor"])
    );
    let (kind, error) = again.must_fail("left_click", json!({"coordinate": [31, 30], "_meta": {"request_key": "one"}}));
    assert_eq!((kind.as_str(), &error["data"]["executed"]), ("conflict", &json!("no")));
    assert_eq!(again.must("status", json!({"request_key": "never"}))["request"]["state"], "not_started");
    again.must("left_click", click("two"));
    assert_eq!(presses(&recorder), 2);
}

#[test]
fn a_picture_is_left_out_of_what_is_answered_again() {
    let server = Deskhand::owned("640x480");
    let mut controller = Controller::connect(&server);
    let observed = json!({"coordinate": [30, 30], "_meta": {"request_key": "one", "observe": {"react_ms": 0}}});
    assert!(controller.must("left_click", observed.clone())["image"]["data"].is_string());
    let replayed = controller.must("left_click", observed);
    assert_eq!((&replayed["replayed"], &replayed["image"]), (&json!(true), &Value::Null));
}

#[test]
fn a_task_that_is_begun_again_is_the_same_task() {
    let server = Deskhand::owned("640x480");
    let mut controller = Controller::connect(&server);
    let params = json!({"objective": "o", "_meta": {"request_key": "task"}});
    let begun = controller.must("task.begin", params.clone());
    let again = controller.must("task.begin", params);
    assert_eq!((&again["task"], &again["replayed"]), (&begun["task"], &json!(true)));
}

#[test]
fn what_another_start_of_the_server_did_is_unknown_and_nothing_runs() {
    let server = Deskhand::owned("640x480");
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    let meta = json!({"request_key": "one", "boot": "0123456789abcdef"});
    let (kind, error) = controller.must_fail("left_click", json!({"coordinate": [30, 30], "_meta": meta}));
    assert_eq!((kind.as_str(), &error["data"]["executed"]), ("conflict", &json!("unknown")));
    controller.must("mouse_move", json!({"coordinate": [40, 40]}));
    assert_eq!(presses(&recorder), 0);
}

/// The ordinary run's share of the twenty thousand of the long one.
const ACTIONS: u32 = 400;

/// Clicks with keys over connections that break at random, each sent until its outcome is known: done or unknown, never twice.
fn clicks_over_breaking_connections(count: u32) {
    let people = People::new(&[("loop", "control", '1', ""), ("spare", "control", '2', "")]);
    let server = people.server(&[]);
    let recorder = Recorder::open(&server.display);
    let (mut controller, mut done, mut broken) = (connect(&server, '1'), 0, 0);
    for number in 0..count {
        let params = click(&number.to_string());
        controller.send("left_click", params.clone());
        // Some connections break with the request on its way, some after it has been carried out, some not at all.
        if number % 3 == 0 {
            controller.abandon();
            controller = connect(&server, '1');
            broken += 1;
        }
        let outcome = loop {
            match controller.call("left_click", params.clone()) {
                // The first sending still runs, or its session has not ended yet.
                Err(error) if ["conflict", "lease_held"].contains(&error["data"]["kind"].as_str().unwrap()) => {}
                outcome => break outcome,
            }
        };
        let state = controller.must("status", json!({"request_key": number.to_string()}))["request"]["state"].clone();
        assert_eq!(state, "done", "{number}: {outcome:?}");
        done += usize::from(outcome.is_ok());
    }
    let effects = presses(&recorder);
    eprintln!("{count} clicks, {broken} broken connections: {done} done, {effects} effects");
    // What was cancelled by the end of its connection may have been carried out in part, and is said to have failed.
    assert!(effects >= done && effects <= usize::try_from(count).unwrap(), "{done} done, {effects} effects of {count}");
    assert!(done > effects / 2);
}

#[test]
fn no_click_happens_twice_over_connections_that_break() {
    clicks_over_breaking_connections(ACTIONS);
}

#[test]
#[ignore = "soak: some minutes"]
fn no_click_of_twenty_thousand_happens_twice_over_connections_that_break() {
    clicks_over_breaking_connections(20_000);
}
