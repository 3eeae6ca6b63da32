//! A program that draws as a video player does: all over a window, again and again.

use deskhand::desktop::connection::Link;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ChangeGCAux, ConnectionExt as _, CreateGCAux, Gcontext, ImageFormat, Rectangle, SubwindowMode},
};

use crate::support::Display;

/// Draws on the root window.
pub struct Video {
    link: Link,
    context: Gcontext,
    random: u64,
}

impl Video {
    pub fn on(display: &Display) -> Self {
        let target = deskhand::desktop::target::Target {
            display: display.name().parse().unwrap(),
            xauthority: display.xauthority.clone(),
            expected_server: None,
        };
        let link = Link::open(&target, crate::support::PATIENCE).unwrap();
        let context = link.connection.generate_id().unwrap();
        // Over windows too.
        let over = CreateGCAux::new().subwindow_mode(SubwindowMode::INCLUDE_INFERIORS);
        link.connection.create_gc(context, link.root, &over).unwrap();
        Self { link, context, random: 0x9E37_79B9_7F4A_7C15 }
    }

    /// A number below `limit`: xorshift, so that every run draws the same.
    fn below(&mut self, limit: u16) -> u16 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        u16::try_from(self.random >> 16 & 0xffff).unwrap() % limit.max(1)
    }

    /// One picture of the video: noise in a window, and some boxes elsewhere. Returns when it is on the screen.
    pub fn step(&mut self) {
        let size = self.link.size;
        let [x, y] = [self.below(size.width - 64), self.below(size.height - 48)];
        self.noise(x, y, 64, 48);
        for _ in 0..3 {
            let (left, top) = (self.below(size.width), self.below(size.height));
            let (width, height) = (1 + self.below(size.width - left), 1 + self.below(40));
            let color = u32::from(self.below(u16::MAX)) << 8 | u32::from(self.below(256));
            self.fill([left, top, width, height], color);
        }
        self.link.round_trip().unwrap();
    }

    /// Fills a rectangle with `0xRRGGBB`, without waiting.
    pub fn fill(&self, [x, y, width, height]: [u16; 4], color: u32) {
        let at = |value: u16| i16::try_from(value).unwrap();
        let rectangle = Rectangle { x: at(x), y: at(y), width, height };
        let connection = &self.link.connection;
        connection.change_gc(self.context, &ChangeGCAux::new().foreground(color)).unwrap();
        connection.poly_fill_rectangle(self.link.root, self.context, &[rectangle]).unwrap();
        connection.flush().unwrap();
    }

    /// Puts noise somewhere, which no encoder makes smaller.
    pub fn noise(&mut self, x: u16, y: u16, width: u16, height: u16) {
        let count = usize::from(width) * usize::from(height);
        let pixels: Vec<u8> = (0..count * 2).flat_map(|_| self.below(u16::MAX).to_le_bytes()).collect();
        let at = |value: u16| i16::try_from(value).unwrap();
        let (connection, root, context) = (&self.link.connection, self.link.root, self.context);
        let format = ImageFormat::Z_PIXMAP;
        // Rows that fit a request of 256 KiB.
        let rows = (60_000 / usize::from(width)).max(1);
        for (part, pixels) in (0_u16..).zip(pixels.chunks(rows * usize::from(width) * 4)) {
            let top = y + part * u16::try_from(rows).unwrap();
            let high = u16::try_from(pixels.len() / usize::from(width) / 4).unwrap();
            connection.put_image(format, root, context, width, high, at(x), at(top), 0, 24, pixels).unwrap();
        }
        self.link.round_trip().unwrap();
    }

    /// Noise all over the screen.
    pub fn noise_everywhere(&mut self) {
        let size = self.link.size;
        self.noise(0, 0, size.width, size.height);
    }
}
