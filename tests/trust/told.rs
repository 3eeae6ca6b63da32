//! Who is told what sessions do.

use std::net::TcpStream;

use serde_json::{Value, json};

use super::{
    people::{People, connect, token},
    support::{Controller, Deskhand, PATIENCE, Recorder},
};

const ADMIN: char = 'a';
const FIRST: char = '1';
const SECOND: char = '2';

fn people() -> People {
    People::new(&[("boss", "admin", ADMIN, ""), ("first", "control", FIRST, ""), ("second", "control", SECOND, "")])
}

fn session(controller: &mut Controller) -> Value {
    controller.must("status", json!({}))["session"].clone()
}

#[test]
fn whoever_subscribes_to_the_lease_is_told_who_has_it() {
    let people = people();
    let server = people.server(&[]);
    let (mut first, mut second) = (connect(&server, FIRST), connect(&server, SECOND));
    let mut observer = connect(&server, FIRST);
    observer.must("subscribe", json!({"events": ["lease"]}));
    let mut next = |holder: Value| {
        let event = observer.event(|event| event["type"] == "lease");
        assert_eq!((&event["holder_user"], &event["subscription"]), (&holder, &json!(1)), "{event}");
        event["epoch"].as_u64().unwrap()
    };
    let free = next(Value::Null);
    first.must("mouse_move", json!({"coordinate": [5, 5]}));
    let taken = next(json!("first"));
    first.must("lease.release", json!({}));
    let given_back = next(Value::Null);
    second.must("lease.acquire", json!({}));
    let other = next(json!("second"));
    assert!(free < taken && taken < given_back && given_back < other);
    second.abandon();
    next(Value::Null);
    // Who subscribes later is told how it is by then.
    first.must("mouse_move", json!({"coordinate": [6, 6]}));
    next(json!("first"));
    let mut late = connect(&server, SECOND);
    late.must("subscribe", json!({"events": ["lease"]}));
    assert_eq!(late.event(|event| event["type"] == "lease")["holder_user"], "first");
}

#[test]
fn an_admin_is_told_what_others_do_without_what_they_type_and_nobody_else_is() {
    let people = people();
    let server = people.server(&[]);
    let _focus = Recorder::open(&server.display);
    let (mut admin, mut first, mut second) =
        (connect(&server, ADMIN), connect(&server, FIRST), connect(&server, SECOND));
    assert_eq!(second.must_fail("subscribe", json!({"events": ["lease", "actions"]})).0, "forbidden");
    let hello = json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}, "role": "control"});
    let mut lowered = connect(&server, ADMIN);
    lowered.must("initialize", hello);
    assert_eq!(lowered.must_fail("subscribe", json!({"events": ["actions"]})).0, "forbidden");
    admin.must("subscribe", json!({"events": ["actions"]}));
    let (of_first, of_second) = (session(&mut first), session(&mut second));
    first.must("task.begin", json!({"objective": "hush"}));
    first.must("wait", json!({"duration": 0.05}));
    first.must("key", json!({"text": "ctrl+a"}));
    first.must_fail("left_click", json!({"coordinate": [9999, 1]}));
    second.must_fail("type", json!({"text": "hush"}));
    second.must("screenshot", json!({}));
    second.must_fail("session.halt", json!({}));
    for (session, user, method, outcome) in [
        (&of_first, "first", "task.begin", "success"),
        (&of_first, "first", "wait", "success"),
        (&of_first, "first", "key", "success"),
        (&of_first, "first", "left_click", "out_of_range"),
        (&of_second, "second", "type", "lease_held"),
        (&of_second, "second", "screenshot", "success"),
        (&of_second, "second", "session.halt", "forbidden"),
    ] {
        let event = admin.event(|event| event["type"] == "actions");
        let took = event["duration_us"].as_u64().unwrap();
        let expected = json!({
            "subscription": 1, "type": "actions", "session": session, "user": user, "method": method, "outcome": outcome,
            "duration_us": took,
        });
        assert_eq!(event, expected);
        assert!(method != "wait" || took >= 50_000, "{event}");
    }
}

/// Far more than the sockets between the server and a reader with a small window hold.
const REQUESTS: u64 = 30_000;
const AT_ONCE: u64 = 500;

/// An admin who takes little before it reads.
fn slow_admin(server: &Deskhand) -> Controller {
    let stream = TcpStream::connect(server.address()).unwrap();
    // Smaller than a segment of loopback, and TCP itself would wait for minutes to fill it.
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 65_536).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let authorization = format!("Bearer {}", token(ADMIN));
    Controller::upgrade(Box::new(stream), &server.address().to_string(), &[("authorization", &authorization)]).unwrap()
}

#[test]
fn a_reader_of_actions_who_is_slow_is_told_how_many_are_missing() {
    let people = people();
    let server = people.server(&[]);
    let mut admin = slow_admin(&server);
    admin.must("subscribe", json!({"events": ["actions"]}));
    let mut busy = connect(&server, FIRST);
    for _ in 0..REQUESTS / AT_ONCE {
        let sent: Vec<u64> = (0..AT_ONCE).map(|_| busy.send("session.halt", json!({}))).collect();
        for id in sent {
            assert!(busy.answer(id).is_err());
        }
    }
    // It waits for nobody, and what comes last is not what is missing.
    busy.must("lease.release", json!({}));
    let (mut told, mut missed) = (0, 0);
    loop {
        let event = admin.event(|event| event["type"] == "actions");
        missed += event["missed"].as_u64().unwrap_or_default();
        if event["method"] == "lease.release" {
            break;
        }
        told += 1;
    }
    eprintln!("{told} told, {missed} missing");
    assert_eq!(told + missed, REQUESTS);
    assert!(told > 0 && missed > 0, "{told} told, {missed} missing");
    // Who has caught up misses nothing more, and its answers were never in the way.
    busy.must_fail("session.halt", json!({}));
    assert_eq!(admin.event(|event| event["type"] == "actions")["missed"], Value::Null);
    admin.must("ping", json!({}));
}
