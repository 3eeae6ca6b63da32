//! Which characters go onto which spare keycodes, page by page.

use std::collections::{HashMap, HashSet};

use super::{
    keymap::{Keymap, ModifierMask, Stroke},
    keysyms::{keysym_of_character, unicode_of},
    step::{Group, Keycode, Keysym, Page},
};

/// The keysym that a page carries for a symbol: of the keysyms of one character always the same.
pub(super) fn page_form(keysym: Keysym) -> Keysym {
    unicode_of(keysym).filter(|_| !keysym.is_keypad()).and_then(keysym_of_character).unwrap_or(keysym)
}

/// A page to set, and whether a client may still have to look up the old meaning of one of its keycodes.
#[derive(Debug)]
pub(super) struct NextPage {
    pub(super) page: Page,
    pub(super) reuses_keycodes: bool,
}

/// The spare keycodes of a keymap during one plan.
pub(super) struct Pages {
    shift: Option<Keycode>,
    /// The least recently used first; those without any meaning before all others.
    order: Vec<Keycode>,
    /// Keycodes that have never had a meaning which a client could still look up.
    clean: HashSet<Keycode>,
    assigned: HashMap<Keysym, (Keycode, usize)>,
}

impl Pages {
    pub(super) fn new(keymap: &Keymap, locked: ModifierMask) -> Self {
        // While Shift is locked the first level is out of reach, so that both levels must mean the same.
        let shift = keymap.shift_key().filter(|_| locked.and(ModifierMask::SHIFT).is_empty());
        let (spare, paged) = (keymap.spare_keycodes(), keymap.paged_keys());
        let mut assigned = HashMap::new();
        if shift.is_some() {
            for (keycode, symbols) in paged {
                for (level, keysym) in symbols.iter().enumerate().filter(|(_, keysym)| !keysym.is_none()) {
                    assigned.entry(page_form(*keysym)).or_insert((*keycode, level));
                }
            }
        }
        Self {
            shift,
            order: spare.iter().chain(paged.iter().map(|(keycode, _)| keycode)).copied().collect(),
            clean: spare.iter().copied().collect(),
            assigned,
        }
    }

    /// How many symbols one page can carry.
    pub(super) fn capacity(&self) -> usize {
        self.order.len() * self.levels()
    }

    fn levels(&self) -> usize {
        if self.shift.is_some() { 2 } else { 1 }
    }

    /// Makes room for all of these symbols (each once, at most [`Self::capacity`]); none if all have their place already.
    pub(super) fn provide(&mut self, needed: &[Keysym]) -> Option<NextPage> {
        let mut missing: Vec<Keysym> =
            needed.iter().copied().filter(|keysym| !self.assigned.contains_key(keysym)).collect();
        if missing.is_empty() {
            return None;
        }
        let kept: HashSet<Keycode> =
            needed.iter().filter_map(|keysym| self.assigned.get(keysym)).map(|&(keycode, _)| keycode).collect();
        let mut targets: Vec<Keycode> = self.order.iter().copied().filter(|keycode| !kept.contains(keycode)).collect();
        // A kept keycode may have only one symbol that is still needed; packed anew, they all fit.
        if targets.len() * self.levels() < missing.len() {
            missing = needed.to_vec();
            targets.clone_from(&self.order);
        }
        targets.truncate(missing.len().div_ceil(self.levels()));
        self.assigned.retain(|keysym, (keycode, _)| !targets.contains(keycode) && !missing.contains(keysym));
        let mut keys = Vec::with_capacity(targets.len());
        for (&keycode, symbols) in targets.iter().zip(missing.chunks(self.levels())) {
            for (level, &keysym) in symbols.iter().enumerate() {
                self.assigned.insert(keysym, (keycode, level));
            }
            // Both levels are always given: for a lower-case letter alone the server would make up the second.
            keys.push((keycode, [symbols[0], symbols[symbols.len() - 1]]));
        }
        let clean = targets.iter().filter(|keycode| self.clean.remove(keycode)).count();
        self.order.retain(|keycode| !targets.contains(keycode));
        self.order.extend(targets);
        Some(NextPage { reuses_keycodes: clean < keys.len(), page: Page { keys } })
    }

    /// How to make a symbol that a page carries. A page means the same in every group.
    pub(super) fn stroke(&self, keysym: Keysym, group: Group) -> Option<Stroke> {
        let &(keycode, level) = self.assigned.get(&keysym)?;
        let modifiers = if level == 0 { Vec::new() } else { self.shift.into_iter().collect() };
        Some(Stroke { modifiers, group, keycode })
    }
}
