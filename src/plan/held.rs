//! Modifiers that the controller holds already when a chord has them too.

use super::{
    gesture::Gesture,
    step::{Keycode, Step},
};

/// The steps without those that press and release what is held: after `key_down shift` and a click with `shift`, Shift is still
/// down, and it went down once. A tap of nothing but what is held stays as it is: it has to do something, and ends the hold.
pub fn keep_held(steps: Vec<Step>, gesture: &Gesture, held: &[Keycode]) -> Vec<Step> {
    let only_keys = match gesture {
        Gesture::Click { .. } | Gesture::Drag { .. } | Gesture::Scroll { .. } | Gesture::ScrollBy { .. } => false,
        Gesture::Keys { .. } | Gesture::HoldKeys { .. } => true,
        // The first two are about what is held, a text lifts it, and the others press no key.
        Gesture::PressKeys(_)
        | Gesture::ReleaseKeys(_)
        | Gesture::Type(_)
        | Gesture::Secret(_)
        | Gesture::Paste(_)
        | Gesture::Move(_)
        | Gesture::PressButton(_)
        | Gesture::ReleaseButton(_)
        | Gesture::Wait(_) => return steps,
    };
    let is_held = |step: &Step| matches!(step, Step::Key(keycode, _) if held.contains(keycode));
    let is_another = |step: &Step| matches!(step, Step::Key(..)) && !is_held(step);
    if only_keys && !steps.iter().any(is_another) {
        return steps;
    }
    steps.into_iter().filter(|step| !is_held(step)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{
        gesture::Chord,
        step::{ButtonNumber, Direction, Keysym},
    };

    const SHIFT: Keycode = Keycode(50);
    const LETTER: Keycode = Keycode(38);

    fn tap(keycode: Keycode) -> [Step; 2] {
        [Step::Key(keycode, Direction::Press), Step::Key(keycode, Direction::Release)]
    }

    fn around(keycode: Keycode, inside: [Step; 2]) -> Vec<Step> {
        let [press, release] = tap(keycode);
        let [first, second] = inside;
        vec![press, first, second, release]
    }

    fn hold() -> Gesture {
        Gesture::HoldKeys { chord: Chord(vec![Keysym::SHIFT_LEFT]), duration: Duration::ZERO }
    }

    #[test]
    fn a_modifier_that_is_held_is_neither_pressed_nor_released_by_a_chord() {
        assert_eq!(keep_held(around(SHIFT, tap(LETTER)), &hold(), &[SHIFT]), tap(LETTER));
        assert_eq!(keep_held(around(SHIFT, tap(LETTER)), &hold(), &[]), around(SHIFT, tap(LETTER)));
        let click = [Direction::Press, Direction::Release].map(|direction| Step::Button(ButtonNumber(1), direction));
        let gesture = Gesture::Click { at: None, button: ButtonNumber(1), count: 1, held: None };
        assert_eq!(keep_held(around(SHIFT, click.clone()), &gesture, &[SHIFT]), click);
    }

    #[test]
    fn a_tap_of_what_is_held_and_what_is_about_holding_stay_as_they_are() {
        assert_eq!(keep_held(tap(SHIFT).to_vec(), &hold(), &[SHIFT]), tap(SHIFT));
        let release = Gesture::ReleaseKeys(Chord(vec![Keysym::SHIFT_LEFT]));
        assert_eq!(keep_held(around(SHIFT, tap(LETTER)), &release, &[SHIFT]).len(), 4);
    }
}
