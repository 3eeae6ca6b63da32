//! The keyboard as the input thread knows it: the map that steps are planned with, read again only when the server says
//! that it changed, and the locks that a text must not meet.

use std::cell::OnceCell;

use x11rb::protocol::xkb;

use super::{
    borrowed::BorrowedKeys,
    connection::LinkError,
    failure::InputCause,
    ledger::Locks,
    permit::Permit,
    set_map::{KeymapChange, set_map},
    station::Station,
    turn::Turn,
    xkb_map,
};
use crate::plan::{
    bounds::{Beginning, Bounds, OutOfBounds},
    gesture::Gesture,
    held::keep_held,
    keymap::{KeyDescription, Keymap, KeymapDescription, ModifierMask},
    keysyms::name_of,
    step::{Group, Keycode, Keysym, Page, Step},
    steps::{KeyboardState, steps},
    wide::{WideKeymap, widen},
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
    /// The keycodes whose extra symbols may be exchanged, those set the longest time ago first.
    paged: Vec<Keycode>,
    ownership: Ownership,
    borrowed: BorrowedKeys,
    turn: Turn,
}

/// Whose display it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// We started it: its keymap is ours to make wide.
    Owned,
    /// Somebody else's: what we change is put back.
    Attached,
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

impl Keyboard {
    /// One that knows nothing yet.
    pub fn new(ownership: Ownership) -> Self {
        let unknown = Keymap::new(KeymapDescription::default());
        Self {
            device: None,
            known: None,
            found: Locks::default(),
            unknown,
            paged: Vec::new(),
            ownership,
            borrowed: BorrowedKeys::default(),
            turn: Turn::default(),
        }
    }

    /// Makes the keymap what it shall be at the start: a predecessor's pages are put back, and a display of our own gets the
    /// wide keymap, before any client starts and would have to learn a new one.
    pub fn prepare(&mut self, station: &mut Station) -> Result<(), LinkError> {
        if self.ownership == Ownership::Owned {
            return self.widen(station);
        }
        // Whoever has the turn is alive and will put back what is his.
        if self.turn.take_if_free(station.link())? {
            self.borrowed = BorrowedKeys::left_behind(station.link())?;
            if !self.borrowed.is_empty() {
                self.put_back(station)?;
            }
            self.turn.give(station.link())?;
        }
        Ok(())
    }

    /// Whether keys of somebody else's keymap carry our pages.
    pub fn is_borrowing(&self) -> bool {
        !self.borrowed.is_empty()
    }

    /// Puts the keys back that carry our pages. The caller has made sure that nobody can still look up what they mean now.
    pub fn put_back(&mut self, station: &mut Station) -> Result<(), LinkError> {
        self.refresh(station)?;
        if let Some(Known { description, .. }) = &self.known {
            self.borrowed.put_back(station.link(), description)?;
        }
        self.paged.clear();
        self.known = None;
        self.turn.give(station.link())
    }

    /// Ends an action: others may use the keyboard, unless our pages are on it.
    pub fn finish(&mut self, station: &mut Station) -> Result<(), LinkError> {
        if self.is_borrowing() { Ok(()) } else { self.turn.give(station.link()) }
    }

    /// The modifier keys that are down, whoever pressed them.
    pub fn modifiers_down(&self, station: &Station) -> Result<Vec<Keycode>, LinkError> {
        let mut down = station.hands.keys_down()?;
        let keymap = self.known.as_ref().map_or(&self.unknown, Known::keymap);
        down.retain(|&keycode| !keymap.modifiers_of(keycode).is_empty());
        Ok(down)
    }

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
    pub fn plan(&mut self, station: &mut Station, gesture: &Gesture, permit: &Permit) -> Result<Vec<Step>, InputCause> {
        if matches!(gesture, Gesture::Drag { start: None, .. }) {
            // The way begins where the pointer is now, and applications may move it.
            station.hands.answer()?;
        }
        let pointer = station.hands.pointer;
        if !uses_keys(gesture) {
            return Ok(steps(gesture, &self.unknown, pointer, KeyboardState::default())?);
        }
        self.turn.take(station, permit)?;
        // Another layout that has replaced the wide one stays as it is: programs that have read it would not hear of key types
        // that are added now (`plan::levels`).
        self.refresh(station)?;
        let state = match station.events.keyboard_state {
            Some(state) => state,
            None => *station.events.keyboard_state.insert(xkb_map::read_state(&station.hands.link)?),
        };
        self.found = state.locks;
        let locked = state.locks.modifiers;
        let unlock = gesture.types() && !locked.or(state.latched).is_empty();
        let planned_with = if unlock { ModifierMask::NONE } else { locked };
        let keymap = self.known.as_ref().map_or(&self.unknown, Known::keymap);
        let steps = steps(gesture, keymap, pointer, KeyboardState { locked: planned_with, group: state.locks.group })?;
        if unlock {
            station.hands.ledger.record_locks(state.locks);
            station.hands.lock(EVERY_MODIFIER, ModifierMask::NONE, state.locks.group)?;
        }
        let mut held: Vec<_> = station.hands.ledger.held_keys().collect();
        held.retain(|&keycode| !keymap.modifiers_of(keycode).is_empty());
        Ok(keep_held(steps, gesture, &held))
    }

