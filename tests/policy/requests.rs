//! What a request alone tells: methods, chords, the clipboard; and places, with the screen.

use serde_json::{Value, json};

use super::{
    desk::{Desk, METHODS},
    support::{Picture, Recorded, recorder},
};

#[test]
fn a_method_that_is_not_listed_does_nothing_however_it_is_called() {
    let mut desk = Desk::new(r#"methods = ["left_click", "batch", "key", "key_down"]"#);
    let click = json!({"coordinate": [50, 50]});
    for (method, params, index) in [
        ("click", click.clone(), Value::Null),
        ("type", json!({"text": "a"}), Value::Null),
        ("screenshot", json!({}), Value::Null),
        ("windows.list", json!({}), Value::Null),
        ("task.begin", json!({}), Value::Null),
        ("subscribe", json!({"events": ["frames"]}), Value::Null),
        ("computer", json!({"action": "type", "text": "a"}), Value::Null),
        ("left_click", json!({"coordinate": [50, 50], "_meta": {"observe": {}}}), Value::Null),
        (
            "batch",
            json!({"actions": [{"name": "left_click", "input": click}, {"name": "type", "input": {"text": "a"}}]}),
            json!(1),
        ),
        (
            "batch",
            json!({"actions": [{"name": "computer", "input": {"action": "mouse_move", "coordinate": [1, 1]}}]}),
            json!(0),
        ),
    ] {
        let (kind, error) = desk.controller.must_fail(method, params);
        assert_eq!((kind.as_str(), &error["data"]["executed"]), ("forbidden", &json!("no")), "{method}: {error:#}");
        assert_eq!(error["data"]["index"], index, "{method}: {error:#}");
    }
    let answer = desk.server.rpc(&json!({"jsonrpc": "2.0", "id": 1, "method": "type", "params": {"text": "a"}}));
    assert_eq!(answer["error"]["data"]["kind"], "forbidden", "{answer}");
    let host = desk.server.address();
    let request = format!(
        "GET /v1/screenshot.png HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        desk.server.token
    );
    let answer = desk.server.http(request.as_bytes());
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(desk.is_untouched());
    desk.controller.must("computer", json!({"action": "left_click", "coordinate": [50, 50]}));
    assert_eq!(recorder::buttons(&desk.recorder.everything()).len(), 2);
    desk.controller.must("key_down", json!({"text": "shift"}));
    desk.controller.must("key_up", json!({"text": "shift"}));
    desk.controller.must("status", json!({}));
}

#[test]
fn a_denied_chord_is_not_pressed_in_any_order_by_any_alias_and_on_any_way() {
    let mut desk = Desk::new(&format!("{METHODS}deny_chords = [\"ctrl+alt+*\", \"ctrl+1\", \"super\"]\n"));
    for chord in
        ["ctrl+alt+t", "Alt_L+Control_L+t", "t+ctrl+option", "ctrl+Meta_R+F1", "cmd", "Super_R+l", "ctrl+numpad1"]
    {
        for (method, params) in [
            ("key", json!({"text": format!("a {chord}")})),
            ("hold_key", json!({"text": chord, "duration": 0})),
            ("key_down", json!({"text": chord})),
            ("left_click", json!({"text": chord})),
            ("scroll", json!({"text": chord, "scroll_direction": "up", "scroll_amount": 1})),
        ] {
            let message = desk.must_be_forbidden(method, params);
            assert!(message.contains("deny_chords"), "{message}");
        }
    }
    // The key of `1` by the other symbol that it has.
    desk.must_be_forbidden("key", json!({"text": "ctrl+exclam"}));
    assert!(desk.is_untouched());
    desk.controller.must("key", json!({"text": "ctrl+t alt+t"}));
    assert!(!desk.is_untouched());
}

#[test]
fn a_chord_is_denied_however_its_keys_come_to_be_down_and_letting_go_is_not() {
    let mut desk = Desk::new(&format!("{METHODS}deny_chords = [\"ctrl+alt+*\"]\n"));
    let key = |name: &str, text: &str| json!({"name": name, "input": {"text": text}});
    for last in
        [key("key", "t"), key("key_down", "t"), json!({"name": "hold_key", "input": {"text": "t", "duration": 0}})]
    {
        desk.controller.must("key_down", json!({"text": "Alt_R"}));
        let actions = json!([key("key_down", "ctrl"), last]);
        let result = desk.controller.must("batch", json!({ "actions": actions }));
        assert_eq!(result["results"][1]["error"]["data"]["kind"], "forbidden", "{result:#}");
        assert_eq!(result["results"][1]["error"]["data"]["executed"], "no", "{result:#}");
        assert_eq!(result["held"], json!({"keys": [], "buttons": []}), "a refusal leaves nothing pressed");
    }
    let seen = desk.recorder.everything();
    let letter = |event: &&Recorded| matches!(event, Recorded::Key { keysym: 0x74 | 0x54, .. });
    assert_eq!(seen.iter().filter(letter).count(), 0, "{seen:#?}");
    // A text is no chord: what is held goes up before it.
    desk.controller.must("key_down", json!({"text": "ctrl+alt"}));
    desk.controller.must("type", json!({"text": "t"}));
    desk.controller.must("key_up", json!({"text": "ctrl+alt"}));
}

#[test]
fn pointer_actions_land_in_a_region_or_are_not_begun() {
    let mut desk = Desk::new(&format!("{METHODS}regions = [[100, 100, 200, 200], [300, 100, 400, 200]]\n"));
    for (method, params) in [
        ("left_click", json!({"coordinate": [99, 150]})),
        ("left_click", json!({"coordinate": [200, 150]})),
        ("mouse_move", json!({"coordinate": [150, 200]})),
        ("scroll", json!({"scroll_direction": "up", "scroll_amount": 1, "coordinate": [250, 150]})),
        ("left_click_drag", json!({"start_coordinate": [150, 150], "coordinate": [350, 250]})),
        ("drag", json!({"path": [[150, 150], [160, 90], [170, 150]]})),
        // From one region to the other, and so through what is between them.
        ("left_click_drag", json!({"start_coordinate": [150, 150], "coordinate": [350, 150]})),
        // The pointer is at the middle of the screen now.
        ("left_click", json!({})),
        ("left_mouse_down", json!({})),
        ("left_click_drag", json!({"coordinate": [150, 150]})),
    ] {
        let message = desk.must_be_forbidden(method, params);
        assert!(message.contains("regions"), "{message}");
    }
    let click = |x| json!({"name": "left_click", "input": {"coordinate": [x, 150]}});
    let (kind, error) = desk.controller.must_fail("batch", json!({"actions": [click(150), click(250)]}));
    assert_eq!((kind.as_str(), &error["data"]["index"]), ("forbidden", &json!(1)), "{error:#}");
    assert!(desk.is_untouched());
    desk.controller.must("left_click", json!({"coordinate": [100, 100]}));
    desk.controller.must("left_click", json!({}));
    desk.controller.must("drag", json!({"path": [[399, 199], [300, 100]]}));
    desk.controller.must("key", json!({"text": "a"}));
    assert_eq!(recorder::buttons(&desk.recorder.everything()).len(), 6);
    // In a session whose pictures are smaller, regions are still native pixels.
    let mut half = super::support::Controller::connect(&desk.server);
    let hello =
        json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}, "screen": {"max_long_edge": 320}});
    desk.controller.must("lease.release", json!({}));
    half.must("initialize", hello);
    half.must("left_click", json!({"coordinate": [75, 75]}));
    assert_eq!(half.must_fail("left_click", json!({"coordinate": [150, 150]})).0, "forbidden");
    assert_eq!(Picture::from_result(&half.must("screenshot", json!({}))).width, 320);
}

#[test]
fn the_clipboard_is_off_unless_the_policy_turns_it_on() {
    let mut desk = Desk::new(METHODS);
    let message = desk.must_be_forbidden("paste", json!({"text": "a"}));
    assert!(message.contains("clipboard = true"), "{message}");
    let (_, error) =
        desk.controller.must_fail("batch", json!({"actions": [{"name": "paste", "input": {"text": "a"}}]}));
    assert_eq!(error["data"]["index"], 0);
    assert!(desk.is_untouched());
}
