//! What is wrong is refused, with what is right.

use serde_json::{Value, json};

use crate::support::{Controller, Deskhand};

#[test]
fn each_mistake_has_its_typed_error() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    let mut refused = |params: Value, kind: &str, part: &str| {
        let (found, error) = controller.must_fail("wait_for", params.clone());
        let message = error["message"].as_str().unwrap();
        assert_eq!((found.as_str(), &error["data"]["executed"]), (kind, &json!("no")), "{params}: {error}");
        assert!(message.contains(part), "{params}: {message}");
    };
    for (params, part) in [
        (json!({"timeout_ms": 10}), "exactly one"),
        (json!({"change": {}, "window": {"class": "a"}, "timeout_ms": 10}), "exactly one"),
        (json!({"change": {}}), "timeout_ms"),
        (json!({"change": true, "timeout_ms": 10}), "change"),
        (json!({"change": {"regions": []}, "timeout_ms": 10}), "regions"),
        (json!({"change": {"since": "latest"}, "timeout_ms": 10}), "1-42"),
        (json!({"change": {"region": [1, 2, 3]}, "timeout_ms": 10}), "region"),
        (json!({"stable": {}, "timeout_ms": 10}), "quiet_ms"),
        (json!({"window": {}, "timeout_ms": 10}), "window names no window"),
        (json!({"window": {"class": ""}, "timeout_ms": 10}), "empty"),
        (json!({"window": {"gone": 1, "class": "a"}, "timeout_ms": 10}), "gone"),
        (json!({"until": {}, "timeout_ms": 10}), "until"),
        (json!({"change": {}, "timeout_ms": 10, "_meta": {"observe": {}}}), "observe"),
        (json!({"change": {}, "timeout_ms": 10, "_meta": {"expect_window": {"class": "a"}}}), "expect_window"),
    ] {
        refused(params, "invalid_params", part);
    }
    for (params, part) in [
        (json!({"change": {}, "timeout_ms": 0}), "1..=300000"),
        (json!({"change": {}, "timeout_ms": 300_001}), "1..=300000"),
        (json!({"stable": {"quiet_ms": 0}, "timeout_ms": 10}), "1..=5000"),
        (json!({"stable": {"quiet_ms": 5001}, "timeout_ms": 10}), "1..=5000"),
        (json!({"change": {"region": [0, 0, 321, 10]}, "timeout_ms": 10}), "x1 = 321"),
        (json!({"stable": {"quiet_ms": 5, "region": [10, 10, 10, 20]}, "timeout_ms": 10}), "x1 = 10"),
        (json!({"change": {"since": "1-4711"}, "timeout_ms": 10}), "1-4711"),
    ] {
        refused(params, "out_of_range", part);
    }
    let (kind, _) = controller.must_fail("windows.list", json!({"all": true}));
    assert_eq!(kind, "invalid_params");
    let batch = json!({"actions": [{"name": "wait_for", "input": {"change": {}, "timeout_ms": 1}}]});
    let (kind, error) = controller.must_fail("batch", batch);
    assert_eq!((kind.as_str(), &error["data"]["index"]), ("invalid_params", &json!(0)), "it is no action");
}
