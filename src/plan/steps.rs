//! Gestures to steps, with the keymap of this moment.

use thiserror::Error;

use super::{
    chords::{ChordPlan, Chords},
    drag::drag_steps,
    gesture::{Chord, Gesture},
    keymap::{Keymap, ModifierMask},
    keysyms::name_of,
    step::{ButtonNumber, Direction, Expectation, Group, Keycode, Keysym, Presses, Step},
    typing::{type_secret, type_text},
};
use crate::protocol::{
    error::{ErrorKind, Failure},
    units::{Milliseconds, NativePoint},
};

/// Between the clicks of a double or triple click. Chromium takes presses of the same millisecond for one; from 1 ms on it, GTK,
/// Qt and Tk recognised 40 of 40 each, idle and with both cores busy (measured). The rest is for programs that were not.
const BETWEEN_CLICKS: Milliseconds = Milliseconds(10);

/// Before and after the clicks of a double or triple click. X times are whole milliseconds, and Chromium takes presses of the
/// same time for one, wherever they are: a double click right after another click then counted 1, 1 (measured). Two, as
/// the server may count from a time that it read a millisecond ago.
const AROUND_CLICKS: Milliseconds = Milliseconds(2);

/// What the keyboard stands at when a gesture begins. What the controller itself holds down is not part of it: that is meant
/// to act on what follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyboardState {
    /// The modifiers that are locked, as by Caps Lock and Num Lock.
    pub locked: ModifierMask,
    /// The group in effect.
    pub group: Group,
}

/// Why a gesture cannot be carried out with this keymap. Nothing has been sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// No key has the character and none can be given it.
    #[error(
        "character {index} of the text, {}, is on no key and cannot be put on one; leave it out, or load a layout that has it",
        describe(*.character)
    )]
    Unmappable {
        /// How many characters come before it.
        index: u32,
        /// The character.
        character: char,
    },
    /// The same of a character of a secret, of which nothing is told.
    #[error(
        "a character of the secret is on no key and cannot be put on one with all others at once; load a layout that has it"
    )]
    Secret,
    /// No key has the symbol and none can be given it.
    #[error("key `{}` is not on the keyboard and cannot be put on it; use another key", name_of(*.0))]
    NoKey(Keysym),
}

fn describe(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let failure = Self::new(ErrorKind::UnmappableCharacter, error.to_string());
        match error {
            PlanError::Unmappable { .. } | PlanError::Secret => failure.with(|detail| detail.typed = Some(0)),
            PlanError::NoKey(_) => failure,
        }
    }
}

/// The steps of a gesture. They leave nothing pressed but what `PressButton` and `PressKeys` ask for, and the group as it was.
pub fn steps(
    gesture: &Gesture,
    keymap: &Keymap,
    pointer: NativePoint,
    state: KeyboardState,
) -> Result<Vec<Step>, PlanError> {
    let mut builder = Builder::new(state);
    match gesture {
        Gesture::Move(at) => builder.go(Some(*at)),
        Gesture::Click { at, button, count, held } => {
            builder.go(*at);
            builder.steps.push(Step::Anew(*button, if *count == 1 { Presses::Single } else { Presses::Apart }));
            builder.holding(held.as_ref(), keymap, state, |builder| builder.clicks(*button, *count))?;
        }
        Gesture::PressButton(button) => builder.steps.push(Step::Button(*button, Direction::Press)),
        Gesture::ReleaseButton(button) => builder.steps.push(Step::Button(*button, Direction::Release)),
        Gesture::Drag { start, path, button, held } => {
            builder.go(*start);
            builder.steps.push(Step::Anew(*button, Presses::Apart));
            let from = start.unwrap_or(pointer);
            builder.holding(held.as_ref(), keymap, state, |builder| {
                builder.steps.extend(drag_steps(from, path, *button));
            })?;
        }
        Gesture::Scroll { at, wheel, notches, held } => {
            builder.go(*at);
            builder.holding(held.as_ref(), keymap, state, |builder| {
                for _ in 0..*notches {
                    builder.click(*wheel);
                }
            })?;
        }
        Gesture::ScrollBy { at, notches, held } => {
            builder.go(*at);
            // A chord that goes down and up around nothing may mean something of its own.
            let held = held.as_ref().filter(|_| !notches.is_none());
            builder.holding(held, keymap, state, |builder| {
                for (wheel, count) in notches.wheels() {
                    for _ in 0..count {
                        builder.click(wheel);
                    }
                }
            })?;
        }
        Gesture::Keys { chords, repeat } => {
            let plans = builder.prepare(chords, keymap, state)?;
            for plan in std::iter::repeat_n(&plans, usize::from(*repeat)).flatten() {
                builder.press(plan);
                builder.release(plan);
            }
        }
        Gesture::PressKeys(chord) => {
            for plan in builder.prepare(std::slice::from_ref(chord), keymap, state)? {
                builder.press(&plan);
            }
            builder.restore_group();
            builder.lock_modifiers(state.locked);
        }
        Gesture::ReleaseKeys(chord) => {
            // A release never remaps: what no key has cannot be down.
            let plan = Chords::new(keymap, state).plan(chord)?;
            builder.release(&plan);
        }
        Gesture::HoldKeys { chord, duration } => {
            for plan in builder.prepare(std::slice::from_ref(chord), keymap, state)? {
                builder.press(&plan);
                builder.wait(*duration);
                builder.release(&plan);
            }
        }
        Gesture::Paste(_) => {
            // Every application that was tried pastes on this chord; `desktop::paste` has them.
            let chord = Chord(vec![Keysym::SHIFT_LEFT, Keysym::INSERT]);
            for plan in builder.prepare(std::slice::from_ref(&chord), keymap, state)? {
                builder.press(&plan);
                builder.release(&plan);
            }
        }
        Gesture::Type(text) => return type_text(text, keymap, state),
        Gesture::Secret(text) => return type_secret(text.expose(), keymap, state),
        Gesture::Wait(duration) => builder.wait(*duration),
    }
    Ok(builder.steps)
}

