//! An X client that writes down every input event it receives, as any application would see it.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection,
    errors::{ConnectionError, ReplyError},
    protocol::{
        Event,
        xproto::{
            Atom, BUTTON_PRESS_EVENT, ClientMessageEvent, ConnectionExt as _, EventMask, KEY_PRESS_EVENT, Window,
        },
    },
    rust_connection::RustConnection,
};

use super::{
    Display, PATIENCE,
    recorder_window::{RecorderOptions, create_window},
    xlib_keymap::XlibKeymap,
};

/// One event. `time` is the server's, in milliseconds; `state` the modifiers and buttons before the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    Key {
        down: bool,
        keycode: u8,
        keysym: u32,
        text: Option<char>,
        state: u16,
        time: u32,
    },
    Button {
        down: bool,
        button: u8,
        x: i16,
        y: i16,
        state: u16,
        time: u32,
    },
    Motion {
        x: i16,
        y: i16,
        state: u16,
        time: u32,
    },
    Enter {
        x: i16,
        y: i16,
        time: u32,
    },
    Leave {
        time: u32,
    },
    Focus {
        gained: bool,
    },
    /// What shift+Insert brought from the clipboard.
    Pasted {
        text: String,
    },
}

#[derive(Default)]
struct Log {
    events: Vec<Recorded>,
    mapped: bool,
    /// How many of our own marks have come; each stands behind everything that the server sent before it.
    marks: usize,
    ended: bool,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Log>,
    changed: Condvar,
    /// Held while an event is dealt with, or by a test that wants none dealt with.
    turn: Mutex<()>,
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.log.lock().unwrap());
        self.changed.notify_all();
    }
}

/// The keysym of Insert, with which Shift pastes (X11/keysymdef.h).
const INSERT: u32 = 0xff63;
/// `ShiftMask` (X protocol, `KEYBUTMASK`).
const SHIFT: u16 = 1;

/// Messages of the client to itself, and what it pastes with.
#[derive(Clone, Copy)]
struct Messages {
    end: Atom,
    mark: Atom,
    clipboard: Atom,
    utf_8: Atom,
    pasted: Atom,
}

/// The client. Its thread reads events until the value is dropped or the display dies.
pub struct Recorder {
    pub window: Window,
    connection: Arc<RustConnection>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    messages: Messages,
}

impl Recorder {
    /// A window with the default options, visible when this returns.
    pub fn open(display: &Display) -> Self {
        Self::open_with(display, &RecorderOptions::default())
    }

    pub fn open_with(display: &Display, options: &RecorderOptions) -> Self {
        let connection = Arc::new(display.connect());
        let window = create_window(&connection, options);
        let atom = |name: &str| connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
        let messages = Messages {
            end: atom("_DESKHAND_RECORDER_END"),
            mark: atom("_DESKHAND_RECORDER_MARK"),
            clipboard: atom("CLIPBOARD"),
            utf_8: atom("UTF8_STRING"),
            pasted: atom("_DESKHAND_RECORDER_PASTED"),
        };
        let shared = Arc::new(Shared::default());
        connection.map_window(window).unwrap().check().unwrap();
        let thread = {
            let (connection, shared, pastes) = (Arc::clone(&connection), Arc::clone(&shared), options.pastes);
            thread::spawn(move || {
                record(&connection, messages, pastes, &shared);
                shared.change(|log| log.ended = true);
            })
        };
        let recorder = Self { window, connection, shared, thread: Some(thread), messages };
        recorder.wait("window on the screen", |log| log.mapped.then_some(()));
        recorder
    }

