//! Pictures in each format, and pictures that the client has already, through the real server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail")]

mod support;

use serde_json::{Value, json};
use support::{Controller, Deskhand, Picture, Recorder, RecorderOptions};

fn initialize(more: &Value) -> Value {
    let mut params = json!({"protocol": "deskhand.v1", "client": {"name": "test", "version": "1"}});
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    params
}

/// A window of one colour at a place.
fn square(server: &Deskhand, rectangle: (i16, i16, u16, u16), colour: u32) -> Recorder {
    Recorder::open_with(&server.display, &RecorderOptions { rectangle, colour, ..RecorderOptions::default() })
}

/// `_meta` for each way to encode a picture, the type of the file, and how far a colour may be from the true one.
fn encodings() -> Vec<(Value, &'static str, u8)> {
    vec![
        (json!({}), "image/png", 0),
        (json!({"format": "png"}), "image/png", 0),
        (json!({"format": "png", "preset": "fast"}), "image/png", 0),
        (json!({"preset": "compact"}), "image/png", 0),
        (json!({"format": "webp"}), "image/webp", 0),
        // Large areas of one colour come out of a JPEG nearly as they went in; only edges ring.
        (json!({"format": "jpeg"}), "image/jpeg", 100),
        (json!({"format": "jpeg", "quality": 100}), "image/jpeg", 10),
        (json!({"format": "jpeg", "quality": 1}), "image/jpeg", 255),
    ]
}

fn with(meta: &Value, more: &Value) -> Value {
    let mut both = meta.clone();
    for (key, value) in more.as_object().unwrap() {
        both[key] = value.clone();
    }
    json!({ "_meta": both })
}

#[test]
fn every_format_shows_the_screen_whichever_came_before() {
    let server = Deskhand::owned("320x240");
    let _window = square(&server, (50, 60, 100, 90), 0xd0_40_20);
    let mut controller = Controller::connect(&server);
    let truth = controller.screenshot();
    // Twice, and each after each other: the screen does not change, so a picture that is kept must be kept by its format.
    for (first, _, _) in encodings() {
        for (meta, mime, distance) in encodings() {
            controller.must("screenshot", with(&first, &json!({})));
            let result = controller.must("screenshot", with(&meta, &json!({})));
            assert_eq!(result["image"]["mime"], mime, "{meta}");
            let picture = Picture::from_result(&result);
            assert!(picture.distance(&truth) <= distance, "{meta} after {first}: {}", picture.distance(&truth));
        }
    }
}

#[test]
fn every_format_goes_with_everything_else_that_makes_a_picture() {
    let server = Deskhand::owned("320x240");
    let _window = square(&server, (0, 0, 160, 240), 0x10_80_f0);
    let mut scaled = Controller::connect(&server);
    scaled.must("initialize", initialize(&json!({"images": "attachment", "screen": {"width": 200, "height": 100}})));
    let mut plain = Controller::connect(&server);
    plain.must("mouse_move", json!({"coordinate": [80, 100]}));
    let cursor = json!({"cursor": true});
    let region = json!([100, 50, 220, 170]);
    let in_attachment = |controller: &mut Controller, method: &str, params: Value| {
        let result = controller.must(method, params);
        let bytes = controller.attachment(&result);
        (result["image"]["mime"].clone(), Picture::from_attachment(&result, &bytes))
    };
    let zoom = |meta: &Value| json!({"region": region, "_meta": meta});
    let native = plain.screenshot();
    let native_cursor = Picture::from_result(&plain.must("screenshot", with(&json!({}), &cursor)));
    assert!(native.distance(&native_cursor) > 0, "the pointer is drawn");
    let zoomed = Picture::from_result(&plain.must("zoom", zoom(&json!({}))));
    let small = in_attachment(&mut scaled, "screenshot", json!({})).1;
    assert_eq!((small.width, small.height), (200, 100));
    let rpc = |params: Value| {
        server.rpc(&json!({"jsonrpc": "2.0", "id": 1, "method": "screenshot", "params": params}))["result"].clone()
    };
    for (meta, mime, distance) in encodings() {
        let near = |what: &str, (found, picture): (Value, Picture), truth: &Picture| {
            assert_eq!(found, mime, "{what} {meta}");
            assert!(picture.distance(truth) <= distance, "{what} {meta}: {}", picture.distance(truth));
        };
        let read = |result: &Value| (result["image"]["mime"].clone(), Picture::from_result(result));
        near("scaled", in_attachment(&mut scaled, "screenshot", with(&meta, &json!({}))), &small);
        near("cursor", read(&plain.must("screenshot", with(&meta, &cursor))), &native_cursor);
        near("zoom", read(&plain.must("zoom", zoom(&meta))), &zoomed);
        near("http", read(&rpc(with(&meta, &json!({})))), &native);
        let actions = json!([{"name": "screenshot"}, {"name": "zoom", "input": {"region": region}}]);
        let batch = plain.must("batch", json!({"actions": actions, "_meta": meta}));
        near("batch", read(&batch["results"][0]["result"]), &native);
        near("batch", read(&batch["results"][1]["result"]), &zoomed);
    }
}

