//! Secrets: typed by name, only where their rule allows, and found nowhere afterwards.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]

mod browser;
mod canaries;
mod desk;
mod keeping;
#[path = "../trust/people.rs"]
mod people;
mod pictures;
#[path = "../support/mod.rs"]
mod support;
mod taint;
mod typing;
