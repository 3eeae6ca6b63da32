//! A fault under the filter is a fault like any other.

use serde_json::json;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ConnectionExt as _, KeyButMask},
};

use super::{
    faulty,
    support::{Controller, Deskhand, Display, PATIENCE, Xvfb, display::shrink},
};

/// The place behind which the faulty server panics.
const PANIC: [i32; 2] = [1, 1];

/// Whether a button is down on a display, as its server says.
fn is_anything_down(display: &Display) -> bool {
    let connection = display.connect();
    let root = connection.setup().roots[0].root;
    let mask = connection.query_pointer(root).unwrap().reply().unwrap().mask;
    mask.contains(KeyButMask::BUTTON1)
}

#[test]
fn a_panic_in_an_action_releases_what_is_held_and_the_server_goes_on() {
    // With a backtrace, which reads files and looks for symbols.
    let mut program = faulty();
    program.env("RUST_BACKTRACE", "full");
    let server = Deskhand::owned_by(program, "320x240", &["--sandbox=require"]);
    let mut controller = Controller::connect(&server);
    controller.must("left_mouse_down", json!({}));
    assert!(is_anything_down(&server.display));
    let (kind, error) = controller.must_fail("mouse_move", json!({ "coordinate": PANIC }));
    assert_eq!(kind, "internal", "{error}");
    assert!(error["message"].as_str().unwrap().contains("the fault that was asked for"), "{error}");
    assert!(!is_anything_down(&server.display));
    assert_eq!(controller.must("status", json!({}))["held"]["buttons"], json!([]));
    controller.must("left_click", json!({"coordinate": [20, 20]}));
    assert!(server.log().contains("stack backtrace"), "{}", server.log());
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn a_panic_that_ends_the_server_releases_what_is_held_and_is_an_internal_fault() {
    let xvfb = Xvfb::start("640x480");
    let mut program = faulty();
    program.env("DESKHAND_FAULTY_OPENING", "2");
    let mut server = Deskhand::attached_by(program, &xvfb.display, &["--sandbox=require"]);
    let mut controller = Controller::connect(&server);
    controller.must("left_mouse_down", json!({}));
    assert!(is_anything_down(&xvfb.display));
    // The display is opened for the second time.
    shrink(&xvfb.display, 400, 300);
    let status = server.exited(PATIENCE).expect("the end of the server");
    assert_eq!(status.code(), Some(70), "{}", server.log());
    assert!(!is_anything_down(&xvfb.display));
}
