//! The pace of one stream of frames: what has been sent, what of it the reader has taken in, and so what comes next.
//!
//! There is no queue. A reader who is slow has a few frames on their way to him; when he acknowledges one, the next is what the
//! screen shows by then, with everything that has changed since the last one that was sent.

use std::collections::VecDeque;

use super::registry::DisplayEpoch;
use crate::protocol::{
    error::{ErrorKind, Failure},
    limits,
};

/// A frame that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    epoch: DisplayEpoch,
    serial: u64,
}

/// What a stream may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The whole screen: the reader has nothing of this display.
    Full,
    /// What is different from the frame with this serial.
    Since(u64),
    /// Nothing: the reader has this frame.
    Nothing,
    /// Nothing before an acknowledgement.
    NoRoom,
    /// Nothing any more: the display is another one.
    Over,
}

/// Whether a stream waits for its reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// It has something to send and could not.
    Awaited,
    /// It has not.
    #[default]
    NotAwaited,
}

/// The state of one stream.
#[derive(Debug, Default)]
pub struct Pacing {
    /// The display that is shown.
    epoch: Option<DisplayEpoch>,
    /// Sent and not acknowledged, the oldest first. Those of an earlier display are among them: the reader acknowledges what he
    /// receives, and cannot know that the display is gone.
    on_the_way: VecDeque<Sent>,
    newest: Option<Sent>,
    acknowledged: Option<Sent>,
    room: Room,
}

impl Pacing {
    /// This display is shown from now on, and no earlier one.
    pub fn begin(&mut self, epoch: DisplayEpoch) {
        self.epoch = Some(epoch);
    }

    /// What comes next while the screen of this display shows the frame with this serial.
    pub fn next(&mut self, epoch: DisplayEpoch, serial: u64) -> Next {
        if self.epoch != Some(epoch) {
            return Next::Over;
        }
        let next = match self.newest.filter(|newest| newest.epoch == epoch) {
            Some(newest) if newest.serial == serial => return Next::Nothing,
            Some(newest) => Next::Since(newest.serial),
            None => Next::Full,
        };
        if self.on_the_way.len() >= limits::FRAMES_UNACKNOWLEDGED {
            self.room = Room::Awaited;
            return Next::NoRoom;
        }
        next
    }

    /// A frame has been sent.
    pub fn sent(&mut self, epoch: DisplayEpoch, serial: u64) {
        let sent = Sent { epoch, serial };
        self.on_the_way.push_back(sent);
        self.newest = Some(sent);
    }

