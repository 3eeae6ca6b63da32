//! Chords to keycodes.

use super::{
    gesture::Chord,
    keymap::{Keymap, ModifierMask, Stroke},
    pages::{Levels, Pages, page_form},
    step::{Group, Keycode, Keysym, Step},
    steps::{Builder, KeyboardState, PlanError},
};

/// The keys of one chord in the order of pressing, each once, and the group and the locks with which they mean it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChordPlan {
    pub(super) group: Group,
    pub(super) locked: ModifierMask,
    pub(super) keycodes: Vec<Keycode>,
}

/// Looks up the keys of chords, those of the layout and those of pages.
pub(super) struct Chords<'a> {
    keymap: &'a Keymap,
    state: KeyboardState,
    pages: Pages,
}

impl<'a> Chords<'a> {
    pub(super) fn new(keymap: &'a Keymap, state: KeyboardState) -> Self {
        Self { keymap, state, pages: Pages::new(keymap, state.locked, Levels::FirstOf(state.group)) }
    }

    /// Puts the symbols that no key has onto spare keycodes: one page for all the chords.
    pub(super) fn provide<'c>(
        &mut self,
        chords: impl Iterator<Item = &'c Chord>,
        builder: &mut Builder,
    ) -> Result<(), PlanError> {
        let mut needed: Vec<Keysym> = Vec::new();
        for &keysym in chords.flat_map(|chord| &chord.0) {
            let form = page_form(keysym);
            if self.on_layout(keysym, self.state.group, false).is_none() && !needed.contains(&form) {
                if needed.len() == self.pages.capacity() {
                    return Err(PlanError::NoKey(keysym));
                }
                needed.push(form);
            }
        }
        if let Some(next) = self.pages.provide(&needed) {
            if next.reuses_keycodes {
                builder.steps.push(Step::Acknowledge);
            }
            builder.steps.push(Step::Remap(next.page));
        }
        Ok(())
    }

    /// The keys of a chord, with the modifiers that its symbols need besides those that it names.
    pub(super) fn plan(&self, chord: &Chord) -> Result<ChordPlan, PlanError> {
        let mut plan = ChordPlan {
            group: self.state.group,
            locked: self.state.locked,
            keycodes: Vec::with_capacity(chord.0.len()),
        };
        let mut down = ModifierMask::NONE;
        for &keysym in &chord.0 {
            let (stroke, locked) = self.stroke(keysym, plan.group, chord.0.len() == 1)?;
            if locked != self.state.locked {
                plan.locked = locked;
            }
            let is_modifier = !self.keymap.modifiers_of(stroke.keycode).is_empty();
            if !is_modifier {
                plan.group = stroke.group;
            }
            // A modifier that the chord holds already serves the symbol too: `ctrl+shift+plus` has one Shift.
            let added = stroke.modifiers.into_iter().filter(|&key| down.and(self.keymap.modifiers_of(key)).is_empty());
            for keycode in added.collect::<Vec<_>>().into_iter().chain([stroke.keycode]) {
                if !plan.keycodes.contains(&keycode) {
                    down = down.or(self.keymap.modifiers_of(keycode));
                    plan.keycodes.push(keycode);
                }
            }
        }
        Ok(plan)
    }

    /// How to make a symbol, and the modifiers that must be locked for it.
    fn stroke(&self, keysym: Keysym, group: Group, alone: bool) -> Result<(Stroke, ModifierMask), PlanError> {
        self.on_layout(keysym, group, alone)
            .or_else(|| Some((self.pages.stroke(page_form(keysym))?, self.state.locked)))
            .ok_or(PlanError::NoKey(keysym))
    }

    fn on_layout(&self, keysym: Keysym, group: Group, alone: bool) -> Option<(Stroke, ModifierMask)> {
        // A key alone must give its symbol, so Caps Lock counts; in a chord programs look at the key, and an added Shift would
        // make `ctrl+a` another shortcut.
        let KeyboardState { locked, .. } = self.state;
        let without_lock = locked.without(ModifierMask::LOCK);
        let first = if alone { locked } else { without_lock };
        let stroke = self
            .keymap
            .keycode_of(keysym, group, first)
            .or_else(|| self.keymap.keycode_of(keysym, group, without_lock));
        if let Some(stroke) = stroke {
            return Some((stroke, locked));
        }
        // No Shift reaches the digits of the keypad while Num Lock is off. A page would: but what programs take for the keypad's
        // 5 is its keycode, and to Chromium another one was another key (measured).
        let num_lock = self.num_lock().filter(|_| keysym.is_keypad())?;
        let toggled = |set: ModifierMask| ModifierMask(set.0 ^ num_lock.0);
        Some((self.keymap.keycode_of(keysym, group, toggled(without_lock))?, toggled(locked)))
    }

    /// The modifier that Num Lock locks.
    fn num_lock(&self) -> Option<ModifierMask> {
        let stroke = self.keymap.keycode_of(Keysym::NUM_LOCK, self.state.group, ModifierMask::NONE)?;
        Some(self.keymap.modifiers_of(stroke.keycode)).filter(|mask| !mask.is_empty())
    }
}
