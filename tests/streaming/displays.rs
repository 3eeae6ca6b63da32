//! Displays that are lost, resized or stopped in the middle of a stream.

use rustix::process::Signal;
use serde_json::json;

use crate::{
    support::{Controller, Deskhand, Picture, Viewer, display::shrink},
    video::Video,
};

/// Takes frames in until the first of another display.
fn next_display(viewer: &mut Viewer) {
    let before = viewer.epoch;
    // The viewer asserts that it is a full one, and that no frame of the display before follows.
    while viewer.epoch == before {
        viewer.next_frame();
    }
    assert_eq!(viewer.epoch, before + 1);
}

fn assert_exact(viewer: &mut Viewer, eyes: &mut Controller) {
    let result = eyes.must("screenshot", json!({}));
    viewer.catch_up(&result["frame"]);
    assert!(viewer.shows(&Picture::from_result(&result)), "frame {}", result["frame"]);
}

#[test]
fn a_display_that_dies_is_followed_by_a_full_frame_of_the_next() {
    let server = Deskhand::owned("640x480");
    let (mut viewer, mut eyes) = (Viewer::connect(&server), Controller::connect(&server));
    for epoch in 1..=3 {
        let mut video = Video::on(&server.display);
        for _ in 0..5 {
            video.step();
            viewer.next_frame();
        }
        assert_exact(&mut viewer, &mut eyes);
        assert_eq!(viewer.epoch, epoch);
        drop(video);
        server.xvfb().signal(Signal::KILL);
        next_display(&mut viewer);
        assert_exact(&mut viewer, &mut eyes);
    }
}

#[test]
fn a_screen_that_shrinks_is_never_shown_torn() {
    let server = Deskhand::owned("1024x768");
    let (mut viewer, mut eyes) = (Viewer::connect(&server), Controller::connect(&server));
    let mut cursor = Controller::connect(&server);
    cursor.must("subscribe", json!({"events": ["cursor"]}));
    for (width, height) in [(800, 600), (640, 480), (320, 240)] {
        let mut video = Video::on(&server.display);
        video.step();
        assert_exact(&mut viewer, &mut eyes);
        // Some are on their way when the screen becomes another one.
        for _ in 0..5 {
            video.step();
        }
        drop(video);
        shrink(&server.display, width, height);
        next_display(&mut viewer);
        assert_eq!(
            viewer.picture.as_ref().map(|picture| (picture.width, picture.height)),
            Some((width.into(), height.into()))
        );
        assert_exact(&mut viewer, &mut eyes);
        // The other events go on as well.
        cursor.must("screenshot", json!({}));
        cursor.must("mouse_move", json!({"coordinate": [width - 1, height - 1]}));
        cursor.event(|event| event["x"] == width - 1 && event["y"] == height - 1);
    }
}

#[test]
fn a_display_that_stands_still_for_a_while_is_the_same_afterwards() {
    let server = Deskhand::owned("640x480");
    let (mut viewer, mut eyes) = (Viewer::connect(&server), Controller::connect(&server));
    let mut cursor = Controller::connect(&server);
    cursor.must("subscribe", json!({"events": ["cursor", "changed"]}));
    let mut video = Video::on(&server.display);
    video.step();
    assert_exact(&mut viewer, &mut eyes);
    let xvfb = server.xvfb();
    xvfb.signal(Signal::STOP);
    for _ in 0..2 {
        assert_eq!(eyes.must_fail("screenshot", json!({})).0, "display_lost");
    }
    xvfb.signal(Signal::CONT);
    video.step();
    assert_exact(&mut viewer, &mut eyes);
    assert_eq!(viewer.epoch, 1, "a display that does not answer is not another one");
    cursor.must("mouse_move", json!({"coordinate": [3, 5]}));
    cursor.event(|event| event["x"] == 3 && event["y"] == 5);
}

#[test]
fn a_subscription_can_be_made_while_there_is_no_display() {
    let server = Deskhand::owned("640x480");
    let mut eyes = Controller::connect(&server);
    eyes.must("screenshot", json!({}));
    server.xvfb().signal(Signal::KILL);
    // Before, while or after the display is away: there is a full frame in every case.
    let mut viewer = Viewer::connect(&server);
    viewer.next_frame();
    while viewer.epoch < 2 {
        next_display(&mut viewer);
    }
    assert_exact(&mut viewer, &mut eyes);
}
