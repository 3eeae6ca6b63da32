//! What it costs when nothing happens: nothing, also while somebody watches.

use std::{collections::BTreeMap, fs, thread, time::Duration};

use serde_json::json;

use crate::{
    support::{Controller, Deskhand, Process, Viewer},
    video::Video,
};

/// How long nothing happens. Counting needs time to pass; nothing is awaited by it.
const QUIET: Duration = Duration::from_secs(10);
/// How often all threads together may wake up in that time: the keep-alive of three connections, and shared memory that goes
/// back once. A timer of any kind would be ten times as many.
const WAKE_UPS: u64 = 20;

/// The two processes of a server.
pub fn processes(process: &Process) -> [u32; 2] {
    let children = process.descendants();
    let server = children.iter().find(|child| child.name == "deskhand-server").expect("a server process");
    [process.pid(), server.pid]
}

/// How often each thread of a server has gone to sleep by itself, by process and thread.
fn sleeps(process: &Process) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for pid in processes(process) {
        for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let path = task.unwrap().path();
            // A thread may end in between.
            let Ok(status) = fs::read_to_string(path.join("status")) else { continue };
            let of = |key: &str| {
                status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim().to_owned()
            };
            let count = of("voluntary_ctxt_switches:").parse().unwrap();
            counts.insert(format!("{pid} {} {}", path.file_name().unwrap().display(), of("Name:")), count);
        }
    }
    counts
}

/// While `meanwhile` runs, which takes some seconds, the server's threads wake up so often at the most.
fn assert_asleep(server: &Deskhand, what: &str, most: u64, meanwhile: impl FnOnce()) {
    let before = sleeps(&server.process);
    meanwhile();
    let after = sleeps(&server.process);
    assert!(after.len() > 4, "both processes with their threads: {after:?}");
    let woken: BTreeMap<_, _> = after
        .iter()
        .map(|(thread, count)| (thread, count - before.get(thread).unwrap_or(&0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let sum: u64 = woken.values().sum();
    eprintln!("{what}: {sum} wake-ups: {woken:?}");
    assert!(sum <= most, "{what}: {sum} wake-ups: {woken:?}");
}

#[test]
fn a_still_screen_wakes_nobody() {
    let server = Deskhand::owned("640x480");
    let mut controller = Controller::connect(&server);
    // Everything has been used once: what is left of it must not tick.
    controller.must("left_click", json!({"coordinate": [5, 5], "_meta": {"observe": {}}}));
    controller.must("screenshot", json!({}));
    let nothing = || thread::sleep(QUIET);
    assert_asleep(&server, "a session without a subscription", WAKE_UPS, nothing);
    let mut viewer = Viewer::connect(&server);
    viewer.next_frame();
    controller.must("subscribe", json!({"events": ["cursor", "changed"]}));
    controller.event(|event| event["type"] == "cursor");
    assert_asleep(&server, "with frames, cursor and changes subscribed to", WAKE_UPS, nothing);
}

/// How often the caret blinks in the test below, and what may be added to [`WAKE_UPS`] for each time: the event, and the answers
/// that the look at it waits for. Two were measured; a busy X server answers in parts.
const BLINKS: u32 = 10;
const WAKE_UPS_A_BLINK: u64 = 5;

#[test]
fn a_caret_is_looked_at_only_while_somebody_is_there() {
    let server = Deskhand::owned("640x480");
    let video = Video::on(&server.display);
    let blink = || {
        for color in (0..BLINKS).map(|blink| blink % 2 * 0xff_ffff) {
            video.fill([100, 100, 2, 16], color);
            thread::sleep(Duration::from_millis(500));
        }
    };
    let mut controller = Controller::connect(&server);
    controller.must("mouse_move", json!({"coordinate": [9, 9]}));
    controller.must("screenshot", json!({}));
    assert_asleep(&server, "a caret and a session", WAKE_UPS + u64::from(BLINKS) * WAKE_UPS_A_BLINK, blink);
    controller.abandon();
    // The session has ended when another one may act.
    let mut other = Controller::connect(&server);
    while other.call("mouse_move", json!({"coordinate": [5, 5]})).is_err() {}
    other.abandon();
    assert_asleep(&server, "a caret and nobody", WAKE_UPS, blink);
}
