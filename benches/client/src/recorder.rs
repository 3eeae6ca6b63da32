//! A window that counts the clicks and keys that reach it: whether an action was done, and not only said to be.

use std::{
    thread,
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{
            AtomEnum, BUTTON_RELEASE_EVENT, ConnectionExt as _, CreateWindowAux, EventMask, InputFocus,
            KEY_RELEASE_EVENT, KeyButMask, PropMode, WindowClass,
        },
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::{Failure, screen::Screen};

/// How often the connection is looked at while it is waited for; no clock runs then.
const PAUSE: Duration = Duration::from_millis(1);
/// A window manager gives a new window the focus within so long.
const FOCUS: Duration = Duration::from_secs(5);

/// What has come.
#[derive(Default, Clone, Copy)]
pub struct Counted {
    /// Pairs of press and release of the left button.
    pub buttons: usize,
    /// Keys pressed, without the modifiers of the core map.
    pub keys: usize,
    /// Buttons and keys that were still down afterwards, and have been released for the next.
    pub held: usize,
}

/// The window, on a connection of its own, so that its events are nobody else's.
pub struct Recorder {
    connection: RustConnection,
    modifiers: Vec<u8>,
}

impl Recorder {
    /// Opens the window and sees to it that it has the focus: a managed one gets it from the window manager, another takes it.
    pub fn open(screen: &Screen, width: u16, height: u16, managed: bool) -> Result<Self, Failure> {
        let connection = screen.display().connect()?;
        let window = connection.generate_id()?;
        let events = EventMask::KEY_PRESS | EventMask::BUTTON_PRESS | EventMask::BUTTON_RELEASE | EventMask::EXPOSURE;
        let look = CreateWindowAux::new()
            .event_mask(events)
            .background_pixel(0x20_4a_87)
            .override_redirect(u32::from(!managed));
        let class = WindowClass::INPUT_OUTPUT;
        connection.create_window(0, window, screen.root, 0, 0, width, height, 0, class, 0, &look)?;
        for property in [AtomEnum::WM_NAME, AtomEnum::WM_CLASS] {
            connection.change_property8(
                PropMode::REPLACE,
                window,
                property,
                AtomEnum::STRING,
                b"recorder\0recorder\0",
            )?;
        }
        connection.map_window(window)?.check()?;
        if !managed {
            connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME)?.check()?;
        }
        let deadline = Instant::now() + FOCUS;
        while connection.get_input_focus()?.reply()?.focus != window {
            if Instant::now() > deadline {
                return Err("the recorder's window does not get the focus".into());
            }
            thread::sleep(PAUSE);
        }
        let modifiers = connection.get_modifier_mapping()?.reply()?.keycodes;
        let recorder = Self { connection, modifiers };
        recorder.connection.sync()?;
        Ok(recorder)
    }

    /// What has come since the last call; waits until it is as much as expected, or for so long.
    pub fn wait(&mut self, buttons: usize, keys: usize, limit: Duration) -> Result<Counted, Failure> {
        let (mut counted, mut pressed) = (Counted::default(), false);
        let deadline = Instant::now() + limit;
        loop {
            while let Some(event) = self.connection.poll_for_event()? {
                match event {
                    Event::ButtonPress(event) if event.detail == 1 => pressed = true,
                    Event::ButtonRelease(event) if event.detail == 1 => {
                        counted.buttons += usize::from(pressed);
                        pressed = false;
                    }
                    Event::KeyPress(event) if !self.modifiers.contains(&event.detail) => counted.keys += 1,
                    _ => {}
                }
            }
            if counted.buttons >= buttons && counted.keys >= keys || Instant::now() > deadline {
                counted.held = self.release()?;
                return Ok(counted);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Releases whatever is down, so that what one program has left pressed is not the next one's fault. Returns how much.
    fn release(&self) -> Result<usize, Failure> {
        let connection = &self.connection;
        let root = connection.setup().roots[0].root;
        let fake = |kind, detail| connection.xtest_fake_input(kind, detail, 0, x11rb::NONE, 0, 0, 0);
        let mut held = 0;
        if u16::from(connection.query_pointer(root)?.reply()?.mask) & u16::from(KeyButMask::BUTTON1) != 0 {
            fake(BUTTON_RELEASE_EVENT, 1)?;
            held += 1;
        }
        let down = connection.query_keymap()?.reply()?.keys;
        for key in 8..=u8::MAX {
            if down[usize::from(key / 8)] & (1 << (key % 8)) != 0 {
                fake(KEY_RELEASE_EVENT, key)?;
                held += 1;
            }
        }
        if held > 0 {
            connection.sync()?;
            // The releases' own events are nobody's.
            while connection.poll_for_event()?.is_some() {}
        }
        Ok(held)
    }
}
