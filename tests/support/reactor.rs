//! A program that reacts to a click as it is told: after a while, in steps, with or without work.

use std::{
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{
            ChangeGCAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, Gcontext, Rectangle, Window,
            WindowClass,
        },
    },
    rust_connection::RustConnection,
};

use super::Display;

/// What the program draws: `[x, y, width, height]` and `0xRRGGBB`.
pub type Shape = ([u16; 4], u32);

/// One part of a reaction.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Nothing happens, and nothing tells that something will.
    Sleep(u64),
    /// The processor is busy.
    Compute(u64),
    /// Something is drawn.
    Draw(Shape),
}

/// The program. It ends with its display.
pub struct Reactor {
    done: Receiver<Instant>,
    _thread: JoinHandle<()>,
}

impl Reactor {
    /// A window over the whole screen that does this for each press of a button.
    pub fn start(display: &Display, reaction: Vec<Part>) -> Self {
        let connection = display.connect();
        let (window, context) = open(&connection);
        let (sender, done) = channel();
        let thread = thread::spawn(move || {
            while let Ok(event) = connection.wait_for_event() {
                if let Event::ButtonPress(_) = event {
                    for part in &reaction {
                        play(&connection, window, context, *part);
                    }
                    if sender.send(Instant::now()).is_err() {
                        return;
                    }
                }
            }
        });
        Self { done, _thread: thread }
    }

    /// Waits until a reaction has ended, and says when.
    pub fn done(&self) -> Instant {
        self.done.recv_timeout(super::PATIENCE).expect("a reaction")
    }
}

fn open(connection: &RustConnection) -> (Window, Gcontext) {
    let screen = &connection.setup().roots[0];
    let (window, context) = (connection.generate_id().unwrap(), connection.generate_id().unwrap());
    let attributes = CreateWindowAux::new()
        .background_pixel(0x40_4040)
        .override_redirect(1)
        .event_mask(EventMask::BUTTON_PRESS | EventMask::EXPOSURE);
    let (width, height) = (screen.width_in_pixels, screen.height_in_pixels);
    let class = WindowClass::INPUT_OUTPUT;
    connection.create_window(0, window, screen.root, 0, 0, width, height, 0, class, 0, &attributes).unwrap();
    connection.create_gc(context, window, &CreateGCAux::new()).unwrap();
    connection.map_window(window).unwrap();
    connection.flush().unwrap();
    while !matches!(connection.wait_for_event().unwrap(), Event::Expose(_)) {}
    (window, context)
}

fn play(connection: &RustConnection, window: Window, context: Gcontext, part: Part) {
    match part {
        Part::Sleep(milliseconds) => thread::sleep(Duration::from_millis(milliseconds)),
        Part::Compute(milliseconds) => {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(milliseconds) {
                std::hint::spin_loop();
            }
        }
        Part::Draw(([x, y, width, height], color)) => {
            let at = |value: u16| i16::try_from(value).unwrap();
            let rectangle = Rectangle { x: at(x), y: at(y), width, height };
            connection.change_gc(context, &ChangeGCAux::new().foreground(color)).unwrap();
            connection.poly_fill_rectangle(window, context, &[rectangle]).unwrap();
            connection.get_input_focus().unwrap().reply().unwrap();
        }
    }
}
