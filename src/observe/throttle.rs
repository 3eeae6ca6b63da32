//! How many lines one place may write: a peer that makes a line with every connection must fill no disk and hide no other line.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// So many lines of one place in [`PERIOD`]: as many as a person still reads.
const LINES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);

/// What is to become of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is written, and says how many before it were not.
    Written {
        /// Since the last one that was.
        left_out: u64,
    },
    /// It is not.
    LeftOut,
}

/// The places that have written. There are as many as the program has.
#[derive(Debug)]
pub struct Throttle<P> {
    places: HashMap<P, Place>,
}

#[derive(Debug)]
struct Place {
    /// When its period began.
    since: Instant,
    /// Lines in it.
    written: u32,
    left_out: u64,
}

impl<P: Eq + Hash> Default for Throttle<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Eq + Hash> Throttle<P> {
    /// Nothing has been written yet.
    pub fn new() -> Self {
        Self { places: HashMap::new() }
    }

    /// A place wants to write a line.
    pub fn line(&mut self, now: Instant, place: P) -> Fate {
        let place = self.places.entry(place).or_insert(Place { since: now, written: 0, left_out: 0 });
        if now.saturating_duration_since(place.since) >= PERIOD {
            (place.since, place.written) = (now, 0);
        }
        if place.written == LINES {
            place.left_out += 1;
            return Fate::LeftOut;
        }
        place.written += 1;
        Fate::Written { left_out: std::mem::take(&mut place.left_out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_a_second_of_each_place_and_the_next_says_how_many_were_left_out() {
        let (start, mut throttle) = (Instant::now(), Throttle::new());
        for _ in 0..10 {
            assert_eq!(throttle.line(start, "flood"), Fate::Written { left_out: 0 });
        }
        let still = start + Duration::from_millis(999);
        for _ in 0..5000 {
            assert_eq!(throttle.line(still, "flood"), Fate::LeftOut);
        }
        assert_eq!(throttle.line(still, "other"), Fate::Written { left_out: 0 }, "one place hides no other");
        let later = start + Duration::from_secs(1);
        assert_eq!(throttle.line(later, "flood"), Fate::Written { left_out: 5000 });
        assert_eq!(throttle.line(later, "flood"), Fate::Written { left_out: 0 });
    }
}
