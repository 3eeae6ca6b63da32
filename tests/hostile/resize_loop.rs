//! A client changes the size of the screen in a loop.

use std::time::Duration;

use x11rb::{
    protocol::randr::{ConnectionExt as _, Rotation},
    rust_connection::RustConnection,
};

use crate::{
    arena::{PLAIN, Rules, endure},
    attack::{root, sync},
};

/// Each size is a display of its own, whose coordinates are valid only after its first picture.
const RULES: Rules =
    Rules { kinds: &["display_lost", "stale_frame", "pointer_blocked", "focus_lost", "out_of_range"], text: PLAIN };

/// As `xrandr` does it: the output off, then the new size.
fn resize(connection: &RustConnection, width: u16, height: u16) {
    let root = root(connection);
    let resources = connection.randr_get_screen_resources_current(root).unwrap().reply().unwrap();
    for &crtc in &resources.crtcs {
        let (now, config) = (x11rb::CURRENT_TIME, resources.config_timestamp);
        connection.randr_set_crtc_config(crtc, now, config, 0, 0, 0, Rotation::ROTATE0, &[]).unwrap().reply().unwrap();
    }
    connection.randr_set_screen_size(root, width, height, 211, 158).unwrap().check().unwrap();
}

pub fn resized(time: Duration) {
    endure("screen resized in a loop", time, RULES, |field, going| {
        let connection = field.display.connect();
        going.begin();
        for (width, height) in [(700, 500), (800, 600)].into_iter().cycle() {
            resize(&connection, width, height);
            sync(&connection);
            going.pause(Duration::from_millis(30));
            if !going.on() {
                break;
            }
        }
        resize(&connection, 800, 600);
    });
}
