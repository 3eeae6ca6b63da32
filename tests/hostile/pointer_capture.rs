//! A client keeps the pointer in a cage, or moves it away again and again.

use std::time::Duration;

use x11rb::protocol::xproto::{ConnectionExt as _, EventMask, GrabMode, GrabStatus};

use crate::{
    arena::{PLAIN, Rules, endure},
    attack::{root, sync, window},
};

const RULES: Rules = Rules { kinds: &["pointer_blocked", "input_grabbed"], text: PLAIN };

pub fn confined(time: Duration) {
    endure("pointer confined", time, RULES, |field, going| {
        let connection = field.display.connect();
        let cage = window(&connection, 2, 2, 8);
        connection.map_window(cage).unwrap();
        let (none, mode) = (EventMask::NO_EVENT, GrabMode::ASYNC);
        while going.on() {
            let grab =
                connection.grab_pointer(true, cage, none, mode, mode, cage, x11rb::NONE, x11rb::CURRENT_TIME).unwrap();
            assert_eq!(grab.reply().unwrap().status, GrabStatus::SUCCESS);
            going.begin();
            going.pause(Duration::from_millis(700));
            connection.ungrab_pointer(x11rb::CURRENT_TIME).unwrap();
            sync(&connection);
            going.pause(Duration::from_millis(50));
        }
    });
}

pub fn warped(time: Duration) {
    endure("pointer warped in a loop", time, RULES, |field, going| {
        let connection = field.display.connect();
        let root = root(&connection);
        going.begin();
        for step in (0..100_i16).cycle() {
            if !going.on() {
                break;
            }
            connection.warp_pointer(x11rb::NONE, root, 0, 0, 0, 0, 100 + step, 200).unwrap();
            sync(&connection);
        }
    });
}
