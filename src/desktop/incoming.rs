//! The server's bytes as packets: how long each says that it is, and how much has come that nobody has taken in.
//!
//! x11rb believes the length of a reply and reserves it at once, up to 16 GiB, and it keeps every event until it is asked for
//! it. A server that is broken, and a client that sends events faster than we ask, must cost neither memory nor time.

use std::io;

/// What an event and the beginning of every reply take (X11 protocol, "Replies", "Events").
const PACKET_BYTES: usize = 32;
/// As many bytes of a packet tell how long it is.
const HEADER_BYTES: usize = 8;
/// `Reply` and `GenericEvent` have a length in units of four bytes; the bit says that another client sent it.
const REPLY: u8 = 1;
const GENERIC_EVENT: u8 = 35;
const SENT: u8 = 0x80;

/// The longest reply that is read unless more was asked for: the children of a window are at most 65,535, which is 256 KiB,
/// and a keyboard's map with every key filled takes less.
pub const LONGEST_REPLY: usize = 512 * 1024;
/// How many bytes of events may come between two looks at them. x11rb needs some 100 bytes for each event of 32, so these
/// 20,480 are 2 MiB on each of three connections; more than another client was seen to get in while the server works on a
/// request of ours.
pub const HELD_EVENTS: usize = 640 * 1024;
/// How many bytes of replies may come between two that were waited for, beyond one of the longest and those that come late.
const HELD_REPLIES: usize = 128 * 1024;

/// Counts what comes.
#[derive(Debug)]
pub struct Incoming {
    longest: usize,
    header: [u8; HEADER_BYTES],
    /// How much of the header has come.
    known: usize,
    /// How much of the packet is still to come after its header.
    rest: usize,
    /// How many bytes of events nobody has taken in.
    events: usize,
    /// How many bytes of replies have come since one that was waited for.
    replies: usize,
    /// How many more may come, to questions that were given up.
    late: usize,
}

/// Where a packet begins.
impl Default for Incoming {
    fn default() -> Self {
        Self { longest: LONGEST_REPLY, header: [0; HEADER_BYTES], known: 0, rest: 0, events: 0, replies: 0, late: 0 }
    }
}

impl Incoming {
    /// From now on a reply may have this many bytes more.
    pub const fn allow(&mut self, more: usize) {
        self.longest = LONGEST_REPLY.saturating_add(more);
    }

    /// An event was taken in. Under a flood there is always a next one, and what was taken is no burden any more.
    pub const fn took_event(&mut self) {
        self.events = self.events.saturating_sub(PACKET_BYTES);
    }

    /// Everything that came has been taken in.
    pub const fn taken_in(&mut self) {
        (self.events, self.replies) = (0, 0);
    }

    /// Nobody waits any more for a reply; it comes when a stopped server goes on, with all the others.
    pub const fn expect_late(&mut self) {
        self.late = self.late.saturating_add(self.longest);
    }

    /// A reply was waited for and came; replies come in order, so none to an earlier question is missing.
    pub const fn caught_up(&mut self) {
        (self.replies, self.late) = (0, 0);
    }

    /// Takes note of bytes that came.
    ///
    /// # Errors
    /// The server sends more than it was asked for; the connection cannot be used any more.
    pub fn count(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let skipped = self.rest.min(bytes.len());
            (self.rest, bytes) = (self.rest - skipped, &bytes[skipped..]);
            let (header, after) = bytes.split_at(bytes.len().min(HEADER_BYTES - self.known));
            self.header[self.known..self.known + header.len()].copy_from_slice(header);
            self.known += header.len();
            bytes = after;
            if self.known == HEADER_BYTES {
                self.known = 0;
                self.begin()?;
            }
        }
        Ok(())
    }

    /// A packet's header is complete.
    fn begin(&mut self) -> io::Result<()> {
        let [kind, _, _, _, length @ ..] = self.header;
        let more = if kind == REPLY || kind & !SENT == GENERIC_EVENT {
            usize::try_from(u32::from_ne_bytes(length)).unwrap_or(usize::MAX).saturating_mul(4)
        } else {
            0
        };
        let packet = more.saturating_add(PACKET_BYTES);
        if packet > self.longest {
            return Err(refused(format!(
                "the X server announces {packet} bytes where {} were asked for",
                self.longest
            )));
        }
        self.rest = packet - HEADER_BYTES;
        // Errors are as long as events, and those that nobody waits for are kept like events.
        let (held, most) = if kind == REPLY {
            (&mut self.replies, self.longest.saturating_add(HELD_REPLIES).saturating_add(self.late))
        } else {
            (&mut self.events, HELD_EVENTS)
        };
        *held = held.saturating_add(packet);
        if *held > most {
            return Err(refused(format!("the X server has sent {held} bytes that nobody asked for")));
        }
        Ok(())
    }
}

