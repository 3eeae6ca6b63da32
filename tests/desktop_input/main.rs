//! The input half of a desktop on a real Xvfb: what an application receives, and what is left pressed when things go wrong.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]

mod actions;
mod auto_repeat;
mod faults;
mod freeze;
mod keymap;
#[path = "../support/mod.rs"]
mod support;
mod typing;

use deskhand::{
    desktop::{
        Desktop,
        failure::{InputError, Performed},
        input::Input,
        permit::Permit,
    },
    plan::{gesture::Gesture, step::ButtonNumber},
    protocol::units::NativePoint,
};

use support::{Recorded, Recorder, RecorderOptions, Windows, Xvfb, recorder};

const LEFT: ButtonNumber = ButtonNumber(1);

/// A server, a desktop on it, and a window that fills the screen and answers pings.
struct Scene {
    // Dropped in this order: the desktop's threads end before its server does.
    desktop: Desktop,
    recorder: Recorder,
    xvfb: Xvfb,
}

impl Scene {
    fn new() -> Self {
        let xvfb = Xvfb::start("640x480");
        let recorder = focused_recorder(&xvfb);
        let desktop = Desktop::open(&xvfb.target()).unwrap();
        Self { desktop, recorder, xvfb }
    }

    fn perform(&self, gesture: Gesture) -> Result<Performed, InputError> {
        perform(self.desktop.input(), gesture)
    }
}

fn perform(input: &Input, gesture: Gesture) -> Result<Performed, InputError> {
    input.perform(gesture, Permit::default()).blocking_recv().expect("the input thread answers everything")
}

fn point(x: u16, y: u16) -> NativePoint {
    NativePoint { x, y }
}

fn click(at: NativePoint, count: u8) -> Gesture {
    Gesture::Click { at: Some(at), button: LEFT, count, held: None }
}

/// A window over the whole screen that answers pings, with the focus on it, and nothing recorded yet.
fn focused_recorder(xvfb: &Xvfb) -> Recorder {
    focused_recorder_with(xvfb, &RecorderOptions::default())
}

fn focused_recorder_with(xvfb: &Xvfb, options: &RecorderOptions) -> Recorder {
    let recorder = Recorder::open_with(&xvfb.display, options);
    Windows::new(&xvfb.display).focus(recorder.window);
    // The pointer is in the new window, and the focus came.
    recorder.everything();
    recorder.take_events();
    recorder
}

/// The buttons that the window has received, with their direction.
fn clicks(recorder: &Recorder) -> Vec<(u8, bool)> {
    recorder::buttons(&recorder.everything()).into_iter().map(|(down, button, _, _)| (button, down)).collect()
}

/// The text that the window has received, as the application understood it.
fn received(recorder: &Recorder) -> String {
    recorder::typed(&recorder.everything())
}

/// Everything that is pressed, as the server sees it: keycodes, and the mask of modifiers and buttons.
fn pressed(xvfb: &Xvfb) -> (Vec<u8>, u16) {
    let windows = Windows::new(&xvfb.display);
    (windows.pressed_keys(), windows.pressed_mask())
}

fn is_press(recorded: &Recorded) -> bool {
    matches!(recorded, Recorded::Key { down: true, .. })
}
