//! How much a user may do, on however many connections.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::{
    people::{People, connect, token},
    support::Deskhand,
};

/// One `POST /v1/rpc` of whoever has this letter's token.
fn rpc(server: &Deskhand, letter: char, method: &str, params: &Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let (address, token, length) = (server.address(), token(letter), body.len());
    let request = format!(
        "POST /v1/rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let answer = server.http(request.as_bytes());
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap_or_default()).unwrap_or_else(|_| panic!("{answer}"))
}

#[test]
fn fifty_clients_that_share_a_token_share_its_window() {
    let people = People::new(&[("crowd", "control", '1', "limits = { requests = 20, window_minutes = 60 }")]);
    let server = people.server(&[]);
    let outcomes: Vec<Value> = thread::scope(|scope| {
        // Eight connections without a token may be open at once.
        let clients: Vec<_> = (0..5)
            .map(|_| {
                let server = &server;
                scope.spawn(move || -> Vec<Value> {
                    (0..10).map(|_| rpc(server, '1', "cursor_position", &json!({}))).collect()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let (admitted, refused): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| outcome["result"].is_object());
    assert_eq!((admitted.len(), refused.len()), (20, 30));
    for outcome in refused {
        let data = &outcome["error"]["data"];
        assert_eq!(data["kind"], "rate_limited", "{outcome}");
        assert!(
            data["retry_after_ms"].as_u64().is_some_and(|wait| (3_500_000..=3_600_000).contains(&wait)),
            "{outcome}"
        );
    }
    // Letting go and stopping are never refused.
    let mut controller = connect(&server, '1');
    controller.must("status", json!({}));
    controller.must("left_mouse_up", json!({}));
}

#[test]
fn a_task_has_its_turns_and_where_tasks_are_required_nothing_acts_without_one() {
    let people = People::new(&[("loop", "control", '1', "limits = { max_turns = 3 }")]);
    let server = people.server(&["--require-task"]);
    let mut controller = connect(&server, '1');
    let click = json!({"coordinate": [5, 5]});
    assert_eq!(controller.must_fail("left_click", click.clone()).0, "task_required");
    controller.must("screenshot", json!({}));
    let begun = controller.must("task.begin", json!({"objective": "o", "purpose": "p", "max_turns": 50}));
    assert_eq!(controller.must_fail("task.begin", json!({})).0, "conflict");
    controller.must("left_click", click.clone());
    let batch = json!({"actions": [{"name": "left_click", "input": click}, {"name": "left_click", "input": click}]});
    controller.must("batch", batch);
    assert_eq!(rpc(&server, '1', "screenshot", &json!({}))["error"], Value::Null, "looking is no turn");
    controller.must("left_click", click.clone());
    assert_eq!(controller.must_fail("left_click", click.clone()).0, "task_limit");
    let ended = controller.must("task.end", json!({"success": true, "summary": "s"}));
    assert_eq!((&ended["task"], &ended["turns"]), (&begun["task"], &json!(3)));
    assert_eq!(controller.must_fail("left_click", click).0, "task_required");
}

#[test]
fn a_months_tokens_are_counted_over_a_kill_and_refuse_input_when_they_are_spent() {
    let people = People::new(&[("loop", "control", '1', "limits = { monthly_tokens = 1000 }")]);
    let state = tempfile::tempdir().unwrap();
    let arguments = ["--state", state.path().to_str().unwrap()];
    let server = people.server(&arguments);
    let mut controller = connect(&server, '1');
    assert_eq!(
        controller.must("usage.check", json!({"estimated_tokens": 1001})),
        json!({"allowed": false, "remaining": 1000})
    );
    let report = |tokens: u64| json!({"model": "m", "input_tokens": tokens, "output_tokens": 1});
    assert_eq!(controller.must("usage.report", report(600))["used"], 601);
    controller.must("left_click", json!({"coordinate": [5, 5]}));
    server.kill_everything();
    let server = people.server(&arguments);
    let mut controller = connect(&server, '1');
    let usage = controller.must("usage.get", json!({}));
    assert_eq!((&usage["used"], &usage["limit"]), (&json!(601), &json!(1000)));
    assert_eq!(
        controller.must("usage.report", report(500))["used"],
        1102,
        "what was used is counted, over the quota too"
    );
    let (kind, error) = controller.must_fail("left_click", json!({"coordinate": [5, 5]}));
    assert_eq!((kind.as_str(), &error["data"]["remaining_tokens"]), ("quota_exceeded", &json!(0)));
    controller.must("screenshot", json!({}));
}

#[test]
fn pictures_are_counted_by_their_bytes_and_one_that_does_not_fit_is_not_sent() {
    let people = People::new(&[("viewer", "control", '1', "limits = { image_bytes = 2500 }")]);
    let server = people.server(&[]);
    let mut viewer = connect(&server, '1');
    let zoom = json!({"region": [0, 0, 32, 24]});
    let bytes = viewer.must("zoom", zoom.clone())["image"]["bytes"].as_u64().unwrap();
    for _ in 1..2500 / bytes {
        viewer.must("zoom", zoom.clone());
    }
    let (kind, error) = viewer.must_fail("zoom", zoom);
    assert_eq!(kind, "rate_limited", "{bytes} bytes a picture");
    assert!(error["data"]["retry_after_ms"].as_u64().is_some());
    // What an action did stays done where its picture is refused.
    let observed = json!({"coordinate": [9, 9], "_meta": {"observe": {"react_ms": 0}}});
    let (kind, error) = viewer.must_fail("mouse_move", observed);
    assert_eq!((kind.as_str(), &error["data"]["executed"]), ("rate_limited", &json!("yes")));
}

#[test]
fn a_session_that_asks_for_nothing_is_ended() {
    let people =
        People::new(&[("idler", "control", '1', "limits = { idle_seconds = 1 }"), ("other", "control", '2', "")]);
    let server = people.server(&[]);
    let mut idler = connect(&server, '1');
    idler.must("mouse_move", json!({"coordinate": [5, 5]}));
    // What works is not idle.
    idler.must("wait", json!({"duration": 1.5}));
    let mut other = connect(&server, '2');
    assert_eq!(other.must_fail("mouse_move", json!({"coordinate": [6, 6]})).0, "lease_held");
    assert_eq!(idler.closed(), Some(1008));
    let begun = std::time::Instant::now();
    while other.call("mouse_move", json!({"coordinate": [6, 6]})).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(5), "the lease stays with a session that has ended");
    }
}
