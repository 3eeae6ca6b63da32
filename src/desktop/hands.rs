//! Sends XTEST requests and keeps the ledger: nothing is pressed here without being written down first.

use std::time::{Duration, Instant};

use x11rb::{
    connection::{Connection as _, DiscardMode, RequestConnection as _, RequestKind},
    protocol::{
        xkb::{self, ConnectionExt as _},
        xproto::{
            BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
            MOTION_NOTIFY_EVENT, ModMask, Window,
        },
        xtest::ConnectionExt as _,
    },
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    ledger::{Ledger, Locks, Pressable},
};
use crate::{
    plan::{
        keymap::ModifierMask,
        step::{ButtonNumber, Direction, Group, Keycode},
    },
    protocol::units::{Milliseconds, NativePoint},
};

/// The core keyboard, which every client sees (XKB protocol, `XkbUseCoreKbd`).
pub const CORE_KEYBOARD: xkb::DeviceSpec = 0x100;
/// `XTestFakeInput` for the core devices, in the field that names a device for the X Input extension.
const CORE_DEVICE: u8 = 0;
/// An absolute position in a motion request (XTEST protocol, `detail`).
const ABSOLUTE: u8 = 0;
/// The bits of the buttons in a key and button mask (X protocol, `KEYBUTMASK`).
const BUTTONS: u16 = 0x1f00;
/// Between the release of a key and its next press. `LibreOffice` takes a press in the same millisecond for the keyboard's own
/// repetition and drops it: of 48 characters in pairs, typed without a pause, 38 were lost, with one millisecond none.
const BETWEEN_PRESSES: Milliseconds = Milliseconds(1);
/// How many requests go out between two answers at most: 36 bytes each, so that they fit into the socket's buffer (208 KiB)
/// many times over. A write to a stopped server then never blocks in the middle of a request, and a cancel is noticed.
const EVENTS_UNANSWERED: usize = 400;
/// How much waiting the server does for us between two answers at most: a cancel is noticed after that long.
const SERVER_DELAY_UNANSWERED: Duration = Duration::from_millis(100);
/// How long sending a release may take when the server is stopped. The kernel's buffer takes it at once.
const RELEASE_SEND_TIME: Duration = Duration::from_millis(100);

/// The input side of a link.
#[derive(Debug)]
pub struct Hands {
    /// Where the requests go.
    pub link: Link,
    /// What is held.
    pub ledger: Ledger,
    /// Where the pointer stood at the last answer.
    pub pointer: NativePoint,
    /// The child of the root that it was in at the last answer; 0 where there is none.
    pub under_pointer: Window,
    /// The buttons that were down at the last answer, as the mask of `QueryPointer`.
    pub buttons_down: u16,
    /// The key that was released last.
    key_released: Option<Keycode>,
    /// The server waits this long before the next event.
    next_delay: u32,
    /// The number of the last event's request: what the server tells carries the number of the request that it came after.
    pub last_request: u64,
    unanswered_events: usize,
    unanswered_delay: Duration,
    /// The request whose answer says that a stopped server runs again.
    stalled: Option<u64>,
}

impl Hands {
    /// Takes over a link and releases everything that the server says is down: whoever pressed it is gone.
    pub fn take(link: Link) -> Result<Self, LinkError> {
        let mut hands = Self {
            link,
            ledger: Ledger::default(),
            pointer: NativePoint::default(),
            under_pointer: x11rb::NONE,
            buttons_down: 0,
            key_released: None,
            next_delay: 0,
            last_request: 0,
            unanswered_events: 0,
            unanswered_delay: Duration::ZERO,
            stalled: None,
        };
        hands.release_what_is_down()?;
        Ok(hands)
    }

