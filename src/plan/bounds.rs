//! What an action must keep within: places that the pointer may act at, chords that must not be pressed. Checked twice: as soon as
//! a gesture is known, and again as steps, which alone tell what is held already and every point of a drag.

use super::{
    chord_pattern::{ChordPattern, fold},
    gesture::{Chord, Gesture},
    step::{Direction, Keycode, Keysym, Step},
};
use crate::protocol::units::{NativePoint, NativeRegion};

/// The bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Where pointer actions may land; anywhere when there is none.
    regions: Vec<NativeRegion>,
    /// What must not be pressed.
    chords: Vec<ChordPattern>,
}

/// The rule that a step would break, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfBounds(pub String);

/// How keyboard and pointer stand when the steps begin.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// Where the pointer is.
    pub pointer: NativePoint,
    /// The keys that are held.
    pub held: &'a [Keycode],
}

impl Bounds {
    /// These; `None` when nothing is bounded.
    pub fn new(regions: Vec<NativeRegion>, chords: Vec<ChordPattern>) -> Option<Self> {
        let bounds = Self { regions, chords };
        (bounds != Self::default()).then_some(bounds)
    }

    /// Whether it matters where the pointer is.
    pub const fn has_regions(&self) -> bool {
        !self.regions.is_empty()
    }

    /// Whether a chord may be pressed by itself.
    ///
    /// # Errors
    /// The pattern that it fits.
    pub fn chord(&self, Chord(keys): &Chord) -> Result<(), OutOfBounds> {
        let down: Vec<_> = keys.iter().map(|keysym| vec![fold(*keysym)]).collect();
        self.keys(&down)
    }

    /// Whether the places that a gesture names are inside.
    ///
    /// # Errors
    /// The first that is not.
    pub fn places(&self, gesture: &Gesture) -> Result<(), OutOfBounds> {
        match gesture {
            Gesture::Move(at) => self.place(*at),
            Gesture::Click { at, .. } | Gesture::Scroll { at, .. } | Gesture::ScrollBy { at, .. } => {
                at.map_or(Ok(()), |at| self.place(at))
            }
            Gesture::Drag { start, path, .. } => start.iter().chain(path).try_for_each(|at| self.place(*at)),
            Gesture::PressButton(_)
            | Gesture::ReleaseButton(_)
            | Gesture::Keys { .. }
            | Gesture::PressKeys(_)
            | Gesture::ReleaseKeys(_)
            | Gesture::HoldKeys { .. }
            | Gesture::Type(_)
            | Gesture::Secret(_)
            | Gesture::Paste(_)
            | Gesture::Wait(_) => Ok(()),
        }
    }

    /// Whether everything that the steps do is inside: every motion, every press of a button, every key that goes down together
    /// with those that are down by then. `meanings` are the symbols of a key. What lets go is always allowed.
    ///
    /// # Errors
    /// The first step that is not.
    pub fn steps(
        &self,
        gesture: &Gesture,
        steps: &[Step],
        beginning: Beginning<'_>,
        meanings: impl Fn(Keycode) -> Vec<Keysym>,
    ) -> Result<(), OutOfBounds> {
        // A text has its own keys, and the modifiers that are held go up before it.
        let is_text = gesture.brings_text();
        let folded = |keycode: &Keycode| meanings(*keycode).into_iter().map(fold).collect::<Vec<_>>();
        let mut pointer = beginning.pointer;
        let mut down: Vec<_> = beginning.held.iter().map(|keycode| (*keycode, folded(keycode))).collect();
        for step in steps {
            match step {
                Step::Move(to) => {
                    pointer = *to;
                    self.place(pointer)?;
                }
                Step::Button(_, Direction::Press) => self.place(pointer)?,
                Step::Key(keycode, Direction::Press) if !is_text && !self.chords.is_empty() => {
                    down.push((*keycode, folded(keycode)));
                    self.keys(&down.iter().map(|(_, meanings)| meanings.clone()).collect::<Vec<_>>())?;
                }
                Step::Key(keycode, Direction::Release) => down.retain(|(other, _)| other != keycode),
                _ => {}
            }
        }
        Ok(())
    }

