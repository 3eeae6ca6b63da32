//! A program with windows that come and go as they are told.

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{
        AtomEnum, ConfigureWindowAux, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, Window, WindowClass,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::support::Display;

/// Whether a window manager is to take a window in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ordinary,
    /// As menus are.
    OverrideRedirect,
}

/// The program. Its windows go with it.
pub struct Client {
    pub connection: RustConnection,
    root: Window,
}

impl Client {
    pub fn on(display: &Display) -> Self {
        let connection = display.connect();
        let root = connection.setup().roots[0].root;
        Self { connection, root }
    }

    /// A window that is not mapped yet: place and size, instance and class, title.
    pub fn window(&self, kind: Kind, [x, y, width, height]: [i16; 4], class: [&str; 2], title: &str) -> Window {
        let window = self.connection.generate_id().unwrap();
        let attributes = CreateWindowAux::new()
            .override_redirect(u32::from(kind == Kind::OverrideRedirect))
            .background_pixel(0x30_60_90)
            .event_mask(EventMask::STRUCTURE_NOTIFY);
        let (width, height) = (width.unsigned_abs(), height.unsigned_abs());
        let output = WindowClass::INPUT_OUTPUT;
        self.connection.create_window(24, window, self.root, x, y, width, height, 0, output, 0, &attributes).unwrap();
        let class = format!("{}\0{}\0", class[0], class[1]);
        self.text(window, AtomEnum::WM_CLASS.into(), class.as_bytes());
        self.title(window, title);
        // Where it is, a window manager would otherwise decide.
        let hints = [1 | 2, x.into(), y.into(), width.into(), height.into()].into_iter().chain([0; 13]);
        let hints: Vec<u32> = hints.map(|value: i32| value.cast_unsigned()).collect();
        let name = AtomEnum::WM_NORMAL_HINTS;
        self.connection.change_property32(PropMode::REPLACE, window, name, AtomEnum::WM_SIZE_HINTS, &hints).unwrap();
        self.sync();
        window
    }

    pub fn title(&self, window: Window, title: &str) {
        self.text(window, AtomEnum::WM_NAME.into(), title.as_bytes());
    }

    fn text(&self, window: Window, property: u32, text: &[u8]) {
        self.connection.change_property8(PropMode::REPLACE, window, property, AtomEnum::STRING, text).unwrap();
        self.sync();
    }

    pub fn map(&self, window: Window) {
        self.connection.map_window(window).unwrap();
        self.sync();
    }

    pub fn unmap(&self, window: Window) {
        self.connection.unmap_window(window).unwrap();
        self.sync();
    }

    pub fn destroy(&self, window: Window) {
        self.connection.destroy_window(window).unwrap();
        self.sync();
    }

    pub fn move_to(&self, window: Window, x: i32, y: i32) {
        self.connection.configure_window(window, &ConfigureWindowAux::new().x(x).y(y)).unwrap();
        self.sync();
    }

    /// Waits until the server has carried out everything that was sent.
    pub fn sync(&self) {
        self.connection.get_input_focus().unwrap().reply().unwrap();
    }
}
