//! A client makes a hundred thousand windows, or maps and unmaps windows as fast as it can; also while windows are waited for.

use std::time::{Duration, Instant};

use serde_json::json;
use x11rb::{
    protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode},
    wrapper::ConnectionExt as _,
};

use crate::{
    LONG,
    arena::{ANSWER_TIME, Arena, PLAIN, Rules, endure},
    attack::{Going, sync, under, window},
    judge::Deed,
    memory::Before,
    support::Display,
};

const RULES: Rules = Rules { kinds: &[], text: PLAIN };
const WINDOWS: usize = 100_000;
/// So many in the short form: making them takes the server a second for each 50,000.
const FEW_WINDOWS: usize = 20_000;
/// How long a window is waited for: the looks in between are paid by the crowd, a second apart at most.
const WAIT_MS: u64 = 40_000;

pub fn many(time: Duration) {
    let count = if time >= LONG { WINDOWS } else { FEW_WINDOWS };
    endure("windows by the ten thousand", time, RULES, |field, going| {
        let connection = field.display.connect();
        // In force from the first on: making them is half of the attack.
        going.begin();
        for index in 0..count {
            window(&connection, 0, 0, 1);
            if index % 500 == 0 {
                sync(&connection);
                if !going.on() {
                    break;
                }
            }
        }
        sync(&connection);
        going.hold();
    });
}

pub fn mapped_and_unmapped(time: Duration) {
    endure("map and unmap storm", time, RULES, |field, going| {
        storm(&field.display, going);
    });
}

fn storm(display: &Display, going: &Going<'_>) {
    let connection = display.connect();
    let windows: Vec<_> = (0..200).map(|index| window(&connection, index % 10, 0, 2)).collect();
    going.begin();
    while going.on() {
        for window in &windows {
            connection.map_window(*window).unwrap();
        }
        for window in &windows {
            connection.unmap_window(*window).unwrap();
        }
        sync(&connection);
    }
}

/// An honest window comes and goes below all of them, and is waited for each time.
pub fn waited_for(time: Duration) {
    let mut arena = Arena::owned();
    arena.warm_up(RULES);
    let before = Before::measure(&arena.server);
    let display = arena.field().display;
    let honest = display.connect();
    let dialog = window(&honest, 700, 500, 20);
    honest
        .change_property8(PropMode::REPLACE, dialog, AtomEnum::WM_CLASS, AtomEnum::STRING, b"dialog\0Dialog\0")
        .unwrap();
    let end = Instant::now() + time;
    under(
        |going| {
            let crowd = display.connect();
            let count = if time >= LONG { WINDOWS } else { FEW_WINDOWS };
            for index in 0..count {
                window(&crowd, 0, 0, 1);
                if index % 500 == 0 {
                    sync(&crowd);
                }
            }
            storm(&display, going);
        },
        || {
            while Instant::now() < end {
                for gone in [false, true] {
                    if gone {
                        honest.unmap_window(dialog).unwrap();
                    } else {
                        honest.map_window(dialog).unwrap();
                    }
                    sync(&honest);
                    let params = json!({"window": {"class": "dialog", "gone": gone}, "timeout_ms": WAIT_MS});
                    let time = Duration::from_millis(WAIT_MS) + ANSWER_TIME;
                    let result = arena.ask_within(time, "wait_for", params, Deed::Look, RULES).unwrap();
                    assert_eq!(result["met"], true, "{result}");
                }
                arena.round(RULES);
            }
        },
    );
    arena.finish("windows waited for in a storm", &before);
}
