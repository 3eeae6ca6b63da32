//! What the tests share: the server as a child process or in the test's own, a plain Xvfb, a controller on the WebSocket,
//! and applications that tell what they received.
//!
//! Everything here waits for events with a limit and never sleeps for readiness; everything that is started is ended, by
//! process id, and waited for.
#![allow(dead_code, reason = "each test program uses its own part of the support")]
#![allow(unused_imports, reason = "each test program uses its own part of the support")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(unreachable_pub, reason = "the support is a module of each test program, and public to it")]
#![allow(clippy::needless_pass_by_value, reason = "a call reads as `call(method, json!({…}))`")]
#![allow(clippy::print_stderr, reason = "a failed test shows the server's log")]

use std::time::Duration;

pub mod applications;
pub mod controller;
pub mod desk;
pub mod deskhand;
pub mod display;
pub mod files;
pub mod in_process;
pub mod managed;
pub mod page;
pub mod painter;
pub mod picture;
pub mod process;
pub mod reactor;
pub mod recorder;
pub mod recorder_window;
pub mod texts;
pub mod xlib_keymap;
pub mod xvfb;

pub use applications::{Chromium, Mousepad, Xterm};
pub use controller::{Controller, Refused};
pub use deskhand::Deskhand;
pub use display::{Display, Windows};
pub use managed::{Browser, Managed};
pub use page::{Page, PageEvent};
pub use painter::Painter;
pub use picture::Picture;
pub use process::Process;
pub use reactor::{Part, Reactor};
pub use recorder::{Recorded, Recorder};
pub use recorder_window::RecorderOptions;
pub use xvfb::Xvfb;

/// How long anything may take before a test gives up: generous, because it only ends tests that fail. A browser that starts
/// for the first time on a busy machine of two cores needs up to 15 s.
pub const PATIENCE: Duration = Duration::from_secs(45);