    fn release_what_is_down(&mut self) -> Result<(), LinkError> {
        let limit = self.link.within(OPERATION_TIME);
        let connection = &self.link.connection;
        let keys = connection.query_keymap().map_err(|error| self.link.explain(error))?;
        let pointer = connection.query_pointer(self.link.root).map_err(|error| self.link.explain(error))?;
        let keys = keys.reply().map_err(|error| self.link.explain(error))?.keys;
        let mask = u16::from(pointer.reply().map_err(|error| self.link.explain(error))?.mask);
        drop(limit);
        // The mask has one bit a button from Button1Mask (bit 8) on for the first five; XTEST releases of buttons that are
        // not down do nothing, so the other two that we know are simply let go of, too.
        let buttons = (1..=5).filter(|button| mask & (0x80 << button) != 0).chain([8, 9]);
        let down: Vec<_> = buttons
            .map(|button| Pressable::Button(ButtonNumber(button)))
            .chain(keycodes(&keys).into_iter().map(Pressable::Key))
            .collect();
        for item in down {
            self.send(item, Direction::Release)?;
        }
        self.answer()
    }

    /// The keys that the server says are down.
    pub fn keys_down(&self) -> Result<Vec<Keycode>, LinkError> {
        let _limit = self.link.within(OPERATION_TIME);
        let query = self.link.connection.query_keymap().map_err(|error| self.link.explain(error))?;
        Ok(keycodes(&query.reply().map_err(|error| self.link.explain(error))?.keys))
    }

    /// Moves the pointer.
    pub fn motion(&mut self, to: NativePoint) -> Result<(), LinkError> {
        // Screens are at most 3840 wide, so a coordinate is never negative as the protocol's INT16.
        self.fake(MOTION_NOTIFY_EVENT, ABSOLUTE, to.x.cast_signed(), to.y.cast_signed())
    }

    /// Presses or releases a key.
    pub fn key(&mut self, keycode: Keycode, direction: Direction) -> Result<(), LinkError> {
        match direction {
            Direction::Press if self.key_released == Some(keycode) => self.delay(BETWEEN_PRESSES),
            Direction::Press => {}
            Direction::Release => self.key_released = Some(keycode),
        }
        self.send(Pressable::Key(keycode), direction)
    }

    /// Presses or releases a button.
    pub fn button(&mut self, button: ButtonNumber, direction: Direction) -> Result<(), LinkError> {
        self.send(Pressable::Button(button), direction)
    }

    fn send(&mut self, item: Pressable, direction: Direction) -> Result<(), LinkError> {
        self.ledger.record(item, direction);
        let (kind, detail) = match (item, direction) {
            (Pressable::Key(keycode), Direction::Press) => (KEY_PRESS_EVENT, keycode.0),
            (Pressable::Key(keycode), Direction::Release) => (KEY_RELEASE_EVENT, keycode.0),
            (Pressable::Button(button), Direction::Press) => (BUTTON_PRESS_EVENT, button.0),
            (Pressable::Button(button), Direction::Release) => (BUTTON_RELEASE_EVENT, button.0),
        };
        self.fake(kind, detail, 0, 0)
    }

    fn fake(&mut self, kind: u8, detail: u8, x: i16, y: i16) -> Result<(), LinkError> {
        let delay = std::mem::take(&mut self.next_delay);
        self.unanswered_events += 1;
        let sent = self
            .link
            .connection
            .xtest_fake_input(kind, detail, delay, self.link.root, x, y, CORE_DEVICE)
            .map_err(|error| self.link.explain(error))?;
        self.last_request = sent.sequence_number();
        sent.ignore_error();
        Ok(())
    }

    /// Lets the server wait before the next event; more precise than waiting here, and without a round trip.
    pub fn delay(&mut self, time: Milliseconds) {
        self.next_delay += time.0;
        self.unanswered_delay += time.into();
    }

    /// Locks a group of the core keyboard, and of the modifiers in `affect` just those in `modifiers`; latches of `affect`
    /// are cleared. What was locked before must have been written into the ledger.
    pub fn lock(&mut self, affect: ModifierMask, modifiers: ModifierMask, group: Group) -> Result<(), LinkError> {
        let (affect, modifiers) = (ModMask::from(affect.0), ModMask::from(modifiers.0));
        let group = xkb::Group::from(group.0);
        self.unanswered_events += 1;
        self.link
            .connection
            .xkb_latch_lock_state(CORE_KEYBOARD, affect, modifiers, true, group, affect, false, 0)
            .map_err(|error| self.link.explain(error))?
            .ignore_error();
        Ok(())
    }

    /// Whether so much is on its way that an answer should be awaited before more is sent.
    pub fn is_far_ahead(&self) -> bool {
        self.unanswered_events >= EVENTS_UNANSWERED || self.unanswered_delay >= SERVER_DELAY_UNANSWERED
    }

