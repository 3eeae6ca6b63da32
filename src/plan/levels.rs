//! The places for extra characters on a key: four groups of eight levels, and the key types that lead to the levels.
//!
//! On a display of our own the types are our own. They list Lock, so that Caps Lock reaches the letters of a kept first group only and a client never
//! capitalises an extra character by a table of its own (XKB protocol, section 12.1.2: only an unconsumed Lock does).
//! On somebody else's they are the layout's own type of eight levels: a program on plain Xlib that has looked a key up before never
//! reads of a type that is added (libX11 hears of keys that change, and of no type, unless the program asks for it), and takes
//! every level of it for the first (seen in st, xterm and a client of our own: all but the first symbols of a page were wrong).

use super::{
    keymap::{KeyType, ModifierMask, TypeEntry},
    step::{Group, Keycode, Keysym},
};

/// The groups that XKB has.
pub(super) const GROUPS: u8 = 4;
/// The levels of a group: what three modifiers choose.
pub(super) const LEVELS: u8 = 8;
/// How many symbols a key can carry.
pub(super) const PLACES: usize = GROUPS as usize * LEVELS as usize;

/// What Caps Lock does to the first two levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CapsLock {
    /// Nothing.
    Ignored,
    /// It exchanges them, as on letters.
    SwapsCase,
}

/// One symbol's place on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) group: Group,
    /// Bit 0: Shift, bit 1: the third level's modifier, bit 2: the fifth's.
    pub(super) level: u8,
}

impl Place {
    /// The place's index among the symbols of a key with four groups of eight levels.
    pub(super) const fn index(self) -> usize {
        self.group.0 as usize * LEVELS as usize + self.level as usize
    }

    /// Every place, those first that need the fewest keys.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..GROUPS).flat_map(|group| (0..LEVELS).map(move |level| Self { group: Group(group), level }))
    }
}

/// The modifiers that choose among eight levels and the keys that set them while they are down. A modifier without a key
/// leaves half of the levels out of reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LevelKeys {
    pub(super) shift: Option<Keycode>,
    pub(super) third: Option<(ModifierMask, Keycode)>,
    pub(super) fifth: Option<(ModifierMask, Keycode)>,
}

impl LevelKeys {
    fn all(self) -> [Option<(ModifierMask, Keycode)>; 3] {
        [self.shift.map(|keycode| (ModifierMask::SHIFT, keycode)), self.third, self.fifth]
    }

    /// The keys to hold for a level while these modifiers are locked; none if it is out of reach.
    pub(super) fn reach(self, level: u8, locked: ModifierMask) -> Option<Vec<Keycode>> {
        let mut held = Vec::new();
        for (bit, key) in self.all().into_iter().enumerate() {
            let wanted = level >> bit & 1 == 1;
            let locked = key.is_some_and(|(modifier, _)| !modifier.and(locked).is_empty());
            match (wanted, locked, key) {
                (true, false, Some((_, keycode))) => held.push(keycode),
                (true, true, _) | (false, false, _) => {}
                (true, false, None) | (false, true, _) => return None,
            }
        }
        Some(held)
    }

    /// Whether a key type leads to each level that can be reached by just the modifiers of its bits.
    pub(super) fn fit(self, key_type: &KeyType) -> bool {
        let chosen_by = |level: u8| {
            let masks = (0..).zip(self.all()).filter(|&(bit, _)| level >> bit & 1 == 1).filter_map(|(_, key)| key);
            masks.fold(ModifierMask::NONE, |mask, (more, _)| mask.or(more))
        };
        let found = |level: u8| {
            let modifiers = chosen_by(level);
            let entry = key_type.entries.iter().find(|entry| entry.modifiers == modifiers);
            entry.map_or(0, |entry| entry.level) == level && entry.is_none_or(|entry| entry.preserved.is_empty())
        };
        let mut reachable = (0..LEVELS).filter(|&level| self.reach(level, ModifierMask::NONE).is_some());
        let all = (0..LEVELS).fold(ModifierMask::NONE, |all, level| all.or(chosen_by(level)));
        key_type.levels == LEVELS && key_type.modifiers.and(all) == all && reachable.all(found)
    }

    /// The key type whose eight levels these modifiers choose.
    pub(super) fn key_type(self, caps_lock: CapsLock) -> KeyType {
        let modifiers = self.all().map(|key| key.map_or(ModifierMask::NONE, |(modifier, _)| modifier));
        let mask = |level: u8| {
            (0..)
                .zip(modifiers)
                .filter(|&(bit, _)| level >> bit & 1 == 1)
                .fold(ModifierMask::NONE, |mask, (_, more)| mask.or(more))
        };
        let reachable = (0..LEVELS).filter(|&level| self.reach(level, ModifierMask::NONE).is_some());
        let mut entries = Vec::new();
        for lock in [ModifierMask::NONE, ModifierMask::LOCK] {
            for chosen in reachable.clone() {
                let swapped = caps_lock == CapsLock::SwapsCase && !lock.is_empty() && chosen < 2;
                let level = if swapped { chosen ^ 1 } else { chosen };
                let modifiers = mask(chosen).or(lock);
                // What is not listed gives the first level anyway.
                if level != 0 {
                    entries.push(TypeEntry { modifiers, preserved: ModifierMask::NONE, level });
                }
            }
        }
        KeyType { modifiers: mask(LEVELS - 1).or(ModifierMask::LOCK), entries, levels: LEVELS }
    }
}

/// The symbols of one key, by [`Place::index`].
pub(super) type Symbols = [Keysym; PLACES];

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: LevelKeys = LevelKeys {
        shift: Some(Keycode(50)),
        third: Some((ModifierMask(0x80), Keycode(92))),
        fifth: Some((ModifierMask(0x20), Keycode(203))),
    };

    #[test]
    fn each_level_is_reached_by_the_keys_of_its_bits() {
        assert_eq!(KEYS.reach(0, ModifierMask::NONE), Some(vec![]));
        assert_eq!(KEYS.reach(7, ModifierMask::NONE), Some(vec![Keycode(50), Keycode(92), Keycode(203)]));
        assert_eq!(KEYS.reach(4, ModifierMask(0x20)), Some(vec![]), "a locked modifier needs no key");
        assert_eq!(KEYS.reach(1, ModifierMask(0x20)), None, "and cannot be undone by one");
        let two = LevelKeys { fifth: None, ..KEYS };
        assert_eq!(two.reach(3, ModifierMask::NONE), Some(vec![Keycode(50), Keycode(92)]));
        assert_eq!(two.reach(4, ModifierMask::NONE), None);
    }

    #[test]
    fn caps_lock_swaps_the_case_of_letters_and_changes_nothing_else() {
        let level = |kind: &KeyType, mask: u8| {
            kind.entries.iter().find(|entry| entry.modifiers.0 == mask).map_or(0, |entry| entry.level)
        };
        let (plain, letters) = (KEYS.key_type(CapsLock::Ignored), KEYS.key_type(CapsLock::SwapsCase));
        assert_eq!([0, 1, 2, 3].map(|mask| level(&plain, mask)), [0, 1, 0, 1]);
        assert_eq!([0, 1, 2, 3].map(|mask| level(&letters, mask)), [0, 1, 1, 0]);
        for kind in [&plain, &letters] {
            assert_eq!([0x80, 0xa1, 0xa3, 0x22].map(|mask| level(kind, mask)), [2, 7, 7, 4]);
        }
    }
}
