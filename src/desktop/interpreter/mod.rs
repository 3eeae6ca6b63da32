//! Carries out a gesture: asks the plan for steps with the keymap of this moment, sends them in batches, checks what they
//! expect, and ends with a round trip.

mod stepping;

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

use x11rb::protocol::xproto::Window;

use super::{
    acknowledge::Acknowledger,
    auto_repeat::AutoRepeat,
    clicks::Clicks,
    connection::LinkError,
    failure::InputCause,
    faults::Faults,
    focus::Focused,
    guard::Guard,
    keyboard::Keyboard,
    ledger::{Ledger, Pressable},
    overtaking::Overtaking,
    paste::Paste,
    permit::Permit,
    pointer::Releases,
    seal::Seal,
    station::Station,
    unread::Unread,
};
use crate::{
    plan::{
        gesture::Gesture,
        pace::paced,
        step::{ButtonNumber, Direction, Keycode, Step},
    },
    protocol::{action::Button, answer::Held, units::Milliseconds},
};

/// The longest wait that is left to the server. It is exact there and costs no round trip, but a cancel does not end it;
/// what clicks and drags wait for stays below.
const SERVER_DELAY: Milliseconds = Milliseconds(60);

/// How long a page stays on somebody else's keymap after a text: so many texts in a row need one page, and the owner has the
/// keymap back before a person would miss it. Longer than any application was seen to leave keys unread.
const PUT_BACK_TIME: Duration = Duration::from_millis(500);

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

/// What the input thread remembers between actions.
pub struct Interpreter {
    keyboard: Keyboard,
    /// Keycodes that a page of ours has given a meaning at some time.
    remapped: BTreeSet<Keycode>,
    /// Who may still have keys of pages in its queue.
    unread: Unread,
    /// The window that receives keys in this action.
    focus: Option<Window>,
    /// Who may receive this action's keys.
    receivers: Receivers,
    /// Whether a long character may overtake others there.
    overtaking: Overtaking,
    /// The buttons that this action has released.
    releases: Releases,
    put_back_at: Option<Instant>,
    /// What was clicked last.
    clicks: Clicks,
    auto_repeat: AutoRepeat,
    /// Whether the server serves us alone.
    seal: Seal,
    /// Whether this action's input reaches its window.
    guard: Guard,
    hook: Option<StepHook>,
}

impl fmt::Debug for Interpreter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Interpreter").field("keyboard", &self.keyboard).finish_non_exhaustive()
    }
}