    /// Whether steps that were just planned keep within bounds, with what is held now and the pointer where it is now.
    ///
    /// # Errors
    /// [`InputCause::Forbidden`].
    pub fn keep_within(
        &self,
        bounds: &Bounds,
        station: &mut Station,
        gesture: &Gesture,
        steps: &[Step],
    ) -> Result<(), InputCause> {
        if bounds.has_regions() {
            // A press without a place is where the pointer is, and applications may move it.
            station.hands.answer()?;
        }
        let held: Vec<_> = station.hands.ledger.held_keys().collect();
        let beginning = Beginning { pointer: station.hands.pointer, held: &held };
        let meanings = |keycode| {
            let key = self.known.as_ref().and_then(|known| known.description.key(keycode));
            key.map_or_else(Vec::new, KeyDescription::usual_symbols)
        };
        bounds.steps(gesture, steps, beginning, meanings).map_err(|OutOfBounds(message)| InputCause::Forbidden(message))
    }

    /// Locks a group for the keys that follow; the ledger knows which one to come back to.
    pub fn lock_group(&mut self, station: &mut Station, group: Group) -> Result<(), LinkError> {
        station.hands.ledger.record_locks(self.found);
        station.hands.lock(ModifierMask::NONE, ModifierMask::NONE, group)
    }

    /// Locks exactly these modifiers for the keys that follow; the ledger knows which ones to come back to.
    pub fn lock_modifiers(&mut self, station: &mut Station, modifiers: ModifierMask) -> Result<(), LinkError> {
        station.hands.ledger.record_locks(self.found);
        station.hands.lock(EVERY_MODIFIER, modifiers, self.found.group)
    }

    /// Locks again what was locked before the action, if it changed that. The next answer makes it certain.
    pub fn restore_locks(&mut self, station: &mut Station) -> Result<(), LinkError> {
        match station.hands.ledger.locks_to_restore() {
            Some(locks) => station.hands.lock(EVERY_MODIFIER, locks.modifiers, locks.group),
            None => Ok(()),
        }
    }

    /// Whether the map is the one that was planned with.
    pub fn is_unchanged(&mut self, station: &mut Station) -> Result<bool, LinkError> {
        Ok(self.refresh(station)? == Refreshed::Same)
    }

    /// Changes the keymap and checks that the server has it. The caller has made sure that nobody can still look up what the
    /// page takes away.
    pub fn remap(&mut self, station: &mut Station, page: &Page) -> Result<(), InputCause> {
        let Some(Known { description: before, .. }) = self.known.take() else { return Err(InputCause::KeymapChanged) };
        let modifiers: Vec<_> = page.modifier.iter().map(|key| (key.keycode, key.modifier)).collect();
        let mut expected = before.clone();
        expected.apply(page);
        let carrier = expected.keys.iter().filter(|key| page.modifier.is_some_and(|new| new.keycode == key.keycode));
        let keys: Vec<_> = page.keys.iter().chain(carrier).cloned().collect();
        if self.ownership == Ownership::Attached {
            self.borrowed.note(station.link(), &before, page)?;
        }
        let change = KeymapChange { before: &before, types: &page.types, keys: &keys, modifiers: &modifiers };
        match set_map(&station.hands.link, &change) {
            Ok(()) => {}
            Err(LinkError::Refused(reason)) => {
                tracing::debug!(reason, "the server refused a keymap");
                return Err(InputCause::KeymapChanged);
            }
            Err(error) => return Err(error.into()),
        }
        let keycodes: Vec<_> = page.keys.iter().map(|key| key.keycode).collect();
        self.paged.retain(|keycode| !keycodes.contains(keycode));
        self.paged.extend(&keycodes);
        // Our own request has the server say that the map changed; it is read in any case.
        self.known = None;
        self.refresh(station)?;
        let right = self.known.as_ref().is_some_and(|known| {
            let now = &known.description;
            let added = now.types.len().checked_sub(page.types.len()).map(|start| &now.types[start..]);
            // A modifier that is new is also a new meaning for the types that had waited for it.
            let types = page.modifier.is_some() || expected.types == now.types;
            types && added == Some(&page.types[..]) && now.keys == expected.keys && now.modifiers == expected.modifiers
        });
        if right { Ok(()) } else { Err(InputCause::KeymapChanged) }
    }

