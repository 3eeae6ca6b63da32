//! `wait_for` and `windows.list` on real X servers: with openbox and without a window manager.
//!
//! A wait has begun when what was asked for after it is answered by the same thread of the server; so nothing here sleeps.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::needless_pass_by_value, reason = "a call reads as `now(json!({…}))`")]
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod client;
mod events;
mod list;
mod screen;
mod tracker;
mod window;
