//! What has changed since the last action, for whoever asks only later.

use std::{collections::VecDeque, time::Instant};

use super::ambient::Tile;

/// How many looks are remembered; more than within the longest time-out of an ordinary wait while nobody waits (20 a second).
const LOOKS: usize = 64;
/// How many tiles of one look are remembered; a look with more has changed the screen everywhere.
const TILES: usize = 256;

/// The tiles of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Places {
    These(Vec<Tile>),
    Everywhere,
}

/// The looks since the last action at which something had changed.
#[derive(Clone, Debug, Default)]
pub struct History {
    looks: VecDeque<(Instant, Places)>,
}

impl History {
    /// Somebody acts.
    pub fn clear(&mut self) {
        self.looks.clear();
    }

    /// Something had changed; the oldest look is forgotten where there are too many.
    pub fn note(&mut self, at: Instant, tiles: &[Tile]) {
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        let places = if tiles.len() > TILES { Places::Everywhere } else { Places::These(tiles.to_vec()) };
        self.looks.push_back((at, places));
    }

    /// When something last changed where it counts.
    pub fn last_change(&self, counts: impl Fn(Tile) -> bool) -> Option<Instant> {
        let is_meant = |places: &Places| match places {
            Places::These(tiles) => tiles.iter().any(|&tile| counts(tile)),
            Places::Everywhere => true,
        };
        self.looks.iter().rev().find(|(_, places)| is_meant(places)).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_last_change_is_the_last_where_it_counts() {
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let mut history = History::default();
        assert_eq!(history.last_change(|_| true), None);
        history.note(at(10), &[(1, 1)]);
        history.note(at(20), &[(2, 2)]);
        assert_eq!(history.last_change(|_| true), Some(at(20)));
        assert_eq!(history.last_change(|tile| tile == (1, 1)), Some(at(10)));
        assert_eq!(history.last_change(|_| false), None);
        history.note(at(30), &vec![(3, 3); TILES + 1]);
        assert_eq!(history.last_change(|_| false), Some(at(30)));
        for look in 0..1000 {
            history.note(at(40 + look), &[(4, 4)]);
        }
        assert_eq!(history.looks.len(), LOOKS);
        history.clear();
        assert_eq!(history.last_change(|_| true), None);
    }
}
