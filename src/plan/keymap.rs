//! The keymap of the X server at one moment, and what must be pressed to make a symbol with it.
//!
//! The description follows the XKB protocol (section 12, "Key types" and "Key symbol map"), so that `desktop` fills it from
//! the replies to `GetMap` without arithmetic. It comes from another process: indices that point nowhere make a key
//! useless, never a panic.

use std::collections::HashMap;

use super::{
    hosts::{SPECIAL_KEYCODES, group_count},
    keysyms::{unicode_of, upper_case},
    levels::LevelKeys,
    step::{Group, Keycode, Keysym, ModifierKey, Page},
};

/// A set of the eight real modifiers, as X carries it: bit 0 Shift, 1 Lock, 2 Control, 3 to 7 Mod1 to Mod5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ModifierMask(pub u8);

impl ModifierMask {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Shift.
    pub const SHIFT: Self = Self(1);
    /// Lock, which Caps Lock locks.
    pub const LOCK: Self = Self(2);

    /// What is in this set and in the other.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// One line of a key type: with exactly these of the type's modifiers, this level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeEntry {
    /// The resolved mask (`mods_mask`).
    pub modifiers: ModifierMask,
    /// What the entry leaves to the client (`preserve`); nothing where the type has no such list.
    pub preserved: ModifierMask,
    /// Counted from 0.
    pub level: u8,
}

/// How modifiers choose a level (`KEYTYPE`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyType {
    /// The modifiers that the type looks at (`mods_mask`).
    pub modifiers: ModifierMask,
    /// The active entries; every other combination gives level 0.
    pub entries: Vec<TypeEntry>,
    /// How many levels there are (`num_levels`).
    pub levels: u8,
}

/// The symbols of one key (`KEYSYMMAP`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// Which key.
    pub keycode: Keycode,
    /// The raw `group_info`: the number of groups in bits 0 to 3; what happens to a group past the last in bits 4 to 7.
    pub group_info: u8,
    /// The index of each group's type (`kt_index`).
    pub types: [u8; 4],
    /// How many symbols each group has in `symbols`.
    pub width: u8,
    /// Group after group, level after level.
    pub symbols: Vec<Keysym>,
}

impl KeyDescription {
    /// What the key means by itself and with Shift, in the first group: what programs look for when a chord is pressed. The further
    /// levels of a wide keymap are characters, which no chord means.
    pub fn usual_symbols(&self) -> Vec<Keysym> {
        let levels = usize::from(self.width).min(2);
        self.symbols.iter().take(levels).copied().filter(|keysym| !keysym.is_none()).collect()
    }
}

/// Everything that `desktop` knows about the keyboard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeymapDescription {
    /// The key types, in the order of their indices.
    pub types: Vec<KeyType>,
    /// Every keycode that the server has, also those without symbols.
    pub keys: Vec<KeyDescription>,
    /// Which keys set which modifiers (`GetModifierMapping`, or `modmap_rtrn`).
    pub modifiers: Vec<(Keycode, ModifierMask)>,
    /// Keycodes whose extra symbols may be exchanged for others, those set the longest time ago first.
    pub paged: Vec<Keycode>,
}

impl KeymapDescription {
    /// One key.
    pub fn key(&self, keycode: Keycode) -> Option<&KeyDescription> {
        self.keys.iter().find(|key| key.keycode == keycode)
    }

    /// The keymap as it is once a page is set.
    pub fn apply(&mut self, page: &Page) {
        self.types.extend(page.types.iter().cloned());
        for key in &page.keys {
            if let Some(known) = self.keys.iter_mut().find(|known| known.keycode == key.keycode) {
                known.clone_from(key);
            }
        }
        if let Some(ModifierKey { keycode, modifier }) = page.modifier {
            self.modifiers.retain(|(key, _)| *key != keycode);
            self.modifiers.push((keycode, modifier));
            self.modifiers.sort_unstable_by_key(|(key, _)| *key);
            if let Some(key) = self.keys.iter_mut().find(|key| key.keycode == keycode) {
                *key = KeyDescription {
                    keycode,
                    group_info: 1,
                    types: [0; 4],
                    width: 1,
                    symbols: vec![Keysym::LEVEL_5_SHIFT],
                };
            }
        }
    }
}

/// What to press for one symbol: the group must be locked and the modifiers down, all others up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stroke {
    /// The keys that give the level, in the order of pressing.
    pub modifiers: Vec<Keycode>,
    /// The group in which the key means the symbol.
    pub group: Group,
    /// The key.
    pub keycode: Keycode,
}

/// Where a symbol stands.
#[derive(Clone, Copy, Debug)]
struct Position {
    keycode: Keycode,
    /// The key's index in the description.
    key: usize,
    group: u8,
    level: u8,
    keysym: Keysym,
}

