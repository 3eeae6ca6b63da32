//! One step of a plan.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    super::{
        failure::InputCause,
        focus::{self, Focused},
        guard::Holders,
        input_method,
        overtaking::Order,
        permit::Permit,
        pointer,
        seal::{self, Seal},
        station::Station,
    },
    Interpreter, Progress, Receivers, SERVER_DELAY,
};
use crate::plan::{
    gesture::Gesture,
    step::{Direction, Expectation, Page, Step},
};

/// How long the focus may take to come to a window: a window manager moves it when it has handled the click that we were
/// told is done. Longer than openbox took on a busy machine; what has no focus at all costs this much once, and no harm.
const FOCUS_TIME: Duration = Duration::from_millis(300);
/// How often a key that is held for long asks whether the server still runs: with the time that an answer may take, a
/// server that stops is told within two seconds.
const HOLD_CHECK: Duration = Duration::from_millis(400);

impl Interpreter {
    /// Carries out one step. Says whether the server has answered for everything so far.
    pub(super) fn step(
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
                if *direction == Direction::Press && self.keyboard.is_paged(*keycode) {
                    if self.remapped.contains(keycode) && self.seal == Seal::Open {
                        self.prepare(station, permit)?;
                    }
                    if let Some(window) = self.focus {
                        self.unread.note(station, window, *keycode)?;
                    }
                }
                station.hands.key(*keycode, *direction)?;
                if *direction == Direction::Press {
                    self.guard.pressed(station.hands.last_request);
                }
            }
            Step::Button(button, direction) => {
                if *direction == Direction::Press {
                    self.guard.button(station, permit)?;
                }
                progress.sent = true;
                match direction {
                    Direction::Press => {
                        self.clicks.note(*button, station.hands.pointer);
                        self.releases.forget(*button);
                    }
                    Direction::Release => self.releases.note(*button),
                }
                station.hands.button(*button, *direction)?;
                if *direction == Direction::Press {
                    self.guard.pressed_button(station)?;
                }
            }
            Step::Delay(time) => {
                self.guard.paused();
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
            Step::Anew(button, presses) => {
                if let Some(until) = self.clicks.begin(*button, station.hands.pointer, *presses) {
                    station.wait(until, permit, |_| false)?;
                }
            }
            Step::LockGroup(group) => {
                progress.sent = true;
                self.keyboard.lock_group(station, *group)?;
            }
            Step::LockModifiers(modifiers) => {
                progress.sent = true;
                self.keyboard.lock_modifiers(station, *modifiers)?;
            }
            Step::Remap(page) => {
                self.remap(station, page, permit)?;
                return Ok(true);
            }
            Step::Expect(Expectation::Pointer(place)) => {
                pointer::arrive_at(*place, station, permit)?;
                self.guard.at(*place);
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
                if !accepted {
                    return Err(InputCause::FocusLost);
                }
                let holders = if receivers == Receivers::Windows { Holders::None } else { Holders::PopupsAndManager };
                self.focus = self.guard.keys(station, found, holders, permit)?;
                // Only a text says what is to arrive.
                if let (Some(window), Some(_)) = (self.focus, progress.typed) {
                    input_method::expect_none(station, window)?;
                }
                return Ok(false);
            }
            Step::Acknowledge => {
                station.answer(permit)?;
                // Only keycodes that change their meaning can be looked up wrongly.
                if let Some(window) = self.focus.filter(|&window| self.unread.has(station, window)) {
                    self.unread.await_one(station, window, 0, permit)?;
                }
                return Ok(true);
            }
            Step::Seal => return self.close_seal(station, permit).map(|()| true),
            Step::KeepOrder => return self.keep_order(station, permit, progress),
            Step::Typed(count) => {
                self.guard.typed(*count);
                progress.typed = Some(*count);
            }
        }
        Ok(false)
    }

    /// Has the server serve us alone, once it is certain that a secret may go where the keys go.
    fn close_seal(&mut self, station: &mut Station, permit: &Permit) -> Result<(), InputCause> {
        let (Some(window), Some(secret)) = (self.focus, &permit.secret) else { return Err(InputCause::FocusLost) };
        seal::expect_no_reader(station, window, secret)?;
        station.answer(permit)?;
        self.seal.close(station.link())?;
        if !self.keyboard.is_unchanged(station)? {
            return Err(InputCause::KeymapChanged);
        }
        // Last: from then on there is no picture.
        seal::verify(station, window, permit, secret)
    }

    /// Waits until what was typed so far cannot be overtaken. Says whether the server has answered.
    fn keep_order(&mut self, station: &mut Station, permit: &Permit, progress: &Progress) -> Result<bool, InputCause> {
        let Some(window) = self.focus else { return Ok(false) };
        if self.overtaking.order_in(station, window)? == Order::Kept {
            return Ok(false);
        }
        station.answer(permit)?;
        self.unread.learn(station, window, permit)?;
        let keys = self.overtaking.unread(progress.typed.unwrap_or(0));
        self.unread.await_one(station, window, keys, permit).map_err(|cause| match cause {
            // It is not the keys that are lacking here.
            InputCause::NoSpareKeys => InputCause::Unacknowledged,
            other => other,
        })?;
        Ok(true)
    }

    /// Whether the map is still the one that the steps were planned with. Only a text depends on every key of it.
    pub(super) fn check_keymap(
        &mut self,
        station: &mut Station,
        gesture: &Gesture,
        progress: &mut Progress,
    ) -> Result<(), InputCause> {
        if gesture.types() && !self.keyboard.is_unchanged(station)? {
            return Err(InputCause::KeymapChanged);
        }
        if !self.focus.is_some_and(|window| self.unread.takes_detours(station, window)) {
            progress.typed_certainly = progress.typed;
        }
        Ok(())
    }

    /// Gives keycodes new meanings, once everybody who may still have them in a queue has looked up the old ones.
    fn remap(&mut self, station: &mut Station, page: &Page, permit: &Permit) -> Result<(), InputCause> {
        station.answer(permit)?;
        // Here nothing is down; before the page's first key a modifier may be.
        self.prepare(station, permit)?;
        let keycodes = page.keys.iter().map(|key| key.keycode);
        let gone: BTreeSet<_> = keycodes.filter(|&keycode| self.keyboard.takes_away(page, keycode)).collect();
        self.unread.await_all_of(station, &gone, permit)?;
        if !self.keyboard.is_unchanged(station)? {
            return Err(InputCause::KeymapChanged);
        }
        self.remapped.extend(page.keys.iter().map(|key| key.keycode));
        self.keyboard.remap(station, page)?;
        if let Some(window) = self.focus {
            self.unread.acknowledger.await_map(station, window, permit)?;
        }
        station.check(permit)
    }

    /// Learns how the application of the window with the focus tells that it has looked up its keys, if a secret has one that a
    /// page has given a meaning: under the seal it could not be asked.
    pub(super) fn learn_before_seal(
        &mut self,
        station: &mut Station,
        steps: &[Step],
        permit: &Permit,
    ) -> Result<(), InputCause> {
        let is_page_key = |step: &Step| {
            matches!(step, Step::Key(keycode, Direction::Press)
                if self.keyboard.is_paged(*keycode) && self.remapped.contains(keycode))
        };
        if !steps.iter().any(is_page_key) {
            return Ok(());
        }
        match focus::focused(station.link(), &station.events.atoms)? {
            Focused::Window(window) => self.unread.learn(station, window, permit),
            Focused::Manager | Focused::Nowhere => Err(InputCause::FocusLost),
        }
    }

    fn prepare(&mut self, station: &mut Station, permit: &Permit) -> Result<(), InputCause> {
        self.focus.map_or(Ok(()), |window| self.unread.learn(station, window, permit))
    }
}
