//! What it costs when nothing happens: nothing, also while somebody watches.

use std::{collections::BTreeMap, fs, thread, time::Duration};

use serde_json::json;

use crate::support::{Controller, Deskhand, Process, Viewer};

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

fn assert_asleep(server: &Deskhand, what: &str) {
    let before = sleeps(&server.process);
    thread::sleep(QUIET);
    let after = sleeps(&server.process);
    assert!(after.len() > 4, "both processes with their threads: {after:?}");
    let woken: BTreeMap<_, _> = after
        .iter()
        .map(|(thread, count)| (thread, count - before.get(thread).unwrap_or(&0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let sum: u64 = woken.values().sum();
    eprintln!("{what}: {sum} wake-ups in {} s: {woken:?}", QUIET.as_secs());
    assert!(sum <= WAKE_UPS, "{what}: {sum} wake-ups: {woken:?}");
}

#[test]
fn a_still_screen_wakes_nobody() {
    let server = Deskhand::owned("640x480");
    let mut controller = Controller::connect(&server);
    // Everything has been used once: what is left of it must not tick.
    controller.must("left_click", json!({"coordinate": [5, 5], "_meta": {"observe": {}}}));
    controller.must("screenshot", json!({}));
    assert_asleep(&server, "a session without a subscription");
    let mut viewer = Viewer::connect(&server);
    viewer.next_frame();
    controller.must("subscribe", json!({"events": ["cursor", "changed"]}));
    controller.event(|event| event["type"] == "cursor");
    assert_asleep(&server, "with frames, cursor and changes subscribed to");
}
