//! `changed`: a picture that an answer has called settled is not the screen any more.

use serde_json::{Value, json};

use crate::support::{
    Controller, Deskhand,
    Part::{Draw, Sleep},
    Reactor,
};

const BOX: [u16; 4] = [40, 40, 60, 30];

fn serial(frame: &Value) -> u64 {
    frame.as_str().and_then(|frame| frame.strip_prefix("1-")).expect("a frame").parse().unwrap()
}

#[test]
fn a_change_after_the_answer_is_told_and_one_before_it_is_not() {
    let server = Deskhand::owned("320x240");
    // The pause is longer than what quiet means; nothing on the display tells that something will follow.
    let mut reactor = Reactor::start(&server.display, &[Draw((BOX, 0xff_0000)), Sleep(600), Draw((BOX, 0x00_00ff))]);
    let (mut hand, mut watching) = (Controller::connect(&server), Controller::connect(&server));
    watching.must("subscribe", json!({"events": ["changed"]}));
    let click = json!({"coordinate": [200, 150], "_meta": {"observe": {}}});
    let result = hand.must("left_click", click.clone());
    assert_eq!(result["settled"]["reason"], "quiet", "{}", result["settled"]);
    watching.must("ping", json!({}));
    assert_eq!(watching.waiting_events(), 0, "what the answer shows is not told");
    reactor.done();
    let event = watching.event(|event| event["type"] == "changed");
    assert!(serial(&event["frame"]) > serial(&result["frame"]), "{event} after {}", result["frame"]);
    assert_eq!(hand.must("screenshot", json!({}))["frame"], event["frame"]);
    // The next action changes the screen itself, until its own answer.
    let result = hand.must("left_click", click);
    watching.must("ping", json!({}));
    assert_eq!(watching.waiting_events(), 0, "{}", result["settled"]);
}