    /// Whether a page takes symbols away that its keys have now.
    pub fn takes_away(&self, page: &Page, keycode: Keycode) -> bool {
        let before = self.known.as_ref().and_then(|known| known.description.key(keycode));
        let after = page.keys.iter().find(|key| key.keycode == keycode);
        let symbols = |key: Option<&KeyDescription>| key.map_or(Vec::new(), |key| key.symbols.clone());
        let after = symbols(after).into_iter().chain(std::iter::repeat(Keysym::NONE));
        symbols(before).into_iter().zip(after).any(|(old, new)| !old.is_none() && old != new)
    }

    /// Whether a key's extra symbols may be exchanged for others.
    pub fn is_paged(&self, keycode: Keycode) -> bool {
        self.paged.contains(&keycode)
    }

    /// Gives a display of our own the wide keymap, unless it has it.
    fn widen(&mut self, station: &mut Station) -> Result<(), LinkError> {
        self.refresh(station)?;
        let Some(known) = &self.known else { return Ok(()) };
        let Some(WideKeymap { page, paged }) = widen(&known.description) else { return Ok(()) };
        match self.remap(station, &page) {
            Ok(()) => {}
            Err(InputCause::Lost(reason)) => return Err(LinkError::Lost(reason)),
            Err(InputCause::Unresponsive) => return Err(LinkError::Unresponsive),
            // Texts then use pages, and the next change of the map is another occasion.
            Err(cause) => tracing::warn!(%cause, "the wide keymap could not be loaded"),
        }
        self.paged = paged;
        self.keep_paged();
        Ok(())
    }

    /// Reads the map again if the server has said that it changed: many such events change nothing, such as the first one,
    /// when XTEST's keyboard takes over.
    fn refresh(&mut self, station: &mut Station) -> Result<Refreshed, LinkError> {
        station.listen()?;
        if self.known.is_some() && !station.events.keymap_changed {
            return Ok(Refreshed::Same);
        }
        let link = &station.hands.link;
        let device = match self.device {
            Some(device) => device,
            None => *self.device.insert(xkb_map::xtest_keyboard(link)?),
        };
        // Forgotten before reading: a change that comes after it is told again.
        station.events.keymap_changed = false;
        let mut description = xkb_map::read_map(link, device)?;
        description.paged.clone_from(&self.paged);
        if self.known.as_ref().is_some_and(|known| known.description == description) {
            return Ok(Refreshed::Same);
        }
        let before = self.known.replace(Known { description, keymap: OnceCell::new() });
        if let (Some(before), Some(now)) = (before, &self.known) {
            let same = |keycode: &Keycode| before.description.key(*keycode) == now.description.key(*keycode);
            self.paged.retain(same);
        }
        self.keep_paged();
        Ok(Refreshed::Changed)
    }

    fn keep_paged(&mut self) {
        if let Some(known) = &mut self.known {
            known.description.paged.clone_from(&self.paged);
            known.keymap = OnceCell::new();
        }
    }
}

/// What looking at the map again came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refreshed {
    Same,
    Changed,
}

/// Whether a gesture presses keys; the others need no keymap.
fn uses_keys(gesture: &Gesture) -> bool {
    match gesture {
        Gesture::Click { held, .. }
        | Gesture::Drag { held, .. }
        | Gesture::Scroll { held, .. }
        | Gesture::ScrollBy { held, .. } => held.is_some(),
        Gesture::Move(_) | Gesture::PressButton(_) | Gesture::ReleaseButton(_) | Gesture::Wait(_) => false,
        Gesture::Keys { .. }
        | Gesture::PressKeys(_)
        | Gesture::ReleaseKeys(_)
        | Gesture::HoldKeys { .. }
        | Gesture::Type(_)
        | Gesture::Secret(_)
        | Gesture::Paste(_) => true,
    }
}
