//! Whether an action's input reaches the window that it is for: asked before it is sent, and for a text also while it is.

use std::{sync::Arc, time::Duration};

use x11rb::{
    connection::{DiscardMode, ReplyOrError, RequestConnection as _, RequestKind},
    protocol::xproto::{ConnectionExt as _, QueryPointerReply, Window},
    x11_utils::TryParse as _,
};

use super::{
    access::Targets,
    connection::{LinkError, OPERATION_TIME},
    curtain::View,
    failure::InputCause,
    focus::{self, Focused},
    focus_watch::{Broken, FocusWatch},
    grabs::{self, Client, Device},
    ledger::Pressable,
    permit::Permit,
    station::Station,
    tooltip::Look,
};
use crate::{
    plan::gesture::Gesture,
    protocol::{error::Process, policy::WindowRules, units::NativePoint},
};

/// How long a foreign grab may last before the action fails: a window manager that handles the click before this one holds
/// the pointer for a moment.
const GRAB_TIME: Duration = Duration::from_millis(100);
/// How long the focus may take to come to the expected window, as after a click that opened it.
const FOCUS_TIME: Duration = Duration::from_millis(300);
/// How often events are taken in at a check, a thousand each time: all that came before the server's last answer, and yet
/// a program that sends them without end does not hold us here.
const LISTENS: usize = 100;
/// How often the focus may move while we begin to watch it.
const ATTEMPTS: usize = 8;

/// What may hold the keyboard beside the window that keys are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holders {
    /// Nothing: a text is for one window.
    None,
    /// A pop-up on top, or the window manager: chords are what they wait for.
    PopupsAndManager,
}

/// The guard of one action.
#[derive(Debug, Default)]
pub struct Guard {
    watch: Option<FocusWatch>,
    /// The policy's rules about windows; `None` for none.
    rules: Option<Arc<WindowRules>>,
    /// Whether titles may be told.
    view: View,
    /// The window that had the focus when it was found to be one that may have the keys.
    expected: Option<Window>,
    /// The pointer was free, or its holder is who the click is for.
    pointer_is_free: bool,
    /// Where the pointer was led to.
    place: Option<NativePoint>,
    /// The presses so far went out with the last motion.
    is_in_burst: bool,
    /// The questions where presses happened that are not answered yet, and where they should have.
    looks: Vec<(u64, NativePoint)>,
    /// The request of the last key that went down.
    pressed: u64,
}

impl Guard {
    /// Begins an action: nothing has been sent yet. Asks the display only where the request expects a window or the policy has rules
    /// about windows.
    ///
    /// # Errors
    /// [`InputCause::TargetMismatch`], [`InputCause::Forbidden`].
    pub fn begin(station: &mut Station, gesture: &Gesture, permit: &Permit) -> Result<Self, InputCause> {
        let mut guard = Self { rules: permit.windows.clone(), view: permit.view, ..Self::default() };
        let targets = match gesture {
            Gesture::ReleaseButton(_) | Gesture::ReleaseKeys(_) => Targets::of(permit).expected_only(),
            _ => Targets::of(permit),
        };
        if targets.are_any() {
            return Ok(guard);
        }
        match gesture {
            Gesture::Wait(_) => {}
            Gesture::Move(at) => targets.at(station, *at)?,
            Gesture::Click { at, .. } | Gesture::Scroll { at, .. } | Gesture::ScrollBy { at, .. } => {
                expect_pointer(station, *at, targets)?;
            }
            Gesture::Drag { start, path, .. } => {
                expect_pointer(station, *start, targets)?;
                // What is let go of there is dropped there.
                path.last().map_or(Ok(()), |end| targets.rules_only().at(station, *end))?;
            }
            Gesture::PressButton(_) | Gesture::ReleaseButton(_) => expect_pointer(station, None, targets)?,
            Gesture::Keys { .. }
            | Gesture::PressKeys(_)
            | Gesture::ReleaseKeys(_)
            | Gesture::HoldKeys { .. }
            | Gesture::Type(_)
            | Gesture::Secret(_)
            | Gesture::Paste(_) => guard.expected = expect_focus(station, targets, permit)?,
        }
        Ok(guard)
    }

