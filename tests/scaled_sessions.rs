//! Sessions whose pictures are smaller than a large display: sizes, looks, and where clicks land.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail")]

mod support;

use serde_json::{Value, json};
use support::{Controller, Deskhand, Recorded, Recorder, RecorderOptions};

const NATIVE: (u32, u32) = (3840, 2160);

/// The fits that models ask for, and the pictures that they make of the display: an edge of 1568 or 2576 pixels, 1.15 megapixels,
/// exact sizes, and the display's own.
fn fits() -> [(Value, (u32, u32)); 7] {
    [
        (json!("native"), NATIVE),
        (json!({"max_long_edge": 1568}), (1568, 882)),
        (json!({"max_long_edge": 2576}), (2576, 1449)),
        (json!({"max_pixels": 1_150_000}), (1429, 804)),
        (json!({"max_pixels": 3_750_000}), (2581, 1452)),
        (json!({"width": 1280, "height": 800}), (1280, 800)),
        (json!({"width": 1023, "height": 767}), (1023, 767)),
    ]
}

fn session(server: &Deskhand, screen: &Value) -> (Controller, Value) {
    let mut controller = Controller::connect(server);
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocol": "deskhand.v1", "client": client, "screen": screen});
    let answer = controller.must("initialize", params);
    (controller, answer)
}

/// The native pixel in the middle of a session's pixel: ⌊(at + ½) · native / session⌋.
fn middle(at: u32, native: u32, session: u32) -> i16 {
    i16::try_from((2 * at + 1) * native / (2 * session)).unwrap()
}

#[test]
fn clicks_land_on_the_middle_pixel_at_every_corner_of_a_4k_display() {
    let server = Deskhand::owned("3840x2160");
    let whole = RecorderOptions { rectangle: (0, 0, 3840, 2160), ..RecorderOptions::default() };
    let recorder = Recorder::open_with(&server.display, &whole);
    for (screen, (width, height)) in fits() {
        let (mut controller, answer) = session(&server, &screen);
        assert_eq!(answer["screen"], json!({"width": width, "height": height}), "{screen}");
        let (right, bottom) = (width - 1, height - 1);
        let places = [(0, 0), (right, 0), (0, bottom), (right, bottom), (width / 2, height / 2), (1, bottom - 1)];
        for (x, y) in places {
            let expected = (middle(x, NATIVE.0, width), middle(y, NATIVE.1, height));
            let result = controller.must("left_click", json!({"coordinate": [x, y]}));
            assert_eq!(result["cursor"], json!([x, y]), "{screen}: what is reported is what was asked for");
            recorder.wait_for("the click", |events| {
                let pressed = |event: &Recorded| match event {
                    Recorded::Button { down: true, x, y, .. } => Some((*x, *y)),
                    _ => None,
                };
                (events.iter().rev().find_map(pressed) == Some(expected)).then_some(())
            });
        }
        for outside in [[width, 0], [0, height]] {
            assert_eq!(controller.must_fail("left_click", json!({"coordinate": outside})).0, "out_of_range");
        }
        // The lease is for the next session.
        controller.abandon();
        let (mut next, _) = session(&server, &json!("native"));
        (0..10_000).find_map(|_| next.call("mouse_move", json!({"coordinate": [5, 5]})).ok()).expect("a free lease");
        next.abandon();
    }
}

#[test]
fn a_4k_picture_has_the_sessions_size_and_every_corner_in_its_place() {
    let server = Deskhand::owned("3840x2160");
    let corners = [((0, 0), 0xff_00_00), ((3640, 0), 0x00_ff_00), ((0, 1960), 0x00_00_ff), ((3640, 1960), 0xff_ff_00)];
    let _windows = corners.map(|((x, y), colour)| {
        let rectangle = (x, y, 200, 200);
        Recorder::open_with(&server.display, &RecorderOptions { rectangle, colour, ..RecorderOptions::default() })
    });
    for (screen, (width, height)) in fits() {
        let (mut controller, _) = session(&server, &screen);
        for meta in [json!({}), json!({"preset": "compact"}), json!({"format": "webp"})] {
            let picture = support::Picture::from_result(&controller.must("screenshot", json!({ "_meta": meta })));
            assert_eq!((picture.width, picture.height), (width, height), "{screen}");
            let (right, bottom) = (width - 1, height - 1);
            let found = [(0, 0), (right, 0), (0, bottom), (right, bottom)].map(|(x, y)| picture.pixel(x, y));
            assert_eq!(found, [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]], "{screen} {meta}");
        }
        // A zoom into the corner fills the session's screen as far as its proportions allow, with that corner alone.
        let region = json!([0, 0, width * 200 / NATIVE.0, height * 200 / NATIVE.1]);
        let zoomed = support::Picture::from_result(&controller.must("zoom", json!({ "region": region })));
        assert!(zoomed.width == width || zoomed.height == height, "{}×{}", zoomed.width, zoomed.height);
        assert_eq!(zoomed.colours(), 1, "{screen}: nothing from beside the region");
    }
}
