//! Carries out a gesture: asks the plan for steps with the keymap of this moment, sends them in batches, checks what they
//! expect, and ends with a round trip.

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

use x11rb::protocol::xproto::{ConnectionExt as _, Window};

use super::{
    acknowledge::{Acknowledged, Acknowledger},
    connection::{LinkError, OPERATION_TIME},
    failure::InputCause,
    focus::{self, Focused},
    keyboard::Keyboard,
    ledger::Ledger,
    permit::Permit,
    pointer::{self, Releases},
    station::Station,
};
use crate::{
    plan::{
        gesture::Gesture,
        step::{ButtonNumber, Direction, Expectation, Keycode, Page, Step},
    },
    protocol::{action::Button, answer::Held, units::Milliseconds},
};

/// The longest wait that is left to the server. It is exact there and costs no round trip, but a cancel does not end it;
/// the 50 ms that Chromium needs between clicks stay below.
const SERVER_DELAY: Milliseconds = Milliseconds(60);

/// How long the focus may take to come to a window: a window manager moves it when it has handled the click that we were
/// told is done. Longer than openbox took on a busy machine; what has no focus at all costs this much once, and no harm.
const FOCUS_TIME: Duration = Duration::from_millis(300);
/// How often a key that is held for long asks whether the server still runs: with the time that an answer may take, a
/// server that stops is told within two seconds.
const HOLD_CHECK: Duration = Duration::from_millis(400);

/// Who may receive the keys of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receivers {
    /// An application: a text must not be lost.
    Windows,
    /// The window manager as well: chords are what its hotkeys and menus wait for.
    WindowsAndManager,
}

impl Receivers {
    fn accept(self, focused: Focused) -> bool {
        match focused {
            Focused::Window(_) => true,
            Focused::Manager => self == Self::WindowsAndManager,
            Focused::Nowhere => false,
        }
    }
}

/// Called before each step, where tests put faults.
pub type StepHook = Box<dyn FnMut(&Step) + Send>;

/// How far an action got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Something that has an effect was sent.
    pub sent: bool,
    /// How many characters were sent.
    pub typed: Option<u32>,
    /// How many characters the server had received when the keymap was last known to be ours.
    pub typed_certainly: Option<u32>,
}

/// An application with keys that it may not have looked up yet.
#[derive(Debug)]
struct Reader {
    client: u32,
    window: Window,
    keys: BTreeSet<Keycode>,
}

/// What the input thread remembers between actions.
pub struct Interpreter {
    keyboard: Keyboard,
    acknowledger: Acknowledger,
    /// Keycodes that we have given a meaning at some time.
    remapped: BTreeSet<Keycode>,
    /// Who may still have remapped keys in its queue: at most as many as the server has places for clients.
    readers: Vec<Reader>,
    /// The window that receives keys in this action.
    focus: Option<Window>,
    /// Who may receive this action's keys.
    receivers: Receivers,
    /// The buttons that this action has released.
    releases: Releases,
    hook: Option<StepHook>,
}

impl fmt::Debug for Interpreter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Interpreter").field("keyboard", &self.keyboard).finish_non_exhaustive()
    }
}

impl Interpreter {
    /// One that knows nothing yet.
    pub fn new(hook: Option<StepHook>) -> Self {
        Self {
            keyboard: Keyboard::default(),
            acknowledger: Acknowledger::default(),
            remapped: BTreeSet::new(),
            readers: Vec::new(),
            focus: None,
            receivers: Receivers::Windows,
            releases: Releases::default(),
            hook,
        }
    }

    /// Drops what a panic may have left half changed; it is read again when it is needed.
    pub fn forget(&mut self) {
        self.keyboard.forget();
    }

    /// What the ledger says is held, as it is reported to people.
    pub fn held(&self, ledger: &Ledger) -> Held {
        Held {
            keys: ledger.held_keys().map(|keycode| self.keyboard.key_name(keycode)).collect(),
            buttons: ledger.held_buttons().filter_map(button_name).collect(),
        }
    }

