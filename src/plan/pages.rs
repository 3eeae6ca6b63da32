//! Which symbols go onto which keys, page by page: what the layout lacks stands on keys that have room for it, up to 32
//! symbols a key.
//!
//! A symbol that is added to a free place changes the meaning of nothing that an application may still have to look up. Only
//! when no place is free are the symbols of the keys that were set the longest time ago thrown out, and then the
//! application must have looked up everything before.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    hosts::{Host, OurTypes, Purpose, Room, host_again, hosts},
    keymap::{KeyType, Keymap, KeymapDescription, ModifierMask, Stroke},
    keysyms::{keysym_of_character, unicode_of},
    levels::{CapsLock, LevelKeys, PLACES, Place, Symbols},
    step::{Group, Keycode, Keysym, ModifierKey, Page},
};

/// The keysym that a page carries for a symbol: of the keysyms of one character always the same.
pub(super) fn page_form(keysym: Keysym) -> Keysym {
    unicode_of(keysym).filter(|_| !keysym.is_keypad()).and_then(keysym_of_character).unwrap_or(keysym)
}

/// Which places of a key may carry a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Levels {
    /// All: a text needs characters, whatever is held for them.
    All,
    /// The first of this group, for which nothing has to be held or locked: a chord is also its modifiers, F15 with Shift
    /// is another one, and Tk reads the release of a key in the first group.
    FirstOf(Group),
}

/// A page to set, and whether a client may still have to look up a symbol that it takes away.
#[derive(Debug)]
pub(super) struct NextPage {
    pub(super) page: Page,
    pub(super) reuses_keycodes: bool,
}

/// A host and the extra symbols that it carries.
#[derive(Clone, Debug)]
struct Loaded {
    host: Host,
    symbols: Symbols,
}

/// The keys that carry pages during one plan.
pub(super) struct Pages {
    types: OurTypes,
    /// Key types that the keymap must get with the first page.
    new_types: Vec<KeyType>,
    /// A key for the fifth level that the keymap must get with the first page.
    new_modifier: Option<ModifierKey>,
    /// The places that can be reached, with the keys to hold, the cheapest first.
    places: Vec<(Place, Vec<Keycode>)>,
    /// The least recently set first; those that carry nothing before all others.
    keys: Vec<Loaded>,
    assigned: HashMap<Keysym, (Keycode, Place)>,
}

impl Pages {
    pub(super) fn new(keymap: &Keymap, locked: ModifierMask, levels: Levels) -> Self {
        let map = keymap.description();
        let mut free = hosts(map, Purpose::Page);
        let PageTypes { types, level_keys, new_types, new_modifier } = page_types(map, keymap.level_keys(), &mut free);
        let reached = |place: Place| {
            let held = level_keys.reach(place.level, locked)?;
            let fits = match levels {
                Levels::All => true,
                Levels::FirstOf(group) => place.group == group && held.is_empty(),
            };
            fits.then_some((place, held))
        };
        // Empty keys before those that have a first group of their own.
        free.sort_by_key(|host| host.room != Room::Whole);
        let unloaded = free.into_iter().map(|host| Loaded { host, symbols: [Keysym::NONE; PLACES] });
        let again = map.paged.iter().filter_map(|keycode| {
            let key = map.keys.iter().find(|key| key.keycode == *keycode)?;
            let host = host_again(key, types)?;
            Some(Loaded { symbols: host.extra(key), host })
        });
        let mut pages = Self {
            types,
            new_types,
            new_modifier,
            places: Place::all().filter_map(reached).collect(),
            keys: unloaded.chain(again).collect(),
            assigned: HashMap::new(),
        };
        for Loaded { host, symbols } in &pages.keys {
            for (place, _) in &pages.places {
                let keysym = symbols[place.index()];
                if !keysym.is_none() {
                    pages.assigned.entry(page_form(keysym)).or_insert((host.keycode, *place));
                }
            }
        }
        pages
    }

    /// How many symbols all keys together can carry.
    pub(super) fn capacity(&self) -> usize {
        self.keys.iter().map(|key| self.room_of(&key.host)).sum()
    }

    fn room_of(&self, host: &Host) -> usize {
        self.places.iter().filter(|(place, _)| host.room.is_free(*place)).count()
    }

    /// Makes room for all of these symbols (each once, at most [`Self::capacity`]); none if all have their place already.
    pub(super) fn provide(&mut self, needed: &[Keysym]) -> Option<NextPage> {
        let lacks = |pages: &Self| -> Vec<Keysym> {
            needed.iter().copied().filter(|keysym| !pages.assigned.contains_key(keysym)).collect()
        };
        let mut missing = lacks(self);
        if missing.is_empty() {
            return None;
        }
        let reuses_keycodes = self.free_places() < missing.len();
        if reuses_keycodes {
            self.evict(needed, missing.len());
            missing = lacks(self);
        }
        let changed = self.place(&missing);
        // What was just set is the last to go.
        let (set, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.keys).into_iter().partition(|key| changed.contains(&key.host.keycode));
        let keys = set.iter().map(|key| key.host.with(&key.symbols, self.types)).collect();
        self.keys = others.into_iter().chain(set).collect();
        let page = Page { types: std::mem::take(&mut self.new_types), keys, modifier: self.new_modifier.take() };
        Some(NextPage { page, reuses_keycodes })
    }

    fn free_places(&self) -> usize {
        let free = |key: &Loaded| {
            let empty = |place: &Place| key.host.room.is_free(*place) && key.symbols[place.index()].is_none();
            self.places.iter().filter(|(place, _)| empty(place)).count()
        };
        self.keys.iter().map(free).sum()
    }

