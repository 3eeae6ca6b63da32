//! Whether the keys of a text still go where they went at its beginning, and up to which character they did.
//!
//! The server tells a window when the focus leaves it, and any client may listen. It deals with requests one at a time and
//! XTEST events at once, and what it tells us carries the number of our last request that it had dealt with. So an event that
//! comes after request 17 says: the keys up to request 17 went to the window, and the later ones did not. That makes the
//! count exact however late we read it, and costs no round trip while nothing happens.
//!
//! The top level is watched, not the window inside it that has the focus: as long as an application moves the focus within
//! its own window, the text goes on. A keyboard grab is told in the same way, as if the focus went to the grabbing window;
//! also one that a single key starts (`GrabKey`), which nobody could ask about afterwards.
//!
//! Not seen: a `GrabKey` of another client on the watched window itself or on one inside it, for which the server tells
//! nothing.

use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConnectionExt as _, EventMask, FOCUS_IN_EVENT, FOCUS_OUT_EVENT, FocusInEvent,
    LeaveNotifyEvent, NotifyDetail, NotifyMode, Window,
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    focus,
};

/// How many turns of the focus are kept: more than a text ever sees, and a program that makes them without end costs nothing.
const TURNS: usize = 256;

/// What happened to the focus of the watched window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It went elsewhere.
    Left,
    /// Another client took the keyboard.
    Grabbed,
    /// That client let go of it.
    Ungrabbed,
}

/// The turns of the focus, each with the number of our last request before it.
#[derive(Debug, Default)]
pub struct Turns {
    watched: Option<(Window, EventMask)>,
    seen: Vec<(Turn, u64)>,
}

impl Turns {
    /// Takes in a `FocusIn` or `FocusOut`.
    pub fn note_focus(&mut self, event: &FocusInEvent, after: u64) {
        let kind = event.response_type & 0x7f;
        let turn = match (kind, event.mode) {
            (FOCUS_OUT_EVENT, NotifyMode::NORMAL | NotifyMode::WHILE_GRABBED) => Turn::Left,
            (FOCUS_OUT_EVENT, NotifyMode::GRAB) => Turn::Grabbed,
            (FOCUS_IN_EVENT, NotifyMode::UNGRAB) => Turn::Ungrabbed,
            _ => return,
        };
        // Any client can send us an event that looks like the server's; only the server's say something.
        let is_genuine = event.response_type & 0x80 == 0;
        self.note(turn, is_genuine && event.detail != NotifyDetail::INFERIOR, event.event, after);
    }

    /// Takes in a `LeaveNotify`, which matters where the focus follows the pointer.
    pub fn note_leave(&mut self, event: &LeaveNotifyEvent, after: u64) {
        let is_genuine = event.response_type & 0x80 == 0;
        let leaves = event.mode == NotifyMode::NORMAL && event.detail != NotifyDetail::INFERIOR;
        self.note(Turn::Left, is_genuine && leaves, event.event, after);
    }

    /// The events that the focus is watched with on a window.
    pub fn selected_on(&self, window: Window) -> EventMask {
        let watched = self.watched.filter(|(watched, _)| *watched == window);
        watched.map_or(EventMask::NO_EVENT, |(_, events)| events)
    }

    fn note(&mut self, turn: Turn, counts: bool, window: Window, after: u64) {
        if counts && self.watched.is_some_and(|(watched, _)| watched == window) && self.seen.len() < TURNS {
            self.seen.push((turn, after));
        }
    }
}

/// Why a text cannot go on, and how many of its characters had arrived before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The focus went elsewhere.
    Left {
        /// The characters before that.
        typed: u32,
    },
    /// Another client has taken the keyboard, or had.
    Grabbed {
        /// The characters before that.
        typed: u32,
    },
}

/// The characters of one text on their way to one window.
#[derive(Debug)]
pub struct FocusWatch {
    /// The top level that is watched.
    window: Window,
    /// For each character the request that pressed its key, and the count with it.
    characters: Vec<(u64, u32)>,
}

impl FocusWatch {
    /// Asks to be told when the focus leaves the top level around a window. The caller then makes sure that it still has the
    /// focus.
    pub fn start(link: &Link, turns: &mut Turns, focus: Window, follows_pointer: bool) -> Result<Self, LinkError> {
        let client = focus::client_of(link, focus);
        let ancestry = focus::ancestry(link, focus)?;
        let own = ancestry.iter().rev().find(|&&window| focus::client_of(link, window) == client);
        let window = own.copied().unwrap_or(focus);
        let leave = if follows_pointer { EventMask::LEAVE_WINDOW } else { EventMask::NO_EVENT };
        // A client has one mask a window, and its end may be watched there as well.
        let events = EventMask::FOCUS_CHANGE | leave;
        *turns = Turns { watched: Some((window, events)), seen: Vec::new() };
        select(link, window, events | EventMask::STRUCTURE_NOTIFY)?;
        Ok(Self { window, characters: Vec::new() })
    }

