//! A client opens 400 connections, and goes on opening and closing more.

use std::time::Duration;

use x11rb::protocol::xproto::ConnectionExt as _;

use crate::{
    arena::{PLAIN, Rules, endure},
    attack::{sync, window},
};

const CONNECTIONS: usize = 400;

pub fn opened(time: Duration) {
    endure("400 connections", time, Rules { kinds: &[], text: PLAIN }, |field, going| {
        let held: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let connection = field.display.connect();
                connection.map_window(window(&connection, 0, 0, 1)).unwrap();
                sync(&connection);
                connection
            })
            .collect();
        going.begin();
        while going.on() {
            sync(&field.display.connect());
        }
        drop(held);
    });
}