    /// Carries out a gesture. On an error the caller releases what was pressed. `announce` hears what is held before a wait
    /// that others will want to look into.
    pub fn perform(
        &mut self,
        station: &mut Station,
        gesture: &Gesture,
        permit: &Permit,
        progress: &mut Progress,
        announce: &dyn Fn(Held),
    ) -> Result<(), InputCause> {
        self.focus = None;
        self.releases = Releases::default();
        let is_text = matches!(gesture, Gesture::Type(_));
        self.receivers = if is_text { Receivers::Windows } else { Receivers::WindowsAndManager };
        if is_text {
            *progress = Progress { sent: false, typed: Some(0), typed_certainly: Some(0) };
        }
        if let Gesture::Wait(duration) = gesture {
            // A duration past the clock's end would be longer than the permit allows anyway.
            let until = Instant::now().checked_add(*duration).ok_or(InputCause::DeadlineExceeded)?;
            station.wait(until, permit, |_| false)?;
            return station.answer(permit);
        }
        let steps = self.keyboard.plan(station, gesture)?;
        let mut answered = false;
        for (index, step) in steps.iter().enumerate() {
            if let Some(hook) = &mut self.hook {
                hook(step);
            }
            if matches!(step, Step::Delay(time) if *time > SERVER_DELAY) {
                announce(self.held(&station.hands.ledger));
            }
            answered = self.step(station, step, steps.get(index + 1), permit, progress)?;
            // Between the keys of one character nobody can say how much of the text has been typed.
            if station.hands.is_far_ahead() && (!is_text || matches!(step, Step::Typed(_))) {
                station.answer(permit)?;
                answered = true;
                self.check_keymap(station, gesture, progress)?;
            }
        }
        self.keyboard.restore_locks(station)?;
        if !answered || station.hands.is_ahead() {
            // Everything is sent: a cancel that comes now is too late to undo it, and saying so would be wrong.
            station.hands.answer()?;
        }
        self.releases.arrive(station, permit)?;
        station.hands.ledger.forget_locks();
        self.check_keymap(station, gesture, progress)
    }

    /// Carries out one step. Says whether the server has answered for everything so far.
    fn step(
        &mut self,
        station: &mut Station,
        step: &Step,
        next: Option<&Step>,
        permit: &Permit,
        progress: &mut Progress,
    ) -> Result<bool, InputCause> {
        match step {
            Step::Move(to) => {
                progress.sent = true;
                station.hands.motion(*to)?;
            }
            Step::Key(keycode, direction) => {
                // Keys overtake a pointer that is frozen: a modifier must not go up before the click that it belongs to.
                self.releases.arrive(station, permit)?;
                progress.sent = true;
                if *direction == Direction::Press && self.remapped.contains(keycode) {
                    self.note_reader(station, *keycode);
                }
                station.hands.key(*keycode, *direction)?;
            }
            Step::Button(button, direction) => {
                progress.sent = true;
                match direction {
                    Direction::Press => self.releases.forget(*button),
                    Direction::Release => self.releases.note(*button),
                }
                station.hands.button(*button, *direction)?;
            }
            Step::Delay(time) => {
                let event_follows = matches!(next, Some(Step::Move(_) | Step::Key(..) | Step::Button(..)));
                if *time <= SERVER_DELAY && event_follows {
                    station.hands.delay(*time);
                } else {
                    let until = Instant::now() + Duration::from(*time);
                    station.answer(permit)?;
                    while Instant::now() < until {
                        station.wait(until.min(Instant::now() + HOLD_CHECK), permit, |_| false)?;
                        station.answer(permit)?;
                    }
                    return Ok(true);
                }
            }
            Step::LockGroup(group) => {
                progress.sent = true;
                self.keyboard.lock_group(station, *group)?;
            }
            Step::Remap(page) => {
                self.remap(station, page, permit)?;
                return Ok(true);
            }
            Step::Expect(Expectation::Pointer(place)) => {
                pointer::arrive_at(*place, station, permit)?;
                return Ok(true);
            }
            Step::Expect(Expectation::Focus) => {
                self.releases.arrive(station, permit)?;
                let receivers = self.receivers;
                let mut found = Focused::Nowhere;
                let accepted = station.ask_until(FOCUS_TIME, permit, |station| {
                    found = focus::focused(station.link(), &station.events.atoms)?;
                    Ok(receivers.accept(found))
                })?;
                self.focus = if let Focused::Window(window) = found { Some(window) } else { None };
                return if accepted { Ok(false) } else { Err(InputCause::FocusLost) };
            }
            Step::Acknowledge => {
                station.answer(permit)?;
                // Only keycodes that change their meaning can be looked up wrongly.
                if let Some(window) = self.focus.filter(|&window| self.may_have_unread(station, window)) {
                    self.acknowledge(station, window, permit)?;
                }
                return Ok(true);
            }
            Step::Typed(count) => progress.typed = Some(*count),
        }
        Ok(false)
    }

