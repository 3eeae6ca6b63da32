//! A client takes the whole server for itself.

use std::time::Duration;

use x11rb::protocol::xproto::ConnectionExt as _;

use crate::{
    arena::{PLAIN, Rules, endure},
    attack::sync,
};

/// Our connections have asked to be let through (`XTestGrabControl`), so nothing at all changes.
const RULES: Rules = Rules { kinds: &[], text: PLAIN };

pub fn held(time: Duration) {
    endure("server grabbed", time, RULES, |field, going| {
        let connection = field.display.connect();
        connection.grab_server().unwrap();
        sync(&connection);
        going.begin();
        going.hold();
        connection.ungrab_server().unwrap();
        sync(&connection);
    });
}

pub fn repeated(time: Duration) {
    endure("server grabbed again and again", time, RULES, |field, going| {
        let connection = field.display.connect();
        while going.on() {
            connection.grab_server().unwrap();
            sync(&connection);
            going.begin();
            going.pause(Duration::from_millis(20));
            connection.ungrab_server().unwrap();
            sync(&connection);
        }
    });
}
