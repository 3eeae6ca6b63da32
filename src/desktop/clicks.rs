//! The clicks to which a program may still count the next one.
//!
//! Programs count presses of one button in about one place that follow each other soon, whoever meant them to belong together: a
//! triple click straight after a click made 2, 3, 1 of three presses in GTK and Chromium, so that it selected nothing, and 2, 1, 2
//! in Qt (measured).

use std::time::{Duration, Instant};

use crate::{
    plan::step::{ButtonNumber, Presses},
    protocol::units::NativePoint,
};

/// Presses that are farther apart than this, in pixels, are never counted together: GTK, Qt and Tk allow 5, Chromium 4.
const NEAR: u16 = 5;

/// The time after which a press begins a new count: Chromium and Tk take 500 ms, GTK and Qt 400. The rest is for clocks that
/// count whole milliseconds.
const AFTER_ONE: Duration = Duration::from_millis(510);

/// The same after more than one: GTK takes a press for the third until twice its 400 ms after the first.
const AFTER_SEVERAL: Duration = Duration::from_millis(810);

/// Presses that a program may have counted together.
#[derive(Clone, Copy, Debug)]
struct Row {
    button: ButtonNumber,
    place: NativePoint,
    presses: Presses,
    count: u32,
    /// Not before the last of them reached the server.
    last: Instant,
}

/// The last presses, and what the action that is under way presses for.
#[derive(Debug)]
pub(super) struct Clicks {
    last: Option<Row>,
    presses: Presses,
    /// The action under way has pressed.
    pressed: bool,
}

impl Default for Clicks {
    fn default() -> Self {
        Self { last: None, presses: Presses::Single, pressed: false }
    }
}

impl Clicks {
    /// Begins presses of a button at a place. Returns what time to wait for first.
    pub(super) fn begin(&mut self, button: ButtonNumber, place: NativePoint, presses: Presses) -> Option<Instant> {
        self.presses = presses;
        let row = self.last.filter(|row| row.button == button && is_near(row.place, place))?;
        if (row.presses, presses) == (Presses::Single, Presses::Single) {
            return None;
        }
        Some(row.last + if row.count == 1 { AFTER_ONE } else { AFTER_SEVERAL })
    }

    /// Remembers a press. Those of the wheel are not counted by anybody.
    pub(super) fn note(&mut self, button: ButtonNumber, place: NativePoint) {
        if (4..=7).contains(&button.0) {
            return;
        }
        let now = Instant::now();
        let before = self.last.filter(|row| {
            row.button == button && is_near(row.place, place) && now.duration_since(row.last) < AFTER_SEVERAL
        });
        let count = before.map_or(0, |row| row.count) + 1;
        self.last = Some(Row { button, place, presses: self.presses, count, last: now });
        self.pressed = true;
    }

    /// Ends an action: the server has carried out its presses by now.
    pub(super) fn end(&mut self) {
        self.presses = Presses::Single;
        if let Some(row) = self.last.as_mut().filter(|_| self.pressed) {
            row.last = Instant::now();
        }
        self.pressed = false;
    }
}

const fn is_near(one: NativePoint, other: NativePoint) -> bool {
    one.x.abs_diff(other.x) <= NEAR && one.y.abs_diff(other.y) <= NEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: ButtonNumber = ButtonNumber(1);
    const HERE: NativePoint = NativePoint { x: 100, y: 100 };

    fn after(presses: Presses, count: u32) -> Clicks {
        let mut clicks = Clicks::default();
        assert_eq!(clicks.begin(LEFT, HERE, presses), None);
        for _ in 0..count {
            clicks.note(LEFT, HERE);
        }
        clicks.end();
        clicks
    }

    fn waits(mut clicks: Clicks, button: ButtonNumber, place: NativePoint, presses: Presses) -> bool {
        clicks.begin(button, place, presses).is_some_and(|until| until > Instant::now())
    }

    #[test]
    fn only_what_would_be_counted_together_and_must_not_be_waits() {
        let (single, apart) = (Presses::Single, Presses::Apart);
        assert!(!waits(after(single, 1), LEFT, HERE, single), "two clicks in a row are never slowed down");
        assert!(waits(after(single, 1), LEFT, HERE, apart));
        assert!(waits(after(apart, 2), LEFT, HERE, single));
        assert!(waits(after(apart, 3), LEFT, HERE, apart));
        assert!(!waits(after(apart, 2), ButtonNumber(3), HERE, apart), "another button");
        assert!(waits(after(apart, 2), LEFT, NativePoint { x: 105, y: 95 }, apart));
        assert!(!waits(after(apart, 2), LEFT, NativePoint { x: 106, y: 100 }, apart), "another place");
        let mut wheel = after(single, 0);
        wheel.note(ButtonNumber(5), HERE);
        assert!(!waits(wheel, ButtonNumber(5), HERE, apart));
    }

    #[test]
    fn several_clicks_last_longer_than_one() {
        let until = |count| after(Presses::Apart, count).begin(LEFT, HERE, Presses::Apart).unwrap() - Instant::now();
        assert!(until(1) <= AFTER_ONE && until(1) > AFTER_ONE / 2);
        assert!(until(2) > AFTER_ONE && until(2) <= AFTER_SEVERAL);
    }
}
