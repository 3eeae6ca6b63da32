//! A client that draws, so that what is captured is known.

use deskhand::desktop::connection::Link;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ChangeGCAux, ConnectionExt as _, CreateGCAux, Gcontext, Rectangle},
};

use super::Xvfb;

/// A client that draws on the root window.
pub struct Painter {
    pub link: Link,
    context: Gcontext,
}

impl Painter {
    pub fn on(xvfb: &Xvfb) -> Self {
        let link = xvfb.link();
        let context = link.connection.generate_id().unwrap();
        link.connection.create_gc(context, link.root, &CreateGCAux::new()).unwrap();
        Self { link, context }
    }

    /// Fills a rectangle with `0xRRGGBB`, without waiting.
    pub fn send_fill(&self, [x, y, width, height]: [u16; 4], color: u32) {
        let connection = &self.link.connection;
        let at = |value: u16| i16::try_from(value).unwrap();
        let rectangle = Rectangle { x: at(x), y: at(y), width, height };
        connection.change_gc(self.context, &ChangeGCAux::new().foreground(color)).unwrap();
        connection.poly_fill_rectangle(self.link.root, self.context, &[rectangle]).unwrap();
        connection.flush().unwrap();
    }

    /// Fills a rectangle with `0xRRGGBB`; returns when it is on the screen.
    pub fn fill(&self, rectangle: [u16; 4], color: u32) {
        self.send_fill(rectangle, color);
        self.link.round_trip().unwrap();
    }
}