/// What a symbol is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// A part of a chord: any key will do, also a modifier.
    Chord,
    /// A character: modifiers make none.
    Text,
}

/// A keymap made ready for look-ups.
#[derive(Clone, Debug)]
pub struct Keymap {
    description: KeymapDescription,
    by_keysym: HashMap<Keysym, Vec<Position>>,
    by_character: HashMap<char, Vec<Position>>,
    modifiers: HashMap<Keycode, ModifierMask>,
    /// The keys that set Shift, the third and the fifth level while they are down: one a modifier.
    carriers: Vec<(ModifierMask, Keycode)>,
}

impl Keymap {
    /// Indexes a description.
    pub fn new(description: KeymapDescription) -> Self {
        let mut modifiers: HashMap<Keycode, ModifierMask> = HashMap::new();
        for &(keycode, mask) in &description.modifiers {
            let known = modifiers.entry(keycode).or_default();
            *known = known.or(mask);
        }
        modifiers.retain(|_, mask| !mask.is_empty());
        let mut keymap = Self {
            description,
            by_keysym: HashMap::new(),
            by_character: HashMap::new(),
            modifiers,
            carriers: Vec::new(),
        };
        for (index, key) in keymap.description.keys.iter().enumerate() {
            // What pages hold stays out of the indices: the next page may take any of it away.
            if !keymap.description.paged.contains(&key.keycode) {
                add(key, index, &mut keymap.by_keysym, &mut keymap.by_character);
            }
        }
        keymap.carriers = keymap.find_carriers();
        keymap
    }

    /// What was indexed.
    pub fn description(&self) -> &KeymapDescription {
        &self.description
    }

    /// A key can be held for a level if it is alone in its modifier, says so by its symbol, and needs no modifier itself.
    fn find_carriers(&self) -> Vec<(ModifierMask, Keycode)> {
        let mut carriers: Vec<(ModifierMask, Keycode)> = Vec::new();
        for keysym in [Keysym::SHIFT_LEFT, Keysym::SHIFT_RIGHT, Keysym::LEVEL_3_SHIFT, Keysym::LEVEL_5_SHIFT] {
            let positions = self.by_keysym.get(&keysym).map_or(&[][..], Vec::as_slice);
            for position in positions.iter().filter(|position| position.level == 0 && position.group == 0) {
                let mask = self.modifiers_of(position.keycode);
                if mask.0.is_power_of_two() && carriers.iter().all(|&(known, _)| known != mask) {
                    carriers.push((mask, position.keycode));
                }
            }
        }
        carriers
    }

    /// The modifiers that a key sets while it is down.
    pub fn modifiers_of(&self, keycode: Keycode) -> ModifierMask {
        self.modifiers.get(&keycode).copied().unwrap_or_default()
    }

    /// The key to hold for Shift.
    pub fn shift_key(&self) -> Option<Keycode> {
        self.carrier(ModifierMask::SHIFT)
    }

    fn carrier(&self, modifier: ModifierMask) -> Option<Keycode> {
        self.carriers.iter().find(|&&(mask, _)| mask == modifier).map(|&(_, keycode)| keycode)
    }

    /// The keys that lead to the levels of our own key types.
    pub(super) fn level_keys(&self) -> LevelKeys {
        let carrier = |keysym| {
            let is = |&&(mask, keycode): &&(ModifierMask, Keycode)| {
                mask != ModifierMask::SHIFT && mask != ModifierMask::LOCK && self.means(keycode, keysym)
            };
            self.carriers.iter().find(is).copied()
        };
        LevelKeys {
            shift: self.shift_key(),
            third: carrier(Keysym::LEVEL_3_SHIFT),
            fifth: carrier(Keysym::LEVEL_5_SHIFT),
        }
    }

    fn means(&self, keycode: Keycode, keysym: Keysym) -> bool {
        let key = self.description.keys.iter().find(|key| key.keycode == keycode);
        key.is_some_and(|key| key.symbols.first() == Some(&keysym))
    }

    /// The cheapest way to a character, whichever of its keysyms the layout has; none if the layout lacks it.
    pub fn strokes_for(&self, character: char, group: Group, locked: ModifierMask) -> Option<Stroke> {
        let positions = self.by_character.get(&character)?;
        self.cheapest(positions, Purpose::Text, group, locked)
    }

