//! Keys looked up as Xlib does: the keymap is fetched anew at the first key after a mapping event was read, however late that
//! is.

use deskhand::plan::{keysyms::unicode_of, step::Keysym};
use x11rb::{
    connection::Connection,
    protocol::xproto::{ConnectionExt as _, GetKeyboardMappingReply, KeyPressEvent},
    rust_connection::RustConnection,
};

/// A client's copy of the keymap; none when it is stale.
pub struct XlibKeymap(Option<GetKeyboardMappingReply>);

impl XlibKeymap {
    /// Fetched now, as every toolkit does when it starts.
    pub fn new(connection: &RustConnection) -> Self {
        Self(Some(fetch(connection)))
    }

    /// To be called when a mapping event is read.
    pub fn make_stale(&mut self) {
        self.0 = None;
    }

    /// What a key means to this client: its keysym, and the character that it types.
    pub fn look_up(&mut self, connection: &RustConnection, key: &KeyPressEvent) -> (u32, Option<char>) {
        let keymap = self.0.get_or_insert_with(|| fetch(connection));
        let width = usize::from(keymap.keysyms_per_keycode);
        let row = usize::from(key.detail - connection.setup().min_keycode) * width;
        let keysym = keysym(&keymap.keysyms[row..row + width], key.state.into());
        (keysym, character(keysym))
    }
}

fn fetch(connection: &RustConnection) -> GetKeyboardMappingReply {
    let first = connection.setup().min_keycode;
    let count = connection.setup().max_keycode - first + 1;
    connection.get_keyboard_mapping(first, count).unwrap().reply().unwrap()
}

/// Which keysym of a row a state selects. The core protocol sees XKB's groups 1 and 2 as columns 0–1 and 2–3, and levels 3
/// and 4 of group 1 as columns 4–5 (XKB protocol, "Group compatibility map"); the group stands in bits 13–14 of the state.
fn keysym(row: &[u32], state: u16) -> u32 {
    const SHIFT: u16 = 1;
    const LOCK: u16 = 2;
    const LEVEL_3: u16 = 0x80; // Mod5, where the usual maps put ISO_Level3_Shift
    let at = |column: usize| row.get(column).copied().unwrap_or(0);
    let base = match (state >> 13 & 3, state & LEVEL_3 != 0) {
        (0, false) => 0,
        (0, true) => 4,
        _ => 2,
    };
    let plain = at(base);
    let is_letter = character(plain).is_some_and(char::is_alphabetic);
    let shifted = (state & SHIFT != 0) != (is_letter && state & LOCK != 0);
    match at(base + usize::from(shifted)) {
        0 => plain,
        keysym => keysym,
    }
}

/// The character of a keysym: Latin-1 and the Unicode range stand for themselves (X protocol, appendix A), and the three
/// keys that type control characters. The keysyms of single scripts, older than the Unicode range, have a table.
fn character(keysym: u32) -> Option<char> {
    match keysym {
        0x20..=0x7e | 0xa0..=0xff => char::from_u32(keysym),
        0x0100_0100..=0x0110_ffff => char::from_u32(keysym - 0x0100_0000),
        0xff0d | 0xff8d => Some('\n'),
        0xff09 => Some('\t'),
        other => unicode_of(Keysym(other)),
    }
}
