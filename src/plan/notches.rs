//! Pixels to notches of the wheel: XTEST has no finer unit.

use super::step::ButtonNumber;
use crate::protocol::{error::Failure, limits::SCROLL_NOTCHES_MAX, units::PixelsPerNotch, wire};

/// How far the wheel turns each way, at most [`SCROLL_NOTCHES_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notches {
    /// To the right; to the left when negative.
    pub right: i8,
    /// Down; up when negative.
    pub down: i8,
}

impl Notches {
    /// The notches that come nearest to a distance in pixels; half a notch counts as one, in both directions alike.
    ///
    /// # Errors
    /// `out_of_range` for more than the wheel turns in one action.
    pub fn nearest(dx: i64, dy: i64, notch: PixelsPerNotch) -> Result<Self, Failure> {
        Ok(Self { right: nearest("dx", dx, notch)?, down: nearest("dy", dy, notch)? })
    }

    /// Whether the wheel does not turn at all.
    pub const fn is_none(self) -> bool {
        self.right == 0 && self.down == 0
    }

    /// The wheel's buttons (4 up, 5 down, 6 left, 7 right) and how often each is clicked, vertical ones first.
    pub fn wheels(self) -> [(ButtonNumber, u8); 2] {
        let wheel = |turn: i8, back: u8, forth: u8| ButtonNumber(if turn < 0 { back } else { forth });
        [(wheel(self.down, 4, 5), self.down.unsigned_abs()), (wheel(self.right, 6, 7), self.right.unsigned_abs())]
    }
}

fn nearest(name: &str, pixels: i64, notch: PixelsPerNotch) -> Result<i8, Failure> {
    let notch = i64::from(notch.get());
    // The distance that still rounds to the last notch: 100 notches and just less than half of another.
    let most = i64::from(SCROLL_NOTCHES_MAX) * notch + (notch - 1) / 2;
    if !(-most..=most).contains(&pixels) {
        let range = format!("{}..={most}; one action turns the wheel by at most {SCROLL_NOTCHES_MAX} notches", -most);
        return Err(wire::out_of_range(name, pixels, &range));
    }
    let turns = (pixels.abs() + notch / 2) / notch;
    Ok(i8::try_from(turns * pixels.signum()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::error::ErrorKind;

    fn notches(pixels: i64) -> Result<i8, ErrorKind> {
        nearest("dy", pixels, PixelsPerNotch::default()).map_err(|failure| failure.kind)
    }

    #[test]
    fn pixels_become_the_nearest_notch_in_both_directions_alike() {
        for (pixels, expected) in
            [(0, 0), (26, 0), (27, 1), (53, 1), (79, 1), (80, 2), (530, 10), (5300, 100), (5326, 100)]
        {
            assert_eq!((notches(pixels), notches(-pixels)), (Ok(expected), Ok(-expected)), "{pixels}");
        }
        for past in [5327, -5327, i64::MAX, i64::MIN] {
            assert_eq!(notches(past), Err(ErrorKind::OutOfRange), "{past}");
        }
        let even = PixelsPerNotch::try_from(120).expect("a notch");
        assert_eq!(nearest("dx", 12_059, even).map_err(|failure| failure.kind), Ok(100));
        assert_eq!(nearest("dx", 12_060, even).map_err(|failure| failure.kind), Err(ErrorKind::OutOfRange));
        assert_eq!(nearest("dx", -60, even).map_err(|failure| failure.kind), Ok(-1));
    }

    #[test]
    fn the_wheel_turns_vertically_first() {
        let both = Notches { right: -2, down: 3 };
        assert_eq!(both.wheels(), [(ButtonNumber(5), 3), (ButtonNumber(6), 2)]);
        assert_eq!(Notches { right: 1, down: -1 }.wheels(), [(ButtonNumber(4), 1), (ButtonNumber(7), 1)]);
        assert!(Notches::default().is_none() && !both.is_none());
    }
}
