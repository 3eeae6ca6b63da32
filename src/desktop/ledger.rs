//! What is down on the display because of us, written down before it is sent: keys and buttons stay down when their sender
//! dies, so whatever ends an action must know what to let go of.
//!
//! Pure state. An entry goes through `Down → Releasing → gone`: a release that was only sent still counts as held until the
//! server has answered a later request, because until then nobody can tell.

use crate::plan::{
    keymap::ModifierMask,
    step::{ButtonNumber, Direction, Group, Keycode},
};

/// Something that can be held down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pressable {
    /// A key of the keyboard.
    Key(Keycode),
    /// A button of the pointer.
    Button(ButtonNumber),
}

/// What was locked on the keyboard before we changed it: the lock bits of `XkbGetState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// The locked group.
    pub group: Group,
    /// The locked modifiers.
    pub modifiers: ModifierMask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Releasing,
}

/// What is held, in the order in which it was pressed.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<(Pressable, State)>,
    locks: Option<Locks>,
}

impl Ledger {
    /// Writes down a press or a release. Call it before the request is sent.
    pub fn record(&mut self, item: Pressable, direction: Direction) {
        let entry = self.entries.iter_mut().find(|(held, _)| *held == item);
        match (direction, entry) {
            (Direction::Press, Some(entry)) => entry.1 = State::Down,
            (Direction::Press, None) => self.entries.push((item, State::Down)),
            (Direction::Release, Some(entry)) => entry.1 = State::Releasing,
            // Whoever pressed it was not us; the release still goes out, and nothing of ours is left behind by it.
            (Direction::Release, None) => {}
        }
    }

    /// Writes down what was locked before our first change of the locks. Later changes do not matter: the state to come
    /// back to is the one that we found.
    pub fn record_locks(&mut self, found: Locks) {
        self.locks.get_or_insert(found);
    }

    /// Strikes out what is held for somebody else: it was down before us and is down again.
    pub fn disown(&mut self, item: Pressable) {
        self.entries.retain(|(held, _)| *held != item);
    }

    /// Whether something is held by us.
    pub fn holds(&self, item: Pressable) -> bool {
        self.entries.iter().any(|(held, state)| *held == item && *state == State::Down)
    }

    /// The locks are as they were found.
    pub fn forget_locks(&mut self) {
        self.locks = None;
    }

    /// What to lock again, if we changed it.
    pub fn locks_to_restore(&self) -> Option<Locks> {
        self.locks
    }

    /// The server has answered a request that was sent after every release so far. They have happened, except those of
    /// buttons that it still shows as down: a client keeps the pointer frozen, and they wait in the server.
    pub fn confirm(&mut self, is_down: impl Fn(ButtonNumber) -> bool) {
        self.entries.retain(|(item, state)| {
            *state == State::Down || matches!(item, Pressable::Button(button) if is_down(*button))
        });
    }

    /// What to release to hold nothing: buttons first, because a drop under a modifier means something else than one
    /// without, then keys, the last pressed first.
    pub fn releases(&self) -> Vec<Pressable> {
        let down = self.entries.iter().filter(|(_, state)| *state == State::Down).map(|(item, _)| *item);
        let mut releases: Vec<_> = down.collect();
        releases.reverse();
        releases.sort_by_key(|item| matches!(item, Pressable::Key(_)));
        releases
    }

    /// The keys that are held or whose release is not certain yet, in the order in which they were pressed.
    pub fn held_keys(&self) -> impl Iterator<Item = Keycode> {
        self.entries
            .iter()
            .filter_map(|(item, _)| if let Pressable::Key(keycode) = item { Some(*keycode) } else { None })
    }

    /// The buttons that are held or whose release is not certain yet, in the order in which they were pressed.
    pub fn held_buttons(&self) -> impl Iterator<Item = ButtonNumber> {
        self.entries
            .iter()
            .filter_map(|(item, _)| if let Pressable::Button(button) = item { Some(*button) } else { None })
    }

    /// Whether nothing is held, for certain.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.locks.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIFT: Pressable = Pressable::Key(Keycode(50));
    const CONTROL: Pressable = Pressable::Key(Keycode(37));
    const LEFT: Pressable = Pressable::Button(ButtonNumber(1));

    #[test]
    fn buttons_are_released_before_keys_and_the_last_key_first() {
        let mut ledger = Ledger::default();
        ledger.record(SHIFT, Direction::Press);
        ledger.record(LEFT, Direction::Press);
        ledger.record(CONTROL, Direction::Press);
        assert_eq!(ledger.releases(), [LEFT, CONTROL, SHIFT]);
    }

    #[test]
    fn a_release_counts_as_held_until_the_server_has_answered() {
        let mut ledger = Ledger::default();
        ledger.record(SHIFT, Direction::Press);
        ledger.record(LEFT, Direction::Press);
        ledger.record(LEFT, Direction::Release);
        assert_eq!(ledger.held_buttons().collect::<Vec<_>>(), [ButtonNumber(1)]);
        assert_eq!(ledger.releases(), [SHIFT], "its release is on the way already");
        ledger.confirm(|_| false);
        assert_eq!(ledger.held_buttons().count(), 0);
        assert_eq!(ledger.held_keys().collect::<Vec<_>>(), [Keycode(50)]);
    }

    #[test]
    fn a_button_pressed_again_after_its_release_is_down() {
        let mut ledger = Ledger::default();
        for direction in [Direction::Press, Direction::Release, Direction::Press] {
            ledger.record(LEFT, direction);
        }
        ledger.confirm(|_| false);
        assert_eq!(ledger.releases(), [LEFT]);
        ledger.record(CONTROL, Direction::Release);
        assert_eq!(ledger.releases(), [LEFT], "a release of what is not ours leaves no trace");
    }

    #[test]
    fn the_locks_that_were_found_first_are_the_ones_to_come_back_to() {
        let mut ledger = Ledger::default();
        let found = Locks { group: Group(1), modifiers: ModifierMask::LOCK };
        ledger.record_locks(found);
        ledger.record_locks(Locks::default());
        assert_eq!(ledger.locks_to_restore(), Some(found));
        assert!(!ledger.is_empty());
        ledger.forget_locks();
        assert!(ledger.is_empty());
    }
}
