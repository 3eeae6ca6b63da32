//! A client rewrites the keyboard's map a thousand times a second.

use std::time::{Duration, Instant};

use x11rb::{protocol::xproto::ConnectionExt as _, rust_connection::RustConnection};

use crate::{
    arena::{Arena, PLAIN, Rules, endure},
    attack::{sync, under},
    memory::Before,
};

/// A layout that changes is told, with the count of what was typed before.
const RULES: Rules = Rules { kinds: &["keymap_changed", "unmappable_character"], text: PLAIN };
/// A keycode that the usual maps leave empty.
const SPARE: u8 = 97;
const PERIOD: Duration = Duration::from_millis(1);

/// Gives one key another symbol.
fn rewrite(connection: &RustConnection, round: u32) {
    connection.change_keyboard_mapping(1, SPARE, 2, &[0x100_0400 + round % 64, 0]).unwrap();
    sync(connection);
}

pub fn while_typing(time: Duration) {
    endure("keymap rewritten", time, RULES, |field, going| {
        let connection = field.display.connect();
        going.begin();
        for round in 0.. {
            if !going.on() {
                break;
            }
            let next = Instant::now() + PERIOD;
            rewrite(&connection, round);
            going.pause(next.saturating_duration_since(Instant::now()));
        }
    });
}

/// Nobody asks for anything meanwhile: what every client is told then must not pile up until the next question.
pub fn while_idle(time: Duration) {
    let mut arena = Arena::owned();
    arena.warm_up(RULES);
    let before = Before::measure(&arena.server);
    let field = arena.field();
    under(
        |going| {
            let connection = field.display.connect();
            let end = Instant::now() + time;
            let mut round = 0;
            while going.on() && Instant::now() < end {
                // As fast as the server can.
                for _ in 0..200 {
                    connection.change_keyboard_mapping(1, SPARE, 2, &[0x100_0400 + round % 64, 0]).unwrap();
                    round += 1;
                }
                sync(&connection);
            }
            eprintln!("{round} changes of the keymap");
            going.begin();
        },
        || {},
    );
    arena.round(RULES);
    arena.finish("keymap rewritten while nobody asks", &before);
}
