//! Pauses between the characters of a text, for applications that cannot keep up.

use super::step::Step;
use crate::protocol::units::Milliseconds;

/// The steps of a text with a pause after each character but the last.
pub fn paced(steps: Vec<Step>, pace: Milliseconds) -> Vec<Step> {
    let characters = steps.iter().filter(|step| matches!(step, Step::Typed(_))).count();
    let mut slow = Vec::with_capacity(steps.len() + characters);
    let mut typed = None;
    for step in steps {
        let count = if let Step::Typed(count) = step { Some(count) } else { None };
        slow.push(step);
        // A page may repeat the count before it changes the keys.
        if let Some(count) = count.filter(|&count| typed != Some(count)) {
            typed = Some(count);
            slow.push(Step::Delay(pace));
        }
    }
    if let Some(last) = slow.iter().rposition(|step| matches!(step, Step::Delay(_))) {
        slow.remove(last);
    }
    slow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::step::{Direction, Expectation, Keycode};

    #[test]
    fn a_pause_stands_between_characters_and_not_at_the_end() {
        let key = |direction| Step::Key(Keycode(38), direction);
        let (down, up) = (key(Direction::Press), key(Direction::Release));
        let (pause, focus) = (Step::Delay(Milliseconds(7)), Step::Expect(Expectation::Focus));
        let fast = vec![
            focus.clone(),
            down.clone(),
            up.clone(),
            Step::Typed(1),
            Step::Typed(1),
            Step::Acknowledge,
            down.clone(),
            up.clone(),
            Step::Typed(2),
        ];
        let slow = [
            focus,
            down.clone(),
            up.clone(),
            Step::Typed(1),
            pause,
            Step::Typed(1),
            Step::Acknowledge,
            down,
            up,
            Step::Typed(2),
        ];
        assert_eq!(paced(fast, Milliseconds(7)), slow);
        assert_eq!(paced(vec![Step::Typed(0)], Milliseconds(7)), [Step::Typed(0)]);
    }
}
