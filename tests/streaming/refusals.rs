//! What is wrong is refused with its kind, and changes nothing.

use serde_json::{Value, json};

use crate::{
    support::{Controller, Deskhand, Viewer},
    video::Video,
};

fn refused(controller: &mut Controller, method: &str, params: Value, expected: &str) {
    let shown = params.to_string();
    let (kind, error) = controller.must_fail(method, params);
    assert_eq!((kind.as_str(), &error["data"]["executed"]), (expected, &json!("no")), "{method} {shown}: {error}");
}

#[test]
fn a_subscription_to_what_there_is_not_is_refused() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    for (params, kind) in [
        (json!({"events": ["sounds"]}), "invalid_params"),
        (json!({"events": ["frames", "Frames"]}), "invalid_params"),
        (json!({"events": ["frames", "frames"]}), "invalid_params"),
        (json!({"events": []}), "invalid_params"),
        (json!({"events": "frames"}), "invalid_params"),
        (json!({"events": {"frames": true}}), "invalid_params"),
        (json!({"events": [null]}), "invalid_params"),
        (json!({}), "invalid_params"),
        (json!({"events": ["frames"], "pace": 5}), "invalid_params"),
        (json!({"events": ["frames"], "_meta": {"observe": {}}}), "invalid_params"),
        (json!({"events": ["egress"]}), "unsupported"),
        (json!({"events": ["frames", "egress"]}), "unsupported"),
    ] {
        refused(&mut controller, "subscribe", params, kind);
    }
    assert_eq!(controller.must("subscribe", json!({"events": ["changed"]}))["subscription"], 1, "none was opened");
}

#[test]
fn only_frames_that_were_sent_are_acknowledged_each_once_and_in_order() {
    let server = Deskhand::owned("320x240");
    let (mut viewer, mut other) = (Viewer::connect(&server), Viewer::connect(&server));
    let video = Video::on(&server.display);
    let first = viewer.receive()["serial"].clone();
    video.fill([0, 0, 9, 9], 0xff_0000);
    let second = viewer.receive()["serial"].clone();
    let quiet = viewer.controller.must("subscribe", json!({"events": ["changed"]}))["subscription"].clone();
    for (subscription, serial, kind) in [
        (&viewer.subscription, json!(second.as_u64().unwrap() + 1), "out_of_range"),
        (&viewer.subscription, json!(0), "out_of_range"),
        (&viewer.subscription, json!(-1), "out_of_range"),
        (&viewer.subscription, json!(1e300), "out_of_range"),
        (&viewer.subscription, json!(1.5), "invalid_params"),
        (&viewer.subscription, json!("1"), "invalid_params"),
        (&viewer.subscription, json!(null), "invalid_params"),
        (&quiet, first.clone(), "invalid_params"),
        (&json!(99), first.clone(), "not_found"),
        (&json!(0), first.clone(), "not_found"),
        (&json!(-7), first.clone(), "not_found"),
        (&json!("one"), first.clone(), "invalid_params"),
    ] {
        let params = json!({"subscription": subscription, "serial": serial});
        refused(&mut viewer.controller, "frames.ack", params, kind);
    }
    // What another subscription has been sent, this one has not.
    let third = {
        other.next_frame();
        video.fill([100, 100, 9, 9], 0x00_ff00);
        loop {
            let serial = other.next_frame()["serial"].clone();
            if serial.as_u64() > second.as_u64() {
                break serial;
            }
        }
    };
    let params = json!({"subscription": viewer.subscription, "serial": third});
    refused(&mut viewer.controller, "frames.ack", params, "out_of_range");
    viewer.acknowledge(&second).unwrap();
    for backwards in [&second, &first] {
        let params = json!({"subscription": viewer.subscription, "serial": backwards});
        refused(&mut viewer.controller, "frames.ack", params, "out_of_range");
    }
    // All that was refused has changed nothing.
    let next = viewer.next_frame();
    assert!(next["serial"].as_u64() >= third.as_u64(), "{next}");
}

#[test]
fn a_connection_has_eight_subscriptions_and_its_own() {
    let server = Deskhand::owned("320x240");
    let (mut first, mut second) = (Controller::connect(&server), Controller::connect(&server));
    for number in 1..=8 {
        let subscribed = first.must("subscribe", json!({"events": ["frames", "cursor", "changed"]}));
        assert_eq!(subscribed["subscription"], number);
    }
    refused(&mut first, "subscribe", json!({"events": ["cursor"]}), "overloaded");
    for (method, params) in [
        ("unsubscribe", json!({"subscription": 1})),
        ("frames.ack", json!({"subscription": 1, "serial": 1})),
        ("unsubscribe", json!({"subscription": -1})),
    ] {
        refused(&mut second, method, params, "not_found");
    }
    first.must("unsubscribe", json!({"subscription": 3}));
    assert_eq!(first.must("subscribe", json!({"events": ["cursor"]}))["subscription"], 9);
    // Each has its own pace: all of them get their first frame.
    for number in [1, 2, 4, 5, 6, 7, 8] {
        first.event(|event| event["type"] == "frames" && event["subscription"] == number);
    }
}

#[test]
fn who_may_look_may_subscribe_and_one_http_request_may_not() {
    let server = Deskhand::owned("320x240");
    let mut observer = Controller::connect(&server);
    let client = json!({"name": "t", "version": "1"});
    observer.must("initialize", json!({"protocol": "deskhand.v1", "client": client, "role": "observe"}));
    assert_eq!(Viewer::on(observer).next_frame()["full"], true);
    for (method, params) in [
        ("subscribe", json!({"events": ["frames"]})),
        ("unsubscribe", json!({"subscription": 1})),
        ("frames.ack", json!({"subscription": 1, "serial": 1})),
    ] {
        let answer = server.rpc(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        assert_eq!(answer["error"]["data"]["kind"], "unsupported", "{answer}");
    }
}