    /// Throws symbols out, the keys that were set the longest time ago first, until so many find room. A key that carries
    /// something needed is spared if the others suffice.
    fn evict(&mut self, needed: &[Keysym], missing: usize) {
        let spared: HashSet<Keycode> =
            needed.iter().filter_map(|keysym| self.assigned.get(keysym)).map(|&(keycode, _)| keycode).collect();
        let mut free = self.free_places();
        for index in 0..self.keys.len() {
            if free >= missing {
                return;
            }
            if !spared.contains(&self.keys[index].host.keycode) {
                free += self.clear(index);
            }
        }
        if free < missing {
            // Packed anew, everything that is needed has room: it is no more than the capacity.
            for index in 0..self.keys.len() {
                self.clear(index);
            }
        }
    }

    fn clear(&mut self, index: usize) -> usize {
        let Loaded { host, symbols } = &mut self.keys[index];
        *symbols = [Keysym::NONE; PLACES];
        let before = self.assigned.len();
        self.assigned.retain(|_, (keycode, _)| *keycode != host.keycode);
        before - self.assigned.len()
    }

    /// Puts symbols into free places, the cheapest first, and says which keys changed.
    fn place(&mut self, missing: &[Keysym]) -> BTreeSet<Keycode> {
        let mut changed = BTreeSet::new();
        let mut rest = missing.iter();
        for (place, _) in &self.places {
            for Loaded { host, symbols } in &mut self.keys {
                if !host.room.is_free(*place) || !symbols[place.index()].is_none() {
                    continue;
                }
                let Some(&keysym) = rest.next() else { return changed };
                symbols[place.index()] = keysym;
                self.assigned.insert(keysym, (host.keycode, *place));
                changed.insert(host.keycode);
            }
        }
        changed
    }

    /// How to make a symbol that a page carries.
    pub(super) fn stroke(&self, keysym: Keysym) -> Option<Stroke> {
        let &(keycode, place) = self.assigned.get(&keysym)?;
        let (_, modifiers) = self.places.iter().find(|(known, _)| *known == place)?;
        Some(Stroke { modifiers: modifiers.clone(), group: place.group, keycode })
    }
}

/// What pages do with the types of a keymap.
struct PageTypes {
    types: OurTypes,
    level_keys: LevelKeys,
    new_types: Vec<KeyType>,
    new_modifier: Option<ModifierKey>,
}

/// The wide keymap's types where it is loaded, else a type that the layout has and every program knows, and only where there
/// is none either new ones.
fn page_types(map: &KeymapDescription, known: LevelKeys, free: &mut Vec<Host>) -> PageTypes {
    let (types, lacking) = our_types(map, known);
    if lacking.is_empty() {
        return PageTypes { types, level_keys: known, new_types: Vec::new(), new_modifier: None };
    }
    for level_keys in [known, LevelKeys { fifth: None, ..known }] {
        let fitting = map.types.iter().position(|key_type| level_keys.fit(key_type));
        if let Some(index) = fitting.and_then(|index| u8::try_from(index).ok()) {
            let types = OurTypes { plain: index, letters: index };
            return PageTypes { types, level_keys, new_types: Vec::new(), new_modifier: None };
        }
    }
    let mut level_keys = known;
    let new_modifier = if level_keys.fifth.is_none() { fifth_level_key(map, free) } else { None };
    if let Some(ModifierKey { keycode, modifier }) = new_modifier {
        level_keys.fifth = Some((modifier, keycode));
    }
    let (types, new_types) = our_types(map, level_keys);
    PageTypes { types, level_keys, new_types, new_modifier }
}

/// The indices of our key types in a keymap, and those that it lacks.
pub(super) fn our_types(map: &KeymapDescription, level_keys: LevelKeys) -> (OurTypes, Vec<KeyType>) {
    let mut lacking = Vec::new();
    let mut index_of = |caps_lock| {
        let wanted = level_keys.key_type(caps_lock);
        let known = map.types.iter().position(|known| *known == wanted).unwrap_or_else(|| {
            lacking.push(wanted);
            map.types.len() + lacking.len() - 1
        });
        // The protocol numbers types by a byte; a server has some thirty.
        u8::try_from(known).unwrap_or(u8::MAX)
    };
    let types = OurTypes { plain: index_of(CapsLock::Ignored), letters: index_of(CapsLock::SwapsCase) };
    (types, lacking)
}

/// A key and a free modifier to reach the fifth level with. The old `Mode_switch` key is nobody's any more; else an empty
/// key, which then carries no symbols.
pub(super) fn fifth_level_key(map: &KeymapDescription, free: &mut Vec<Host>) -> Option<ModifierKey> {
    /// Mod3, which no layout of xkeyboard-config uses, then Mod2 and Mod5.
    const CANDIDATES: [ModifierMask; 3] = [ModifierMask(0x20), ModifierMask(0x10), ModifierMask(0x80)];
    let modifier =
        CANDIDATES.into_iter().find(|mask| map.modifiers.iter().all(|(_, used)| used.and(*mask).is_empty()))?;
    let unused = map.keys.iter().find(|key| key.symbols.first() == Some(&Keysym::MODE_SWITCH)).map(|key| key.keycode);
    let keycode = unused.or_else(|| {
        // Of one or two keys, half of the levels of all are more than all of the levels of the others.
        let empty = free.iter().filter(|host| host.room == Room::Whole).count();
        let first = free.iter().position(|host| host.room == Room::Whole).filter(|_| empty > 2)?;
        Some(free.remove(first).keycode)
    })?;
    Some(ModifierKey { keycode, modifier })
}