/// Steps as they grow, and the group that they leave in effect.
pub(super) struct Builder {
    pub(super) steps: Vec<Step>,
    pub(super) group: Group,
    first_group: Group,
    locked: ModifierMask,
    first_locked: ModifierMask,
}

impl Builder {
    pub(super) const fn new(KeyboardState { locked, group }: KeyboardState) -> Self {
        Self { steps: Vec::new(), group, first_group: group, locked, first_locked: locked }
    }

    /// Presses and releases a key.
    pub(super) fn tap(&mut self, keycode: Option<Keycode>) {
        if let Some(keycode) = keycode {
            self.steps.extend([Step::Key(keycode, Direction::Press), Step::Key(keycode, Direction::Release)]);
        }
    }

    pub(super) fn lock_group(&mut self, group: Group) {
        if self.group != group {
            self.group = group;
            self.steps.push(Step::LockGroup(group));
        }
    }

    fn lock_modifiers(&mut self, locked: ModifierMask) {
        if self.locked != locked {
            self.locked = locked;
            self.steps.push(Step::LockModifiers(locked));
        }
    }

    pub(super) fn restore_group(&mut self) {
        self.lock_group(self.first_group);
    }

    fn go(&mut self, at: Option<NativePoint>) {
        if let Some(at) = at {
            self.steps.extend([Step::Move(at), Step::Expect(Expectation::Pointer(at))]);
        }
    }

    fn click(&mut self, button: ButtonNumber) {
        self.steps.extend([Step::Button(button, Direction::Press), Step::Button(button, Direction::Release)]);
    }

    fn clicks(&mut self, button: ButtonNumber, count: u8) {
        if count == 1 {
            return self.click(button);
        }
        self.steps.push(Step::Delay(AROUND_CLICKS));
        for number in 0..count {
            if number > 0 {
                self.steps.push(Step::Delay(BETWEEN_CLICKS));
            }
            self.click(button);
        }
        self.steps.push(Step::Delay(AROUND_CLICKS));
    }

    fn wait(&mut self, duration: std::time::Duration) {
        // Validated to at most 300 s; a wait that ends early would break the promise, so parts of a millisecond count whole.
        let milliseconds = duration.as_micros().div_ceil(1000);
        self.steps.push(Step::Delay(Milliseconds(u32::try_from(milliseconds).unwrap_or(u32::MAX))));
    }

    /// Presses a chord, does something, releases it.
    fn holding(
        &mut self,
        held: Option<&Chord>,
        keymap: &Keymap,
        state: KeyboardState,
        inside: impl FnOnce(&mut Self),
    ) -> Result<(), PlanError> {
        let mut chords = Chords::new(keymap, state);
        chords.provide(held.into_iter(), self)?;
        let plan = held.map(|chord| chords.plan(chord)).transpose()?;
        if let Some(plan) = &plan {
            self.press(plan);
        }
        inside(self);
        if let Some(plan) = &plan {
            self.release(plan);
        }
        Ok(())
    }

    /// Makes sure that keys would arrive, and that there is a key for each.
    fn prepare(&mut self, list: &[Chord], keymap: &Keymap, state: KeyboardState) -> Result<Vec<ChordPlan>, PlanError> {
        self.steps.push(Step::Expect(Expectation::Focus));
        let mut chords = Chords::new(keymap, state);
        chords.provide(list.iter(), self)?;
        list.iter().map(|chord| chords.plan(chord)).collect()
    }

    fn press(&mut self, plan: &ChordPlan) {
        self.lock_modifiers(plan.locked);
        self.lock_group(plan.group);
        self.steps.extend(plan.keycodes.iter().map(|&keycode| Step::Key(keycode, Direction::Press)));
    }

    fn release(&mut self, plan: &ChordPlan) {
        self.steps.extend(plan.keycodes.iter().rev().map(|&keycode| Step::Key(keycode, Direction::Release)));
        // Not before: the server repeats a key in the group of that moment.
        self.restore_group();
        self.lock_modifiers(self.first_locked);
    }
}
