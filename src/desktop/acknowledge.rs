//! Learns whether an application has looked up every key that was sent to it, by making it answer something that stands
//! behind those keys in its queue. Only then may a keycode get a new meaning: Xlib marks its keymap stale when the mapping
//! event is *read*, so keys still in the application's queue would be looked up in the new map.
//!
//! Three questions are safe for the applications that answer them (measured idle, busy and stopped at random):
//! `_NET_WM_PING` (EWMH), a `SelectionRequest` for a selection that nobody has (ICCCM wants a refusal), and the `EditRes`
//! client message (libXmu) that makes Xt programs ask for a selection of ours. For a client that answers none of them there
//! is the evidence of its [process](super::resting_place). Which one it is, is learned once.

use std::time::{Duration, Instant};

use x11rb::{
    CURRENT_TIME,
    connection::Connection as _,
    errors::ReplyOrIdError,
    protocol::xproto::{
        ClientMessageEvent, CloseDown, ConnectionExt as _, EventMask, SELECTION_REQUEST_EVENT, SelectionRequestEvent,
        Window,
    },
};

use super::{
    connection::LinkError,
    events::Echo,
    failure::InputCause,
    focus,
    permit::Permit,
    resting_place::{REST_TIME, RestingPlace, Watched, has_returned},
    station::Station,
    unix_sockets::SocketId,
};

/// How long an application may take to answer. A busy one was stopped for 150 ms in the measurements; two seconds of no
/// answer mean that it hangs.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// How much longer for each key that it may have to look up first, because a page can have more than a thousand. Tk, stopped
/// for most of the time, took 4.3 ms a key at the median of its pages; a GTK editor on a machine with five times as much to
/// do as it can took longer than this, and its text ended early.
const KEY_TIME: Duration = Duration::from_millis(10);
/// How long an application may take to answer a question that it may not know. A slower one counts as not knowing it, for
/// now: a busy application looks the same, so this is not remembered.
const LEARNING_TIME: Duration = Duration::from_millis(400);
/// How often an application that may know no question is looked at. A look takes longer than that.
const LOOK_PAUSE: Duration = Duration::from_millis(1);
/// The pauses between looks at whether a program has read a change of the keymap on all of its connections, in milliseconds. It
/// answers a question before each, so a stopped program does not use them up.
const MAP_PAUSES: [u64; 8] = [1, 2, 4, 8, 16, 16, 16, 16];
/// How many connections that nobody reads are remembered; beyond that, each text waits for them anew.
const UNATTENDED: usize = 64;
/// For how many windows the right evidence is remembered; a desktop has some dozen that are typed into.
const WINDOWS: usize = 64;
/// "No operation" in the `EditRes` message: the program asks for our selection before it looks at this number.
const EDITRES_COMMAND: u32 = 5;

/// A question that an application answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// `_NET_WM_PING` to this window, which announces it.
    Ping(Window),
    /// `SelectionRequest` to this window.
    Selection(Window),
    /// `EditRes` to this window.
    EditRes(Window),
}

/// What an application gives instead of its word.
#[derive(Debug)]
enum Evidence {
    /// The answer to a question.
    Answer(Question),
    /// That it is where it rests.
    Rest(RestingPlace),
}

/// What waiting for an application came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// Every key that was sent before has been looked up.
    Yes,
    /// The application gives evidence usually, and did not now.
    Late,
    /// The application knows none of the questions, and cannot be watched.
    NoQuestion,
}

/// Whether applications are waited for. They are, but for tests that show what happens when they are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledging {
    /// A keycode gets a new meaning when its keys have been looked up.
    #[default]
    Awaited,
    /// A keycode gets a new meaning at once, as with other programs: text is lost.
    LeftOut,
}

/// Waits for applications, and remembers how.
#[derive(Debug, Default)]
pub struct Acknowledger {
    acknowledging: Acknowledging,
    /// Each focus window that was asked about with the evidence that its client gives; the oldest first. They count as
    /// long as the window is [watched](super::events::Events::watch).
    learned: Vec<(Window, Evidence)>,
    /// Connections that their programs do not read.
    unattended: Vec<SocketId>,
}

impl Acknowledger {
    /// One that has learned nothing yet.
    pub const fn new(acknowledging: Acknowledging) -> Self {
        Self { acknowledging, learned: Vec::new(), unattended: Vec::new() }
    }

