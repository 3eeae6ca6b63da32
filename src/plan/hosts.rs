//! Which keys can carry symbols besides those that they have.
//!
//! What users and programs press stays as it is: the first two levels of a key that has symbols, function keys, cursor keys,
//! the keypad, space, modifiers. Which keycodes programs act on whatever symbol they carry was measured: Chromium on Menu,
//! Favorites, Back, Forward, `HomePage`, Reload and Search; xterm loses text or crashes on Copy, Paste and Cut.

use super::{
    keymap::{KeyDescription, KeyType, KeymapDescription, ModifierMask},
    keysyms::unicode_of,
    levels::{CapsLock, GROUPS, LEVELS, PLACES, Place, Symbols},
    step::{Group, Keycode, Keysym},
};

/// Keycodes on which programs act whatever symbol they carry.
pub(super) const SPECIAL_KEYCODES: [u8; 10] = [135, 164, 166, 167, 180, 181, 225, 141, 143, 145];

/// The lowest keycode that may carry extra symbols. 8 is what evdev numbers 0, "reserved", which toolkits take for no key.
const LOWEST: u8 = 9;

/// What of a key is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// All of it: it has no symbols.
    Whole,
    /// Everything but the first two levels of its first group, which stay under this key type.
    UpperLevels { kept: [Keysym; 2], caps_lock: CapsLock },
    /// Every group but the first, which stays with its own key type.
    OtherGroups { key_type: u8, kept: Vec<Keysym> },
}

impl Room {
    pub(super) fn is_free(&self, place: Place) -> bool {
        match self {
            Self::Whole => true,
            Self::UpperLevels { .. } => place.group != Group(0) || place.level >= 2,
            Self::OtherGroups { .. } => place.group != Group(0),
        }
    }
}

/// A key with room for extra symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) keycode: Keycode,
    pub(super) room: Room,
}

/// The indices of our two key types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OurTypes {
    pub(super) plain: u8,
    pub(super) letters: u8,
}

impl Host {
    /// The whole key with these extra symbols in its free places.
    pub(super) fn with(&self, extra: &Symbols, types: OurTypes) -> KeyDescription {
        let mut symbols = extra.to_vec();
        let mut first_type = types.plain;
        match &self.room {
            Room::Whole => {}
            Room::UpperLevels { kept, caps_lock } => {
                symbols[..2].copy_from_slice(kept);
                if *caps_lock == CapsLock::SwapsCase {
                    first_type = types.letters;
                }
            }
            Room::OtherGroups { key_type, kept } => {
                symbols[..usize::from(LEVELS)].fill(Keysym::NONE);
                symbols[..kept.len()].copy_from_slice(kept);
                first_type = *key_type;
            }
        }
        KeyDescription {
            keycode: self.keycode,
            group_info: GROUPS,
            types: [first_type, types.plain, types.plain, types.plain],
            width: LEVELS,
            symbols,
        }
    }

    /// The extra symbols that the key carries now, if it is one that [`Host::with`] made.
    pub(super) fn extra(&self, key: &KeyDescription) -> Symbols {
        let mut extra = [Keysym::NONE; PLACES];
        for place in Place::all().filter(|&place| self.room.is_free(place)) {
            if let Some(&keysym) = key.symbols.get(place.index()) {
                extra[place.index()] = keysym;
            }
        }
        extra
    }
}

/// A key of ours seen again: what [`Host::with`] made of an empty key or of one that kept its first group.
pub(super) fn host_again(key: &KeyDescription, types: OurTypes) -> Option<Host> {
    let ours = |group: usize| key.types[group] == types.plain;
    if key.group_info & 0x0f != GROUPS || key.width != LEVELS || key.symbols.len() != PLACES || !(1..4).all(ours) {
        return None;
    }
    let room = if ours(0) {
        Room::Whole
    } else {
        Room::OtherGroups { key_type: key.types[0], kept: key.symbols[..usize::from(LEVELS)].to_vec() }
    };
    Some(Host { keycode: key.keycode, room })
}

/// What the room is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A keymap for good, on a display of our own.
    WholeKeymap,
    /// A page for a while, on anybody's display: it stays off the keys that texts are typed with, and off the first group
    /// of every other.
    Page,
}