    /// The cheapest way to a keysym, or to another keysym of the same character; none if the layout lacks it.
    pub fn keycode_of(&self, keysym: Keysym, group: Group, locked: ModifierMask) -> Option<Stroke> {
        let exact =
            self.by_keysym.get(&keysym).and_then(|positions| self.cheapest(positions, Purpose::Chord, group, locked));
        // A keypad key is asked for because it is one: `KP_1` must not become the 1 above the letters.
        exact.or_else(|| {
            unicode_of(keysym)
                .filter(|_| !keysym.is_keypad())
                .and_then(|character| self.strokes_for(character, group, locked))
        })
    }

    fn cheapest(&self, positions: &[Position], purpose: Purpose, group: Group, locked: ModifierMask) -> Option<Stroke> {
        positions
            .iter()
            .filter_map(|position| {
                let key = self.description.keys.get(position.key)?;
                let stays = effective_group(key, group) == Some(position.group);
                let stroke = Stroke {
                    modifiers: self.reach(key, *position, purpose, locked)?,
                    group: if stays { group } else { Group(position.group) },
                    keycode: position.keycode,
                };
                let special = SPECIAL_KEYCODES.contains(&position.keycode.0);
                let keypad = position.keysym.is_keypad();
                Some(((special, keypad, !stays, stroke.modifiers.len(), position.keycode), stroke))
            })
            .min_by(|(left, _), (right, _)| left.cmp(right))
            .map(|(_, stroke)| stroke)
    }

    /// The fewest keys to hold so that the key gives this symbol while these modifiers are locked.
    fn reach(
        &self,
        key: &KeyDescription,
        at: Position,
        purpose: Purpose,
        locked: ModifierMask,
    ) -> Option<Vec<Keycode>> {
        if purpose == Purpose::Text && !self.modifiers_of(key.keycode).is_empty() {
            return None;
        }
        let key_type = self.description.types.get(usize::from(key.types[usize::from(at.group)]))?;
        let usable: Vec<(ModifierMask, Keycode)> = self
            .carriers
            .iter()
            .copied()
            .filter(|&(mask, keycode)| {
                !mask.and(key_type.modifiers).is_empty() && mask.and(locked).is_empty() && keycode != key.keycode
            })
            .collect();
        (0..1u8 << usable.len())
            .filter_map(|choice| {
                let chosen =
                    || (0..).zip(&usable).filter(move |&(bit, _)| choice >> bit & 1 == 1).map(|(_, carrier)| carrier);
                let active = chosen().fold(locked, |active, &(mask, _)| active.or(mask));
                gives(key_type, active, at).then(|| chosen().map(|&(_, keycode)| keycode).collect::<Vec<_>>())
            })
            .min_by_key(Vec::len)
    }
}

/// Whether a key of this type gives the symbol of this position while these modifiers are active.
fn gives(key_type: &KeyType, active: ModifierMask, at: Position) -> bool {
    let relevant = active.and(key_type.modifiers);
    let entry = key_type.entries.iter().find(|entry| entry.modifiers == relevant);
    if entry.map_or(0, |entry| entry.level) != at.level {
        return false;
    }
    // Lock that the type has not consumed makes the client convert the symbol to upper case (XKB protocol, section 12.1.2).
    let consumed = key_type.modifiers.without(entry.map_or(ModifierMask::NONE, |entry| entry.preserved));
    let capitals = !active.and(ModifierMask::LOCK).without(consumed).is_empty();
    !capitals || unicode_of(at.keysym).and_then(upper_case).is_none()
}

fn add(
    key: &KeyDescription,
    index: usize,
    by_keysym: &mut HashMap<Keysym, Vec<Position>>,
    by_character: &mut HashMap<char, Vec<Position>>,
) {
    for group in 0..group_count(key) {
        for level in 0..key.width {
            let symbol = usize::from(group) * usize::from(key.width) + usize::from(level);
            let Some(&keysym) = key.symbols.get(symbol).filter(|keysym| !keysym.is_none()) else { continue };
            let position = Position { keycode: key.keycode, key: index, group, level, keysym };
            by_keysym.entry(keysym).or_default().push(position);
            if let Some(character) = unicode_of(keysym) {
                by_character.entry(character).or_default().push(position);
            }
        }
    }
}

/// The group that a key uses while `group` is in effect (XKB protocol, section 12.1.1); none for a key without groups.
fn effective_group(key: &KeyDescription, Group(group): Group) -> Option<u8> {
    let count = group_count(key);
    if count == 0 || group < count {
        return (count != 0).then_some(group);
    }
    Some(match key.group_info & 0xc0 {
        // Redirect: bits 4 and 5 name the group, and one past the last means the first.
        0x80 => Some(key.group_info >> 4 & 0x03).filter(|&group| group < count).unwrap_or(0),
        // Clamp.
        0x40 => count - 1,
        // Wrap.
        _ => group % count,
    })
}