fn refused(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, units: u32) -> Vec<u8> {
        let mut packet = vec![0; PACKET_BYTES];
        packet[0] = kind;
        packet[4..8].copy_from_slice(&units.to_ne_bytes());
        packet
    }

    fn reply(units: u32) -> Vec<u8> {
        let mut reply = packet(REPLY, units);
        reply.resize(PACKET_BYTES + 4 * units as usize, 0xff);
        reply
    }

    #[test]
    fn a_flood_of_events_that_are_taken_in_as_they_come_is_no_burden() {
        let mut incoming = Incoming::default();
        for _ in 0..HELD_EVENTS / PACKET_BYTES * 3 {
            incoming.count(&packet(12, 0)).unwrap();
            incoming.count(&packet(12, 0)).unwrap();
            incoming.took_event();
            incoming.took_event();
        }
        for _ in 0..HELD_EVENTS / PACKET_BYTES {
            incoming.count(&packet(12, 0)).unwrap();
        }
        assert!(incoming.count(&packet(12, 0)).is_err(), "what is not taken in is");
    }

    #[test]
    fn packets_are_told_apart_however_they_are_cut() {
        // An event's fifth to eighth byte are no length, and a reply's content is no packet.
        let stream = [packet(12, u32::MAX), reply(20), packet(0, u32::MAX), reply(0), packet(12, 9)].concat();
        for size in 1..=stream.len() {
            let mut incoming = Incoming::default();
            for part in stream.chunks(size) {
                incoming.count(part).unwrap();
            }
            assert_eq!((incoming.rest, incoming.known), (0, 0), "in parts of {size}");
            assert_eq!(
                (incoming.events, incoming.replies),
                (3 * PACKET_BYTES, 2 * PACKET_BYTES + 80),
                "in parts of {size}"
            );
        }
    }

    #[test]
    fn a_length_that_was_not_asked_for_is_refused_before_it_comes() {
        for kind in [REPLY, GENERIC_EVENT, GENERIC_EVENT | SENT] {
            assert!(Incoming::default().count(&packet(kind, u32::MAX)).is_err(), "{kind}");
            assert!(Incoming::default().count(&packet(kind, 1 << 20)).is_err(), "{kind}");
        }
        let mut incoming = Incoming::default();
        incoming.allow(4 << 20);
        incoming.count(&packet(REPLY, 1 << 20)).unwrap();
    }

    #[test]
    fn what_nobody_takes_in_is_bounded() {
        let events = packet(12, 0).repeat(1000);
        let mut incoming = Incoming::default();
        let taken = (0..=HELD_EVENTS).take_while(|_| incoming.count(&events).is_ok()).count();
        assert_eq!(taken, HELD_EVENTS / events.len());
        let mut incoming = Incoming::default();
        for _ in 0..10 * taken {
            incoming.count(&events).unwrap();
            incoming.taken_in();
        }
    }
    #[test]
    fn late_replies_may_come_all_at_once_and_others_may_not() {
        let long = reply(100_000);
        let mut incoming = Incoming::default();
        (0..5).for_each(|_| incoming.expect_late());
        for _ in 0..5 {
            incoming.count(&long).unwrap();
        }
        incoming.caught_up();
        incoming.count(&long).unwrap();
        assert!(incoming.count(&long).is_err());
    }
}
