//! `observe`: the answer comes with the picture of what the action has done, whatever that takes, and says why it was the moment.
//!
//! The programs here react as they are told (`support/reactor.rs`); `tests/settle` measures real ones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail")]

mod support;

use serde_json::{Value, json};
use support::{Controller, Deskhand, Part, Part::Compute, Part::Draw, Part::Sleep, Picture, Reactor, reactor::Shape};

const CLICK: [u16; 2] = [200, 150];
const RED: u32 = 0xff_0000;
const BLUE: u32 = 0x00_00ff;
const BOX: [u16; 4] = [40, 40, 60, 30];
const SHOWN: Shape = (BOX, BLUE);

struct Scene {
    controller: Controller,
    reactor: Reactor,
    _server: Deskhand,
}

impl Scene {
    fn new(reaction: &[Part]) -> Self {
        let server = Deskhand::owned("320x240");
        let reactor = Reactor::start(&server.display, reaction);
        Self { controller: Controller::connect(&server), reactor, _server: server }
    }

    fn click(&mut self, meta: &Value) -> Value {
        self.controller.must("left_click", json!({"coordinate": CLICK, "_meta": meta}))
    }
}

fn reason(result: &Value) -> &str {
    result["settled"]["reason"].as_str().unwrap_or("none")
}

/// Whether the box has this colour.
fn shows(result: &Value, color: u32) -> bool {
    let [_, red, green, blue] = color.to_be_bytes();
    Picture::from_result(result).pixel(u32::from(BOX[0]) + 5, u32::from(BOX[1]) + 5) == [red, green, blue]
}

#[test]
fn an_action_that_is_observed_is_answered_with_what_it_has_done() {
    let mut scene = Scene::new(&[Draw((BOX, RED)), Sleep(30), Draw(SHOWN)]);
    let result = scene.click(&json!({"observe": {}}));
    assert_eq!(reason(&result), "quiet", "{}", result["settled"]);
    assert!(shows(&result, BLUE), "the second step is in the picture");
    assert!(result["settled"]["waited_ms"].as_u64().unwrap() >= 64);
    assert!(result["timing"]["settle_us"].as_u64().unwrap() > 0);
    assert!(result["held"]["buttons"].as_array().unwrap().is_empty());
}

#[test]
fn work_without_a_sign_on_the_screen_is_waited_for() {
    let mut scene = Scene::new(&[Compute(600), Draw(SHOWN)]);
    let result = scene.click(&json!({"observe": {}}));
    assert_eq!((reason(&result), shows(&result, BLUE)), ("quiet", true), "{}", result["settled"]);
}

#[test]
fn nothing_is_told_as_nothing() {
    let mut scene = Scene::new(&[]);
    let result = scene.click(&json!({"observe": {}}));
    scene.reactor.done();
    assert_eq!(reason(&result), "unchanged", "{}", result["settled"]);
    assert!(result["settled"]["waited_ms"].as_u64().unwrap() >= 250);
    let result = scene.click(&json!({"observe": {"react_ms": 0}}));
    assert_eq!(reason(&result), "unchanged");
}

#[test]
fn a_timer_leaves_no_sign_and_an_expected_change_is_waited_for() {
    let mut scene = Scene::new(&[Sleep(900), Draw(SHOWN)]);
    let result = scene.click(&json!({"observe": {"expect": "change"}}));
    assert_eq!((reason(&result), shows(&result, BLUE)), ("quiet", true), "{}", result["settled"]);
    let mut scene = Scene::new(&[]);
    let result = scene.click(&json!({"observe": {"expect": "change", "timeout_ms": 400}}));
    assert_eq!(reason(&result), "timeout");
}

