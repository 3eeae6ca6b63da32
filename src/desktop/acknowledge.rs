//! Learns whether an application has looked up every key that was sent to it, by making it answer something that stands
//! behind those keys in its queue. Only then may a keycode get a new meaning: Xlib marks its keymap stale when the mapping
//! event is *read*, so keys still in the application's queue would be looked up in the new map.
//!
//! Three questions are safe for the applications that answer them (measured idle, busy and stopped at random):
//! `_NET_WM_PING` (EWMH), a `SelectionRequest` for a selection that nobody has (ICCCM wants a refusal), and the `EditRes`
//! client message (libXmu) that makes Xt programs ask for a selection of ours. Which one a client answers is learned once.

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

use super::{events::Echo, failure::InputCause, focus, permit::Permit, station::Station};

/// How long an application may take to answer. A busy one was stopped for 150 ms in the measurements; two seconds of no
/// answer mean that it hangs.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// How long an application may take to answer a question that it may not know. A slower one counts as not knowing it, for
/// now: a busy application looks the same, so this is not remembered.
const LEARNING_TIME: Duration = Duration::from_millis(400);
/// For how many clients the right question is remembered; a desktop has some dozen.
const CLIENTS: usize = 64;
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

/// What asking came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// Every key that was sent before has been looked up.
    Yes,
    /// The application answers its question usually, and did not now.
    Late,
    /// The application knows none of the questions.
    NoQuestion,
}

/// Asks, and remembers which question to ask.
#[derive(Debug, Default)]
pub struct Acknowledger {
    /// Each client with the focus window that was asked about and the question; the oldest first.
    learned: Vec<(u32, Window, Question)>,
}

impl Acknowledger {
    /// Waits until the application that owns the window has looked up every key sent so far.
    pub fn acknowledge(
        &mut self,
        station: &mut Station,
        window: Window,
        permit: &Permit,
    ) -> Result<Acknowledged, InputCause> {
        let client = focus::client_of(station.link(), window);
        if let Some(&(.., question)) = self.learned.iter().find(|(known, at, _)| (*known, *at) == (client, window)) {
            if ask(station, &[question], ANSWER_TIME, permit)?.is_some() {
                return Ok(Acknowledged::Yes);
            }
            // The id may belong to another program by now; the next text learns again.
            self.learned.retain(|(known, ..)| *known != client);
            return Ok(Acknowledged::Late);
        }
        let ancestry = focus::ancestry(station.link(), window)?;
        let ping = station.events.atoms.net_wm_ping;
        for &candidate in &ancestry {
            if focus::announces(station.link(), &station.events.atoms, candidate, ping)? {
                self.remember(client, window, Question::Ping(candidate));
                let answered = ask(station, &[Question::Ping(candidate)], ANSWER_TIME, permit)?;
                return Ok(if answered.is_some() { Acknowledged::Yes } else { Acknowledged::Late });
            }
        }
        let shell = ancestry.iter().rev().find(|&&above| focus::client_of(station.link(), above) == client);
        let shell = shell.copied().unwrap_or(window);
        // Both at once: either answer stands behind the keys.
        match ask(station, &[Question::Selection(window), Question::EditRes(shell)], LEARNING_TIME, permit)? {
            Some(question) => {
                self.remember(client, window, question);
                Ok(Acknowledged::Yes)
            }
            None => Ok(Acknowledged::NoQuestion),
        }
    }

    fn remember(&mut self, client: u32, window: Window, question: Question) {
        self.learned.retain(|(known, ..)| *known != client);
        if self.learned.len() == CLIENTS {
            self.learned.remove(0);
        }
        self.learned.push((client, window, question));
    }
}

/// Asks, and says which question was answered first.
fn ask(
    station: &mut Station,
    questions: &[Question],
    limit: Duration,
    permit: &Permit,
) -> Result<Option<Question>, InputCause> {
    // Zero is `CurrentTime`, which a program may replace by the real time.
    let serial = station.events.asked.wrapping_add(1).max(1);
    station.events.asked = serial;
    station.events.echo = None;
    for &question in questions {
        send(station, question, serial).map_err(|error| station.link().explain(error))?;
    }
    station.link().connection.flush().map_err(|error| station.link().explain(error))?;
    let mut answered = None;
    station.wait(Instant::now() + limit, permit, |events| {
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
