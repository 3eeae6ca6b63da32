//! Every key name that is known gives one press and one release of its keysym.

use std::collections::HashMap;

use deskhand::plan::{key_names::known_names, keysyms::unicode_of, step::Keysym};
use serde_json::json;

use crate::support::{Controller, Deskhand, Recorded, Recorder};

/// How many names one call has: no more than fit onto the spare keycodes at once.
const NAMES: usize = 15;

/// The keys that a symbol may need beside its own: Shift and `AltGr`, which are left out of both lists.
const LEVELS: [u32; 4] = [0xfe11, 0xffe1, 0xffe2, 0xfe03];

/// Whether two keysyms are the same, or two of the same character: a page carries the one of the Unicode range.
fn same(one: Keysym, other: u32) -> bool {
    one.0 == other || unicode_of(one).is_some_and(|character| unicode_of(Keysym(other)) == Some(character))
}

/// Keys that change what the keys after them mean: modifiers, locks and groups.
fn changes_the_keyboard(name: &str) -> bool {
    ["Lock", "ISO_", "_switch", "Keys_", "Pointer_", "Shift", "Control_", "Alt_", "Meta_", "Super_", "Hyper_"]
        .iter()
        .any(|part| name.contains(part))
}

#[test]
fn every_known_name_is_a_press_and_a_release_of_its_keysym() {
    let server = Deskhand::owned("800x600");
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    controller.must("mouse_move", json!({"coordinate": [100, 100]}));
    let of_a_program = |(name, keysym): &(&str, Keysym)| !changes_the_keyboard(name) && !keysym.is_for_server();
    let names: Vec<_> = known_names().filter(of_a_program).collect();
    let mut wrong = HashMap::new();
    for some in names.chunks(NAMES) {
        recorder.take_events();
        let text: Vec<&str> = some.iter().map(|(name, _)| *name).collect();
        if let Err(error) = controller.call("key", json!({"text": text.join(" ")})) {
            wrong.insert(text.join(" "), format!("{error}"));
            continue;
        }
        let events = recorder.everything();
        let keys = |pressed: bool| -> Vec<u32> {
            let of = |event: &Recorded| match event {
                Recorded::Key { down, keysym, .. } if *down == pressed && !LEVELS.contains(keysym) => Some(*keysym),
                _ => None,
            };
            events.iter().filter_map(of).collect()
        };
        for (got, way) in [(keys(true), "down"), (keys(false), "up")] {
            let different: Vec<_> = some.iter().zip(&got).filter(|((_, keysym), got)| !same(*keysym, **got)).collect();
            if got.len() != some.len() || !different.is_empty() {
                wrong.insert(text.join(" "), format!("{way}: {got:x?}, {different:x?}"));
            }
        }
    }
    assert!(names.len() > 2200, "{}", names.len());
    assert!(wrong.is_empty(), "of {} names: {wrong:#?}", names.len());
}