#[test]
fn a_screen_that_never_settles_is_told_as_such() {
    let steps = (0..200).flat_map(|step| [Draw((BOX, step * 3)), Sleep(20)]).collect::<Vec<_>>();
    let mut scene = Scene::new(&steps);
    let result = scene.click(&json!({"observe": {"timeout_ms": 700}}));
    assert_eq!(reason(&result), "timeout");
    let waited = result["settled"]["waited_ms"].as_u64().unwrap();
    assert!((700..5000).contains(&waited), "{waited}");
}

#[test]
fn a_pause_between_steps_is_waited_for_by_whoever_knows_of_it() {
    let steps = [Draw((BOX, RED)), Sleep(200), Draw(SHOWN)];
    let mut scene = Scene::new(&steps);
    let result = scene.click(&json!({"observe": {"quiet_ms": 320}}));
    assert_eq!((reason(&result), shows(&result, BLUE)), ("quiet", true), "{}", result["settled"]);
}

#[test]
fn only_what_changes_in_the_region_and_not_in_what_is_ignored_counts() {
    let elsewhere = [200, 100, 50, 50];
    let steps = (1..=100).flat_map(|step| [Draw((elsewhere, step * 2)), Sleep(20)]);
    let steps: Vec<Part> = [Draw(SHOWN)].into_iter().chain(steps).collect();
    // The edges lie inside tiles that change all the time.
    for observe in [json!({"region": [20, 20, 200, 240]}), json!({"ignore": [[200, 100, 250, 150], [0, 0, 1, 1]]})] {
        let mut scene = Scene::new(&steps);
        let result = scene.click(&json!({"observe": observe}));
        assert_eq!((reason(&result), shows(&result, BLUE)), ("quiet", true), "{}", result["settled"]);
        let mut scene = Scene::new(&steps[1..]);
        let result = scene.click(&json!({"observe": observe}));
        assert_eq!(reason(&result), "unchanged", "{}", result["settled"]);
    }
}

#[test]
fn a_picture_after_an_action_waits_for_its_effect_and_the_next_does_not() {
    let mut scene = Scene::new(&[Compute(400), Draw(SHOWN)]);
    let acted = scene.click(&json!({}));
    assert_eq!((reason(&acted), acted.get("image")), ("none", None));
    let result = scene.controller.must("screenshot", json!({}));
    assert_eq!((reason(&result), shows(&result, BLUE)), ("quiet", true), "{}", result["settled"]);
    let result = scene.controller.must("screenshot", json!({}));
    assert_eq!(reason(&result), "none", "nobody has acted since");
    scene.click(&json!({}));
    let zoom = json!({"region": [0, 0, 100, 100]});
    assert_ne!(reason(&scene.controller.must("zoom", zoom)), "none");
    scene.click(&json!({}));
    let at_once = scene.controller.must("screenshot", json!({"_meta": {"observe": null}}));
    assert_eq!(reason(&at_once), "none");
}

#[test]
fn a_session_can_do_without() {
    let mut scene = Scene::new(&[]);
    let initialize = json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}, "observe": null});
    scene.controller.must("initialize", initialize);
    scene.click(&json!({}));
    assert_eq!(reason(&scene.controller.must("screenshot", json!({}))), "none");
    assert_eq!(reason(&scene.controller.must("screenshot", json!({"_meta": {"observe": {}}}))), "unchanged");
}

#[test]
fn a_session_can_set_how_its_pictures_wait() {
    let mut scene = Scene::new(&[]);
    let observe = json!({"expect": "change", "timeout_ms": 400});
    let initialize = json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}, "observe": observe});
    scene.controller.must("initialize", initialize);
    scene.click(&json!({}));
    assert_eq!(reason(&scene.controller.must("screenshot", json!({}))), "timeout");
    scene.click(&json!({}));
    let own = json!({"_meta": {"observe": {"react_ms": 1}}});
    assert_eq!(reason(&scene.controller.must("screenshot", own)), "unchanged", "one picture may say otherwise");
}

