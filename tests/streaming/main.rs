//! `subscribe`: the screen as differences, the pointer, and changes after an answer – paced, bounded, and exact.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::print_stderr, reason = "a test shows its figures")]

mod changed;
mod cost;
mod cursor;
mod displays;
mod frames;
#[path = "../trust/people.rs"]
mod people;
mod pipelined;
mod playing;
mod quota;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
mod video;
