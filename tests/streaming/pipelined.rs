//! As many pictures as may be asked for at once, for a reader who is no slow one.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    support::{Controller, Deskhand},
    video::Video,
};

#[test]
fn thirty_two_large_pictures_asked_for_at_once_all_come_also_when_the_reader_pauses() {
    let server = Deskhand::owned("800x600");
    Video::on(&server.display).noise_everywhere();
    let mut controller = Controller::connect(&server);
    // Some 2 MB each, four times what waits on a connection at most.
    let asked: Vec<_> = (0..32).map(|_| controller.send("screenshot", json!({"_meta": {"observe": null}}))).collect();
    thread::sleep(Duration::from_millis(300));
    for id in asked {
        let result = controller.answer(id).expect("a picture");
        assert!(result["image"]["bytes"].as_u64().unwrap() > 1_400_000, "{}", result["image"]["bytes"]);
    }
}

#[test]
fn a_halt_waits_for_no_picture_that_nobody_reads() {
    let server = Deskhand::owned("800x600");
    Video::on(&server.display).noise_everywhere();
    let (mut controller, mut other) = (Controller::connect(&server), Controller::connect(&server));
    for _ in 0..30 {
        controller.send("screenshot", json!({"_meta": {"observe": null}}));
    }
    controller.send("session.halt", json!({}));
    let begun = Instant::now();
    while other.must("status", json!({}))["halted"] != true {
        // The pictures would take thirty seconds.
        assert!(begun.elapsed() < Duration::from_secs(5), "the halt waits for its reader");
    }
}