    /// Waits until `look` finds what it wants in the events so far.
    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&[Recorded]) -> Option<T>) -> T {
        self.wait(what, |log| look(&log.events))
    }

    /// The same with a limit of its own; `None` when that has passed.
    pub fn wait_within<T>(&self, limit: Duration, mut look: impl FnMut(&[Recorded]) -> Option<T>) -> Option<T> {
        self.wait_until(Instant::now() + limit, |log| look(&log.events)).ok()
    }

    /// Waits until the text of the keys that went down is at least as long as `text`, and returns it.
    pub fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(&format!("{} characters", text.chars().count()), |events| {
            let typed = typed(events);
            (typed.chars().count() >= text.chars().count()).then_some(typed)
        })
    }

    /// Keeps the client from dealing with events until the guard goes, as a hang would.
    pub fn hang(&self) -> MutexGuard<'_, ()> {
        self.shared.turn.lock().unwrap()
    }

    /// Everything that the server has sent to the window by now.
    pub fn everything(&self) -> Vec<Recorded> {
        let before = self.shared.log.lock().unwrap().marks;
        self.send(self.messages.mark).unwrap();
        self.wait("its own mark", |log| (log.marks > before).then(|| log.events.clone()))
    }

    /// The events so far, without waiting for what is on its way.
    pub fn events(&self) -> Vec<Recorded> {
        self.shared.log.lock().unwrap().events.clone()
    }

    /// Takes the events recorded so far out of the log.
    pub fn take_events(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.shared.log.lock().unwrap().events)
    }

    fn wait<T>(&self, what: &str, look: impl FnMut(&Log) -> Option<T>) -> T {
        self.wait_until(Instant::now() + PATIENCE, look).unwrap_or_else(|mut log| {
            // Not with the lock held: the thread that records still needs it.
            let events = std::mem::take(&mut log.events);
            drop(log);
            panic!("the recorder does not see {what}; it has {events:#?}");
        })
    }

    fn wait_until<T>(
        &self,
        deadline: Instant,
        mut look: impl FnMut(&Log) -> Option<T>,
    ) -> Result<T, MutexGuard<'_, Log>> {
        let mut log = self.shared.log.lock().unwrap();
        loop {
            if let Some(found) = look(&log) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || log.ended {
                return Err(log);
            }
            log = self.shared.changed.wait_timeout(log, left).unwrap().0;
        }
    }

    fn send(&self, message: Atom) -> Result<(), ConnectionError> {
        let message = ClientMessageEvent::new(32, self.window, message, [0; 5]);
        self.connection.send_event(false, self.window, EventMask::NO_EVENT, message)?;
        self.connection.flush()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // An error means that the display is gone, and with it the thread's reason to go on.
        self.send(self.messages.end).ok();
        // A test that failed may have left the server stopped; then the thread does not end.
        if thread::panicking() {
            return;
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// The text of all keys that went down.
pub fn typed(events: &[Recorded]) -> String {
    events
        .iter()
        .filter_map(|event| if let Recorded::Key { down: true, text, .. } = event { *text } else { None })
        .collect()
}

/// The buttons that went down and up: whether down, which, x, y.
pub fn buttons(events: &[Recorded]) -> Vec<(bool, u8, i16, i16)> {
    let button = |event: &Recorded| match event {
        Recorded::Button { down, button, x, y, .. } => Some((*down, *button, *x, *y)),
        _ => None,
    };
    events.iter().filter_map(button).collect()
}

/// The client's loop.
fn record(connection: &RustConnection, messages: Messages, pastes: bool, shared: &Shared) {
    let root = connection.setup().roots[0].root;
    let mut keymap = XlibKeymap::new(connection);
    while let Ok(event) = connection.wait_for_event() {
        let _turn = shared.turn.lock().unwrap();
        let recorded = match event {
            Event::KeyPress(key) | Event::KeyRelease(key) => {
                let (keysym, text) = keymap.look_up(connection, &key);
                let (down, state) = (is_press(key.response_type, KEY_PRESS_EVENT), u16::from(key.state));
                if pastes && down && keysym == INSERT && state & SHIFT != 0 {
                    let Messages { clipboard, utf_8, pasted, .. } = messages;
                    let asked = connection.convert_selection(key.event, clipboard, utf_8, pasted, key.time);
                    if asked.and_then(|_| connection.flush()).is_err() {
                        return;
                    }
                }
                Some(Recorded::Key { down, keycode: key.detail, keysym, text, state, time: key.time })
            }
            Event::ButtonPress(event) | Event::ButtonRelease(event) => Some(Recorded::Button {
                down: is_press(event.response_type, BUTTON_PRESS_EVENT),
                button: event.detail,
                x: event.root_x,
                y: event.root_y,
                state: event.state.into(),
                time: event.time,
            }),
            Event::MotionNotify(event) => {
                Some(Recorded::Motion { x: event.root_x, y: event.root_y, state: event.state.into(), time: event.time })
            }
            Event::SelectionNotify(event) if event.property == messages.pasted => {
                let read =
                    connection.get_property(true, event.requestor, event.property, messages.utf_8, 0, u32::MAX / 4);
                let Ok(value) = read.map_err(ReplyError::from).and_then(x11rb::cookie::Cookie::reply) else { return };
                Some(Recorded::Pasted { text: String::from_utf8_lossy(&value.value).into_owned() })
            }
            Event::EnterNotify(event) => Some(Recorded::Enter { x: event.root_x, y: event.root_y, time: event.time }),
            Event::LeaveNotify(event) => Some(Recorded::Leave { time: event.time }),
            Event::FocusIn(_) => Some(Recorded::Focus { gained: true }),
            Event::FocusOut(_) => Some(Recorded::Focus { gained: false }),
            Event::MappingNotify(_) | Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_) => {
                keymap.make_stale();
                None
            }
            // The first exposure tells that the window can be seen, which MapNotify alone does not.
            Event::Expose(_) => {
                shared.change(|log| log.mapped = true);
                None
            }
            Event::ClientMessage(message) if message.type_ == messages.end => return,
            Event::ClientMessage(message) if message.type_ == messages.mark => {
                shared.change(|log| log.marks += 1);
                None
            }
            // The only other message that this window has announced is the ping: sent back to the root as it is.
            Event::ClientMessage(mut message) if message.format == 32 => {
                message.window = root;
                let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
                if connection.send_event(false, root, mask, message).is_err() || connection.flush().is_err() {
                    return;
                }
                None
            }
            _ => None,
        };
        if let Some(recorded) = recorded {
            shared.change(|log| log.events.push(recorded));
        }
    }
}

/// The highest bit of an event's type tells that another client sent it (X protocol, "Events").
fn is_press(event: u8, press: u8) -> bool {
    event & 0x7f == press
}
