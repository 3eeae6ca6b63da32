//! One-time tickets: a web page cannot set a header on a WebSocket, so it exchanges its token for something that it may put into
//! one, where proxies and browsers may write it down: worth nothing a moment later, and nothing twice.

use std::{collections::VecDeque, time::Instant};

use crate::protocol::{limits, token::TokenHash};

/// The tickets that are out, the oldest first. Neither they nor the tokens that they stand for can be read from here.
#[derive(Debug, Default)]
pub struct Tickets {
    outstanding: VecDeque<Ticket>,
}

#[derive(Debug)]
struct Ticket {
    hash: TokenHash,
    /// The token that was exchanged: whether it still opens the door is asked when the ticket is used.
    token: TokenHash,
    until: Instant,
}

impl Tickets {
    /// Takes down a new ticket of whoever has this token. Past the limit the oldest is worth nothing any more.
    pub fn issue(&mut self, now: Instant, hash: TokenHash, token: TokenHash) {
        self.outstanding.retain(|ticket| now < ticket.until);
        while self.outstanding.len() >= limits::TICKETS {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(Ticket { hash, token, until: now + limits::TICKET_TIME });
    }

    /// Uses a ticket up: the token that was exchanged for it. Every ticket is compared, whichever fits, as tokens are.
    pub fn redeem(&mut self, now: Instant, presented: &[u8]) -> Option<TokenHash> {
        self.outstanding.retain(|ticket| now < ticket.until);
        let presented = TokenHash::presented(presented);
        let mut found = None;
        for (place, ticket) in self.outstanding.iter().enumerate() {
            if ticket.hash.is(presented) {
                found = Some(place);
            }
        }
        found.and_then(|place| self.outstanding.remove(place)).map(|ticket| ticket.token)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn text(number: usize) -> String {
        format!("{number:064}")
    }

    fn hash(number: usize) -> TokenHash {
        TokenHash::of(text(number).as_bytes())
    }

    #[test]
    fn a_ticket_is_worth_its_token_once() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        tickets.issue(now, hash(1), hash(101));
        tickets.issue(now, hash(2), hash(102));
        for wrong in [String::new(), text(3), text(1)[1..].to_owned(), format!("{}0", text(1)), text(101)] {
            assert_eq!(tickets.redeem(now, wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(tickets.redeem(now, text(2).as_bytes()), Some(hash(102)));
        assert_eq!(tickets.redeem(now, text(2).as_bytes()), None, "it is used up");
        assert_eq!(tickets.redeem(now, text(1).as_bytes()), Some(hash(101)), "the others are not");
    }

    #[test]
    fn a_ticket_is_worth_nothing_after_thirty_seconds() {
        let (mut tickets, begun) = (Tickets::default(), Instant::now());
        tickets.issue(begun, hash(1), hash(101));
        tickets.issue(begun, hash(2), hash(101));
        let at = |time: u64| begun + Duration::from_millis(time);
        assert_eq!(tickets.redeem(at(29_999), text(1).as_bytes()), Some(hash(101)));
        assert_eq!(tickets.redeem(at(30_000), text(2).as_bytes()), None);
        assert_eq!(tickets.redeem(begun, text(2).as_bytes()), None, "it is forgotten, not hidden");
    }

    #[test]
    fn sixty_four_may_be_out_and_the_oldest_make_room() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        for number in 0..=limits::TICKETS {
            tickets.issue(now, hash(number), hash(1000));
        }
        assert_eq!(tickets.outstanding.len(), limits::TICKETS);
        assert_eq!(tickets.redeem(now, text(0).as_bytes()), None);
        for number in 1..=limits::TICKETS {
            assert_eq!(tickets.redeem(now, text(number).as_bytes()), Some(hash(1000)), "{number}");
        }
    }
}
