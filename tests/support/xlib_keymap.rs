//! Keys looked up as Xlib does: the keymap is fetched anew at the first key after a mapping event was read, however late that
//! is, and then the key's type turns modifiers and group into a level (`XkbTranslateKeyCode`).

use deskhand::plan::{keysyms::unicode_of, step::Keysym};
use x11rb::{
    protocol::{
        xkb::{self, ConnectionExt as _},
        xproto::KeyPressEvent,
    },
    rust_connection::RustConnection,
};

const CORE_KEYBOARD: u16 = 0x100;
const LOCK: u16 = 2;

/// A client's copy of the keymap; none when it is stale.
pub struct XlibKeymap(Option<xkb::GetMapReply>);

impl XlibKeymap {
    /// Fetched now, as every toolkit does when it starts.
    pub fn new(connection: &RustConnection) -> Self {
        connection.xkb_use_extension(1, 0).unwrap().reply().unwrap();
        let (events, none) =
            (xkb::EventType::NEW_KEYBOARD_NOTIFY | xkb::EventType::MAP_NOTIFY, xkb::EventType::from(0_u16));
        let every_part = xkb::MapPart::from(0xff_u16);
        let no_details = xkb::SelectEventsAux::new();
        connection
            .xkb_select_events(CORE_KEYBOARD, none, events, every_part, every_part, &no_details)
            .unwrap()
            .check()
            .unwrap();
        Self(Some(fetch(connection)))
    }

    /// To be called when a mapping event is read.
    pub fn make_stale(&mut self) {
        self.0 = None;
    }

    /// What a key means to this client: its keysym, and the character that it types.
    pub fn look_up(&mut self, connection: &RustConnection, key: &KeyPressEvent) -> (u32, Option<char>) {
        let keymap = self.0.get_or_insert_with(|| fetch(connection));
        let keysym = keysym(keymap, key.detail, key.state.into());
        (keysym, character(keysym))
    }
}

fn fetch(connection: &RustConnection) -> xkb::GetMapReply {
    let (parts, none) = (xkb::MapPart::KEY_TYPES | xkb::MapPart::KEY_SYMS, xkb::MapPart::from(0_u16));
    let no_modifiers = xkb::VMod::from(0_u16);
    connection
        .xkb_get_map(CORE_KEYBOARD, parts, none, 0, 0, 0, 0, 0, 0, 0, 0, no_modifiers, 0, 0, 0, 0, 0, 0)
        .unwrap()
        .reply()
        .unwrap()
}

/// The state's bits 13 and 14 are the group, the low eight the modifiers.
fn keysym(keymap: &xkb::GetMapReply, keycode: u8, state: u16) -> u32 {
    let key = &keymap.map.syms_rtrn.as_ref().unwrap()[usize::from(keycode - keymap.first_key_sym)];
    let groups = key.group_info & 0x0f;
    if groups == 0 {
        return 0;
    }
    let group = usize::from((state >> 13 & 3) % u16::from(groups));
    let kind = &keymap.map.types_rtrn.as_ref().unwrap()[usize::from(key.kt_index[group])];
    let mask = u16::from(kind.mods_mask);
    let entries = kind.map.iter().enumerate().filter(|(_, entry)| entry.active);
    let entry = entries.into_iter().find(|(_, entry)| u16::from(entry.mods_mask) == state & mask & 0xff);
    let preserved = entry.and_then(|(index, _)| kind.preserve.get(index)).map_or(0, |kept| u16::from(kept.mask));
    let level = usize::from(entry.map_or(0, |(_, entry)| entry.level));
    let keysym = key.syms[group * usize::from(key.width) + level];
    let lock_is_left = state & LOCK & !(mask & !preserved) != 0;
    match character(keysym).filter(|_| lock_is_left).map(|plain| plain.to_uppercase().collect::<Vec<_>>()).as_deref() {
        Some(&[upper]) if upper.is_ascii() => upper.into(),
        Some(&[upper]) => 0x0100_0000 | u32::from(upper),
        _ => keysym,
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