    /// Whether something was sent that the server has not answered for.
    pub fn is_ahead(&self) -> bool {
        self.unanswered_events > 0
    }

    /// Ends what was sent so far with a round trip: afterwards the server has carried it out. Reads the pointer.
    pub fn answer(&mut self) -> Result<(), LinkError> {
        self.answer_within(OPERATION_TIME)
    }

    fn answer_within(&mut self, limit: Duration) -> Result<(), LinkError> {
        let limit = self.link.within(limit + self.unanswered_delay);
        let cookie = self.link.connection.query_pointer(self.link.root).map_err(|error| self.link.explain(error))?;
        let reply = cookie.reply().map_err(|error| self.link.explain(error))?;
        drop(limit);
        self.pointer = NativePoint { x: reply.root_x.max(0).cast_unsigned(), y: reply.root_y.max(0).cast_unsigned() };
        self.under_pointer = reply.child;
        self.buttons_down = u16::from(reply.mask) & BUTTONS;
        let down = self.buttons_down;
        self.ledger.confirm(|button| down & button.mask() != 0);
        self.unanswered_events = 0;
        self.unanswered_delay = Duration::ZERO;
        Ok(())
    }

    /// Releases everything that is held, puts the locks back, and waits until the server has done so. When it
    /// does not answer, the releases are on their way and [`Hands::recover`] says when they have happened.
    pub fn release(&mut self, limit: Duration) -> Result<(), LinkError> {
        self.send_releases()?;
        let released = self.answer_within(limit);
        match released {
            Ok(()) => self.ledger.forget_locks(),
            Err(LinkError::Unresponsive) => self.expect_recovery()?,
            Err(_) => {}
        }
        released
    }

    /// As [`Hands::release`], for a server that is known not to answer: does not wait.
    pub fn release_later(&mut self) -> Result<(), LinkError> {
        let before = self.link.connection.stream().set_deadline(Instant::now().checked_add(RELEASE_SEND_TIME));
        let sent = self.send_releases().and_then(|()| self.expect_recovery());
        self.link.connection.stream().set_deadline(before);
        sent
    }

    fn send_releases(&mut self) -> Result<(), LinkError> {
        self.next_delay = 0;
        for item in self.ledger.releases() {
            self.send(item, Direction::Release)?;
        }
        if let Some(Locks { group, modifiers }) = self.ledger.locks_to_restore() {
            self.lock(ModifierMask(0xff), modifiers, group)?;
        }
        Ok(())
    }

    /// Asks for an answer that only [`Hands::recover`] waits for.
    fn expect_recovery(&mut self) -> Result<(), LinkError> {
        let connection = &self.link.connection;
        let cookie = connection.query_pointer(self.link.root).map_err(|error| self.link.explain(error))?;
        let sequence = cookie.sequence_number();
        // Dropping the cookie would throw the answer away; it owns nothing else.
        std::mem::forget(cookie);
        if let Some(earlier) = self.stalled.replace(sequence) {
            connection.discard_reply(earlier, RequestKind::HasResponse, DiscardMode::DiscardReplyAndError);
        }
        connection.flush().map_err(|error| self.link.explain(error))
    }

    /// Whether the server owes the answer that says that it runs again.
    pub fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// Waits until a server that did not answer runs again and has carried out what was sent. Returns at once where that is
    /// not so.
    pub fn recover(&mut self, limit: Duration) -> Result<(), LinkError> {
        let Some(sequence) = self.stalled else { return Ok(()) };
        let guard = self.link.within(limit);
        let answer = self.link.connection.wait_for_reply_or_raw_error(sequence);
        drop(guard);
        answer.map_err(|error| self.link.explain(error))?;
        self.stalled = None;
        self.answer()?;
        self.ledger.forget_locks();
        Ok(())
    }
}