/// Every key with room, by keycode, but for those that earlier pages use. A second layout of the user leaves only the empty
/// keys: more groups would change what its switching key does.
pub(super) fn hosts(map: &KeymapDescription, purpose: Purpose) -> Vec<Host> {
    let typed_with = |key: &&KeyDescription| is_typed_with(key) && !map.paged.contains(&key.keycode);
    let one_layout = map.keys.iter().filter(typed_with).all(|key| group_count(key) == 1);
    let sets_modifier = |keycode| map.modifiers.iter().any(|&(key, mask)| key == keycode && mask != ModifierMask::NONE);
    let room = |key: &KeyDescription| {
        let special = key.keycode.0 < LOWEST || SPECIAL_KEYCODES.contains(&key.keycode.0);
        if special || sets_modifier(key.keycode) || map.paged.contains(&key.keycode) {
            return None;
        }
        if key.symbols.iter().all(|keysym| keysym.is_none()) {
            return Some(Room::Whole);
        }
        if !one_layout
            || group_count(key) != 1
            || !key.symbols.iter().all(|&keysym| keysym.is_none() || may_be_joined(keysym))
        {
            return None;
        }
        match purpose {
            Purpose::WholeKeymap => Some(beside(key, map.types.get(usize::from(key.types[0]))?)),
            Purpose::Page if is_typed_with(key) => None,
            Purpose::Page => Some(other_groups(key)),
        }
    };
    map.keys.iter().filter_map(|key| Some(Host { keycode: key.keycode, room: room(key)? })).collect()
}

/// The room beside the symbols of a key with one group.
fn beside(key: &KeyDescription, key_type: &KeyType) -> Room {
    let only_shift = key_type.entries.iter().all(|entry| entry.level == 1 && entry.preserved.is_empty());
    let entry = |mask: ModifierMask| key_type.entries.iter().any(|entry| entry.modifiers == mask);
    let both = ModifierMask::SHIFT.or(ModifierMask::LOCK);
    let first = key.symbols.first().copied().unwrap_or(Keysym::NONE);
    let second = key.symbols.get(1).copied().filter(|_| key.width > 1).unwrap_or(first);
    if key_type.entries.is_empty() {
        return Room::UpperLevels { kept: [first, first], caps_lock: CapsLock::Ignored };
    }
    if only_shift && key_type.modifiers == ModifierMask::SHIFT {
        return Room::UpperLevels { kept: [first, second], caps_lock: CapsLock::Ignored };
    }
    if only_shift && key_type.modifiers == both && entry(ModifierMask::LOCK) && !entry(both) {
        return Room::UpperLevels { kept: [first, second], caps_lock: CapsLock::SwapsCase };
    }
    other_groups(key)
}

fn other_groups(key: &KeyDescription) -> Room {
    let kept = key.symbols.iter().copied().take(usize::from(key.width.min(LEVELS))).collect();
    Room::OtherGroups { key_type: key.types[0], kept }
}

/// Whether other symbols may stand on the same key: printable characters and media keys. Not what Asian keyboards switch with (Kanji
/// to `Hangul_Special`): fcitx looks at the first group alone, took a character beside Hangul for the key that switches it on, and
/// kept it (measured: 11 of 5,000 characters in xterm).
/// Not Undo: `LibreOffice` and browsers undo on it whatever other symbol the key has just given. Measured with every character
/// of the wide keymap, no other key of the US layout does such a thing in thirteen applications.
fn may_be_joined(keysym: Keysym) -> bool {
    match keysym.0 {
        // The keys that switch the console.
        0x1008_fe00..=0x1008_feff => false,
        // Linefeed, Pause, Multi_key, Sun's row from Redo to Break but for Undo; the other XF86 and Sun keys.
        0xff0a | 0xff13 | 0xff20 | 0xff66 | 0xff68..=0xff6b | 0x1008_0000..=0x1008_ffff | 0x1005_ff00..=0x1005_ffff => {
            true
        }
        _ => {
            !keysym.is_keypad() && unicode_of(keysym).is_some_and(|character| !character.is_whitespace())
                || is_dead(keysym)
        }
    }
}

/// `dead_grave` to `dead_hamza` and the longer list after them: printable keys of many layouts.
const fn is_dead(keysym: Keysym) -> bool {
    matches!(keysym.0, 0xfe50..=0xfe93)
}

/// Whether texts are typed with the key, so that its groups are the user's layouts.
fn is_typed_with(key: &KeyDescription) -> bool {
    let first = key.symbols.first().copied().unwrap_or(Keysym::NONE);
    !first.is_keypad() && unicode_of(first).is_some_and(|character| !character.is_whitespace())
}

/// The number of groups that a key has: XKB has at most four, whatever a reply claims.
pub(super) fn group_count(key: &KeyDescription) -> u8 {
    (key.group_info & 0x0f).min(GROUPS)
}
