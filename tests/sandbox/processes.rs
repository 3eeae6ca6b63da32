//! Who is confined, as the kernel says it.

use std::{fs, os::unix::fs::MetadataExt};

use serde_json::json;

use super::{
    confined, field, status_of,
    support::{Controller, Deskhand},
    whole_sandbox,
};

/// `Seccomp` of a process under filters (proc(5)).
const FILTERED: &str = "2";

/// What is said about confinement by the status of a process or thread.
fn confinement(status: &str) -> [String; 2] {
    [field(status, "Seccomp"), field(status, "NoNewPrivs")]
}

fn limit(process: u32, name: &str) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line =
        limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {limits}"));
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

#[test]
fn every_thread_of_the_server_is_confined_and_so_is_the_witness() {
    let server = confined("640x480", &[]);
    let mut controller = Controller::connect(&server);
    // Threads that are started later than the sandbox is entered: those of the display, of what blocks, of an encoder.
    controller.must("left_click", json!({"coordinate": [9, 9]}));
    controller.must("screenshot", json!({}));
    let process = server.child("deskhand-server").pid;
    let threads: Vec<_> = fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(threads.len() >= 5, "{} threads", threads.len());
    for thread in threads {
        let status = fs::read_to_string(thread.path().join("status")).unwrap();
        assert_eq!(confinement(&status), [FILTERED, "1"], "{}", field(&status, "Name"));
    }
    assert_eq!(limit(process, "Max core file size"), ["0", "0"]);
    assert_eq!(limit(process, "Max open files"), ["4096", "4096"]);
    if deskhand::sandbox::landlock_is_offered() {
        let witness = server.child("desk-witness").pid;
        assert_eq!(confinement(&status_of(witness)), [FILTERED, "1"]);
        assert_eq!(limit(witness, "Max core file size"), ["0", "0"]);
    }
}

#[test]
fn the_supervisor_the_display_and_the_command_are_not_confined() {
    let server = confined("640x480", &["--", "sleep", "1000"]);
    // As free as this test is.
    let free = confinement(&status_of(std::process::id()));
    assert_ne!(free[1], "1", "the test itself may get no new privileges and can tell nothing");
    let others = [server.process.pid(), server.xvfb().pid, server.child("sleep").pid];
    for process in others {
        let status = status_of(process);
        assert_eq!(confinement(&status), free, "{}", field(&status, "Name"));
        assert_eq!(limit(process, "Max core file size"), limit(std::process::id(), "Max core file size"));
    }
}

#[test]
fn what_is_on_is_told_and_off_is_off() {
    let sandbox = |arguments: &[&str]| {
        let server = Deskhand::owned_with("640x480", arguments);
        let told = Controller::connect(&server).must("display.info", json!({}))["sandbox"].clone();
        let process = server.child("deskhand-server").pid;
        (told, confinement(&status_of(process)), fs::metadata(format!("/proc/{process}")).unwrap().uid())
    };
    let free = confinement(&status_of(std::process::id()));
    assert_eq!(sandbox(&["--sandbox=off"]), (json!("off"), free, rustix::process::geteuid().as_raw()));
    // As proc(5) has it, what is not dumpable belongs to root.
    let whole = (json!(whole_sandbox()), [FILTERED.to_owned(), "1".to_owned()], 0);
    assert_eq!(sandbox(&["--sandbox=require"]), whole);
    assert_eq!(sandbox(&[]), whole, "`try` is the default");
}