#[test]
fn a_batch_is_observed_at_its_end() {
    let mut scene = Scene::new(&[Compute(200), Draw(SHOWN)]);
    let actions = json!([{"name": "mouse_move", "input": {"coordinate": [10, 10]}}, {"name": "left_click", "input": {"coordinate": CLICK}}]);
    let result = scene.controller.must("batch", json!({"actions": actions, "_meta": {"observe": {}}}));
    let results = result["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["result"].get("settled").is_none()), "{results:?}");
    let observation = &result["observation"];
    assert_eq!((reason(observation), shows(observation, BLUE)), ("quiet", true), "{}", observation["settled"]);
    let result = scene.controller.must("batch", json!({"actions": actions}));
    assert!(result.get("observation").is_none());
}

#[test]
fn the_picture_can_be_left_out() {
    let mut scene = Scene::new(&[Draw(SHOWN)]);
    let result = scene.click(&json!({"observe": {"image": false}}));
    assert_eq!((reason(&result), result.get("image")), ("quiet", None));
}

#[test]
fn what_is_wrong_is_refused_before_anything_is_done() {
    let mut scene = Scene::new(&[]);
    for (observe, kind) in [
        (json!({"region": [0, 0, 321, 10]}), "out_of_range"),
        (json!({"region": [10, 10, 10, 20]}), "out_of_range"),
        (json!({"ignore": [[20, 20, 10, 10]]}), "out_of_range"),
        (json!({"react_ms": 10_001}), "out_of_range"),
        (json!({"quiet_ms": -1}), "out_of_range"),
        (json!({"timeout_ms": 0}), "out_of_range"),
        (json!({"expect": "nothing"}), "invalid_params"),
        (json!({"patience": 1}), "invalid_params"),
        (json!(true), "invalid_params"),
    ] {
        let params = json!({"coordinate": CLICK, "_meta": {"observe": observe}});
        let (found, error) = scene.controller.must_fail("left_click", params);
        assert_eq!((found.as_str(), &error["data"]["executed"]), (kind, &json!("no")), "{observe}");
    }
    for method in ["ping", "status", "display.info", "cursor_position"] {
        let (kind, _) = scene.controller.must_fail(method, json!({"_meta": {"observe": {}}}));
        assert_eq!(kind, "invalid_params", "{method}");
    }
    let pointer = scene.controller.must("cursor_position", json!({}))["cursor"].clone();
    assert_ne!(pointer, json!(CLICK), "the pointer has not been moved");
}

#[test]
fn a_wait_ends_with_its_cancel_and_its_deadline() {
    let mut scene = Scene::new(&[]);
    let waiting = json!({"observe": {"expect": "change", "timeout_ms": 60_000}});
    let id = scene.controller.send("left_click", json!({"coordinate": CLICK, "_meta": waiting}));
    // The action is done when the program has reacted; the wait has begun or is about to.
    scene.reactor.done();
    assert_eq!(scene.controller.must("cancel", json!({"id": id}))["cancelled"], true);
    let error = scene.controller.answer(id).unwrap_err();
    assert_eq!((&error["data"]["kind"], &error["data"]["executed"]), (&json!("cancelled"), &json!("yes")), "{error}");
    let mut limited = waiting;
    limited["deadline_ms"] = json!(300);
    let (kind, error) = scene.controller.must_fail("left_click", json!({"coordinate": CLICK, "_meta": limited}));
    assert_eq!((kind.as_str(), &error["data"]["executed"]), ("deadline_exceeded", &json!("yes")));
    assert_eq!(
        reason(&scene.click(&json!({"observe": {"react_ms": 1}}))),
        "unchanged",
        "the next one is as good as new"
    );
}

#[test]
fn what_is_used_is_told() {
    let mut scene = Scene::new(&[]);
    let evidence = scene.controller.must("display.info", json!({}))["evidence"].clone();
    let names: Vec<&str> = evidence.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"pixels") && names.contains(&"damage"), "{names:?}");
}
