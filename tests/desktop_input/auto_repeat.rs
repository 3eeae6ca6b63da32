//! Auto-repeat: never while keys are sent that are meant once, always afterwards, and as its owner wants it.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use deskhand::{
    desktop::Desktop,
    plan::{gesture::Gesture, step::Step},
};
use x11rb::{
    connection::RequestConnection,
    protocol::{
        xkb::{BoolCtrl, ConnectionExt as _},
        xproto::{AutoRepeatMode, ChangeKeyboardControlAux, ConnectionExt as _},
    },
};

use super::{
    focused_recorder, perform, received,
    support::{PATIENCE, Xvfb},
};

const CORE_KEYBOARD: u16 = 0x100;

/// Whether the keyboard that clients see repeats.
fn repeats(connection: &impl RequestConnection) -> bool {
    connection.xkb_use_extension(1, 0).unwrap().reply().unwrap();
    let controls = connection.xkb_get_controls(CORE_KEYBOARD).unwrap().reply().unwrap();
    controls.enabled_controls.contains(BoolCtrl::REPEAT_KEYS)
}

/// Waits until it repeats again: the server takes what another connection sent in an order of its own.
fn wait_until_it_repeats(connection: &impl RequestConnection) {
    let begun = Instant::now();
    while !repeats(connection) {
        assert!(begun.elapsed() < PATIENCE, "the keyboard stays without auto-repeat");
    }
}

/// A desktop, and whether keys repeated each time that one was pressed or released.
fn watched(xvfb: &Xvfb) -> (Desktop, Arc<Mutex<Vec<bool>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (other, writer) = (xvfb.display.connect(), Arc::clone(&seen));
    let hook = Box::new(move |step: &Step| {
        if matches!(step, Step::Key(..)) {
            writer.lock().unwrap().push(repeats(&other));
        }
        assert!(!matches!(step, Step::Typed(3)), "injected");
    });
    (Desktop::open_with(&xvfb.target(), Some(hook)).unwrap(), seen)
}

#[test]
fn nothing_repeats_while_a_text_is_typed_and_everything_does_afterwards() {
    let xvfb = Xvfb::start("640x480");
    let recorder = focused_recorder(&xvfb);
    let (desktop, seen) = watched(&xvfb);
    let other = xvfb.display.connect();
    assert!(repeats(&other));
    perform(desktop.input(), Gesture::Type("ab".into())).unwrap();
    assert_eq!(received(&recorder), "ab");
    wait_until_it_repeats(&other);
    // Also where the keymap is still changed.
    perform(desktop.input(), Gesture::Type("ж".into())).unwrap();
    assert_eq!(received(&recorder), "abж");
    wait_until_it_repeats(&other);
    // Also where it ends in the middle.
    perform(desktop.input(), Gesture::Type("abc".into())).unwrap_err();
    wait_until_it_repeats(&other);
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 8 && seen.iter().all(|repeats| !repeats), "{seen:?}");
}

#[test]
fn a_keyboard_that_does_not_repeat_is_left_so() {
    let xvfb = Xvfb::start("640x480");
    let _recorder = focused_recorder(&xvfb);
    let other = xvfb.display.connect();
    let off = ChangeKeyboardControlAux::new().auto_repeat_mode(AutoRepeatMode::OFF);
    other.change_keyboard_control(&off).unwrap().check().unwrap();
    let (desktop, _) = watched(&xvfb);
    perform(desktop.input(), Gesture::Type("ab".into())).unwrap();
    assert!(!repeats(&other));
    drop(desktop);
    assert!(!repeats(&other));
}
