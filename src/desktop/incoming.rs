//! The server's bytes as packets: how long each says that it is, and how much has come that nobody has taken in.
//!
//! x11rb believes the length of a reply and reserves it at once, up to 16 GiB, and it keeps every event until it is asked for
//! it. A server that is broken, and a client that sends events faster than we ask, must cost neither memory nor time.
//!
//! What other clients send is left out before x11rb sees it, where nobody looks at it or where it is too much: a flood of it
//! must not end the connection, which anybody on the display could then do (seen once on a busy machine: 640 KiB of forged
//! messages during one request). What the server itself sends cannot be left out, and too much of it does end the connection.

use std::io;

/// What an event and the beginning of every reply take (X11 protocol, "Replies", "Events").
const PACKET_BYTES: usize = 32;
/// As many bytes of a packet tell how long it is.
const HEADER_BYTES: usize = 8;
/// `Error` has a length of its own, 32 bytes; `Reply` and `GenericEvent` have one in units of four bytes; the bit says that another client sent it.
const ERROR: u8 = 0;
const REPLY: u8 = 1;
const GENERIC_EVENT: u8 = 35;
const SENT: u8 = 0x80;
/// The kinds of events that clients send each other by design (ICCCM, 2 and 4.2.8; EWMH): `PropertyNotify` to `SelectionNotify`
/// in the exchange of selections, and `ClientMessage`.
const PROPERTY_NOTIFY: u8 = 28;
const SELECTION_NOTIFY: u8 = 31;
const CLIENT_MESSAGE: u8 = 33;

/// The longest reply that is read unless more was asked for: the children of a window are at most 65,535, which is 256 KiB,
/// and a keyboard's map with every key filled takes less.
pub const LONGEST_REPLY: usize = 512 * 1024;
/// How many bytes of events may come between two looks at them. x11rb needs some 100 bytes for each event of 32, so these
/// 20,480 are 2 MiB on each of three connections; more than another client was seen to get in while the server works on a
/// request of ours.
pub const HELD_EVENTS: usize = 640 * 1024;
/// How many of these bytes events that clients send may take, so that there is always room for what the server itself says.
const HELD_SENT_EVENTS: usize = HELD_EVENTS / 2;
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
    /// How much is still to come of an event that is left out.
    unwanted: usize,
    /// How many bytes of events nobody has taken in.
    events: usize,
    /// How many bytes of replies have come since one that was waited for.
    replies: usize,
    /// How many more may come, to questions that were given up.
    late: usize,
    errors: Errors,
}

/// Whether the server may answer with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errors {
    Taken,
    Refused,
}

/// Where a packet begins.
impl Default for Incoming {
    fn default() -> Self {
        Self {
            longest: LONGEST_REPLY,
            header: [0; HEADER_BYTES],
            known: 0,
            rest: 0,
            unwanted: 0,
            events: 0,
            replies: 0,
            late: 0,
            errors: Errors::Taken,
        }
    }
}

impl Incoming {
    /// From now on a reply may have this many bytes more.
    pub const fn allow(&mut self, more: usize) {
        self.longest = LONGEST_REPLY.saturating_add(more);
    }

    /// From now on an error ends the connection: what is being asked has none.
    pub const fn refuse_errors(&mut self) {
        self.errors = Errors::Refused;
    }

