//! A display: a window over all of it whose content is known and changes by as much as is wanted, and XTEST.

use std::{fs, os::unix::net::UnixStream, path::Path};

use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    protocol::{
        xproto::{
            BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext,
            ImageFormat, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT, Pixmap, Window, WindowClass,
        },
        xtest::ConnectionExt as _,
    },
    rust_connection::{DefaultStream, RustConnection},
};

use crate::Failure;

/// The key of shift in every keymap that an Xvfb starts with.
const SHIFT: u8 = 50;

/// A display by its number, and the file with its cookie.
#[derive(Clone)]
pub struct Display {
    number: u32,
    cookie: String,
}

impl Display {
    /// A connection over the socket file, with the first cookie of the file (Xau(3): family, then address, number, name and
    /// data, each after its 16-bit length).
    pub fn connect(&self) -> Result<RustConnection, Failure> {
        let file = fs::read(&self.cookie).map_err(|error| format!("{}: {error}", self.cookie))?;
        let mut rest = file.get(2..).ok_or("an empty cookie file")?;
        let mut fields = Vec::new();
        for _ in 0..4 {
            let (length, after) = rest.split_at_checked(2).ok_or("a short cookie file")?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let (field, after) = after.split_at_checked(length).ok_or("a short cookie file")?;
            fields.push(field.to_vec());
            rest = after;
        }
        let [_, _, name, data] = <[Vec<u8>; 4]>::try_from(fields).map_err(|_| "a short cookie file")?;
        let stream = UnixStream::connect(Path::new("/tmp/.X11-unix").join(format!("X{}", self.number)))?;
        let (stream, _) = DefaultStream::from_unix_stream(stream)?;
        Ok(RustConnection::connect_to_stream_with_auth_info(stream, 0, name, data)?)
    }
}

/// What is shown: two pictures in the server, of which parts are copied to the window.
struct Pictures {
    window: Window,
    pixmaps: [Pixmap; 2],
    context: Gcontext,
    size: (u16, u16),
    /// How often it has changed by so many percent: where the next change is, and from which picture.
    changes: u64,
    percent: f64,
}

/// A connection that draws and clicks.
pub struct Screen {
    display: Display,
    pub connection: RustConnection,
    pub root: Window,
    shown: Option<Pictures>,
}

impl Screen {
    /// Opens a display.
    pub fn open(number: u32, cookie: &str) -> Result<Self, Failure> {
        let display = Display { number, cookie: cookie.to_owned() };
        let connection = display.connect()?;
        let root = connection.setup().roots[0].root;
        // Large requests, or a picture would be sent in many small ones.
        connection.maximum_request_bytes();
        Ok(Self { display, connection, root, shown: None })
    }

    pub fn display(&self) -> &Display {
        &self.display
    }

    /// Waits until the server has done all that it was sent.
    pub fn round_trip(&self) -> Result<(), Failure> {
        self.connection.get_input_focus()?.reply()?;
        Ok(())
    }

    /// Covers the screen with the first of two pictures, files of 32 bits a pixel, and keeps both in the server.
    pub fn show(&mut self, width: u16, height: u16, files: &[String; 2]) -> Result<(), Failure> {
        self.uncover()?;
        let connection = &self.connection;
        let depth = connection.setup().roots[0].root_depth;
        let context = connection.generate_id()?;
        // Copies must not be answered by NoExpose events, which nobody would read.
        connection.create_gc(context, self.root, &CreateGCAux::new().graphics_exposures(0))?;
        let mut pictures = [0; 2];
        for (picture, file) in pictures.iter_mut().zip(files) {
            *picture = connection.generate_id()?;
            connection.create_pixmap(depth, *picture, self.root, width, height)?;
            let pixels = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
            let row = usize::from(width) * 4;
            let rows = u16::try_from((connection.maximum_request_bytes() - 64) / row)?.clamp(1, height);
            for (band, top) in pixels.chunks(row * usize::from(rows)).zip((0..height).step_by(rows.into())) {
                let (rows, top) = (u16::try_from(band.len() / row)?, i16::try_from(top)?);
                connection.put_image(ImageFormat::Z_PIXMAP, *picture, context, width, rows, 0, top, 0, depth, band)?;
            }
        }
        let window = connection.generate_id()?;
        // No window manager: it would put a frame around it.
        let look = CreateWindowAux::new().override_redirect(1).background_pixmap(pictures[0]);
        let class = WindowClass::INPUT_OUTPUT;
        connection.create_window(depth, window, self.root, 0, 0, width, height, 0, class, 0, &look)?;
        connection.map_window(window)?.check()?;
        self.shown =
            Some(Pictures { window, pixmaps: pictures, context, size: (width, height), changes: 0, percent: 0.0 });
        self.round_trip()
    }

