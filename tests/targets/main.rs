//! Input reaches the window that it is for, or the answer says why not: expected windows, focus that moves in the middle of a
//! text, keyboards and pointers that other programs hold, menus and pop-ups.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]

mod expected;
mod focus;
mod grabs;
mod menus;
mod office;
mod other;
mod pointer;
mod popups;
mod program;
#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;
use support::{Controller, Deskhand, Recorder, RecorderOptions, Windows, recorder};

/// A server with a display of its own, and a window with the focus that fills the screen.
struct Scene {
    // Dropped in this order: what uses the display goes first.
    controller: Controller,
    recorder: Recorder,
    server: Deskhand,
}

impl Scene {
    fn new() -> Self {
        Self::with(&RecorderOptions { title: "Editor – notes.txt", class: "Editor", ..RecorderOptions::default() })
    }

    fn with(options: &RecorderOptions) -> Self {
        let server = Deskhand::owned("640x480");
        let recorder = Recorder::open_with(&server.display, options);
        Windows::new(&server.display).focus(recorder.window);
        recorder.everything();
        recorder.take_events();
        Self { controller: Controller::connect(&server), recorder, server }
    }

    /// The text that the window has received.
    fn received(&self) -> String {
        recorder::typed(&self.recorder.everything())
    }

    /// Whether the window has received any key or button.
    fn is_untouched(&self) -> bool {
        let seen = self.recorder.everything();
        recorder::buttons(&seen).is_empty() && !seen.iter().any(|seen| matches!(seen, support::Recorded::Key { .. }))
    }
}

/// The error's `data`.
fn data(error: &Value) -> &Value {
    &error["data"]
}