    /// Whether the map is still the one that the steps were planned with. Only a text depends on every key of it.
    fn check_keymap(
        &mut self,
        station: &mut Station,
        gesture: &Gesture,
        progress: &mut Progress,
    ) -> Result<(), InputCause> {
        if matches!(gesture, Gesture::Type(_)) && !self.keyboard.is_unchanged(station)? {
            return Err(InputCause::KeymapChanged);
        }
        progress.typed_certainly = progress.typed;
        Ok(())
    }

    /// Gives keycodes new meanings, once everybody who may still have them in a queue has looked up the old ones.
    fn remap(&mut self, station: &mut Station, page: &Page, permit: &Permit) -> Result<(), InputCause> {
        station.answer(permit)?;
        let reused = |reader: &Reader| page.keys.iter().any(|(keycode, _)| reader.keys.contains(keycode));
        while let Some(window) = self.readers.iter().find(|reader| reused(reader)).map(|reader| reader.window) {
            self.acknowledge(station, window, permit)?;
        }
        if !self.keyboard.is_unchanged(station)? {
            return Err(InputCause::KeymapChanged);
        }
        self.remapped.extend(page.keys.iter().map(|(keycode, _)| *keycode));
        self.keyboard.remap(station, page)?;
        station.check(permit)
    }

    /// Waits until an application has looked up its keys. There is no other proof than its own answer, in this call or in a
    /// later one: an application that knows none of the questions never gets a keycode with a second meaning.
    fn acknowledge(&mut self, station: &mut Station, window: Window, permit: &Permit) -> Result<(), InputCause> {
        let client = focus::client_of(station.link(), window);
        if !window_exists(station, window)? {
            // Whatever was in its queue is gone with it.
            self.readers.retain(|reader| reader.client != client);
            return Ok(());
        }
        match self.acknowledger.acknowledge(station, window, permit)? {
            Acknowledged::Yes => {
                self.readers.retain(|reader| reader.client != client);
                Ok(())
            }
            Acknowledged::Late => Err(InputCause::Unacknowledged),
            Acknowledged::NoQuestion => Err(InputCause::NoSpareKeys),
        }
    }

    fn may_have_unread(&self, station: &Station, window: Window) -> bool {
        let client = focus::client_of(station.link(), window);
        self.readers.iter().any(|reader| reader.client == client)
    }

    fn note_reader(&mut self, station: &Station, keycode: Keycode) {
        let Some(window) = self.focus else { return };
        let client = focus::client_of(station.link(), window);
        if let Some(reader) = self.readers.iter_mut().find(|reader| reader.client == client) {
            reader.window = window;
            reader.keys.insert(keycode);
            return;
        }
        self.readers.push(Reader { client, window, keys: BTreeSet::from([keycode]) });
    }
}

fn window_exists(station: &Station, window: Window) -> Result<bool, LinkError> {
    let link = station.link();
    let _limit = link.within(OPERATION_TIME);
    let cookie = link.connection.get_window_attributes(window).map_err(|error| link.explain(error))?;
    match cookie.reply_unchecked() {
        Ok(reply) => Ok(reply.is_some()),
        Err(error) => Err(link.explain(error)),
    }
}

/// The wire's word for a button. The wheel's buttons are never held by intent and have none.
fn button_name(button: ButtonNumber) -> Option<Button> {
    match button.0 {
        1 => Some(Button::Left),
        2 => Some(Button::Middle),
        3 => Some(Button::Right),
        8 => Some(Button::Back),
        9 => Some(Button::Forward),
        _ => None,
    }
}
