//! The wire contract through the real server: order, lease, attachments, pictures, limits, HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail")]

mod support;

use serde_json::{Value, json};
use support::{Controller, Deskhand, Picture, Recorded, Recorder, RecorderOptions};

const CLIENT: &str = r#"{"name":"test","version":"1"}"#;

/// The parameters of `initialize` with these beside the required ones.
fn initialize(more: &Value) -> Value {
    let mut params = json!({"protocol": "deskhand.v1", "client": serde_json::from_str::<Value>(CLIENT).unwrap()});
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    params
}

#[test]
fn initialize_says_who_where_and_what() {
    let server = Deskhand::owned("1024x768");
    let mut controller = Controller::connect(&server);
    let result =
        controller.must("initialize", initialize(&json!({"screen": {"width": 512, "height": 384}, "role": "control"})));
    assert_eq!(result["protocol"], "deskhand.v1");
    assert_eq!(result["role"], "control");
    assert_eq!(result["display"], json!({"name": server.display.name(), "epoch": 1, "width": 1024, "height": 768}));
    assert_eq!(result["screen"], json!({"width": 512, "height": 384}));
    assert_eq!(result["limits"]["message_bytes"], 262_144);
    let methods: Vec<_> = result["methods"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(methods.contains(&"subscribe") && !methods.contains(&"clipboard.read"), "{methods:?}");
    let picture = controller.screenshot();
    assert_eq!((picture.width, picture.height), (512, 384));
    assert_eq!(controller.must_fail("initialize", initialize(&json!({}))).0, "invalid_request");
}

#[test]
fn an_observer_sees_and_is_refused_input() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    controller.must("initialize", initialize(&json!({"role": "observe"})));
    assert_eq!(controller.must_fail("left_click", json!({})).0, "forbidden");
    assert_eq!(controller.screenshot().width, 320);
}

#[test]
fn the_first_to_act_controls_and_others_may_look() {
    let server = Deskhand::owned("320x240");
    let (mut first, mut second) = (Controller::connect(&server), Controller::connect(&server));
    first.must("mouse_move", json!({"coordinate": [10, 10]}));
    assert_eq!(first.must("status", json!({}))["lease"]["holder"], "self");
    assert_eq!(second.must("status", json!({}))["lease"]["holder"], "other");
    assert_eq!(second.must_fail("mouse_move", json!({"coordinate": [20, 20]})).0, "lease_held");
    assert_eq!(second.must("cursor_position", json!({}))["output"], "X=10,Y=10");
    assert_eq!(
        server.rpc(&json!({"jsonrpc": "2.0", "id": 1, "method": "left_click"}))["error"]["data"]["kind"],
        "lease_held"
    );
    first.abandon();
    // The session ends when the server reads the end of the stream; until then the lease is held, afterwards it is free.
    let moved = (0..10_000).find_map(|_| second.call("mouse_move", json!({"coordinate": [20, 20]})).ok());
    assert_eq!(moved.expect("a free lease")["cursor"], json!([20, 20]));
}

#[test]
fn a_picture_comes_after_the_sessions_earlier_actions_unless_it_asks_not_to() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    let waiting = controller.send("wait", json!({"duration": 0.4}));
    let ordered = controller.send("screenshot", json!({}));
    let at_once = controller.send("screenshot", json!({"_meta": {"observe": null}}));
    let order: Vec<u64> = (0..3).map(|_| controller.next_answered()).collect();
    assert_eq!(order, [at_once, waiting, ordered]);
}

#[test]
fn a_batch_runs_in_order_and_stops_at_its_first_failure() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    let result = controller.must(
        "batch",
        json!({"actions": [
            {"name": "mouse_move", "input": {"coordinate": [30, 40]}},
            {"name": "screenshot", "input": {}},
            {"name": "type", "input": {"text": "nobody listens on an empty screen"}},
            {"name": "mouse_move", "input": {"coordinate": [1, 1]}},
        ]}),
    );
    let results = result["results"].as_array().unwrap();
    assert_eq!(results[0]["result"]["cursor"], json!([30, 40]));
    assert_eq!(Picture::from_result(&results[1]["result"]).height, 240);
    assert_eq!(results[2]["error"]["data"], json!({"kind": "focus_lost", "executed": "no", "typed": 0}));
    assert_eq!(results[3]["error"]["message"], "Not executed: an earlier computer action in this turn failed.");
    assert_eq!(results[3]["error"]["data"]["kind"], "not_executed");
    assert_eq!(controller.must("cursor_position", json!({}))["cursor"], json!([30, 40]));
    assert_eq!(result["held"], json!({"keys": [], "buttons": []}));
}

#[test]
fn pictures_travel_as_binary_messages_where_asked_for() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    controller.must("initialize", initialize(&json!({"images": "attachment"})));
    let result = controller.must(
        "batch",
        json!({"actions": [{"name": "screenshot"}, {"name": "zoom", "input": {"region": [0, 0, 160, 120]}}]}),
    );
    let pictures: Vec<_> = result["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let bytes = controller.attachment(&entry["result"]);
            Picture::from_attachment(&entry["result"], &bytes)
        })
        .collect();
    assert!(
        pictures.iter().all(|picture| (picture.width, picture.height) == (320, 240)),
        "a zoom fills the screen's size"
    );
}

