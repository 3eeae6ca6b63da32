//! A window manager that holds the pointer still with every click, as all of them do, and takes its time.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use deskhand::{
    desktop::failure::InputCause,
    plan::{
        gesture::{Chord, Gesture},
        step::Keysym,
    },
    protocol::error::{ErrorKind, Executed},
};
use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{Allow, ButtonIndex, ConnectionExt as _, EventMask, GrabMode, ModMask},
    },
    rust_connection::RustConnection,
};

use super::{Scene, click, clicks, point, pressed, support::Recorded};

const CONTROL_L: Keysym = Keysym(0xffe3);
const LOWER_X: Keysym = Keysym(0x78);
/// How slow the window manager is: longer than any of our pauses, shorter than our patience.
const SLOW: Duration = Duration::from_millis(40);

/// Grabs every click synchronously, hands it on to the application when it has thought about it, and ends after so many.
fn slow_window_manager(scene: &Scene, clicks: usize) -> JoinHandle<()> {
    let connection = grab(scene);
    thread::spawn(move || {
        for _ in 0..clicks {
            while !matches!(connection.wait_for_event().unwrap(), Event::ButtonPress(_)) {}
            // It is this slow, whatever it does meanwhile; nothing waits for the sleep to be over but the click.
            thread::sleep(SLOW);
            connection.allow_events(Allow::REPLAY_POINTER, 0_u32).unwrap().check().unwrap();
        }
    })
}

/// A connection that gets every click before the application, and freezes the pointer with it.
fn grab(scene: &Scene) -> Arc<RustConnection> {
    let connection = Arc::new(scene.xvfb.display.connect());
    let root = connection.setup().roots[0].root;
    let (press, sync, free) = (EventMask::BUTTON_PRESS, GrabMode::SYNC, GrabMode::ASYNC);
    connection
        .grab_button(false, root, press, sync, free, x11rb::NONE, x11rb::NONE, ButtonIndex::ANY, ModMask::ANY)
        .unwrap()
        .check()
        .unwrap();
    connection
}

#[test]
fn a_key_never_overtakes_the_click_before_it() {
    let scene = Scene::new();
    let manager = slow_window_manager(&scene, 3);
    for round in 0..3 {
        scene.perform(click(point(100 + round, 50), 1)).unwrap();
        scene.perform(Gesture::Keys { chords: vec![Chord(vec![LOWER_X])], repeat: 1 }).unwrap();
    }
    manager.join().unwrap();
    let order: Vec<_> = scene
        .recorder
        .everything()
        .into_iter()
        .filter_map(|seen| match seen {
            Recorded::Button { down, .. } => Some(if down { "press" } else { "release" }),
            Recorded::Key { down: true, .. } => Some("key"),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["press", "release", "key"].repeat(3));
}

#[test]
fn a_modifier_stays_down_until_its_click_has_arrived() {
    let scene = Scene::new();
    let manager = slow_window_manager(&scene, 1);
    let held = Some(Chord(vec![CONTROL_L]));
    let Gesture::Click { at, button, count, .. } = click(point(30, 30), 1) else { unreachable!("a click") };
    scene.perform(Gesture::Click { at, button, count, held }).unwrap();
    manager.join().unwrap();
    let seen = scene.recorder.everything();
    let place = |wanted: fn(&Recorded) -> bool| seen.iter().position(wanted).unwrap();
    let button_up = place(|seen| matches!(seen, Recorded::Button { down: false, .. }));
    let key_up = place(|seen| matches!(seen, Recorded::Key { down: false, .. }));
    assert!(button_up < key_up, "{seen:?}");
}

#[test]
fn a_motion_waits_for_a_pointer_that_is_held_still() {
    let scene = Scene::new();
    let manager = slow_window_manager(&scene, 1);
    scene.perform(Gesture::PressButton(super::LEFT)).unwrap();
    assert_eq!(scene.perform(Gesture::Move(point(200, 90))).unwrap().pointer, point(200, 90));
    scene.perform(Gesture::ReleaseButton(super::LEFT)).unwrap();
    manager.join().unwrap();
    assert_eq!(pressed(&scene.xvfb), (vec![], 0));
}

#[test]
fn a_pointer_that_stays_frozen_is_told_and_not_called_done() {
    let scene = Scene::new();
    let manager = grab(&scene);
    let began = Instant::now();
    let error = scene.perform(click(point(60, 60), 1)).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(2), "the contract's two seconds, not a measurement");
    assert_eq!((&error.cause, error.executed), (&InputCause::PointerFrozen, Executed::Unknown));
    assert_eq!(error.cause.kind(), ErrorKind::InputGrabbed);
    manager.allow_events(Allow::REPLAY_POINTER, 0_u32).unwrap().check().unwrap();
    assert_eq!(clicks(&scene.recorder), [(1, true), (1, false)], "the click waited in the server");
    assert_eq!(pressed(&scene.xvfb), (vec![], 0));
}