/// The keys of a `QueryKeymap` reply: one bit a keycode.
fn keycodes(keys: &[u8; 32]) -> Vec<Keycode> {
    let is_down = |keycode: &u8| keys[usize::from(keycode / 8)] & (1 << (keycode % 8)) != 0;
    (8..=u8::MAX).filter(is_down).map(Keycode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desktop::fake_server::{Answers, EXTENSION, FakeServer};

    /// `XTestFakeInput` (XTEST protocol, 36 bytes): opcode, minor 2, length 9; type, detail; delay; root; x and y.
    fn fake_input(kind: u8, detail: u8, delay: u32, x: u16, y: u16) -> Vec<u8> {
        let mut request = vec![EXTENSION, 2, 9, 0, kind, detail, 0, 0];
        request.extend(delay.to_le_bytes());
        request.extend([0x11, 1, 0, 0]);
        request.extend([0; 8]);
        request.extend(x.to_le_bytes());
        request.extend(y.to_le_bytes());
        request.extend([0; 8]);
        request
    }

    /// `QueryPointer` of the root window.
    const QUERY_POINTER: [u8; 8] = [38, 0, 2, 0, 0x11, 1, 0, 0];

    /// The requests after the set-up and the start, which ends with the first pointer that is asked for on its own.
    fn requests_after_start(server: FakeServer, hands: Hands) -> Vec<Vec<u8>> {
        drop(hands);
        let all = server.finish();
        let start =
            all.iter().rposition(|request| request[..2] == [EXTENSION, 2] && request[4] == 5 && request[5] == 9);
        // The release of button 9 is the last of the start, then its answer.
        all[start.unwrap() + 2..].to_vec()
    }

    #[test]
    fn a_click_at_a_place_is_two_batches_of_exactly_these_bytes() {
        let answers = Answers { pointer: (500, 300), ..Answers::default() };
        let (server, link) = FakeServer::connect(answers);
        let mut hands = Hands::take(link).unwrap();
        let place = NativePoint { x: 500, y: 300 };
        hands.motion(place).unwrap();
        hands.answer().unwrap();
        assert_eq!(hands.pointer, place);
        hands.button(ButtonNumber(1), Direction::Press).unwrap();
        hands.delay(Milliseconds(50));
        hands.button(ButtonNumber(1), Direction::Release).unwrap();
        hands.answer().unwrap();
        assert!(hands.ledger.is_empty());
        let expected = [
            fake_input(6, 0, 0, 500, 300),
            QUERY_POINTER.to_vec(),
            fake_input(4, 1, 0, 0, 0),
            fake_input(5, 1, 50, 0, 0),
            QUERY_POINTER.to_vec(),
        ];
        assert_eq!(requests_after_start(server, hands), expected);
    }

    #[test]
    fn a_failed_action_releases_buttons_before_keys_and_waits_for_the_answer() {
        let (server, link) = FakeServer::connect(Answers::default());
        let mut hands = Hands::take(link).unwrap();
        hands.key(Keycode(37), Direction::Press).unwrap();
        hands.key(Keycode(50), Direction::Press).unwrap();
        hands.button(ButtonNumber(3), Direction::Press).unwrap();
        hands.delay(Milliseconds(60));
        hands.release(OPERATION_TIME).unwrap();
        assert!(hands.ledger.is_empty());
        let expected = [
            fake_input(2, 37, 0, 0, 0),
            fake_input(2, 50, 0, 0, 0),
            fake_input(4, 3, 0, 0, 0),
            fake_input(5, 3, 0, 0, 0),
            fake_input(3, 50, 0, 0, 0),
            fake_input(3, 37, 0, 0, 0),
            QUERY_POINTER.to_vec(),
        ];
        assert_eq!(requests_after_start(server, hands), expected);
    }

    #[test]
    fn the_start_releases_what_the_server_says_is_down() {
        let mut keys = [0; 32];
        keys[50 / 8] = 1 << (50 % 8);
        let (server, link) = FakeServer::connect(Answers { mask: 0x0101, keys, ..Answers::default() });
        drop(Hands::take(link).unwrap());
        let releases: Vec<_> = server.finish().into_iter().filter(|request| request[..2] == [EXTENSION, 2]).collect();
        let expected = [
            fake_input(5, 1, 0, 0, 0),
            fake_input(5, 8, 0, 0, 0),
            fake_input(5, 9, 0, 0, 0),
            fake_input(3, 50, 0, 0, 0),
        ];
        assert_eq!(releases, expected);
    }
}
