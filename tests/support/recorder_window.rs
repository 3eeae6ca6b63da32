//! The window of a recorder.

use x11rb::{
    connection::Connection,
    protocol::xproto::{AtomEnum, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, Window, WindowClass},
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

/// How the window is made.
#[derive(Clone, Debug)]
pub struct RecorderOptions {
    pub title: &'static str,
    /// `WM_CLASS`, instance and class alike.
    pub class: &'static str,
    /// x, y, width, height.
    pub rectangle: (i16, i16, u16, u16),
    /// Whether it announces and answers `_NET_WM_PING`.
    pub answers_ping: bool,
    /// Whether a window manager is kept away from it.
    pub override_redirect: bool,
    /// Whether it asks for the clipboard on shift+Insert.
    pub pastes: bool,
    /// The colour of the whole window, 0xRRGGBB.
    pub colour: u32,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self {
            title: "recorder",
            class: "recorder",
            rectangle: (0, 0, 640, 480),
            answers_ping: true,
            override_redirect: false,
            pastes: false,
            colour: 0x20_4a_87,
        }
    }
}

/// Creates the window, unmapped.
pub fn create_window(connection: &RustConnection, options: &RecorderOptions) -> Window {
    let screen = &connection.setup().roots[0];
    let window = connection.generate_id().unwrap();
    let (x, y, width, height) = options.rectangle;
    let events = EventMask::KEY_PRESS
        | EventMask::KEY_RELEASE
        | EventMask::BUTTON_PRESS
        | EventMask::BUTTON_RELEASE
        | EventMask::POINTER_MOTION
        | EventMask::ENTER_WINDOW
        | EventMask::LEAVE_WINDOW
        | EventMask::FOCUS_CHANGE
        | EventMask::EXPOSURE;
    let attributes = CreateWindowAux::new()
        .event_mask(events)
        .background_pixel(options.colour)
        .override_redirect(u32::from(options.override_redirect));
    connection
        .create_window(
            screen.root_depth,
            window,
            screen.root,
            x,
            y,
            width,
            height,
            0,
            WindowClass::INPUT_OUTPUT,
            0,
            &attributes,
        )
        .unwrap()
        .check()
        .unwrap();
    let class = format!("{0}\0{0}\0", options.class);
    for (property, value) in [(AtomEnum::WM_NAME, options.title), (AtomEnum::WM_CLASS, &class)] {
        connection
            .change_property8(PropMode::REPLACE, window, property, AtomEnum::STRING, value.as_bytes())
            .unwrap()
            .check()
            .unwrap();
    }
    if options.answers_ping {
        let atom = |name: &str| connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
        let (protocols, ping) = (atom("WM_PROTOCOLS"), atom("_NET_WM_PING"));
        connection
            .change_property32(PropMode::REPLACE, window, protocols, AtomEnum::ATOM, &[ping])
            .unwrap()
            .check()
            .unwrap();
    }
    window
}