    fn place(&self, at: NativePoint) -> Result<(), OutOfBounds> {
        if self.regions.is_empty() || self.regions.iter().any(|region| region.contains(at.x, at.y)) {
            return Ok(());
        }
        Err(OutOfBounds(format!(
            "the policy's regions do not contain pixel ({}, {}) of the display; point at a place inside one of them",
            at.x, at.y
        )))
    }

    fn keys(&self, down: &[Vec<Keysym>]) -> Result<(), OutOfBounds> {
        match self.chords.iter().find(|pattern| pattern.fits(down)) {
            None => Ok(()),
            Some(pattern) => Err(OutOfBounds(format!(
                "the policy's deny_chords has `{}`, and these keys would be that; use another way",
                pattern.text()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::step::ButtonNumber;

    const CONTROL: Keycode = Keycode(37);
    const SHIFT: Keycode = Keycode(50);
    const ONE: Keycode = Keycode(10);
    const CLICK: [Step; 2] =
        [Step::Button(ButtonNumber(1), Direction::Press), Step::Button(ButtonNumber(1), Direction::Release)];

    fn at(x: u16, y: u16) -> NativePoint {
        NativePoint { x, y }
    }

    fn bounds(chords: &[&str]) -> Bounds {
        let chords = chords.iter().map(|text| ChordPattern::parse(text).unwrap()).collect();
        let region = |x| NativeRegion { x, y: 0, width: 10, height: 10 };
        Bounds::new(vec![region(0), region(20)], chords).unwrap()
    }

    fn meanings(keycode: Keycode) -> Vec<Keysym> {
        match keycode {
            CONTROL => vec![Keysym(0xffe3)],
            SHIFT => vec![Keysym(0xffe1)],
            _ => vec![Keysym(0x31), Keysym(0x21)],
        }
    }

    fn checked(bounds: &Bounds, steps: &[Step], held: &[Keycode], pointer: NativePoint) -> bool {
        let gesture = Gesture::Move(at(0, 0));
        bounds.steps(&gesture, steps, Beginning { pointer, held }, meanings).is_ok()
    }

    #[test]
    fn regions_are_half_open_and_a_drag_between_two_of_them_leaves_both() {
        let bounds = bounds(&[]);
        let drag = |path: &[NativePoint]| {
            let button = ButtonNumber(1);
            bounds.places(&Gesture::Drag { start: Some(at(0, 0)), path: path.to_vec(), button, held: None }).is_ok()
        };
        assert!(drag(&[at(9, 9), at(20, 0)]) && !drag(&[at(10, 9)]) && !drag(&[at(5, 5), at(5, 10)]));
        assert!(!checked(&bounds, &[at(5, 5), at(15, 5), at(25, 5)].map(Step::Move), &[], at(0, 0)));
        assert!(checked(&bounds, &CLICK, &[], at(9, 9)) && !checked(&bounds, &CLICK, &[], at(10, 0)));
        assert!(checked(&bounds, &CLICK[1..], &[], at(10, 0)), "letting go is always allowed");
    }

    #[test]
    fn what_is_held_already_and_the_other_symbols_of_a_key_count() {
        let press = |keycode| Step::Key(keycode, Direction::Press);
        let (bounds, place) = (bounds(&["ctrl+1"]), at(0, 0));
        assert!(!checked(&bounds, &[press(CONTROL), press(ONE)], &[], place));
        assert!(!checked(&bounds, &[press(ONE)], &[CONTROL], place), "held by key_down");
        assert!(!checked(&bounds, &[press(SHIFT), press(ONE)], &[CONTROL], place), "`ctrl+exclam` is that key");
        let released = [press(CONTROL), Step::Key(CONTROL, Direction::Release), press(ONE)];
        assert!(checked(&bounds, &released, &[], place));
        let typed = Gesture::Type("1".to_owned());
        let beginning = Beginning { pointer: place, held: &[CONTROL] };
        assert_eq!(bounds.steps(&typed, &[press(ONE)], beginning, meanings), Ok(()), "a text lifts what is held");
    }
}
