//! What an operator's policy forbids does not happen: methods, chords, places, windows, pictures of windows, and what needs a
//! person's consent.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]

mod confirm;
mod desk;
mod file;
mod masks;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod windows;
