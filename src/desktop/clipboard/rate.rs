//! How often a client is answered. The clipboard has one thread for everybody: a client that asks without end would keep the
//! application waiting that pastes (measured: for more than 1.5 s, and what had come in did not fit into memory any more).

use std::time::{Duration, Instant};

/// How many requests of a client are answered in each [`TURN`]. Chromium, which asks most, sends a dozen for a paste.
const REQUESTS: u32 = 200;
/// After this time everybody may ask again.
const TURN: Duration = Duration::from_secs(1);
/// How many clients are counted; an X server has no more by itself.
const CLIENTS: usize = 512;

/// What each client has asked for in this turn.
#[derive(Debug)]
pub(super) struct Rate {
    since: Instant,
    counts: Vec<(u32, u32)>,
}

impl Rate {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, counts: Vec::new() }
    }

    /// Counts a request, and says whether it is to be answered.
    pub(super) fn admits(&mut self, client: u32, now: Instant) -> bool {
        if now.duration_since(self.since) >= TURN {
            self.since = now;
            self.counts.clear();
        }
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == client) {
            *count = count.saturating_add(1);
            return *count <= REQUESTS;
        }
        let has_room = self.counts.len() < CLIENTS;
        if has_room {
            self.counts.push((client, 1));
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_asks_too_often_waits_for_the_next_turn_and_no_other_does() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        assert_eq!((0..1000).filter(|_| rate.admits(1, now)).count(), REQUESTS as usize);
        assert!(rate.admits(2, now) && !rate.admits(1, now + TURN / 2) && rate.admits(1, now + TURN));
        assert_eq!((0..1000).filter(|client| rate.admits(*client, now + TURN)).count(), CLIENTS);
    }
}
