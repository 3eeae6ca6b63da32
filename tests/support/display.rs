//! A display as the tests see it: connecting with its cookie, and waiting for windows and focus by X events.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        randr::{ConnectionExt as _, Rotation},
        xproto::{
            Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, InputFocus, MapState, Window,
        },
    },
    rust_connection::{DefaultStream, RustConnection},
};

use super::{PATIENCE, process::readable};

/// Where a display is and how to be let in.
#[derive(Clone, Debug)]
pub struct Display {
    pub number: u32,
    pub xauthority: Option<PathBuf>,
}

impl Display {
    /// From `:N` and the path of a cookie file.
    pub fn new(name: &str, xauthority: Option<&Path>) -> Self {
        let number = name.strip_prefix(':').unwrap_or_else(|| panic!("not a local display: {name}")).parse().unwrap();
        Self { number, xauthority: xauthority.map(Path::to_owned) }
    }

    pub fn name(&self) -> String {
        format!(":{}", self.number)
    }

    pub fn socket(&self) -> PathBuf {
        PathBuf::from(format!("/tmp/.X11-unix/X{}", self.number))
    }

    pub fn lock(&self) -> PathBuf {
        PathBuf::from(format!("/tmp/.X{}-lock", self.number))
    }

    /// Puts a program on this display.
    pub fn give_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DISPLAY", self.name());
        match &self.xauthority {
            Some(path) => command.env("XAUTHORITY", path),
            None => command.env_remove("XAUTHORITY"),
        }
    }

    /// A connection of our own, over the socket file and with the cookie.
    pub fn connect(&self) -> RustConnection {
        let stream =
            UnixStream::connect(self.socket()).unwrap_or_else(|error| panic!("{}: {error}", self.socket().display()));
        let (stream, _) = DefaultStream::from_unix_stream(stream).unwrap();
        let (name, data) = self.cookie();
        RustConnection::connect_to_stream_with_auth_info(stream, 0, name, data).unwrap()
    }

    /// The first entry of the cookie file: family, address, number, name, data, all but the first with a 16-bit big-endian
    /// length before them (Xau(3)).
    fn cookie(&self) -> (Vec<u8>, Vec<u8>) {
        let Some(path) = &self.xauthority else { return (Vec::new(), Vec::new()) };
        let file = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut rest = &file[2..];
        let mut field = || {
            let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            let (field, after) = rest[2..].split_at(length);
            rest = after;
            field.to_vec()
        };
        let (_address, _number) = (field(), field());
        (field(), field())
    }
}

/// Watches a display's windows.
pub struct Windows {
    connection: RustConnection,
    root: Window,
    client_list: Atom,
    active_window: Atom,
}

impl Windows {
    pub fn new(display: &Display) -> Self {
        let connection = display.connect();
        let root = connection.setup().roots[0].root;
        let atom = |name: &str| connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
        let (client_list, active_window) = (atom("_NET_CLIENT_LIST"), atom("_NET_ACTIVE_WINDOW"));
        let events = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::PROPERTY_CHANGE;
        connection
            .change_window_attributes(root, &ChangeWindowAttributesAux::new().event_mask(events))
            .unwrap()
            .check()
            .unwrap();
        Self { connection, root, client_list, active_window }
    }

