//! Knows from the bytes alone whether a WebSocket message is half received, and since when.
//!
//! The WebSocket crate returns whole messages only, so a peer that sends one header and stalls would look idle. This
//! reads the frame headers (RFC 6455, 5.2) beside it and nothing else; what is wrong with a frame is the crate's finding.

use tokio::time::Instant;

use crate::protocol::limits;

/// The time limit of the message that is being received.
#[derive(Debug, Default)]
pub(super) struct MessageClock {
    frame: Frame,
    /// When the data message in progress began; pings between its fragments do not move it.
    message_since: Option<Instant>,
    /// When the control frame in progress began.
    control_since: Option<Instant>,
}

#[derive(Debug, Default)]
enum Frame {
    #[default]
    None,
    Header {
        first: u8,
        /// Header bytes still to come before the payload; unknown until the second byte has been seen.
        rest: Option<HeaderRest>,
    },
    Payload {
        first: u8,
        remaining: u64,
    },
}

#[derive(Clone, Copy, Debug)]
struct HeaderRest {
    /// Bytes of the extended length still to come.
    length_bytes: u8,
    /// Bytes of the masking key still to come.
    mask_bytes: u8,
    length: u64,
}

const FINAL: u8 = 0x80;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;
const MASK_BYTES: u8 = 4;

impl MessageClock {
    /// Follows bytes as they arrive.
    pub(super) fn observe(&mut self, mut bytes: &[u8], now: Instant) {
        while let Some(&byte) = bytes.first() {
            match &mut self.frame {
                Frame::None => {
                    let since = if byte & CONTROL == 0 { &mut self.message_since } else { &mut self.control_since };
                    since.get_or_insert(now);
                    self.frame = Frame::Header { first: byte, rest: None };
                    bytes = &bytes[1..];
                }
                Frame::Header { first, rest: None } => {
                    let (length, length_bytes) = match byte & !MASKED {
                        126 => (0, 2),
                        127 => (0, 8),
                        short => (u64::from(short), 0),
                    };
                    let mask_bytes = if byte & MASKED == 0 { 0 } else { MASK_BYTES };
                    let first = *first;
                    self.advance(first, HeaderRest { length_bytes, mask_bytes, length });
                    bytes = &bytes[1..];
                }
                Frame::Header { first, rest: Some(rest) } => {
                    let (first, mut rest) = (*first, *rest);
                    if rest.length_bytes > 0 {
                        rest.length = rest.length << 8 | u64::from(byte);
                        rest.length_bytes -= 1;
                    } else {
                        rest.mask_bytes -= 1;
                    }
                    self.advance(first, rest);
                    bytes = &bytes[1..];
                }
                Frame::Payload { first, remaining } => {
                    let step = usize::try_from(*remaining).unwrap_or(usize::MAX).min(bytes.len());
                    *remaining -= step as u64;
                    bytes = &bytes[step..];
                    if *remaining == 0 {
                        let first = *first;
                        self.end(first);
                    }
                }
            }
        }
    }

    /// When what is in progress must be complete; `None` between messages.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let since = match (self.message_since, self.control_since) {
            (Some(message), Some(control)) => message.min(control),
            (message, control) => message.or(control)?,
        };
        Some(since + limits::MESSAGE_TIME)
    }

    fn advance(&mut self, first: u8, rest: HeaderRest) {
        if rest.length_bytes > 0 || rest.mask_bytes > 0 {
            self.frame = Frame::Header { first, rest: Some(rest) };
        } else if rest.length > 0 {
            self.frame = Frame::Payload { first, remaining: rest.length };
        } else {
            self.end(first);
        }
    }

    fn end(&mut self, first: u8) {
        self.frame = Frame::None;
        if first & CONTROL != 0 {
            self.control_since = None;
        } else if first & FINAL != 0 {
            self.message_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FIRST_FRAGMENT: [u8; 8] = [0x01, 0x82, 0, 0, 0, 0, b'{', b' '];
    const LAST_FRAGMENT: [u8; 7] = [0x80, 0x81, 0, 0, 0, 0, b'}'];
    const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];

    fn after(milliseconds: u64, start: Instant) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_whole_message_leaves_no_deadline_however_it_is_cut() {
        let start = Instant::now();
        let mut long = vec![0x81, 0xfe, 0x01, 0x00, 1, 2, 3, 4];
        long.extend([7; 256]);
        let mut longer = vec![0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
        longer.resize(longer.len() + 65_536, 7);
        for message in [long, longer, PING.to_vec(), [FIRST_FRAGMENT.as_slice(), &PING, &LAST_FRAGMENT].concat()] {
            for cut in 1..message.len().min(300) {
                let mut clock = MessageClock::default();
                clock.observe(&message[..cut], start);
                assert_eq!(clock.deadline(), Some(start + limits::MESSAGE_TIME), "cut at {cut}");
                clock.observe(&message[cut..], start);
                assert_eq!(clock.deadline(), None, "cut at {cut}");
            }
        }
    }

    #[test]
    fn pings_between_fragments_do_not_extend_the_time_of_the_message() {
        let start = Instant::now();
        let mut clock = MessageClock::default();
        clock.observe(&FIRST_FRAGMENT, start);
        for second in 1..9 {
            clock.observe(&PING, after(second * 1000, start));
            assert_eq!(clock.deadline(), Some(start + limits::MESSAGE_TIME));
        }
        clock.observe(&LAST_FRAGMENT, after(9000, start));
        assert_eq!(clock.deadline(), None);
    }

    #[test]
    fn the_next_message_has_its_own_time() {
        let start = Instant::now();
        let mut clock = MessageClock::default();
        clock.observe(&[FIRST_FRAGMENT.as_slice(), &LAST_FRAGMENT].concat(), start);
        clock.observe(&FIRST_FRAGMENT, after(500, start));
        assert_eq!(clock.deadline(), Some(after(500, start) + limits::MESSAGE_TIME));
    }

    #[test]
    fn a_length_of_2_to_the_63_is_followed_without_arithmetic_trouble() {
        let start = Instant::now();
        let mut clock = MessageClock::default();
        clock.observe(&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3], start);
        assert_eq!(clock.deadline(), Some(start + limits::MESSAGE_TIME));
    }
}
