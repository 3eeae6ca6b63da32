//! What operators see: metrics of a running server, probes, the rules and the dashboard that are made of them, and logs that no
//! peer can flood.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]

mod counted;
mod egress;
mod logs;
mod probes;
mod prometheus;
mod queries;
mod scrape;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;

use support::Deskhand;

/// A server with an address for probes.
fn server(arguments: &[&str]) -> Deskhand {
    Deskhand::owned_with("640x480", &[&["--probe-listen", "127.0.0.1:0"], arguments].concat())
}

/// One of the files that are there to be used.
fn shipped(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/observability").join(name)
}