    /// Looks again at every event of the root window until `look` finds something.
    fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(event) = self.connection.poll_for_event().unwrap() {
                assert!(!matches!(event, Event::Error(_)), "{event:?}");
            }
            if let Some(found) = look(self) {
                return found;
            }
            // The look's own round trips may have put events into the queue.
            if self.connection.poll_for_event().unwrap().is_none() {
                assert!(readable(self.connection.stream(), deadline), "no {what} within {PATIENCE:?}");
            }
        }
    }

    /// Waits for a viewable window whose `WM_CLASS` has this instance or class (case ignored).
    pub fn wait_for_class(&self, class: &str) -> Window {
        self.wait_for(&format!("window of class {class}"), |windows| {
            windows
                .toplevels()
                .into_iter()
                .find(|window| windows.has_class(*window, class) && windows.is_viewable(*window))
        })
    }

    /// Waits until `window` or one inside it has the keyboard focus.
    pub fn wait_for_focus(&self, window: Window) {
        self.connection
            .change_window_attributes(
                window,
                &ChangeWindowAttributesAux::new().event_mask(EventMask::FOCUS_CHANGE | EventMask::STRUCTURE_NOTIFY),
            )
            .unwrap()
            .check()
            .unwrap();
        self.wait_for("focus on the window", |windows| windows.focus_is_in(window).then_some(()));
    }

    /// Gives a window the focus by hand, for displays without a window manager, and waits until the server says so.
    pub fn focus(&self, window: Window) {
        self.connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).unwrap().check().unwrap();
        assert!(self.focus_is_in(window));
    }

    /// The window's place on the screen and its size, without the frame: x, y, width, height.
    pub fn rectangle(&self, window: Window) -> [i32; 4] {
        let size = self.connection.get_geometry(window).unwrap().reply().unwrap();
        let at = self.connection.translate_coordinates(window, self.root, 0, 0).unwrap().reply().unwrap();
        [at.dst_x.into(), at.dst_y.into(), size.width.into(), size.height.into()]
    }

    /// Waits until a managed window is at this place with this size.
    pub fn wait_for_rectangle(&self, window: Window, wanted: [i32; 4]) {
        self.wait_for(&format!("window at {wanted:?}"), |windows| (windows.rectangle(window) == wanted).then_some(()));
    }

    /// The windows of the screen that no window manager frames and that can be seen: pop-ups, and frames themselves.
    pub fn popups(&self) -> Vec<Window> {
        let children = self.connection.query_tree(self.root).unwrap().reply().unwrap().children;
        let is_popup = |window: &Window| {
            let asked = self.connection.get_window_attributes(*window).unwrap();
            asked.reply().is_ok_and(|found| found.override_redirect && found.map_state == MapState::VIEWABLE)
        };
        children.into_iter().filter(is_popup).collect()
    }

    /// Waits for a pop-up that was not there before, and says where it is.
    pub fn wait_for_popup(&self, before: &[Window]) -> (Window, [i32; 4]) {
        // Smaller ones only hold a grab, or nothing yet.
        const SEEN: i32 = 12;
        self.wait_for("a pop-up", |windows| {
            let new = windows.popups().into_iter().filter(|window| !before.contains(window));
            let mut seen = new.map(|window| (window, windows.rectangle(window)));
            seen.find(|(_, [_, _, width, height])| *width > SEEN && *height > SEEN)
        })
    }

    /// Waits until a window can no longer be seen.
    pub fn wait_until_hidden(&self, window: Window) {
        self.wait_for("the end of a window", |windows| (!windows.is_viewable(window)).then_some(()));
    }

    fn focus_is_in(&self, window: Window) -> bool {
        let mut focus = self.connection.get_input_focus().unwrap().reply().unwrap().focus;
        while focus != window {
            // 0 is None and 1 PointerRoot; a window that has just gone is not the one.
            if focus <= 1 {
                return false;
            }
            match self.connection.query_tree(focus).unwrap().reply() {
                Ok(tree) if tree.parent != x11rb::NONE => focus = tree.parent,
                _ => return false,
            }
        }
        true
    }

    /// What the window manager lists; without one, the children of the root.
    fn toplevels(&self) -> Vec<Window> {
        let listed = self
            .connection
            .get_property(false, self.root, self.client_list, AtomEnum::WINDOW, 0, 1024)
            .unwrap()
            .reply()
            .unwrap();
        match listed.value32() {
            Some(windows) => windows.collect(),
            None => self.connection.query_tree(self.root).unwrap().reply().unwrap().children,
        }
    }

    /// `WM_CLASS` holds the instance and the class, each ended by a zero byte (ICCCM 4.1.2.5).
    fn has_class(&self, window: Window, class: &str) -> bool {
        let asked = self.connection.get_property(false, window, AtomEnum::WM_CLASS, AtomEnum::STRING, 0, 256).unwrap();
        asked.reply().is_ok_and(|found| {
            found.value.split(|byte| *byte == 0).any(|name| name.eq_ignore_ascii_case(class.as_bytes()))
        })
    }

    fn is_viewable(&self, window: Window) -> bool {
        let asked = self.connection.get_window_attributes(window).unwrap();
        asked.reply().is_ok_and(|found| found.map_state == MapState::VIEWABLE)
    }

    fn window_property(&self, window: Window, property: Atom) -> Option<Window> {
        let asked = self.connection.get_property(false, window, property, AtomEnum::WINDOW, 0, 1).unwrap();
        asked.reply().ok()?.value32()?.next()
    }

    /// The window that the window manager says is active.
    pub fn active(&self) -> Option<Window> {
        self.window_property(self.root, self.active_window).filter(|window| *window != x11rb::NONE)
    }

    /// Which keycodes are down, as the server tells it: nothing may stay pressed.
    pub fn pressed_keys(&self) -> Vec<u8> {
        let keys = self.connection.query_keymap().unwrap().reply().unwrap().keys;
        (0..=u8::MAX).filter(|code| keys[usize::from(code / 8)] & (1 << (code % 8)) != 0).collect()
    }

    /// The modifiers (bits 0 to 7) and the buttons (bits 8 to 12) that are down or locked.
    pub fn pressed_mask(&self) -> u16 {
        self.connection.query_pointer(self.root).unwrap().reply().unwrap().mask.into()
    }

    /// The pointer's place and the buttons (1 to 5) that are down.
    pub fn pointer(&self) -> ((i16, i16), Vec<u8>) {
        let pointer = self.connection.query_pointer(self.root).unwrap().reply().unwrap();
        let mask = u16::from(pointer.mask);
        ((pointer.root_x, pointer.root_y), (1..=5).filter(|button| mask & (0x80 << button) != 0).collect())
    }
}

/// Makes the screen smaller as `xrandr` does: the output off, then the new size.
pub fn shrink(display: &Display, width: u16, height: u16) {
    let connection = display.connect();
    let root = connection.setup().roots[0].root;
    connection.randr_query_version(1, 2).unwrap().reply().unwrap();
    let resources = connection.randr_get_screen_resources(root).unwrap().reply().unwrap();
    for &crtc in &resources.crtcs {
        let (now, config) = (x11rb::CURRENT_TIME, resources.config_timestamp);
        connection.randr_set_crtc_config(crtc, now, config, 0, 0, 0, Rotation::ROTATE0, &[]).unwrap().reply().unwrap();
    }
    connection.randr_set_screen_size(root, width, height, 211, 158).unwrap().check().unwrap();
}
