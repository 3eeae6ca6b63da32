//! What the toolkits make of clicks, drags, the wheel and keys: GTK 3, Qt 5, Tk and Chromium, each with a real window that
//! tells what it received.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::float_cmp, reason = "the wheel turns by whole notches, which floats hold exactly")]
#![allow(clippy::print_stderr, reason = "tests of times show their figures")]

#[path = "../support/mod.rs"]
mod support;

mod clicks;
mod drags;
mod keys;
mod names;
mod pointer;
mod probe;
mod subject;
mod text;
