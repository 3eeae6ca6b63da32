//! A text to steps: what the layout has by its own keys, the rest by pages on spare keycodes.

use std::collections::{HashMap, HashSet};

use super::{
    keymap::{Keymap, Stroke},
    keysyms::{keysym_of_character, unicode_of},
    pages::{Levels, Pages},
    step::{Direction, Expectation, Keycode, Keysym, Step},
    steps::{Builder, KeyboardState, PlanError},
};

/// One key press to make and how many characters of the text it stands for: two for `\r\n`.
#[derive(Clone, Copy, Debug)]
struct Unit {
    keysym: Keysym,
    character: char,
    /// How many characters of the text come before this one.
    index: u32,
    length: u32,
}

/// The steps that type a text: each character exactly once, in order, nothing left pressed, the group as it was.
pub(super) fn type_text(text: &str, keymap: &Keymap, state: KeyboardState) -> Result<Vec<Step>, PlanError> {
    plan(text, keymap, state, Manner::Freely)
}

/// The steps that type a secret: every character has its key before the first is pressed.
pub(super) fn type_secret(text: &str, keymap: &Keymap, state: KeyboardState) -> Result<Vec<Step>, PlanError> {
    plan(text, keymap, state, Manner::Sealed).map_err(|_| PlanError::Secret)
}

/// How a text is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// In parts, where the keys are not enough for all of it.
    Freely,
    /// In one part, sealed.
    Sealed,
}

fn plan(text: &str, keymap: &Keymap, state: KeyboardState, manner: Manner) -> Result<Vec<Step>, PlanError> {
    let units = units(text)?;
    let mut typist = Typist {
        strokes: Strokes { keymap, state, known: HashMap::new() },
        pages: None,
        builder: Builder::new(state),
        held: Vec::new(),
        typed: 0,
        last: None,
        manner,
    };
    typist.builder.steps.push(Step::Expect(Expectation::Focus));
    typist.run(&units)?;
    typist.hold(&[]);
    typist.builder.restore_group();
    if units.is_empty() {
        typist.builder.steps.push(Step::Typed(0));
    }
    Ok(typist.builder.steps)
}

/// `\r\n`, `\r` and `\n` are one Return each.
fn units(text: &str) -> Result<Vec<Unit>, PlanError> {
    let mut units: Vec<Unit> = Vec::with_capacity(text.len());
    let mut after_return = false;
    for (index, character) in (0..).zip(text.chars()) {
        if character == '\n' && after_return {
            if let Some(unit) = units.last_mut() {
                unit.length += 1;
            }
            after_return = false;
            continue;
        }
        after_return = character == '\r';
        let keysym = keysym_of_character(character).ok_or(PlanError::Unmappable { index, character })?;
        units.push(Unit { keysym, character, index, length: 1 });
    }
    Ok(units)
}

/// What the layout itself has, looked up once a symbol.
struct Strokes<'a> {
    keymap: &'a Keymap,
    state: KeyboardState,
    known: HashMap<Keysym, Option<Stroke>>,
}

impl Strokes<'_> {
    fn on_layout(&mut self, keysym: Keysym) -> Option<&Stroke> {
        let (keymap, KeyboardState { locked, group }) = (self.keymap, self.state);
        let look_up = || match unicode_of(keysym) {
            Some(character) => keymap.strokes_for(character, group, locked),
            None => keymap.keycode_of(keysym, group, locked),
        };
        self.known.entry(keysym).or_insert_with(look_up).as_ref()
    }
}

struct Typist<'a> {
    strokes: Strokes<'a>,
    /// Made when the layout lacks something.
    pages: Option<Pages>,
    builder: Builder,
    /// The modifier keys that are down, in the order of pressing.
    held: Vec<Keycode>,
    typed: u32,
    /// The character before.
    last: Option<char>,
    manner: Manner,
}

impl Typist<'_> {
    fn pages(&mut self) -> &mut Pages {
        let Strokes { keymap, state, .. } = &self.strokes;
        self.pages.get_or_insert_with(|| Pages::new(keymap, state.locked, Levels::All))
    }

    fn run(&mut self, units: &[Unit]) -> Result<(), PlanError> {
        let mut rest = units;
        while !rest.is_empty() {
            let (now, needed) = self.next_run(rest)?;
            if !needed.is_empty()
                && let Some(next) = self.pages().provide(&needed)
            {
                if next.reuses_keycodes {
                    // Nothing is down while the application catches up.
                    self.hold(&[]);
                    self.builder.steps.extend([Step::Typed(self.typed), Step::Acknowledge]);
                }
                self.builder.steps.push(Step::Remap(next.page));
            }
            let (run, later) = rest.split_at(now);
            if self.manner == Manner::Sealed {
                if !later.is_empty() {
                    return Err(PlanError::Secret);
                }
                self.builder.steps.push(Step::Seal);
            }
            for unit in run {
                self.press(unit)?;
            }
            rest = later;
        }
        Ok(())
    }

    /// How many units can be typed with one more page, and the symbols that it must provide.
    fn next_run(&mut self, units: &[Unit]) -> Result<(usize, Vec<Keysym>), PlanError> {
        let mut needed = Vec::new();
        let mut seen = HashSet::new();
        for (count, unit) in units.iter().enumerate() {
            if seen.contains(&unit.keysym) || self.strokes.on_layout(unit.keysym).is_some() {
                continue;
            }
            if needed.len() == self.pages().capacity() {
                // With no room at all even the first symbol has no place.
                return if needed.is_empty() { Err(unmappable(unit)) } else { Ok((count, needed)) };
            }
            seen.insert(unit.keysym);
            needed.push(unit.keysym);
        }
        Ok((units.len(), needed))
    }

    fn press(&mut self, unit: &Unit) -> Result<(), PlanError> {
        let group = self.builder.group;
        let stroke = self.strokes.on_layout(unit.keysym).cloned();
        let stroke = stroke.or_else(|| self.pages().stroke(unit.keysym)).ok_or_else(|| unmappable(unit))?;
        if stroke.group != group {
            self.hold(&[]);
            self.builder.lock_group(stroke.group);
        }
        if is_long(unit.character) && self.last.is_some_and(|last| !is_long(last)) {
            // Before its modifiers: their presses are keys that wait in a queue, too.
            self.builder.steps.push(Step::KeepOrder);
        }
        self.last = Some(unit.character);
        self.hold(&stroke.modifiers);
        self.builder.tap(Some(stroke.keycode));
        self.typed = unit.index + unit.length;
        self.builder.steps.push(Step::Typed(self.typed));
        Ok(())
    }

    /// Makes exactly these modifier keys be down. What stays down between two characters is not pressed again.
    fn hold(&mut self, wanted: &[Keycode]) {
        let steps = &mut self.builder.steps;
        for &keycode in self.held.iter().rev().filter(|keycode| !wanted.contains(keycode)) {
            steps.push(Step::Key(keycode, Direction::Release));
        }
        self.held.retain(|keycode| wanted.contains(keycode));
        for &keycode in wanted {
            if !self.held.contains(&keycode) {
                steps.push(Step::Key(keycode, Direction::Press));
                self.held.push(keycode);
            }
        }
    }
}

/// Whether a character is two units of UTF-16, which some programs treat as more than a character.
const fn is_long(character: char) -> bool {
    character as u32 > 0xffff
}

const fn unmappable(unit: &Unit) -> PlanError {
    PlanError::Unmappable { index: unit.index, character: unit.character }
}