    /// Learns what evidence the application that owns the window gives. To be called while it can have no key unread that
    /// a new meaning would change: only then can it be seen at rest. Costs nothing the second time; where there is no
    /// evidence it costs the time for learning each time, since a busy application looks the same.
    pub fn learn(&mut self, station: &mut Station, window: Window, permit: &Permit) -> Result<(), InputCause> {
        if self.acknowledging == Acknowledging::LeftOut || self.evidence(station, window).is_some() {
            return Ok(());
        }
        station.answer(permit)?;
        if let Some(ping) = announced_ping(station, window)? {
            return Ok(self.remember(station, window, Evidence::Answer(ping))?);
        }
        let watched = match Watched::owner_of(station, window)? {
            Some(mut watched) => watched.come_to_rest(station, permit)?.map(|at_rest| (watched, at_rest)),
            None => None,
        };
        // Both at once: either answer stands behind the keys. They are the unknown message for who knows neither.
        let questions = guesses(station, window)?;
        put(station, &questions)?;
        let end = Instant::now() + if watched.is_some() { REST_TIME } else { LEARNING_TIME };
        let Some((mut watched, before)) = watched else {
            return match answered(station, &questions, end, permit)? {
                Some(question) => Ok(self.remember(station, window, Evidence::Answer(question))?),
                None => Ok(()),
            };
        };
        while Instant::now() < end {
            let soon = Instant::now() + LOOK_PAUSE;
            if let Some(question) = answered(station, &questions, soon, permit)? {
                return Ok(self.remember(station, window, Evidence::Answer(question))?);
            }
            let Some(after) = watched.rest(station, permit)? else { continue };
            if !has_returned(&before, &after) {
                continue;
            }
            // An answer would have been sent before it came to rest, and has arrived by now.
            if let Some(question) = answered(station, &questions, Instant::now(), permit)? {
                return Ok(self.remember(station, window, Evidence::Answer(question))?);
            }
            if watched.waits_for_display(&after) {
                return Ok(self.remember(station, window, Evidence::Rest(watched.resting_at(after)))?);
            }
            // It was stopped before its new wait was seen; another message makes it begin another one.
            put(station, &questions)?;
        }
        Ok(())
    }

    /// Waits until the application that owns the window has looked up every key sent so far, `unread` of them at most.
    pub fn acknowledge(
        &mut self,
        station: &mut Station,
        window: Window,
        unread: u32,
        permit: &Permit,
    ) -> Result<Acknowledged, InputCause> {
        if self.acknowledging == Acknowledging::LeftOut {
            return Ok(Acknowledged::Yes);
        }
        if self.evidence(station, window).is_none() {
            match announced_ping(station, window)? {
                Some(ping) => self.remember(station, window, Evidence::Answer(ping))?,
                None => return self.ask_whatever(station, window, permit),
            }
        }
        let limit = limit_for(unread);
        let came = match self.evidence(station, window) {
            Some(Evidence::Answer(question)) => {
                let question = *question;
                put(station, &[question])?;
                answered(station, &[question], Instant::now() + limit, permit)?.is_some()
            }
            Some(Evidence::Rest(place)) => {
                station.ask_until(limit, permit, |station| place.is_there(station, permit))?
            }
            None => false,
        };
        if came {
            return Ok(Acknowledged::Yes);
        }
        // The application may have changed how it works; the next text learns again.
        self.forget(window);
        Ok(Acknowledged::Late)
    }

    /// Waits until the program of a window has read that the keymap has changed, if it may learn that behind the keys that follow:
    /// GTK looks keys up in a map that it keeps by a connection of its own, and Chromium, which uses it for its input method, has
    /// its keys from another one. It reads one connection to its end and then the other, so that keys that came right behind a
    /// change meant what they had meant before (seen once in four texts of 2,000 characters, stopped at random).
    ///
    /// A program has read it when nothing waits on any of its connections any more, and deals with it before it has answered two
    /// questions after that, one by one. A connection that stays unread while its program answers is one that nobody reads.
    pub fn await_map(&mut self, station: &mut Station, window: Window, permit: &Permit) -> Result<(), InputCause> {
        if self.acknowledging == Acknowledging::LeftOut {
            return Ok(());
        }
        let Some(watched) = Watched::owner_of(station, window)?.filter(|watched| watched.connections() > 1) else {
            return Ok(());
        };
        self.learn(station, window, permit)?;
        if self.evidence(station, window).is_none() {
            return Ok(());
        }
        // The server writes to one client after the other, and has written to all of them when it has gone around twice.
        station.answer(permit)?;
        station.answer(permit)?;
        let mut behind = Vec::new();
        for pause in MAP_PAUSES {
            self.must_answer(station, window, permit)?;
            behind = watched.unread().filter(|socket| !self.unattended.contains(socket)).collect();
            if behind.is_empty() {
                break;
            }
            station.wait(Instant::now() + Duration::from_millis(pause), permit, |_| false)?;
        }
        let room = UNATTENDED.saturating_sub(self.unattended.len());
        self.unattended.extend(behind.into_iter().take(room));
        self.must_answer(station, window, permit)?;
        self.must_answer(station, window, permit)
    }

    fn must_answer(&mut self, station: &mut Station, window: Window, permit: &Permit) -> Result<(), InputCause> {
        match self.acknowledge(station, window, 0, permit)? {
            Acknowledged::Yes => Ok(()),
            Acknowledged::Late | Acknowledged::NoQuestion => Err(InputCause::Unacknowledged),
        }
    }

    /// For an application that had no evidence to give when it was at rest, or was too busy to.
    fn ask_whatever(
        &mut self,
        station: &mut Station,
        window: Window,
        permit: &Permit,
    ) -> Result<Acknowledged, InputCause> {
        let questions = guesses(station, window)?;
        put(station, &questions)?;
        match answered(station, &questions, Instant::now() + LEARNING_TIME, permit)? {
            Some(question) => {
                self.remember(station, window, Evidence::Answer(question))?;
                Ok(Acknowledged::Yes)
            }
            None => Ok(Acknowledged::NoQuestion),
        }
    }

