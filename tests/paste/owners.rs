//! X clients around a paste: owners of the clipboard, well-behaved and hostile, readers, and managers.

use std::{
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use x11rb::{
    CURRENT_TIME, NONE,
    connection::Connection as _,
    protocol::{
        Event,
        xfixes::{ConnectionExt as _, SelectionEventMask},
        xproto::{
            Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, CreateWindowAux, EventMask, PropMode,
            Property, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::support::{Display, PATIENCE};

/// How an owner answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Not at all.
    Silent,
    /// With pieces that never end.
    Endless,
    /// With pieces of a gibibyte, which it announces.
    Gibibyte,
    /// With one property of 64 MiB.
    Huge,
}

/// How much `Huge` holds: enough to be seen in anybody's memory. The server copies all of it at each piece.
const HUGE: usize = 64 * 1024 * 1024;
const GIBIBYTE: usize = 1 << 30;
const PIECE: usize = 2 * 1024 * 1024;

pub fn atom(connection: &RustConnection, name: &str) -> Atom {
    connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
}

fn window(connection: &RustConnection) -> Window {
    let window = connection.generate_id().unwrap();
    let root = connection.setup().roots[0].root;
    let events = CreateWindowAux::new().event_mask(EventMask::PROPERTY_CHANGE);
    let class = WindowClass::INPUT_ONLY;
    connection.create_window(0, window, root, 0, 0, 1, 1, 0, class, 0, &events).unwrap().check().unwrap();
    window
}

/// A client with a thread that ends with the value.
pub struct Client {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    fn start(connection: RustConnection, mut take: impl FnMut(&RustConnection, Event) + Send + 'static) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&end);
        let thread = thread::spawn(move || {
            while !ending.load(Ordering::Acquire) {
                match connection.poll_for_event() {
                    Ok(Some(event)) => take(&connection, event),
                    Ok(None) => thread::sleep(Duration::from_millis(1)),
                    Err(_) => return,
                }
            }
        });
        Self { end, thread: Some(thread) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Owns `CLIPBOARD` and `PRIMARY` and behaves badly.
pub fn hostile(display: &Display, manner: Manner) -> Client {
    let connection = display.connect();
    let owner = window(&connection);
    for selection in [atom(&connection, "CLIPBOARD"), AtomEnum::PRIMARY.into()] {
        connection.set_selection_owner(owner, selection, CURRENT_TIME).unwrap().check().unwrap();
    }
    let incr = atom(&connection, "INCR");
    let utf_8 = atom(&connection, "UTF8_STRING");
    let piece = vec![b'x'; PIECE];
    let mut going: Option<(Window, Atom)> = None;
    let mut left = 0;
    Client::start(connection, move |connection, event| match event {
        Event::SelectionRequest(request) if matches!(manner, Manner::Endless | Manner::Gibibyte) => {
            let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
            connection.change_window_attributes(request.requestor, &watch).unwrap().ignore_error();
            going = Some((request.requestor, request.property));
            left = if manner == Manner::Gibibyte { GIBIBYTE } else { usize::MAX };
            let length = [if manner == Manner::Gibibyte { 1 << 30 } else { 0 }];
            connection
                .change_property32(PropMode::REPLACE, request.requestor, request.property, incr, &length)
                .unwrap();
            notify(connection, &request, request.property);
        }
        Event::SelectionRequest(request) if manner == Manner::Huge => {
            let mut mode = PropMode::REPLACE;
            for _ in 0..HUGE / PIECE {
                connection
                    .change_property8(mode, request.requestor, request.property, utf_8, &piece)
                    .unwrap()
                    .ignore_error();
                mode = PropMode::APPEND;
            }
            notify(connection, &request, request.property);
        }
        Event::PropertyNotify(event)
            if event.state == Property::DELETE && going == Some((event.window, event.atom)) =>
        {
            let next = &piece[..piece.len().min(left)];
            left -= next.len();
            connection
                .change_property8(PropMode::REPLACE, event.window, event.atom, utf_8, next)
                .unwrap()
                .ignore_error();
            connection.flush().unwrap();
        }
        _ => {}
    })
}

fn notify(connection: &RustConnection, request: &SelectionRequestEvent, property: Atom) {
    let answer = SelectionNotifyEvent {
        response_type: SELECTION_NOTIFY_EVENT,
        sequence: 0,
        time: request.time,
        requestor: request.requestor,
        selection: request.selection,
        target: request.target,
        property,
    };
    connection.send_event(false, request.requestor, EventMask::NO_EVENT, answer).unwrap().ignore_error();
    connection.flush().unwrap();
}

/// A clipboard manager: asks for the text as soon as anybody becomes the owner. Keeps what it gets.
pub fn manager(display: &Display) -> (Client, Arc<Mutex<Vec<Vec<u8>>>>) {
    let connection = display.connect();
    let requestor = window(&connection);
    connection.xfixes_query_version(5, 0).unwrap().reply().unwrap();
    let selections = [atom(&connection, "CLIPBOARD"), AtomEnum::PRIMARY.into()];
    for selection in selections {
        let root = connection.setup().roots[0].root;
        connection
            .xfixes_select_selection_input(root, selection, SelectionEventMask::SET_SELECTION_OWNER)
            .unwrap()
            .check()
            .unwrap();
    }
    let utf_8 = atom(&connection, "UTF8_STRING");
    let property = atom(&connection, "TEST_MANAGER");
    let got = Arc::new(Mutex::new(Vec::new()));
    let keeping = Arc::clone(&got);
    let client = Client::start(connection, move |connection, event| match event {
        Event::XfixesSelectionNotify(event) if event.owner != NONE => {
            connection
                .convert_selection(requestor, event.selection, utf_8, property, CURRENT_TIME)
                .unwrap()
                .ignore_error();
            connection.flush().unwrap();
        }
        Event::SelectionNotify(event) if event.property != NONE => {
            let read = connection.get_property(true, requestor, property, AtomEnum::ANY, 0, u32::MAX / 4).unwrap();
            keeping.lock().unwrap().push(read.reply().unwrap().value);
        }
        _ => {}
    });
    (client, got)
}

/// Puts a text, or a file in another form, into a selection as a user's copy would. The owner runs until the display ends.
pub fn copy(display: &Display, selection: &str, form: &str, content: &[u8]) {
    use std::{io::Write as _, process::Stdio};
    let connection = display.connect();
    let name = atom(&connection, &selection.to_uppercase());
    let owner = || connection.get_selection_owner(name).unwrap().reply().unwrap().owner;
    let before = owner();
    let mut command = Command::new("xclip");
    display.give_to(&mut command).args(["-in", "-selection", selection, "-t", form]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    assert!(child.wait().unwrap().success());
    // It may go into the background before its request has reached the server.
    let begun = Instant::now();
    while [NONE, before].contains(&owner()) {
        assert!(begun.elapsed() < PATIENCE, "xclip does not own {selection}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// What another client reads from a selection; empty where there is nothing.
pub fn read(display: &Display, selection: &str, form: &str) -> Vec<u8> {
    let mut command = Command::new("timeout");
    display.give_to(&mut command).args(["5", "xclip", "-out", "-selection", selection, "-t", form]);
    command.output().unwrap().stdout
}

/// Whether anybody owns a selection, waiting for its end if so wanted.
pub fn wait_until_nobody_owns(display: &Display, selection: &str) {
    let connection = display.connect();
    let name = atom(&connection, selection);
    let begun = Instant::now();
    while connection.get_selection_owner(name).unwrap().reply().unwrap().owner != NONE {
        assert!(begun.elapsed() < Duration::from_secs(10), "{selection} is still owned");
        thread::sleep(Duration::from_millis(10));
    }
}