#[test]
fn quality_and_preset_change_the_bytes() {
    let server = Deskhand::owned("640x480");
    let _window = square(&server, (100, 100, 200, 200), 0xff_ff_ff);
    let mut controller = Controller::connect(&server);
    let mut bytes =
        |meta: Value| controller.must("screenshot", json!({ "_meta": meta }))["image"]["bytes"].as_u64().unwrap();
    let [worst, middle, best] = [1, 85, 100].map(|quality| bytes(json!({"format": "jpeg", "quality": quality})));
    assert!(worst < middle && middle < best, "{worst}, {middle}, {best}");
    assert_eq!(middle, bytes(json!({"format": "jpeg"})), "85 when nothing is said");
    assert!(bytes(json!({"preset": "compact"})) < bytes(json!({})));
}

#[test]
fn what_does_not_go_together_is_refused_and_nothing_is_done() {
    let server = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&server);
    let frame = controller.must("screenshot", json!({}))["frame"].clone();
    let changed = |region: Value| json!({"if_changed": {"frame": frame, "region": region}});
    for (meta, kind, says) in [
        (json!({"format": "gif"}), "invalid_params", "gif"),
        (json!({"format": "jpeg", "quality": 0}), "out_of_range", "quality = 0 is outside 1..=100"),
        (json!({"format": "jpeg", "quality": 101}), "out_of_range", "quality = 101 is outside 1..=100"),
        (json!({"format": "jpeg", "quality": "85"}), "invalid_params", "quality"),
        (json!({"quality": 85}), "invalid_params", "leave quality out or ask for jpeg"),
        (json!({"format": "png", "quality": 85}), "invalid_params", "the format is png"),
        (json!({"format": "webp", "quality": 85}), "invalid_params", "the format is webp"),
        (json!({"format": "jpeg", "preset": "fast"}), "invalid_params", "leave preset out or ask for png"),
        (json!({"format": "webp", "preset": "compact"}), "invalid_params", "the format is webp"),
        (json!({"preset": "tiny"}), "invalid_params", "tiny"),
        (changed(json!([0, 0, 321, 10])), "out_of_range", "x1 = 321 is outside 1..=320"),
        (changed(json!([10, 10, 10, 20])), "out_of_range", "x1 = 10 is outside 11..=320"),
        (changed(json!([10, 20, 30, 5])), "out_of_range", "y1 = 5"),
        (changed(json!([-1, 0, 10, 10])), "out_of_range", "x0 = -1"),
        (changed(json!([0, 0, 10])), "invalid_params", "region"),
        (json!({"if_changed": {"frame": frame}}), "invalid_params", "region"),
    ] {
        // The move comes first in the batch, and does not happen either.
        let actions = json!([{"name": "mouse_move", "input": {"coordinate": [7, 7]}}, {"name": "screenshot"}]);
        for (method, mut params) in [("screenshot", json!({})), ("batch", json!({ "actions": actions }))] {
            params["_meta"] = meta.clone();
            let (found, error) = controller.must_fail(method, params);
            assert_eq!(found, kind, "{meta}: {error}");
            assert_eq!(error["data"]["executed"], "no");
            assert!(error["message"].as_str().unwrap().contains(says), "{meta}: {error}");
        }
    }
    assert_ne!(controller.must("cursor_position", json!({}))["cursor"], json!([7, 7]));
}

#[test]
fn a_region_that_looks_as_it_did_is_unchanged_whatever_happens_beside_it() {
    let server = Deskhand::owned("1024x768");
    let mut controller = Controller::connect(&server);
    controller.must("initialize", initialize(&json!({"screen": {"width": 512, "height": 384}})));
    let first = controller.must("screenshot", json!({}))["frame"].clone();
    // Two tiles of sixteen rows, in the middle of the left half.
    let _window = square(&server, (256, 320, 64, 32), 0xff_00_00);
    let mut ask = |frame: &Value, region: [u32; 4], method: &str| {
        let mut params = json!({"_meta": {"if_changed": {"frame": frame, "region": region}}});
        if method == "zoom" {
            params["region"] = json!([0, 0, 10, 10]);
        }
        let result = controller.must(method, params);
        (result["image"] == json!({"unchanged": true}), result["frame"].clone())
    };
    // The session's pixels are two native ones wide.
    let (inside, beside, around) = ([128, 160, 160, 176], [0, 0, 128, 384], [0, 0, 512, 384]);
    let (unchanged, second) = ask(&first, beside, "screenshot");
    assert!(unchanged);
    assert_ne!(second, first, "the answer says which frame it is now");
    assert_eq!(ask(&first, beside, "zoom"), (true, second.clone()));
    for region in [inside, around, [127, 159, 129, 161]] {
        assert_eq!(ask(&first, region, "screenshot"), (false, second.clone()), "{region:?}");
        assert_eq!(ask(&second, region, "screenshot"), (true, second.clone()), "{region:?}");
    }
    let _other = square(&server, (900, 700, 10, 10), 0x00_ff_00);
    let (unchanged, third) = ask(&second, inside, "screenshot");
    assert!(unchanged && third != second);
    assert!(!ask(&first, inside, "screenshot").0, "it has changed since that frame, and not back");
    for frame in ["2-1", "0-1", "1-0", "1-999999"] {
        assert!(!ask(&json!(frame), beside, "screenshot").0, "nothing is known about {frame}");
    }
}