#[test]
fn an_unchanged_screen_is_told_in_a_word_and_a_changed_one_is_sent() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    let first = controller.must("screenshot", json!({}));
    let again = controller.must("screenshot", json!({"_meta": {"if_changed": first["frame"]}}));
    assert_eq!((&again["image"], &again["frame"]), (&json!({"unchanged": true}), &first["frame"]));
    let _window = Recorder::open_with(
        &server.display,
        &RecorderOptions { rectangle: (0, 0, 1, 1), colour: 0xff_00_00, ..RecorderOptions::default() },
    );
    let changed = controller.must("screenshot", json!({"_meta": {"if_changed": first["frame"]}}));
    assert_ne!(changed["frame"], first["frame"]);
    assert_eq!(Picture::from_result(&changed).pixel(0, 0), [255, 0, 0]);
}

#[test]
fn clicks_through_a_scaled_screen_land_on_the_middle_of_the_scaled_pixel() {
    let server = Deskhand::owned("1024x768");
    let recorder = Recorder::open_with(
        &server.display,
        &RecorderOptions { rectangle: (0, 0, 1024, 768), ..RecorderOptions::default() },
    );
    let mut controller = Controller::connect(&server);
    controller.must("initialize", initialize(&json!({"screen": {"width": 256, "height": 256}})));
    for (at, native) in [([0, 0], (2, 1)), ([255, 255], (1022, 766)), ([100, 50], (402, 151))] {
        assert_eq!(controller.must("left_click", json!({"coordinate": at}))["cursor"], json!(at));
        recorder.wait_for("the click", |events| {
            events
                .iter()
                .any(|event| matches!(event, Recorded::Button { down: true, x, y, .. } if (*x, *y) == native))
                .then_some(())
        });
    }
    let (kind, error) = controller.must_fail("left_click", json!({"coordinate": [256, 0]}));
    assert_eq!(kind, "out_of_range");
    assert!(error["message"].as_str().unwrap().contains("256 is outside 0..256"), "{error}");
}

#[test]
fn one_http_request_acts_and_leaves_nothing_behind() {
    let server = Deskhand::owned("320x240");
    let call = |method: &str, params: Value| {
        server.rpc(&json!({"jsonrpc": "2.0", "id": "x", "method": method, "params": params}))
    };
    assert_eq!(call("mouse_move", json!({"coordinate": [7, 8]}))["result"]["cursor"], json!([7, 8]));
    assert_eq!(Picture::from_result(&call("screenshot", json!({}))["result"]).width, 320);
    for method in ["left_mouse_down", "key_down", "mouse_down", "initialize", "subscribe"] {
        let params = match method {
            "key_down" => json!({"text": "a"}),
            "mouse_down" => json!({"button": "left"}),
            "initialize" => initialize(&json!({})),
            "subscribe" => json!({"events": ["frames"]}),
            _ => json!({}),
        };
        assert_eq!(call(method, params)["error"]["data"]["kind"], "unsupported", "{method}");
    }
    let picture = server.http(
        format!(
            "GET /v1/screenshot.png HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            server.address(),
            server.token
        )
        .as_bytes(),
    );
    assert!(picture.starts_with("HTTP/1.1 200") && picture.contains("image/png"), "{}", &picture[..200]);
}

#[test]
fn thirty_two_requests_may_wait_and_the_next_is_refused() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    let waiting: Vec<u64> = (0..32).map(|_| controller.send("wait", json!({"duration": 300}))).collect();
    assert_eq!(controller.must_fail("wait", json!({"duration": 0})).0, "overloaded");
    assert_eq!(controller.must("status", json!({}))["in_flight"], 32);
    for id in waiting.iter().rev() {
        assert_eq!(controller.must("cancel", json!({"id": id}))["cancelled"], true);
    }
    for id in waiting {
        assert_eq!(controller.answer(id).expect_err("cancelled")["data"]["kind"], "cancelled");
    }
    controller.must("wait", json!({"duration": 0}));
}

#[test]
fn an_id_in_flight_cannot_be_used_again() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    controller.send_raw(r#"{"jsonrpc":"2.0","id":"a","method":"wait","params":{"duration":300}}"#);
    controller.send_raw(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#);
    let refused = controller.raw_answer();
    assert_eq!((&refused["id"], &refused["error"]["data"]["kind"]), (&json!("a"), &json!("invalid_request")));
    assert_eq!(controller.must("cancel", json!({"id": "a"}))["cancelled"], true);
    assert_eq!(controller.raw_answer()["error"]["data"]["kind"], "cancelled");
}

#[test]
fn binary_messages_are_refused_and_the_connection_stays() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    controller.send_binary(b"{}");
    assert_eq!(controller.raw_answer()["error"]["data"]["kind"], "invalid_request");
    controller.must("ping", json!({}));
}

#[test]
fn drags_and_chords_are_counted_at_their_edges() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    let path = |points: usize| json!({ "path": vec![[5, 5]; points] });
    controller.must("drag", path(2));
    controller.must("drag", path(10_000));
    assert_eq!(controller.must_fail("drag", path(10_001)).0, "out_of_range");
    let _window = Recorder::open(&server.display);
    let chord = |keys: usize| json!({"text": vec!["a"; keys].join("+")});
    controller.must("key", chord(32));
    assert_eq!(controller.must_fail("key", chord(33)).0, "out_of_range");
    for wrong in ["0x0", "NoSymbol", "U+0000", "VoidSymbol"] {
        assert_eq!(controller.must_fail("key", json!({ "text": wrong })).0, "invalid_params", "{wrong}");
    }
}