    /// Makes sure that keys reach the window that has the focus, and says which that is. For a text it is watched from here
    /// on.
    ///
    /// # Errors
    /// [`InputCause::InputGrabbed`], [`InputCause::TargetMismatch`], [`InputCause::FocusLost`].
    pub fn keys(
        &mut self,
        station: &mut Station,
        focused: Focused,
        holders: Holders,
        permit: &Permit,
    ) -> Result<Option<Window>, InputCause> {
        let mut window = if let Focused::Window(window) = focused { Some(window) } else { None };
        if let (Holders::None, Some(first)) = (holders, window) {
            window = Some(self.watch(station, first)?);
        }
        let targets = Targets::of(permit);
        if !targets.are_any() && window != self.expected {
            expect_focus(station, targets, permit)?;
        }
        Self::keyboard_reaches(station, window, holders, permit)?;
        if self.rules.is_some()
            && let Some(holder) = grabs::holder_if_grabbed(station, Device::Keyboard)?
            && !window.is_some_and(|window| holder == Client::of(station.link(), window))
        {
            // A menu of another program has the keys, whoever has the focus.
            targets.rules_only().holder(station.link(), holder)??;
        }
        Ok(window)
    }

    /// Watches the focus from a moment on at which the window is known to have it.
    fn watch(&mut self, station: &mut Station, first: Window) -> Result<Window, InputCause> {
        let mut window = first;
        for _ in 0..ATTEMPTS {
            let link = &station.hands.link;
            let follows_pointer = focus::follows_pointer(link)?;
            let watch = FocusWatch::start(link, &mut station.events.turns, window, follows_pointer)?;
            let now = focus::focused(link, &station.events.atoms)?;
            if now == Focused::Window(window) {
                self.watch = Some(watch);
                return Ok(window);
            }
            watch.stop(link, &mut station.events.turns)?;
            let Focused::Window(other) = now else { return Err(InputCause::FocusLost) };
            window = other;
        }
        Err(InputCause::FocusLost)
    }

    fn keyboard_reaches(
        station: &mut Station,
        window: Option<Window>,
        holders: Holders,
        permit: &Permit,
    ) -> Result<(), InputCause> {
        free_or(station, Device::Keyboard, permit, |station, holder| {
            let link = station.link();
            if let Some(window) = window {
                let owner = Client::of(link, window);
                // A text goes where the keyboard goes: another connection of the same program is another place.
                let is_for_it = match holders {
                    Holders::None => holder == owner,
                    Holders::PopupsAndManager => holder.is_same_program(owner, link)?,
                };
                if is_for_it {
                    return Ok(true);
                }
            }
            if holders == Holders::None {
                return Ok(false);
            }
            if let Some(manager) = focus::manager_window(link, &station.events.atoms)?
                && holder == Client::of(link, manager)
            {
                return Ok(true);
            }
            holder.has_popup_on_top(link)
        })
    }

    /// The pointer has arrived where a press is to be.
    pub fn at(&mut self, place: NativePoint) {
        self.place = Some(place);
    }

