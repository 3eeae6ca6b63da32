//! `changed`: a picture that an answer has called settled is not the screen any more.

use serde_json::{Value, json};

use crate::{
    support::{Controller, Deskhand, Part::Draw, Reactor},
    video::Video,
};

fn serial(frame: &Value) -> u64 {
    frame.as_str().and_then(|frame| frame.strip_prefix("1-")).expect("a frame").parse().unwrap()
}

#[test]
fn a_change_after_the_answer_is_told_and_one_before_it_is_not() {
    let server = Deskhand::owned("320x240");
    let reaction = [0xff_0000, 0x00_ff00].map(|color| Draw(([40, 40, 60, 30], color)));
    let _reactor = Reactor::start(&server.display, &reaction);
    let outside = Video::on(&server.display);
    let (mut hand, mut watching) = (Controller::connect(&server), Controller::connect(&server));
    watching.must("subscribe", json!({"events": ["changed"]}));
    for color in [0x11_2233, 0x44_5566] {
        let result = hand.must("left_click", json!({"coordinate": [200, 150], "_meta": {"observe": {}}}));
        assert!(result.get("settled").is_some(), "{result}");
        watching.must("ping", json!({}));
        assert_eq!(watching.waiting_events(), 0, "what the action does until its answer is not told");
        outside.fill([250, 200, 20, 20], color);
        let event = watching.event(|event| event["type"] == "changed");
        assert!(serial(&event["frame"]) > serial(&result["frame"]), "{event} after {}", result["frame"]);
        assert_eq!(hand.must("screenshot", json!({}))["frame"], event["frame"]);
    }
}