    /// Notes that a character's key went out with this request.
    pub fn character(&mut self, request: u64, count: u32) {
        self.characters.push((request, count));
    }

    /// What stands in the way of the rest, as far as the events so far tell. A grab that was over before a key was pressed
    /// does not matter; one that still lasts is `Grabbed`.
    pub fn broken(&self, turns: &Turns, is_at_end: bool) -> Option<Broken> {
        let mut grabbed = None;
        for &(turn, after) in &turns.seen {
            match turn {
                // Whatever a text's last key does, such as closing the window, came after it.
                Turn::Left if is_at_end && self.pressed_by(after) == self.characters.len() => return None,
                Turn::Left => return Some(Broken::Left { typed: self.count(self.pressed_by(after)) }),
                Turn::Grabbed => grabbed = Some(after),
                Turn::Ungrabbed => {
                    if let Some(began) = grabbed.take() {
                        let (first, last) = (self.pressed_by(began), self.pressed_by(after));
                        let by_its_own_key = after == began + 1 && self.is_press(began);
                        if by_its_own_key {
                            return Some(Broken::Grabbed { typed: self.count(first - 1) });
                        }
                        if last > first {
                            return Some(Broken::Grabbed { typed: self.count(first) });
                        }
                    }
                }
            }
        }
        let began = grabbed?;
        let arrived = self.pressed_by(began);
        (!is_at_end || arrived < self.characters.len()).then(|| Broken::Grabbed { typed: self.count(arrived) })
    }

    /// Forgets a grab that turned out to be the application's own.
    pub fn forgive(turns: &mut Turns) {
        turns.seen.retain(|(turn, _)| *turn == Turn::Left);
    }

    /// The top level that is watched.
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Ends it.
    pub fn stop(self, link: &Link, turns: &mut Turns) -> Result<(), LinkError> {
        *turns = Turns::default();
        select(link, self.window, EventMask::STRUCTURE_NOTIFY)
    }

    /// How many keys were pressed up to a request.
    fn pressed_by(&self, request: u64) -> usize {
        self.characters.partition_point(|(pressed, _)| *pressed <= request)
    }

    fn is_press(&self, request: u64) -> bool {
        self.characters.binary_search_by_key(&request, |(pressed, _)| *pressed).is_ok()
    }

    fn count(&self, keys: usize) -> u32 {
        keys.checked_sub(1).and_then(|last| self.characters.get(last)).map_or(0, |(_, count)| *count)
    }
}

fn select(link: &Link, window: Window, events: EventMask) -> Result<(), LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let change = ChangeWindowAttributesAux::new().event_mask(events);
    // A window that has gone cannot have the focus; who asks for that next finds out.
    link.connection.change_window_attributes(window, &change).map_err(|error| link.explain(error))?.ignore_error();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three characters, the second of them `\r\n`, whose keys go down with requests 10, 12 and 14.
    fn watch() -> FocusWatch {
        FocusWatch { window: 7, characters: vec![(10, 1), (12, 3), (14, 4)] }
    }

    fn turns(seen: &[(Turn, u64)]) -> Turns {
        Turns { watched: Some((7, EventMask::FOCUS_CHANGE)), seen: seen.to_vec() }
    }

    #[test]
    fn the_characters_before_the_focus_went_are_counted_by_their_requests() {
        for (after, typed) in [(9, 0), (10, 1), (11, 1), (12, 3), (13, 3)] {
            let broken = watch().broken(&turns(&[(Turn::Left, after)]), true);
            assert_eq!(broken, Some(Broken::Left { typed }), "after request {after}");
        }
    }

    #[test]
    fn what_comes_after_the_last_key_does_not_matter_at_the_end() {
        let left = turns(&[(Turn::Left, 14)]);
        assert_eq!(watch().broken(&left, true), None);
        assert_eq!(watch().broken(&left, false), Some(Broken::Left { typed: 4 }), "more is to come");
    }

    #[test]
    fn a_grab_matters_while_it_lasts_or_when_a_key_fell_into_it() {
        let grabbed = |seen: &[(Turn, u64)]| watch().broken(&turns(seen), true);
        assert_eq!(grabbed(&[(Turn::Grabbed, 11)]), Some(Broken::Grabbed { typed: 1 }));
        assert_eq!(grabbed(&[(Turn::Grabbed, 11), (Turn::Ungrabbed, 12)]), Some(Broken::Grabbed { typed: 1 }));
        assert_eq!(grabbed(&[(Turn::Grabbed, 11), (Turn::Ungrabbed, 11)]), None, "over before a key");
        assert_eq!(grabbed(&[(Turn::Grabbed, 15)]), None);
        // A hotkey: begun by the press itself, over with its release.
        assert_eq!(grabbed(&[(Turn::Grabbed, 12), (Turn::Ungrabbed, 13)]), Some(Broken::Grabbed { typed: 1 }));
    }
}
