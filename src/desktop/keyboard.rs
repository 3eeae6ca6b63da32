//! The keyboard as the input thread knows it: the map that steps are planned with, read again only when the server says
//! that it changed, and the locks that a text must not meet.

use std::cell::OnceCell;

use x11rb::protocol::{xkb, xproto::ConnectionExt as _};

use super::{
    connection::{LinkError, OPERATION_TIME},
    failure::InputCause,
    ledger::Locks,
    station::Station,
    xkb_map,
};
use crate::plan::{
    gesture::Gesture,
    keymap::{KeyDescription, Keymap, KeymapDescription, ModifierMask},
    keysyms::name_of,
    step::{Group, Keycode, Keysym, Page, Step},
    steps::{KeyboardState, steps},
};

/// All eight modifiers.
const EVERY_MODIFIER: ModifierMask = ModifierMask(0xff);

/// The keyboard's map and what we know about its state.
#[derive(Debug)]
pub struct Keyboard {
    device: Option<xkb::DeviceSpec>,
    known: Option<Known>,
    /// What was locked when the action was planned.
    found: Locks,
    /// A map without keys, for gestures that press none.
    unknown: Keymap,
    /// The keycodes that pages gave a meaning, the least recently used first.
    paged: Vec<Keycode>,
}

/// A map as it was read and as it is planned with.
#[derive(Debug)]
struct Known {
    description: KeymapDescription,
    /// Made when something is planned with it: between the pages of a text nothing is.
    keymap: OnceCell<Keymap>,
}

impl Known {
    fn keymap(&self) -> &Keymap {
        self.keymap.get_or_init(|| Keymap::new(self.description.clone()))
    }
}

impl Default for Keyboard {
    fn default() -> Self {
        let unknown = Keymap::new(KeymapDescription::default());
        Self { device: None, known: None, found: Locks::default(), unknown, paged: Vec::new() }
    }
}

impl Keyboard {
    /// Drops what is known; it is read again when it is needed.
    pub fn forget(&mut self) {
        self.known = None;
    }

    /// The keysym name of a key's first level; `keycode N` where the key has none.
    pub fn key_name(&self, keycode: Keycode) -> String {
        let key = self.known.iter().flat_map(|known| &known.description.keys).find(|key| key.keycode == keycode);
        let keysym = key.and_then(|key| key.symbols.first()).filter(|keysym| keysym.0 != 0);
        keysym.map_or_else(|| format!("keycode {}", keycode.0), |&keysym| name_of(keysym))
    }

    /// The steps of a gesture with the map and the locks of this moment. For a text the locks are opened first, and the
    /// ledger knows what to lock again: the map's own letters could be reached around Caps Lock, a page's could not.
    pub fn plan(&mut self, station: &mut Station, gesture: &Gesture) -> Result<Vec<Step>, InputCause> {
        if matches!(gesture, Gesture::Drag { start: None, .. }) {
            // The way begins where the pointer is now, and applications may move it.
            station.hands.answer()?;
        }
        let pointer = station.hands.pointer;
        if !uses_keys(gesture) {
            return Ok(steps(gesture, &self.unknown, pointer, KeyboardState::default())?);
        }
        station.listen()?;
        let state = match station.events.keyboard_state {
            Some(state) => state,
            None => *station.events.keyboard_state.insert(xkb_map::read_state(&station.hands.link)?),
        };
        self.found = state.locks;
        let locked = state.locks.modifiers;
        let unlock = matches!(gesture, Gesture::Type(_)) && !locked.or(state.latched).is_empty();
        let planned_with = if unlock { ModifierMask::NONE } else { locked };
        let keymap = self.known(station)?.keymap();
        let steps = steps(gesture, keymap, pointer, KeyboardState { locked: planned_with, group: state.locks.group })?;
        if unlock {
            station.hands.ledger.record_locks(state.locks);
            station.hands.lock(EVERY_MODIFIER, ModifierMask::NONE, state.locks.group)?;
        }
        Ok(steps)
    }

    /// Locks a group for the keys that follow; the ledger knows which one to come back to.
    pub fn lock_group(&mut self, station: &mut Station, group: Group) -> Result<(), LinkError> {
        station.hands.ledger.record_locks(self.found);
        station.hands.lock(ModifierMask::NONE, ModifierMask::NONE, group)
    }

    /// Locks again what was locked before the action, if it changed that. The next answer makes it certain.
    pub fn restore_locks(&mut self, station: &mut Station) -> Result<(), LinkError> {
        match station.hands.ledger.locks_to_restore() {
            Some(locks) => station.hands.lock(EVERY_MODIFIER, locks.modifiers, locks.group),
            None => Ok(()),
        }
    }

