//! A client makes a hundred thousand windows, or maps and unmaps windows as fast as it can.

use std::time::Duration;

use x11rb::protocol::xproto::ConnectionExt as _;

use crate::{
    LONG,
    arena::{PLAIN, Rules, endure},
    attack::{sync, window},
};

const RULES: Rules = Rules { kinds: &[], text: PLAIN };
const WINDOWS: usize = 100_000;
/// So many in the short form: making them takes the server a second for each 50,000.
const FEW_WINDOWS: usize = 20_000;

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
        let connection = field.display.connect();
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
    });
}
