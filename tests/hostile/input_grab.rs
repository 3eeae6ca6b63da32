//! A client takes the keyboard or the pointer for itself. Its window says that it belongs to another process.

use std::time::Duration;

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ConnectionExt as _, EventMask, GrabMode, GrabStatus, PropMode, Window},
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::{
    arena::{PLAIN, Rules, endure},
    attack::{sync, window},
};

const RULES: Rules = Rules { kinds: &["input_grabbed", "pointer_blocked"], text: PLAIN };

/// A window in the corner that names process 1 as its own.
fn liar(connection: &RustConnection) -> Window {
    let window = window(connection, 0, 0, 4);
    let atom = connection.intern_atom(false, b"_NET_WM_PID").unwrap().reply().unwrap().atom;
    connection.change_property32(PropMode::REPLACE, window, atom, AtomEnum::CARDINAL, &[1]).unwrap();
    connection.map_window(window).unwrap();
    sync(connection);
    window
}

pub fn keyboard(time: Duration) {
    endure("keyboard grabbed", time, RULES, |field, going| {
        let connection = field.display.connect();
        let window = liar(&connection);
        let mode = GrabMode::ASYNC;
        let grab = connection.grab_keyboard(false, window, x11rb::CURRENT_TIME, mode, mode).unwrap();
        assert_eq!(grab.reply().unwrap().status, GrabStatus::SUCCESS);
        going.begin();
        while going.on() {
            while connection.poll_for_event().unwrap().is_some() {}
            going.pause(Duration::from_millis(5));
        }
        connection.ungrab_keyboard(x11rb::CURRENT_TIME).unwrap();
        sync(&connection);
    });
}

pub fn pointer(time: Duration) {
    endure("pointer grabbed", time, RULES, |field, going| {
        let connection = field.display.connect();
        let window = liar(&connection);
        let mode = GrabMode::ASYNC;
        let mask = EventMask::BUTTON_PRESS | EventMask::BUTTON_RELEASE;
        let none = x11rb::NONE;
        let grab = connection.grab_pointer(false, window, mask, mode, mode, none, none, x11rb::CURRENT_TIME).unwrap();
        assert_eq!(grab.reply().unwrap().status, GrabStatus::SUCCESS);
        going.begin();
        while going.on() {
            while connection.poll_for_event().unwrap().is_some() {}
            going.pause(Duration::from_millis(5));
        }
        connection.ungrab_pointer(x11rb::CURRENT_TIME).unwrap();
        sync(&connection);
    });
}