    /// Makes sure that a button reaches the window under the pointer, and leads the pointer once more to its place: the press
    /// that follows at once is in the same burst, which the server carries out without a break. A program that warps the
    /// pointer in a loop took it away between our look and our press (measured), and the click was elsewhere. While a button
    /// of ours is down the pointer belongs to whoever got it. A server that loses its processor between the two may still take
    /// that program's request first (one click in thousands, on a machine with too much to do); the answer then says where the
    /// pointer was. `GrabServer` around them would rule it out, and make us wait for whoever holds the server: that is worse.
    ///
    /// # Errors
    /// [`InputCause::InputGrabbed`].
    pub fn button(&mut self, station: &mut Station, permit: &Permit) -> Result<(), InputCause> {
        // Not what the ledger holds for certain: a release that is not answered yet is on its way all the same.
        let is_down = |item: &Pressable| matches!(item, Pressable::Button(_));
        if self.is_in_burst || station.hands.ledger.releases().iter().any(is_down) {
            return Ok(());
        }
        // With the next question, so that it costs no round trip of its own.
        let tooltip = Look::begin(station)?;
        if !self.pointer_is_free
            && let Err(cause) = self.pointer_reaches(station, permit)
        {
            if let Some(look) = tooltip {
                look.discard(station);
            }
            return Err(cause);
        }
        if let Some(look) = tooltip {
            look.end(station, permit)?;
        }
        if let Some(rules) = &self.rules {
            // The window may have come after the first look, also because the pointer has.
            let targets = Targets { expected: None, rules: Some(rules), view: self.view };
            expect_pointer(station, self.place, targets)?;
        }
        if let Some(place) = self.place {
            station.hands.motion(place)?;
        }
        Ok(())
    }

    /// Looks where a press that has just been sent happened, without waiting for the answer.
    pub fn pressed_button(&mut self, station: &Station) -> Result<(), LinkError> {
        let (false, Some(place)) = (self.is_in_burst, self.place) else { return Ok(()) };
        self.is_in_burst = true;
        let link = station.link();
        let cookie = link.connection.query_pointer(link.root).map_err(|error| link.explain(error))?;
        self.looks.push((cookie.sequence_number(), place));
        // Dropping the cookie would throw the answer away; it owns nothing else.
        std::mem::forget(cookie);
        Ok(())
    }

    /// Time passes before the next press.
    pub fn paused(&mut self) {
        self.is_in_burst = false;
    }

    /// Whether every press so far happened at its place, after an answer of the server.
    ///
    /// # Errors
    /// [`InputCause::PointerBlocked`] with the place where one happened.
    pub fn landed(&mut self, station: &Station) -> Result<(), InputCause> {
        let link = station.link();
        let _limit = link.within(OPERATION_TIME);
        let mut elsewhere = None;
        for (look, place) in std::mem::take(&mut self.looks) {
            let answer = link.connection.wait_for_reply_or_raw_error(look).map_err(|error| link.explain(error))?;
            if let ReplyOrError::Reply(answer) = answer {
                let (reply, _) = QueryPointerReply::try_parse(answer.as_ref())
                    .map_err(|error| LinkError::Lost(error.to_string()))?;
                let at = NativePoint { x: reply.root_x.max(0).cast_unsigned(), y: reply.root_y.max(0).cast_unsigned() };
                elsewhere = elsewhere.or((at != place).then_some(at));
            }
        }
        elsewhere.map_or(Ok(()), |at| Err(InputCause::PointerBlocked { at }))
    }

    fn pointer_reaches(&mut self, station: &mut Station, permit: &Permit) -> Result<(), InputCause> {
        free_or(station, Device::Pointer, permit, |station, holder| {
            let link = station.link();
            let window = focus::under_pointer(link)?;
            holder.is_same_program(Client::of(link, window), link)
        })?;
        self.pointer_is_free = true;
        Ok(())
    }

    /// A key has gone down.
    pub fn pressed(&mut self, request: u64) {
        self.pressed = request;
    }

    /// With that key, so many characters of the text.
    pub fn typed(&mut self, count: u32) {
        if let Some(watch) = &mut self.watch {
            watch.character(self.pressed, count);
        }
    }