    /// Whether the map is the one that was planned with. Reads it again only if the server said that it changed: many such
    /// events change nothing, such as the first one, when XTEST's keyboard takes over.
    pub fn is_unchanged(&mut self, station: &mut Station) -> Result<bool, LinkError> {
        station.listen()?;
        if !station.events.keymap_changed {
            return Ok(true);
        }
        let before = self.known.take().map(|known| known.description);
        let now = &self.known(station)?.description;
        Ok(before.is_some_and(|before| same_map(&before, now, &[])))
    }

    /// Gives keycodes new meanings, one request for each run of neighbours, and checks that the server has them. The caller
    /// has made sure that nobody can still look up the old ones.
    pub fn remap(&mut self, station: &mut Station, page: &Page) -> Result<(), InputCause> {
        let mut keys = page.keys.clone();
        keys.sort_unstable_by_key(|(keycode, _)| *keycode);
        for run in keys.chunk_by(|(left, _), (right, _)| left.0 + 1 == right.0) {
            change_mapping(station, run)?;
        }
        station.hands.answer()?;
        let keycodes: Vec<_> = page.keys.iter().map(|(keycode, _)| *keycode).collect();
        self.paged.retain(|keycode| !keycodes.contains(keycode));
        self.paged.extend(&keycodes);
        let before = self.known.take().map(|known| known.description);
        station.listen()?;
        // Our own request has the server say that the map changed, so it is read in any case.
        let now = &self.known(station)?.description;
        let others_are_the_same = before.is_some_and(|before| same_map(&before, now, &keycodes));
        let ours_are_right = keys.iter().all(|(keycode, [plain, shifted])| {
            let key = now.keys.iter().find(|key| key.keycode == *keycode);
            key.is_some_and(|key| match key.symbols.as_slice() {
                // The server folds two equal levels into one.
                [only] => only == plain && only == shifted,
                [first, second, ..] => first == plain && second == shifted,
                [] => false,
            })
        });
        if others_are_the_same && ours_are_right { Ok(()) } else { Err(InputCause::KeymapChanged) }
    }

    /// The map, read if it is not known or not certain.
    fn known(&mut self, station: &mut Station) -> Result<&Known, LinkError> {
        let link = &station.hands.link;
        let device = match self.device {
            Some(device) => device,
            None => *self.device.insert(xkb_map::xtest_keyboard(link)?),
        };
        if !station.events.keymap_changed
            && let Some(known) = self.known.take()
        {
            return Ok(self.known.insert(known));
        }
        // Forgotten before reading: a change that comes after it is told again.
        station.events.keymap_changed = false;
        let mut description = xkb_map::read_map(link, device)?;
        description.paged.clone_from(&self.paged);
        Ok(self.known.insert(Known { description, keymap: OnceCell::new() }))
    }
}

/// Whether a gesture presses keys; the others need no keymap.
fn uses_keys(gesture: &Gesture) -> bool {
    match gesture {
        Gesture::Click { held, .. } | Gesture::Drag { held, .. } | Gesture::Scroll { held, .. } => held.is_some(),
        Gesture::Move(_) | Gesture::PressButton(_) | Gesture::ReleaseButton(_) | Gesture::Wait(_) => false,
        Gesture::Keys { .. }
        | Gesture::PressKeys(_)
        | Gesture::ReleaseKeys(_)
        | Gesture::HoldKeys { .. }
        | Gesture::Type(_) => true,
    }
}

/// Whether two maps mean the same, but for these keycodes.
fn same_map(left: &KeymapDescription, right: &KeymapDescription, except: &[Keycode]) -> bool {
    let other = |key: &&KeyDescription| !except.contains(&key.keycode);
    left.types == right.types
        && left.modifiers == right.modifiers
        && left.keys.iter().filter(other).eq(right.keys.iter().filter(other))
}

/// One `ChangeKeyboardMapping` for neighbouring keycodes. The first two keysyms are group 1 and the next two group 2 of the
/// core protocol; both get the same, so that the keys mean the same whatever group is locked.
fn change_mapping(station: &Station, run: &[(Keycode, [Keysym; 2])]) -> Result<(), LinkError> {
    let Some((first, _)) = run.first() else { return Ok(()) };
    let keysyms: Vec<u32> =
        run.iter().flat_map(|(_, [plain, shifted])| [plain.0, shifted.0, plain.0, shifted.0]).collect();
    let link = &station.hands.link;
    let _limit = link.within(OPERATION_TIME);
    // A run has at most the 248 keycodes that there are.
    let count = u8::try_from(run.len()).unwrap_or(u8::MAX);
    let change = || link.connection.change_keyboard_mapping(count, first.0, 4, &keysyms);
    change().map_err(|error| link.explain(error))?.ignore_error();
    Ok(())
}
