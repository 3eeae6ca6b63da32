//! What the server has given up, that it works all the same, and that nobody else is confined.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::print_stderr, reason = "a test that this machine cannot run says so")]

mod forbidden;
mod ordinary_user;
mod panics;
mod processes;
mod product;
mod refusals;
#[path = "../support/mod.rs"]
mod support;

use std::{fs, process::Command};

use support::Deskhand;

/// `deskhand` with faults behind some places of the pointer.
fn faulty() -> Command {
    Command::new(Deskhand::faulty())
}

/// What a server on this kernel calls its sandbox.
fn whole_sandbox() -> &'static str {
    if deskhand::sandbox::landlock_is_offered() { "seccomp+landlock" } else { "seccomp" }
}

/// A field of `/proc/…/status`.
fn field(status: &str, name: &str) -> String {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}

fn status_of(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/status")).unwrap()
}

/// A server that is confined as far as anything is.
fn confined(size: &str, arguments: &[&str]) -> Deskhand {
    Deskhand::owned_with(size, &[&["--sandbox=require"], arguments].concat())
}