    /// Takes the pictures away.
    pub fn uncover(&mut self) -> Result<(), Failure> {
        if let Some(shown) = self.shown.take() {
            self.connection.destroy_window(shown.window)?;
            for picture in shown.pixmaps {
                self.connection.free_pixmap(picture)?;
            }
            self.connection.free_gc(shown.context)?;
            self.round_trip()?;
        }
        Ok(())
    }

    /// Shows all of the first picture again; the changes that follow are by so many percent.
    pub fn restore(&mut self, percent: f64) -> Result<(), Failure> {
        let shown = self.shown.as_mut().ok_or("nothing is shown")?;
        let (width, height) = shown.size;
        self.connection.copy_area(shown.pixmaps[0], shown.window, shown.context, 0, 0, 0, 0, width, height)?;
        (shown.changes, shown.percent) = (0, percent);
        self.round_trip()
    }

    /// Copies a rectangle with so many percent of the screen's area from the other picture; returns when it is on the
    /// screen. Its place goes round the screen, and each round shows the other picture there.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares of a screen's size")]
    pub fn change(&mut self, percent: f64) -> Result<(), Failure> {
        // Changes of another size do not fit into each other: some of the first would change nothing.
        if percent > 0.0 && self.shown.as_ref().is_some_and(|shown| shown.percent.to_bits() != percent.to_bits()) {
            self.restore(percent)?;
        }
        let shown = self.shown.as_mut().ok_or("nothing is shown")?;
        if percent > 0.0 {
            let side = (percent / 100.0).sqrt();
            let part = |length: u16| ((f64::from(length) * side).round() as u16).clamp(1, length);
            let (width, height) = (part(shown.size.0), part(shown.size.1));
            let (columns, rows) = (u64::from(shown.size.0 / width), u64::from(shown.size.1 / height));
            let place = shown.changes % (columns * rows);
            let picture = shown.pixmaps[usize::from((shown.changes / (columns * rows)).is_multiple_of(2))];
            let (x, y) = (place % columns * u64::from(width), place / columns * u64::from(height));
            let (x, y) = (i16::try_from(x)?, i16::try_from(y)?);
            self.connection.copy_area(picture, shown.window, shown.context, x, y, x, y, width, height)?;
            shown.changes += 1;
        }
        self.round_trip()
    }

    /// Moves the pointer and clicks, and waits until the server has done so.
    pub fn click(&self, x: i16, y: i16) -> Result<(), Failure> {
        let connection = &self.connection;
        connection.xtest_fake_input(MOTION_NOTIFY_EVENT, 0, 0, self.root, x, y, 0)?;
        connection.xtest_fake_input(BUTTON_PRESS_EVENT, 1, 0, x11rb::NONE, 0, 0, 0)?;
        connection.xtest_fake_input(BUTTON_RELEASE_EVENT, 1, 0, x11rb::NONE, 0, 0, 0)?;
        self.round_trip()
    }

    /// Presses and releases keys.
    pub fn keys(&self, keys: &[(u8, bool)]) -> Result<(), Failure> {
        let fake = |kind, key| self.connection.xtest_fake_input(kind, key, 0, x11rb::NONE, 0, 0, 0);
        for &(key, shift) in keys {
            if shift {
                fake(KEY_PRESS_EVENT, SHIFT)?;
            }
            fake(KEY_PRESS_EVENT, key)?;
            fake(KEY_RELEASE_EVENT, key)?;
            if shift {
                fake(KEY_RELEASE_EVENT, SHIFT)?;
            }
        }
        self.round_trip()
    }
}