    /// And from now on no longer.
    pub const fn take_errors(&mut self) {
        self.errors = Errors::Taken;
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

    /// Takes note of bytes that came. What is wanted of them is moved to the front; says how much that is.
    ///
    /// # Errors
    /// The server sends more than it was asked for; the connection cannot be used any more.
    pub fn sift(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (mut kept, mut at) = (0, 0);
        while at < bytes.len() {
            let left = bytes.len() - at;
            if self.known == 0 && self.rest == 0 && self.unwanted == 0 && self.is_unwanted(bytes[at]) {
                self.unwanted = PACKET_BYTES;
            }
            let skipped = self.unwanted.min(left);
            if skipped > 0 {
                self.unwanted -= skipped;
                at += skipped;
                continue;
            }
            // The rest of a packet, or as much of a header as there is; then the first byte of a packet is looked at again.
            let wanted = if self.rest > 0 { self.rest.min(left) } else { (HEADER_BYTES - self.known).min(left) };
            if self.rest > 0 {
                self.rest -= wanted;
            } else {
                self.header[self.known..self.known + wanted].copy_from_slice(&bytes[at..at + wanted]);
                self.known += wanted;
                if self.known == HEADER_BYTES {
                    self.known = 0;
                    self.begin()?;
                }
            }
            if kept != at {
                bytes.copy_within(at..at + wanted, kept);
            }
            kept += wanted;
            at += wanted;
        }
        Ok(kept)
    }

    /// Whether an event that begins with this byte is left out. All that clients can send are 32 bytes long (X11 protocol,
    /// `SendEvent`); the server refuses to send a `GenericEvent` for them.
    const fn is_unwanted(&self, first: u8) -> bool {
        let kind = first & !SENT;
        let by_design = matches!(kind, PROPERTY_NOTIFY..=SELECTION_NOTIFY | CLIENT_MESSAGE);
        let too_much = self.events + PACKET_BYTES > HELD_SENT_EVENTS;
        first & SENT != 0 && kind != GENERIC_EVENT && (!by_design || too_much)
    }

    /// A packet's header is complete.
    fn begin(&mut self) -> io::Result<()> {
        let [kind, _, _, _, length @ ..] = self.header;
        if kind == ERROR && self.errors == Errors::Refused {
            return Err(refused("the X server refuses to say which extensions it has".to_owned()));
        }
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

    fn count(incoming: &mut Incoming, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        let kept = incoming.sift(&mut bytes)?;
        bytes.truncate(kept);
        Ok(bytes)
    }

    fn packet(kind: u8, units: u32) -> Vec<u8> {
        let mut packet = vec![0; PACKET_BYTES];
        packet[0] = kind;
        packet[4..8].copy_from_slice(&units.to_ne_bytes());
        packet
    }

    #[test]
    fn an_error_ends_the_connection_only_while_none_may_come() {
        let mut incoming = Incoming::default();
        incoming.refuse_errors();
        assert!(count(&mut incoming, &reply(1)).is_ok());
        assert!(count(&mut incoming, &packet(ERROR, 0)).is_err());
        let mut incoming = Incoming::default();
        incoming.refuse_errors();
        incoming.take_errors();
        assert!(count(&mut incoming, &packet(ERROR, 0)).is_ok());
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
            count(&mut incoming, &packet(12, 0)).unwrap();
            count(&mut incoming, &packet(12, 0)).unwrap();
            incoming.took_event();
            incoming.took_event();
        }
        for _ in 0..HELD_EVENTS / PACKET_BYTES {
            count(&mut incoming, &packet(12, 0)).unwrap();
        }
        assert!(count(&mut incoming, &packet(12, 0)).is_err(), "what is not taken in is");
    }

    #[test]
    fn packets_are_told_apart_however_they_are_cut() {
        // An event's fifth to eighth byte are no length, and a reply's content is no packet.
        let stream = [packet(12, u32::MAX), reply(20), packet(0, u32::MAX), reply(0), packet(12, 9)].concat();
        for size in 1..=stream.len() {
            let mut incoming = Incoming::default();
            let kept: Vec<_> = stream.chunks(size).map(|part| count(&mut incoming, part).unwrap()).collect();
            assert!(kept.concat() == stream, "in parts of {size}");
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
            assert!(count(&mut Incoming::default(), &packet(kind, u32::MAX)).is_err(), "{kind}");
            assert!(count(&mut Incoming::default(), &packet(kind, 1 << 20)).is_err(), "{kind}");
        }
        let mut incoming = Incoming::default();
        incoming.allow(4 << 20);
        count(&mut incoming, &packet(REPLY, 1 << 20)).unwrap();
    }

    #[test]
    fn what_nobody_takes_in_is_bounded() {
        let events = packet(12, 0).repeat(1000);
        let mut incoming = Incoming::default();
        let taken = (0..=HELD_EVENTS).take_while(|_| count(&mut incoming, &events).is_ok()).count();
        assert_eq!(taken, HELD_EVENTS / events.len());
        let mut incoming = Incoming::default();
        for _ in 0..10 * taken {
            count(&mut incoming, &events).unwrap();
            incoming.taken_in();
        }
    }

    #[test]
    fn what_clients_send_is_left_out_where_nobody_looks_at_it_however_it_is_cut() {
        let forged = |kind: u8| packet(SENT | kind, u32::MAX);
        // A forged key and a forged change of the keymap are, an answer of a client is not.
        let stream =
            [packet(12, 3), forged(2), reply(20), forged(34), forged(34), forged(33), packet(34, 0), forged(2)];
        let wanted = [packet(12, 3), reply(20), forged(33), packet(34, 0)].concat();
        let stream = stream.concat();
        for size in 1..=stream.len() {
            let mut incoming = Incoming::default();
            let kept: Vec<_> = stream.chunks(size).map(|part| count(&mut incoming, part).unwrap()).collect();
            assert!(kept.concat() == wanted, "in parts of {size}");
        }
    }

    #[test]
    fn a_flood_of_what_clients_send_ends_no_connection_and_leaves_room_for_the_server() {
        let mut incoming = Incoming::default();
        let flood = packet(SENT | CLIENT_MESSAGE, 0).repeat(1000);
        let kept: usize =
            (0..10 * HELD_EVENTS / flood.len()).map(|_| count(&mut incoming, &flood).unwrap().len()).sum();
        assert_eq!(kept, HELD_SENT_EVENTS);
        assert_eq!(count(&mut incoming, &packet(12, 0).repeat(1000)).unwrap().len(), 1000 * PACKET_BYTES);
        incoming.taken_in();
        assert_eq!(count(&mut incoming, &flood).unwrap().len(), flood.len());
    }

    #[test]
    fn late_replies_may_come_all_at_once_and_others_may_not() {
        let long = reply(100_000);
        let mut incoming = Incoming::default();
        (0..5).for_each(|_| incoming.expect_late());
        for _ in 0..5 {
            count(&mut incoming, &long).unwrap();
        }
        incoming.caught_up();
        count(&mut incoming, &long).unwrap();
        assert!(count(&mut incoming, &long).is_err());
    }
}
