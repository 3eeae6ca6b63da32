//! A paste as the input thread does it: finds out who is pasted into, has the clipboard thread offer the text, and after the
//! chord waits until the application has taken it.
//!
//! One chord reaches every application that was tried (`tests/paste` has them): shift+Insert. What differs is the selection:
//!
//! | application                                | pastes      | how it fetches the text                              |
//! |--------------------------------------------|-------------|------------------------------------------------------|
//! | xterm, urxvt, st, VTE (Xfce terminal)      | `PRIMARY`   | asks once, deletes the property                      |
//! | GTK (mousepad), Qt (featherpad), Firefox   | `CLIPBOARD` | asks for `TARGETS`, then once, deletes the property  |
//! | Writer and Calc of the office suite        | `CLIPBOARD` | the same; Calc asks for the text twice               |
//! | Chromium                                   | `CLIPBOARD` | `TARGETS` up to a dozen times, deletes the property  |
//! | Emacs                                      | `CLIPBOARD` | asks once, deletes the property                      |
//! | Tk (`Text`, `Entry`, `ttk::Entry`)         | `CLIPBOARD` | asks once, leaves the property                       |
//!
//! urxvt asks its user before it pastes control characters such as line ends and tabs (its extension `confirm-paste`): it has
//! the text then, and the keys that follow answer its question. xterm replaces control characters other than these.
//!
//! All of them ask as the client that owns the focus window.
//! ctrl+v pastes neither in terminals nor in Emacs. There is no second chord when the first brings no request: a slow
//! application would paste twice.
//!
//! Taking `PRIMARY` makes its owner drop its highlighted text, in GTK and Tk what the user has selected and wants to replace.
//! Whether the application is that owner cannot be asked in time: it may still have the ctrl+a in its queue. So `PRIMARY` is
//! taken for known terminals only.

use std::time::{Duration, Instant};

use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, Window};

use super::{
    acknowledge::{Acknowledged, Acknowledger},
    clipboard::{Offer, Phase, Selection},
    connection::{LinkError, OPERATION_TIME},
    failure::InputCause,
    focus::{self, Focused},
    permit::Permit,
    station::Station,
};

/// How long the focus may take to come to a window, as for keys.
const FOCUS_TIME: Duration = Duration::from_millis(300);
/// How long the clipboard thread may take to save what was there (300 ms) and to own the selections.
const OFFER_TIME: Duration = OPERATION_TIME;
/// How long the application may take to ask for the text, and then to fetch it. With what comes before, an answer that it did not
/// ask comes within two seconds.
const TAKE_TIME: Duration = Duration::from_millis(1500);
/// How long giving the selections back may take: three round trips.
const GIVE_BACK_TIME: Duration = Duration::from_millis(500);
/// How often the wait for the application asks whether the server still runs, so that a server that stops is told within
/// two seconds.
const SERVER_CHECK: Duration = Duration::from_millis(400);
/// How long the application may take to delete the property before it is asked whether it has read it: Tk never deletes it,
/// everybody else within 10 ms when idle.
const DELETION_TIME: Duration = Duration::from_millis(30);
/// How long each of two questions to the display may take when the clipboard's connection has failed: with the time before them
/// still less than the 2 s that an answer may take.
const PROBE_TIME: Duration = Duration::from_millis(150);
/// Terminals that paste `PRIMARY` on shift+Insert, by the instance or class of `WM_CLASS` in lower case. The first five were
/// measured; the others use VTE like the Xfce terminal, or say so in their manuals.
const TERMINALS: [&str; 20] = [
    "xterm",
    "urxvt",
    "rxvt",
    "st-256color",
    "xfce4-terminal",
    "uxterm",
    "st",
    "stterm-256color",
    "gnome-terminal",
    "gnome-terminal-server",
    "mate-terminal",
    "lxterminal",
    "terminator",
    "tilix",
    "sakura",
    "roxterm",
    "guake",
    "termite",
    "kitty",
    "alacritty",
];
/// The longest `WM_CLASS` that is looked at, in units of four bytes.
const CLASS_LENGTH: u32 = 64;

/// A text that is offered to the window with the focus.
#[derive(Debug)]
pub(super) struct Paste {
    offer: Offer,
    window: Window,
}

impl Paste {
    /// Offers a text to the application that has the focus. The chord must follow.
    pub(super) fn offer(text: &str, station: &mut Station, permit: &Permit) -> Result<Self, InputCause> {
        let window = focused_window(station, permit)?;
        let client = focus::client_of(station.link(), window);
        let selections = selections(station, window)?;
        let offer = station.offer(text, client, selections).map_err(|error| InputCause::Internal(error.to_string()))?;
        station.wait(Instant::now() + OFFER_TIME, permit, |_| offer.phase() != Phase::Preparing)?;
        match offer.phase() {
            Phase::Preparing => return Err(clipboard_failed(&LinkError::Unresponsive, station)),
            Phase::Failed(error) => return Err(clipboard_failed(&error, station)),
            Phase::Lost => return Err(InputCause::ClipboardLost),
            Phase::Offered | Phase::Delivered | Phase::Taken => {}
        }
        // Saving takes a while, and another window must not get the chord.
        let now = focused_window(station, permit)?;
        if focus::client_of(station.link(), now) != client {
            return Err(InputCause::FocusLost);
        }
        offer.press();
        Ok(Self { offer, window: now })
    }