    /// What was learned about a window, if it is still the same one.
    fn evidence(&self, station: &Station, window: Window) -> Option<&Evidence> {
        let known = self.learned.iter().find(|(known, _)| *known == window && station.events.is_watched(window));
        known.map(|(_, evidence)| evidence)
    }

    fn remember(&mut self, station: &mut Station, window: Window, evidence: Evidence) -> Result<(), LinkError> {
        self.forget(window);
        if self.learned.len() == WINDOWS {
            self.learned.remove(0);
        }
        if station.events.watch(&station.hands.link, window)? {
            self.learned.push((window, evidence));
        }
        Ok(())
    }

    fn forget(&mut self, window: Window) {
        self.learned.retain(|(known, _)| *known != window);
    }
}

/// How long an application may take that may have so many keys to look up first.
pub fn limit_for(unread: u32) -> Duration {
    ANSWER_TIME + KEY_TIME * unread
}

/// The ping, if the window or one around it announces it.
fn announced_ping(station: &Station, window: Window) -> Result<Option<Question>, LinkError> {
    let ping = station.events.atoms.net_wm_ping;
    for candidate in focus::ancestry(station.link(), window)? {
        if focus::announces(station.link(), &station.events.atoms, candidate, ping)? {
            return Ok(Some(Question::Ping(candidate)));
        }
    }
    Ok(None)
}

/// The questions that nobody announces an answer to.
fn guesses(station: &Station, window: Window) -> Result<[Question; 2], LinkError> {
    let client = focus::client_of(station.link(), window);
    let ancestry = focus::ancestry(station.link(), window)?;
    let shell = ancestry.iter().rev().find(|&&above| focus::client_of(station.link(), above) == client);
    Ok([Question::Selection(window), Question::EditRes(shell.copied().unwrap_or(window))])
}

/// Sends questions.
fn put(station: &mut Station, questions: &[Question]) -> Result<(), LinkError> {
    // Not to be guessed: any client can send us what looks like an echo, and one that came too early would let a keycode get
    // a new meaning. Zero is `CurrentTime`, which a program may replace by the real time.
    let serial = getrandom::u32().unwrap_or_else(|_| station.events.asked.wrapping_add(1)).max(1);
    station.events.asked = serial;
    station.events.echo = None;
    for &question in questions {
        send(station, question, serial).map_err(|error| station.link().explain(error))?;
    }
    station.link().connection.flush().map_err(|error| station.link().explain(error))
}

/// Waits until one of the questions that were put is answered, and says which.
fn answered(
    station: &mut Station,
    questions: &[Question],
    until: Instant,
    permit: &Permit,
) -> Result<Option<Question>, InputCause> {
    let mut answered = None;
    station.wait(until, permit, |events| {
        answered = questions.iter().copied().find(|question| {
            let echo = match question {
                Question::Ping(_) => Echo::Ping,
                Question::Selection(_) => Echo::Refusal,
                Question::EditRes(_) => Echo::Question,
            };
            events.echo == Some(echo)
        });
        answered.is_some()
    })?;
    if let Some(Question::Selection(_)) = answered {
        let mode = station.link().connection.set_close_down_mode(CloseDown::DESTROY_ALL);
        mode.map_err(|error| station.link().explain(error))?.ignore_error();
    }
    Ok(answered)
}

fn send(station: &Station, question: Question, serial: u32) -> Result<(), ReplyOrIdError> {
    let (connection, atoms, requestor) = (&station.link().connection, station.events.atoms, station.events.requestor);
    match question {
        Question::Ping(window) => {
            let data = [atoms.net_wm_ping, serial, window, 0, 0];
            let event = ClientMessageEvent::new(32, window, atoms.wm_protocols, data);
            connection.send_event(false, window, EventMask::NO_EVENT, event)?.ignore_error();
        }
        Question::Selection(window) => {
            // st dies of a BadWindow when the asking window is gone as it answers, so the window must outlive us.
            connection.set_close_down_mode(CloseDown::RETAIN_TEMPORARY)?.ignore_error();
            let event = SelectionRequestEvent {
                response_type: SELECTION_REQUEST_EVENT,
                sequence: 0,
                time: serial,
                owner: window,
                requestor,
                selection: atoms.acknowledgement,
                target: atoms.timestamp,
                property: atoms.acknowledgement,
            };
            connection.send_event(false, window, EventMask::NO_EVENT, event)?.ignore_error();
        }
        Question::EditRes(window) => {
            connection.set_selection_owner(requestor, atoms.acknowledgement, CURRENT_TIME)?.ignore_error();
            let data = [serial, atoms.acknowledgement, serial, EDITRES_COMMAND, 0];
            let event = ClientMessageEvent::new(32, window, atoms.editres, data);
            connection.send_event(false, window, EventMask::NO_EVENT, event)?.ignore_error();
        }
    }
    Ok(())
}