    /// Whether the text still goes to its window, after an answer of the server. `Err` says why not, and `typed` is then the
    /// number of characters that did.
    ///
    /// # Errors
    /// [`InputCause::FocusLost`], [`InputCause::InputGrabbed`], and [`InputCause::Forbidden`] where the window has become one that
    /// must not have it.
    pub fn check(&mut self, station: &mut Station, is_at_end: bool, typed: &mut Option<u32>) -> Result<(), InputCause> {
        let Some(watch) = &self.watch else { return Ok(()) };
        for _ in 0..LISTENS {
            if !station.listen()? {
                break;
            }
        }
        match watch.broken(&station.events.turns, is_at_end) {
            None => match &self.rules {
                // What came of the last character is for the next action.
                Some(rules) if !is_at_end => {
                    let targets = Targets { expected: None, rules: Some(rules), view: self.view };
                    targets.around(station.link(), watch.window())?
                }
                _ => Ok(()),
            },
            Some(Broken::Left { typed: count }) => {
                *typed = Some(count);
                Err(InputCause::FocusLost)
            }
            Some(Broken::Grabbed { typed: count }) => {
                let window = watch.window();
                let mut process = None;
                if grabs::is_grabbed(station, Device::Keyboard)?
                    && let Some(holder) = grabs::holder(station, Device::Keyboard)?
                {
                    let link = station.link();
                    if holder == Client::of(link, window) {
                        FocusWatch::forgive(&mut station.events.turns);
                        return Ok(());
                    }
                    process = holder.process(link)?;
                }
                *typed = Some(count);
                Err(InputCause::InputGrabbed { device: Device::Keyboard, process })
            }
        }
    }

    /// Ends the action.
    pub fn end(&mut self, station: &mut Station) -> Result<(), LinkError> {
        for (look, _) in std::mem::take(&mut self.looks) {
            let connection = &station.link().connection;
            connection.discard_reply(look, RequestKind::HasResponse, DiscardMode::DiscardReplyAndError);
        }
        match self.watch.take() {
            Some(watch) => watch.stop(&station.hands.link, &mut station.events.turns),
            None => Ok(()),
        }
    }
}

/// Makes sure that a device is free, or that `accepts` its holder.
fn free_or(
    station: &mut Station,
    device: Device,
    permit: &Permit,
    accepts: impl Fn(&Station, Client) -> Result<bool, LinkError>,
) -> Result<(), InputCause> {
    if !grabs::is_grabbed(station, device)? {
        return Ok(());
    }
    // Asked twice at most: it makes the holder hear of a key or a motion.
    if judge(station, device, &accepts)?.is_ok() {
        return Ok(());
    }
    if station.ask_until(GRAB_TIME, permit, |station| Ok(!grabs::is_grabbed(station, device)?))? {
        return Ok(());
    }
    match judge(station, device, &accepts)? {
        Ok(()) => Ok(()),
        Err(process) => Err(InputCause::InputGrabbed { device, process }),
    }
}

/// Whether the holder of a device is accepted; if not, its process, where that is certain.
fn judge(
    station: &mut Station,
    device: Device,
    accepts: impl Fn(&Station, Client) -> Result<bool, LinkError>,
) -> Result<Result<(), Option<Process>>, LinkError> {
    let Some(holder) = grabs::holder(station, device)? else { return Ok(Err(None)) };
    if accepts(station, holder)? { Ok(Ok(())) } else { Ok(Err(holder.process(station.link())?)) }
}

/// Where the pointer will be, or is.
fn expect_pointer(station: &mut Station, at: Option<NativePoint>, targets: Targets<'_>) -> Result<(), InputCause> {
    if at.is_none() {
        station.hands.answer()?;
    }
    let at = at.unwrap_or(station.hands.pointer);
    targets.at(station, at)
}

/// Waits for a window to have the focus that may have the keys, and says which window inside it has.
fn expect_focus(station: &mut Station, targets: Targets<'_>, permit: &Permit) -> Result<Option<Window>, InputCause> {
    let (mut has_it, mut verdict) = (None, Ok(()));
    station.ask_until(FOCUS_TIME, permit, |station| {
        let focused = focus::focused(station.link(), &station.events.atoms)?;
        has_it = if let Focused::Window(window) = focused { Some(window) } else { None };
        verdict = targets.focused(station.link(), focused)?;
        Ok(verdict.is_ok())
    })?;
    verdict.map(|()| has_it)
}