impl Interpreter {
    /// One that knows nothing yet.
    pub fn new(keyboard: Keyboard, faults: Faults) -> Self {
        Self {
            keyboard,
            remapped: BTreeSet::new(),
            unread: Unread::new(Acknowledger::new(faults.acknowledging)),
            focus: None,
            receivers: Receivers::Windows,
            overtaking: Overtaking::default(),
            releases: Releases::default(),
            put_back_at: None,
            clicks: Clicks::default(),
            auto_repeat: AutoRepeat::default(),
            seal: Seal::default(),
            guard: Guard::default(),
            hook: faults.before_step,
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
        self.overtaking = Overtaking::default();
        self.releases = Releases::default();
        let is_text = gesture.types();
        let has_text = gesture.brings_text();
        self.receivers = if has_text { Receivers::Windows } else { Receivers::WindowsAndManager };
        if is_text {
            *progress = Progress { sent: false, typed: Some(0), typed_certainly: Some(0) };
        }
        if let Gesture::Wait(duration) = gesture {
            // A duration past the clock's end would be longer than the permit allows anyway.
            let until = Instant::now().checked_add(*duration).ok_or(InputCause::DeadlineExceeded)?;
            station.wait(until, permit, |_| false)?;
            return station.answer(permit);
        }
        station.listen()?;
        self.unread.forget_gone(station);
        // An action that ended early has left its guard behind.
        self.guard.end(station)?;
        self.guard = Guard::begin(station, gesture, permit)?;
        let mut steps = self.keyboard.plan(station, gesture, permit)?;
        if let Some(bounds) = &permit.bounds {
            self.keyboard.keep_within(bounds, station, gesture, &steps)?;
        }
        if let (true, Some(pace)) = (is_text, permit.pace) {
            steps = paced(steps, pace);
        }
        let last = steps.iter().rev().find_map(|step| if let Step::Typed(count) = step { Some(*count) } else { None });
        let paste = if let Gesture::Paste(text) = gesture {
            Some(Paste::offer(text, station, permit)?)
        } else {
            station.input_follows();
            None
        };
        if has_text || matches!(gesture, Gesture::Keys { .. }) {
            self.auto_repeat.pause(station.link())?;
        }
        if matches!(gesture, Gesture::Secret(_)) {
            self.learn_before_seal(station, &steps, permit)?;
        }
        let lifted = if has_text { self.lift_modifiers(station)? } else { Vec::new() };
        progress.sent |= !lifted.is_empty();
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
                match self.seal {
                    Seal::Open => station.answer(permit)?,
                    // All or nothing: a cancel comes too late.
                    Seal::Closed => station.hands.answer()?,
                }
                answered = true;
                self.check_keymap(station, gesture, progress)?;
            }
            if answered && is_text && self.seal == Seal::Open {
                self.check_guard(station, last, progress)?;
            }
        }
        self.keyboard.restore_locks(station)?;
        lower_again(station, &lifted)?;
        if !answered || station.hands.is_ahead() {
            // Everything is sent: a cancel that comes now is too late to undo it, and saying so would be wrong.
            station.hands.answer()?;
        }
        self.seal.open(station.link())?;
        self.guard.landed(station)?;
        self.releases.arrive(station, permit)?;
        self.clicks.end();
        station.hands.ledger.forget_locks();
        if let Some(window) = self.focus.filter(|&window| is_text && self.unread.takes_detours(station, window)) {
            // Another map would reach the keys before they come back, as when ibus loads its engine's layout.
            self.unread.await_one(station, window, 0, permit)?;
        }
        self.check_keymap(station, gesture, progress)?;
        self.check_guard(station, last, progress)?;
        self.guard.end(station)?;
        paste.map_or(Ok(()), |paste| paste.taken(&mut self.unread.acknowledger, station, permit))
    }

    /// Whether a text has reached its window so far; the count is exact when not.
    fn check_guard(
        &mut self,
        station: &mut Station,
        last: Option<u32>,
        progress: &mut Progress,
    ) -> Result<(), InputCause> {
        let checked = self.guard.check(station, progress.typed == last, &mut progress.typed);
        if checked.is_err() {
            progress.typed_certainly = progress.typed;
        }
        checked
    }

    /// A text arrives as it is, whatever is held: the modifiers that are down go up before it. Gives them, and whether they
    /// are ours.
    fn lift_modifiers(&self, station: &mut Station) -> Result<Vec<(Keycode, bool)>, LinkError> {
        let down = self.keyboard.modifiers_down(station)?;
        let lifted = down.into_iter().map(|keycode| (keycode, station.hands.ledger.holds(Pressable::Key(keycode))));
        let lifted: Vec<_> = lifted.collect();
        for &(keycode, _) in &lifted {
            station.hands.key(keycode, Direction::Release)?;
        }
        Ok(lifted)
    }

    /// Lets others use the keyboard, and says when to put back what a text has changed.
    pub fn finish(&mut self, station: &mut Station) -> Result<(), LinkError> {
        self.seal.open(station.link())?;
        self.put_back_at = self.keyboard.is_borrowing().then(|| Instant::now() + PUT_BACK_TIME);
        self.auto_repeat.resume(station.link())?;
        self.keyboard.finish(station)
    }

    /// When [`Interpreter::put_back`] should be called.
    pub fn put_back_at(&self) -> Option<Instant> {
        self.put_back_at
    }

    /// Puts the keymap back that pages have changed, once the applications have looked up their keys; later, if they take
    /// longer than the limit.
    pub fn put_back(&mut self, station: &mut Station, limit: Duration) -> Result<(), LinkError> {
        if !self.keyboard.is_borrowing() {
            self.put_back_at = None;
            return Ok(());
        }
        let permit = Permit { deadline: Some(Instant::now() + limit), ..Permit::default() };
        match self.unread.await_everybody(station, &permit) {
            Ok(()) => {}
            Err(InputCause::Lost(reason)) => return Err(LinkError::Lost(reason)),
            Err(_) => {
                self.put_back_at = Some(Instant::now() + PUT_BACK_TIME);
                return Ok(());
            }
        }
        self.put_back_at = None;
        self.keyboard.put_back(station)
    }
}

/// Presses what was lifted for a text. What somebody else holds is not ours to release later.
fn lower_again(station: &mut Station, lifted: &[(Keycode, bool)]) -> Result<(), LinkError> {
    for &(keycode, ours) in lifted {
        station.hands.key(keycode, Direction::Press)?;
        if !ours {
            station.hands.ledger.disown(Pressable::Key(keycode));
        }
    }
    Ok(())
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
