//! Frames: what is rebuilt from them is the screen, for readers of every speed.

use std::fs;

use serde_json::json;

use crate::{
    cost::processes,
    support::{Controller, Deskhand, Process, Viewer},
    video::Video,
};

/// Waits until a viewer has what the screen shows now, and compares it with a screenshot, pixel by pixel.
fn assert_exact(viewer: &mut Viewer, eyes: &mut Controller) {
    let result = eyes.must("screenshot", json!({}));
    viewer.catch_up(&result["frame"]);
    assert_eq!(result["frame"], format!("{}-{}", viewer.epoch, viewer.serial), "nothing has changed since");
    assert!(viewer.shows(&crate::support::Picture::from_result(&result)), "frame {}", result["frame"]);
}

#[test]
fn a_picture_rebuilt_from_differences_is_the_screen_at_every_quiet_point() {
    let server = Deskhand::owned("640x480");
    let (mut viewer, mut eyes) = (Viewer::connect(&server), Controller::connect(&server));
    let mut video = Video::on(&server.display);
    for step in 0..120 {
        video.step();
        // Sometimes after one step and sometimes after many, with frames taken in or waiting meanwhile.
        if step % 3 == 0 || step % 7 == 0 {
            assert_exact(&mut viewer, &mut eyes);
        }
    }
    assert_exact(&mut viewer, &mut eyes);
}

#[test]
fn a_small_change_is_a_small_tile() {
    let server = Deskhand::owned("640x480");
    let (mut viewer, video) = (Viewer::connect(&server), Video::on(&server.display));
    let first = viewer.next_frame();
    assert_eq!((&first["full"], &first["epoch"], &first["serial"]), (&json!(true), &json!(1), &json!(1)), "{first}");
    video.fill([70, 20, 10, 5], 0xff_8040);
    let event = viewer.next_frame();
    assert_eq!(event["tiles"].as_array().unwrap().len(), 1, "{event}");
    let tile = &event["tiles"][0];
    assert_eq!(
        (&tile["x"], &tile["y"], &tile["width"], &tile["height"]),
        (&json!(64), &json!(16), &json!(64), &json!(16)),
        "{event}"
    );
    assert_eq!(viewer.picture.as_ref().unwrap().pixel(75, 22), [0xff, 0x80, 0x40]);
}

#[test]
fn a_late_joiner_gets_a_full_frame() {
    let server = Deskhand::owned("640x480");
    let (mut early, mut eyes) = (Viewer::connect(&server), Controller::connect(&server));
    let mut video = Video::on(&server.display);
    for _ in 0..10 {
        video.step();
    }
    assert_exact(&mut early, &mut eyes);
    let mut late = Viewer::connect(&server);
    let first = late.next_frame();
    assert_eq!(first["full"], true, "{first}");
    assert_eq!(first["serial"], early.serial, "{first}");
    video.step();
    for viewer in [&mut early, &mut late] {
        assert_exact(viewer, &mut eyes);
    }
    // The same connection may have several, each with a full frame of its own.
    let mut again = Viewer::on(late.controller);
    assert_eq!(again.next_frame()["full"], true);
    assert_exact(&mut again, &mut eyes);
}

#[test]
fn who_does_not_acknowledge_gets_two_frames_and_then_the_newest() {
    let server = Deskhand::owned("640x480");
    let (mut viewer, mut eyes) = (Viewer::connect(&server), Controller::connect(&server));
    let mut video = Video::on(&server.display);
    let first = viewer.receive();
    video.step();
    let second = viewer.receive();
    for _ in 0..20 {
        video.step();
        eyes.must("screenshot", json!({}));
    }
    let shown = eyes.must("screenshot", json!({}))["frame"].clone();
    viewer.controller.must("ping", json!({}));
    assert_eq!(viewer.controller.waiting_events(), 0, "no third frame before an acknowledgement");
    viewer.acknowledge(&first["serial"]).unwrap();
    let third = viewer.receive();
    assert_eq!(shown, format!("1-{}", third["serial"]), "the newest, without those between");
    viewer.acknowledge(&second["serial"]).unwrap();
    viewer.acknowledge(&third["serial"]).unwrap();
    assert_exact(&mut viewer, &mut eyes);
}

#[test]
fn nothing_comes_after_unsubscribe() {
    let server = Deskhand::owned("640x480");
    let (mut viewer, mut video) = (Viewer::connect(&server), Video::on(&server.display));
    viewer.next_frame();
    let unsubscribe = json!({"subscription": viewer.subscription});
    viewer.controller.must("unsubscribe", unsubscribe.clone());
    let before = viewer.controller.waiting_events();
    for _ in 0..5 {
        video.step();
        viewer.controller.must("screenshot", json!({}));
    }
    assert_eq!(viewer.controller.waiting_events(), before);
    assert_eq!(viewer.controller.must_fail("unsubscribe", unsubscribe).0, "not_found");
    let mut again = Viewer::on(viewer.controller);
    assert_ne!(again.subscription, viewer.subscription, "numbers are not used again");
    assert_eq!(again.next_frame()["full"], true);
}

/// What both processes have in memory, in KiB.
fn resident(process: &Process) -> u64 {
    let status = |pid: u32| fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |pid: u32| -> u64 {
        let status = status(pid);
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    processes(process).into_iter().map(of).sum()
}

#[test]
fn a_subscriber_that_never_reads_costs_the_others_nothing_and_the_server_little() {
    let server = Deskhand::owned("1024x768");
    let mut eyes = Controller::connect(&server);
    let mut video = Video::on(&server.display);
    video.noise_everywhere();
    let mut viewers: Vec<Viewer> = (0..7).map(|_| Viewer::connect(&server)).collect();
    let mut asleep = Controller::connect(&server);
    asleep.send("subscribe", json!({"events": ["frames", "cursor", "changed"]}));
    for viewer in &mut viewers {
        assert_exact(viewer, &mut eyes);
    }
    // Its answers have room whatever the streams have queued.
    let asked = asleep.send("screenshot", json!({}));
    let before = resident(&server.process);
    for step in 0..40 {
        // All of it changes, and nothing of it can be compressed: 2.4 MB a frame.
        if step % 4 == 0 {
            video.noise_everywhere();
        }
        video.step();
        for viewer in &mut viewers {
            assert_exact(viewer, &mut eyes);
        }
    }
    let grown = resident(&server.process).saturating_sub(before);
    eprintln!("8 subscribers, one asleep: {before} KiB, {grown} KiB more after 10 whole frames");
    // One whole frame and an answer for the sleeper, one frame for each that is just being sent, and what the allocator keeps.
    assert!(grown < 24 * 1024, "{grown} KiB more than {before}");
    // It is served when it wakes up: two frames and no more.
    let event = asleep.event(|event| event["type"] == "frames");
    assert_eq!(event["full"], true);
    asleep.answer(asked).unwrap();
    asleep.must("ping", json!({}));
}