    /// Waits until the application has the text, and gives the clipboard back: keys that come later find it as it was.
    pub(super) fn taken(
        self,
        acknowledger: &mut Acknowledger,
        station: &mut Station,
        permit: &Permit,
    ) -> Result<(), InputCause> {
        self.wait_until_taken(acknowledger, station, permit)?;
        self.offer.withdraw();
        // The text has arrived, so a cancel comes too late; a clipboard thread that hangs gives back when it goes on.
        station.wait(Instant::now() + GIVE_BACK_TIME, &Permit::default(), |_| self.offer.is_over())?;
        Ok(())
    }

    fn wait_until_taken(
        &self,
        acknowledger: &mut Acknowledger,
        station: &mut Station,
        permit: &Permit,
    ) -> Result<(), InputCause> {
        let mut until = Instant::now() + TAKE_TIME;
        let mut seen = Phase::Offered;
        let mut next_check = Instant::now() + SERVER_CHECK;
        loop {
            let wake = until.min(next_check);
            station.wait(wake, permit, |_| self.offer.phase() != seen)?;
            let phase = self.offer.phase();
            match &phase {
                Phase::Taken => return Ok(()),
                Phase::Lost => return Err(InputCause::ClipboardLost),
                Phase::Failed(error) => return Err(clipboard_failed(error, station)),
                Phase::Delivered if seen != phase => {
                    until = Instant::now() + TAKE_TIME;
                    if self.has_read(acknowledger, station, permit)? {
                        return Ok(());
                    }
                }
                Phase::Preparing | Phase::Offered | Phase::Delivered => {}
            }
            seen = phase;
            if Instant::now() >= until {
                let delivered = seen == Phase::Delivered;
                return Err(InputCause::ClipboardTimeout { delivered });
            }
            if Instant::now() >= next_check {
                station.answer(permit)?;
                next_check = Instant::now() + SERVER_CHECK;
            }
        }
    }

    /// Whether an application that was told of the text has read it: it deletes the property, or answers a question that
    /// stands behind our notice in its queue.
    fn has_read(
        &self,
        acknowledger: &mut Acknowledger,
        station: &mut Station,
        permit: &Permit,
    ) -> Result<bool, InputCause> {
        let deleted = |offer: &Offer| offer.phase() == Phase::Taken;
        if station.wait(Instant::now() + DELETION_TIME, permit, |_| deleted(&self.offer))? {
            return Ok(true);
        }
        let answered = acknowledger.acknowledge(station, self.window, 0, permit)? == Acknowledged::Yes;
        Ok(answered || deleted(&self.offer))
    }
}

/// What it means that the clipboard's connection fails. The display is not lost while it answers us: then it lets nobody in, or
/// others keep the clipboard's connection busy.
fn clipboard_failed(error: &LinkError, station: &Station) -> InputCause {
    let link = station.link();
    let answers = {
        let _limit = link.within(PROBE_TIME);
        link.reply(link.connection.get_input_focus()).is_ok()
    };
    match error {
        LinkError::Refused(_) => error.clone().into(),
        _ if !answers => error.clone().into(),
        // Connections that were there before are let through a grab of the server, and new ones are not.
        _ if link.another(PROBE_TIME).is_none() => InputCause::DisplayGrabbed,
        _ => InputCause::ClipboardBusy,
    }
}

/// The window that keys go to, once there is one that is not the window manager's.
fn focused_window(station: &mut Station, permit: &Permit) -> Result<Window, InputCause> {
    let mut window = None;
    station.ask_until(FOCUS_TIME, permit, |station| {
        if let Focused::Window(found) = focus::focused(station.link(), &station.events.atoms)? {
            window = Some(found);
        }
        Ok(window.is_some())
    })?;
    window.ok_or(InputCause::FocusLost)
}

/// The selections that the text is offered as.
fn selections(station: &Station, window: Window) -> Result<Vec<Selection>, LinkError> {
    Ok(if is_terminal(station, window)? {
        vec![Selection::Clipboard, Selection::Primary]
    } else {
        vec![Selection::Clipboard]
    })
}

fn is_terminal(station: &Station, window: Window) -> Result<bool, LinkError> {
    let link = station.link();
    let _limit = link.within(OPERATION_TIME);
    for window in focus::ancestry(link, window)? {
        let class = AtomEnum::WM_CLASS;
        let asked = link.connection.get_property(false, window, class, AtomEnum::STRING, 0, CLASS_LENGTH);
        let names = match link.reply(asked) {
            Ok(reply) => reply.value,
            // The window vanished.
            Err(LinkError::Refused(_)) => continue,
            Err(error) => return Err(error),
        };
        // Instance and class, each ended by a zero byte (ICCCM, section 4.1.2.5).
        let known = |name: &[u8]| TERMINALS.iter().any(|terminal| name.eq_ignore_ascii_case(terminal.as_bytes()));
        if !names.is_empty() {
            return Ok(names.split(|byte| *byte == 0).any(known));
        }
    }
    Ok(false)
}
