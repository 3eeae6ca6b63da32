//! One source for each violation, and some that only look like one.

use super::violations;

fn caught(name: &str, source: &str, wording: &str) {
    let found = violations(name, source);
    assert_eq!(found.len(), 1, "{name}: {source}: {found:?}");
    assert!(found[0].contains(wording), "{found:?} does not say {wording:?}");
}

fn passes(name: &str, source: &str) {
    assert_eq!(violations(name, source), Vec::<String>::new(), "{name}: {source}");
}

#[test]
fn imports_against_the_direction() {
    caught("plan/keys.rs", "use crate::desktop::keymap::Keymap;", "crate::desktop::keymap::Keymap");
    caught(
        "plan/keys.rs",
        "use crate::{\n    protocol::units::Point,\n    session::Lease,\n};",
        "crate::session::Lease",
    );
    caught("transport/mod.rs", "use crate::{protocol::error::Failure, engine};", "crate::engine");
    caught("image/png.rs", "fn f() -> crate::desktop::Frame { todo() }", "crate::desktop::Frame");
    caught("protocol/action.rs", "use super::super::plan::step::Step;", "crate::plan::step::Step");
    caught("protocol/mod.rs", "use super::plan::step::Step;", "crate::plan::step::Step");
    caught("engine/mod.rs", "use crate::cli::Verb as V;", "crate::cli::Verb");
    caught("main.rs", "fn main() { deskhand::desktop::run() }", "deskhand::desktop::run");
    caught("plan/keys.rs", "pub(crate) use crate::{protocol::{units::{X, Y}, error}, image};", "crate::image");
    passes("engine/mod.rs", "use crate::{desktop::Desktop, plan, protocol, supervisor::Handle};");
    passes("plan/keys.rs", "use super::step::Step; use crate::plan::gesture; use crate::protocol::units;");
    passes("plan/tables/names.rs", "use super::super::step::Keysym;");
}

#[test]
fn modules_that_nobody_placed() {
    caught("helpers.rs", "", "not in the table");
    caught("util/mod.rs", "", "not in the table");
}

#[test]
fn foreign_crates_outside_their_folder() {
    caught("engine/run.rs", "use x11rb::connection::Connection;", "x11rb::connection::Connection");
    caught("engine/run.rs", "use {std::io, x11rb};", "x11rb");
    caught("engine/run.rs", "fn f(r: hyper::Request<()>) {}", "hyper::Request");
    caught("engine/run.rs", "use axum::Router;", "axum::Router");
    caught("cli/call.rs", "use tokio_tungstenite::tungstenite::Message;", "tokio_tungstenite");
    caught("engine/run.rs", "use clap::Parser;", "clap::Parser");
    caught("engine/run.rs", "fn f() { std::env::var(\"DISPLAY\"); }", "std::env::var");
    caught("engine/run.rs", "use std::{env, io};", "std::env");
    caught("desktop/mod.rs", "use std::process::{Command, Stdio};", "std::process::Command");
    caught("plan/keys.rs", "fn f() { std::thread::spawn(run); }", "std::thread");
    caught("session/mod.rs", "use std::{thread, time::Duration};", "std::thread");
    passes("image/png.rs", "fn f() { std::thread::scope(|scope| run(scope)); }");
    passes("desktop/mod.rs", "use x11rb::{connection::Connection, xcb_ffi};");
    passes("config.rs", "use clap::Parser; fn f() { std::env::vars_os(); }");
}

#[test]
fn input_and_output_in_pure_modules() {
    caught("plan/keys.rs", "use std::{collections::HashMap, net::TcpStream};", "std::net::TcpStream");
    caught("image/png.rs", "fn f() { std::fs::read(\"x\"); }", "std::fs::read");
    caught("session/mod.rs", "use std::time::{Duration, Instant};\nfn f() { Instant::now(); }", "Instant::now");
    caught("session/mod.rs", "use tokio::sync::mpsc;", "tokio::sync::mpsc");
    passes("protocol/address.rs", "use std::net::{IpAddr, SocketAddr};");
    passes("session/mod.rs", "use std::time::{Duration, Instant};\nfn f(now: Instant) {}");
    passes("plan/keys.rs", "fn f() {}\n#[cfg(test)]\nmod tests { fn g() { std::fs::read(\"x\"); } }");
    passes("session/registry/tests.rs", "fn f() { std::time::Instant::now(); }");
    passes("desktop/mod.rs", "use std::fs::File;");
}

#[test]
fn unsafe_outside_its_files() {
    caught("desktop/capture.rs", "fn f() { unsafe { g() } }", "unsafe");
    caught("lib.rs", "unsafe impl Send for X {}", "unsafe");
    passes("desktop/shm.rs", "#![allow(unsafe_code)]\nfn f() { unsafe { g() } }");
    passes("desktop/capture.rs", "#![deny(unsafe_code)]");
}

#[test]
fn files_that_are_too_long() {
    caught("plan/keys.rs", &"\n".repeat(501), "501 lines");
    passes("plan/keys.rs", &"\n".repeat(500));
    passes("plan/tables/names.rs", &"\n".repeat(5_000));
}

#[test]
fn nothing_in_comments_and_literals() {
    passes("plan/keys.rs", "//! see [`crate::desktop`] and std::fs\n/* unsafe /* nested */ use x11rb::x; */");
    passes(
        "plan/keys.rs",
        "const A: &str = \"use x11rb::x; \\\" unsafe\"; const B: &str = r#\"crate::engine \" unsafe\"#;",
    );
    caught("plan/keys.rs", "fn f<'a>(x: &'a str) -> char { '\"' } use crate::engine::Engine; // \"", "crate::engine");
}
