//! Who may act, and how much: tokens, the lease, pause and halt, keys that run once, limits.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::print_stderr, reason = "a soak shows its figures")]

mod at_most_once;
mod audit;
mod control;
mod limits;
mod peers;
mod people;
mod strict;
#[path = "../support/mod.rs"]
mod support;
mod tickets;
mod tokens;
mod told;