    /// The reader has taken in the frame with this serial, and with it all that were sent before. Where two displays have had the
    /// same serial, the one that was sent first.
    ///
    /// # Errors
    /// `out_of_range` for a frame that was not sent or is acknowledged already.
    pub fn acknowledge(&mut self, serial: i64) -> Result<Room, Failure> {
        let is_meant = |sent: &Sent| u64::try_from(serial).is_ok_and(|serial| serial == sent.serial);
        if let Some(place) = self.on_the_way.iter().position(is_meant) {
            self.acknowledged = self.on_the_way.drain(..=place).next_back();
            return Ok(std::mem::take(&mut self.room));
        }
        let acknowledged = self.acknowledged.filter(|acknowledged| serial <= acknowledged.serial.cast_signed());
        let message = match (acknowledged, self.newest) {
            (Some(Sent { serial: known, .. }), _) => format!(
                "serial = {serial} is not after {known}, which is acknowledged already; acknowledge each frame once, in order"
            ),
            (None, Some(Sent { serial: newest, .. })) => format!(
                "serial = {serial} was not sent to this subscription, whose newest frame is {newest}; acknowledge frames \
                 that have come"
            ),
            (None, None) => format!(
                "serial = {serial} was not sent to this subscription, which has no frame yet; acknowledge frames that have come"
            ),
        };
        Err(Failure::new(ErrorKind::OutOfRange, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: DisplayEpoch = DisplayEpoch(1);
    const SECOND: DisplayEpoch = DisplayEpoch(2);

    fn begun() -> Pacing {
        let mut pacing = Pacing::default();
        pacing.begin(FIRST);
        pacing
    }

    /// Sends what comes next, which must be this.
    fn send(pacing: &mut Pacing, epoch: DisplayEpoch, serial: u64, expected: Next) {
        assert_eq!(pacing.next(epoch, serial), expected);
        pacing.sent(epoch, serial);
    }

    #[test]
    fn a_full_frame_comes_first_and_then_what_has_changed() {
        let mut pacing = begun();
        send(&mut pacing, FIRST, 7, Next::Full);
        assert_eq!(pacing.next(FIRST, 7), Next::Nothing);
        send(&mut pacing, FIRST, 9, Next::Since(7));
    }

    #[test]
    fn a_reader_who_does_not_acknowledge_gets_the_newest_when_he_does() {
        let mut pacing = begun();
        send(&mut pacing, FIRST, 1, Next::Full);
        send(&mut pacing, FIRST, 2, Next::Since(1));
        for serial in 3..100 {
            assert_eq!(pacing.next(FIRST, serial), Next::NoRoom);
        }
        assert_eq!(pacing.acknowledge(1), Ok(Room::Awaited));
        send(&mut pacing, FIRST, 100, Next::Since(2));
        assert_eq!(pacing.next(FIRST, 101), Next::NoRoom);
        assert_eq!(pacing.acknowledge(100), Ok(Room::Awaited), "with all before it");
        assert_eq!(pacing.next(FIRST, 101), Next::Since(100));
        pacing.sent(FIRST, 101);
        assert_eq!(pacing.acknowledge(101), Ok(Room::NotAwaited));
    }

    #[test]
    fn what_was_not_sent_or_is_acknowledged_is_refused() {
        let mut pacing = begun();
        let refused = |pacing: &mut Pacing, serial| pacing.acknowledge(serial).expect_err("must be refused");
        assert_eq!(refused(&mut pacing, 1).kind, ErrorKind::OutOfRange);
        send(&mut pacing, FIRST, 5, Next::Full);
        send(&mut pacing, FIRST, 9, Next::Since(5));
        for never in [i64::MIN, -1, 0, 1, 4, 6, 8, 10, i64::MAX] {
            assert!(refused(&mut pacing, never).message.contains("was not sent"), "{never}");
        }
        assert_eq!(pacing.acknowledge(9), Ok(Room::NotAwaited));
        for known in [9, 5, 1, -1] {
            assert!(refused(&mut pacing, known).message.contains("acknowledged already"), "{known}");
        }
        assert!(refused(&mut pacing, 10).message.contains("was not sent"));
    }

    #[test]
    fn the_next_display_begins_with_a_full_frame_and_the_one_before_sends_no_more() {
        let mut pacing = begun();
        send(&mut pacing, FIRST, 1, Next::Full);
        pacing.begin(SECOND);
        assert_eq!(pacing.next(FIRST, 2), Next::Over);
        send(&mut pacing, SECOND, 1, Next::Full);
        assert_eq!(pacing.acknowledge(1), Ok(Room::NotAwaited), "that of the first display");
        send(&mut pacing, SECOND, 2, Next::Since(1));
        assert_eq!(pacing.acknowledge(1), Ok(Room::NotAwaited), "that of the second");
        assert_eq!(pacing.acknowledge(2), Ok(Room::NotAwaited));
    }

    #[test]
    fn a_lower_serial_of_the_next_display_is_no_step_back() {
        let mut pacing = begun();
        send(&mut pacing, FIRST, 50, Next::Full);
        assert_eq!(pacing.acknowledge(50), Ok(Room::NotAwaited));
        pacing.begin(SECOND);
        send(&mut pacing, SECOND, 1, Next::Full);
        assert_eq!(pacing.acknowledge(1), Ok(Room::NotAwaited));
        assert!(pacing.acknowledge(50).is_err());
    }
}
