//! Whether anything was drawn since the last capture, as the DAMAGE extension tells it.
//!
//! The level is `NonEmpty`: one event when something is drawn after the last `DamageSubtract`, and none until the next (50
//! events where `RawRectangles` sent 13,906). The subtraction goes before the request for the pixels, so what is drawn in between
//! is told anew. Damage says where something was drawn, not that it looks different; the pointer causes none.

use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    protocol::{
        Event,
        damage::{self, ConnectionExt as _, ReportLevel},
    },
};

use super::connection::{Link, LinkError};

/// The version whose requests are used; a client must ask for one before anything else (DAMAGE protocol, section 4).
const VERSION: (u32, u32) = (1, 1);

/// What is drawn on the root window and all windows in it.
#[derive(Debug)]
pub struct Damage {
    id: damage::Damage,
    /// Something was drawn that no capture has seen.
    drawn: bool,
    /// The server has forgotten our wish: any client can tell it to (`DamageDestroy`).
    gone: bool,
    /// The number of the subtraction before the last capture: what was drawn before it, that capture has seen.
    captured: u64,
    /// The number of the last subtraction.
    asked: u64,
}

impl Damage {
    /// Begins to listen. `None` when the server has no DAMAGE: then everything may have been drawn anew at any time.
    pub fn set_up(link: &Link) -> Result<Option<Self>, LinkError> {
        let known = link.connection.extension_information(damage::X11_EXTENSION_NAME);
        if known.map_err(|error| link.explain(error))?.is_none() {
            return Ok(None);
        }
        match link.reply(link.connection.damage_query_version(VERSION.0, VERSION.1)) {
            Ok(_) => {}
            Err(LinkError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        }
        let id = link.connection.generate_id().map_err(|error| link.explain(error))?;
        match link.done(link.connection.damage_create(id, link.root, ReportLevel::NON_EMPTY)) {
            Ok(()) => Ok(Some(Self { id, drawn: true, gone: false, captured: 0, asked: 0 })),
            Err(LinkError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes note of an event, which came after the server had dealt with our request of this number.
    pub fn note(&mut self, event: &Event, after: u64) {
        match event {
            Event::DamageNotify(event) if event.damage == self.id => self.drawn |= after >= self.captured,
            // Nobody waits for the subtraction's error; there is one when the server no longer knows what to subtract from.
            Event::Error(error) if after == self.asked && error.bad_value == self.id => self.gone = true,
            _ => {}
        }
    }

    /// Whether the next capture may find something new, as far as is known.
    pub const fn drawn(&self) -> bool {
        self.drawn || self.gone
    }

    /// Whether the server no longer tells anything.
    pub const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Sends a subtraction, so that the next round trip tells whether the server still knows our wish.
    pub fn probe(&mut self, link: &Link) -> Result<(), LinkError> {
        let sent = link.connection.damage_subtract(self.id, x11rb::NONE, x11rb::NONE);
        let sent = sent.map_err(|error| link.explain(error))?;
        self.asked = sent.sequence_number();
        // Dropping it leaves its error among the events.
        drop(sent);
        Ok(())
    }

    /// Sends a subtraction before a capture: what is drawn from now on is told anew.
    pub fn begin_capture(&mut self, link: &Link) -> Result<(), LinkError> {
        self.probe(link)?;
        self.captured = self.asked;
        self.drawn = false;
        Ok(())
    }

    /// The capture has failed, so what was drawn before it has not been seen.
    pub const fn not_seen(&mut self) {
        self.drawn = true;
    }
}
