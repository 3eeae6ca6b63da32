//! `paste`: the text arrives exactly, the clipboard is given back, and an application that does not take the text is told.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::print_stderr, reason = "a test shows its times")]

mod applications;
mod arrival;
mod giving_back;
mod owners;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
mod texts;
