//! Sizes from the smallest to the largest, those that are refused, a display at a chosen place, and what an idle server costs.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and shows its figures")]

mod support;

use std::{fs, io::Read, process::Stdio, thread, time::Duration};

use serde_json::json;
use support::{Controller, Deskhand, Display, Recorder, Windows, Xvfb};

#[test]
fn the_smallest_and_the_largest_screen_are_seen_and_clicked_to_their_last_pixel() {
    for (size, width, height) in [("320x240", 320, 240), ("3840x2160", 3840, 2160)] {
        let server = Deskhand::owned(size);
        assert_eq!(server.ready["screen"], json!({"width": width, "height": height}));
        let mut controller = Controller::connect(&server);
        let picture = controller.screenshot();
        assert_eq!((picture.width, picture.height), (width, height));
        for corner in [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]] {
            assert_eq!(controller.must("left_click", json!({ "coordinate": corner }))["cursor"], json!(corner));
        }
        for outside in [[width, 0], [0, height]] {
            assert_eq!(controller.must_fail("left_click", json!({ "coordinate": outside })).0, "out_of_range");
        }
        let zoomed = controller.must("zoom", json!({"region": [width - 2, height - 2, width, height]}));
        assert_eq!(zoomed["image"]["height"], height, "{size}");
    }
}

/// How `serve` ends with these arguments, and what it says.
fn refused(arguments: &[&str], display: Option<&Display>) -> (i32, String) {
    let mut command = Deskhand::program();
    command.arg("serve").args(arguments).env_remove("DISPLAY").env_remove("XAUTHORITY");
    if let Some(display) = display {
        display.give_to(&mut command);
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut output, mut errors) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(output, "", "no ready line");
    (child.wait().unwrap().code().unwrap(), errors)
}

#[test]
fn a_screen_of_another_size_or_depth_is_refused_with_the_reason() {
    for size in ["319x240", "320x239", "3841x2160", "3840x2161"] {
        let (code, errors) = refused(&["--xvfb", size, "--listen", "127.0.0.1:0"], None);
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains(size) && errors.contains("outside 320x240..3840x2160"), "{errors}");
    }
    let attach = |xvfb: &Xvfb| refused(&["--listen", "127.0.0.1:0"], Some(&xvfb.display));
    for size in ["319x240", "3840x2161"] {
        let (code, errors) = attach(&Xvfb::start(size));
        assert_eq!(code, 3, "{errors}");
        assert!(errors.contains(&size.replace('x', "×")) && errors.contains("320×240"), "{errors}");
    }
    let (code, errors) = attach(&Xvfb::start_with_depth("640x480", 16));
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("depth 16") && errors.contains("24"), "{errors}");
}

#[test]
fn an_owned_display_stands_where_it_was_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let cookie = directory.path().join("cookie");
    let path = cookie.to_str().unwrap();
    let server = Deskhand::owned_with("640x480", &["--display", ":722", "--xauthority", path]);
    assert_eq!((&server.ready["display"], &server.ready["xauthority"]), (&json!(":722"), &json!(path)));
    let display = Display { number: 722, xauthority: Some(cookie.clone()) };
    let window = Recorder::open(&display);
    let mut controller = Controller::connect(&server);
    assert_eq!(controller.screenshot().pixel(0, 0), [0x20, 0x4a, 0x87]);
    drop(window);
    assert!(server.stop().success());
    assert!(!cookie.exists());
}

#[test]
fn a_killed_supervisor_leaves_nothing_of_server_display_and_command() {
    let server = Deskhand::owned_with("640x480", &["--", "sh", "-c", "xterm -e sleep 1000 & exec sleep 1000"]);
    Windows::new(&server.display).wait_for_class("xterm");
    let mut controller = Controller::connect(&server);
    controller.must("key_down", json!({"text": "shift"}));
    assert!(!server.kill().success(), "checks that every process below it goes");
    assert_eq!(controller.closed(), Some(1001), "the server goes away in good order");
}

/// User and system time of a process in clock ticks: the 14th and 15th field of its `stat` (proc(5)).
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    [11, 12].iter().map(|at| fields[*at].parse::<u64>().unwrap()).sum()
}

/// Memory of a process in KiB: what only it has plus its share of the rest.
fn proportional_set(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn an_idle_server_with_a_session_uses_no_processor_time() {
    let server = Deskhand::owned("1024x768");
    let mut controller = Controller::connect(&server);
    controller.must("screenshot", json!({}));
    controller.must("left_click", json!({"coordinate": [9, 9]}));
    // What the click has caused is over when this has an answer.
    controller.must("screenshot", json!({}));
    let ours: Vec<u32> = std::iter::once(server.process.pid())
        .chain(
            server.process.descendants().into_iter().filter(|one| one.name.starts_with("deskhand")).map(|one| one.pid),
        )
        .collect();
    assert_eq!(ours.len(), 2, "the supervisor and the server");
    let used = || ours.iter().map(|pid| ticks(*pid)).sum::<u64>();
    let before = used();
    // Not for readiness: this is the time over which nothing may be used.
    thread::sleep(Duration::from_secs(3));
    let grown = used() - before;
    let memory: Vec<u64> = ours.iter().map(|pid| proportional_set(*pid)).collect();
    eprintln!("idle: {grown} ticks in 3 s; PSS {memory:?} KiB");
    // A tick is 10 ms, and one is counted as well when a moment completes it.
    assert!(grown <= 1, "{grown} clock ticks in 3 s");
    controller.must("ping", json!({}));
}
