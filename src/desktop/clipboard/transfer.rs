//! A value on its way to an application: until the application deletes the property, nobody knows whether it was read.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use x11rb::{
    connection::RequestConnection as _,
    protocol::xproto::{Atom, ConnectionExt as _, PropMode, Window},
};

use super::{
    content::Value,
    exchange::{Exchange, Phase},
    listener::{Listener, after},
};
use crate::desktop::connection::LinkError;

/// The longest value that is sent at once. The X server holds it twice meanwhile, and every other client waits; all the
/// texts of a paste fit.
const AT_ONCE: usize = 1024 * 1024;
/// What the request around a value needs (X protocol, `ChangeProperty`: 24 bytes, 4 more with long lengths).
const REQUEST_BYTES: usize = 28;
/// How long an application may take for a piece of a value. Longer than the pauses of a busy one.
const PIECE_TIME: Duration = Duration::from_secs(2);

/// One value to one window.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) requestor: Window,
    pub(super) property: Atom,
    pub(super) expires: Instant,
    /// The paste that this is the text of.
    exchange: Option<Arc<Exchange>>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// All of it is in the property.
    Whole,
    /// In pieces: what has been sent, of what.
    Pieces { sent: usize, value: Value },
    /// The empty piece that ends it is in the property.
    End,
}

/// Whether a transfer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Going,
    Done,
}

impl Transfer {
    /// Writes a value, or its announcement, into the requestor's property.
    pub(super) fn begin(
        listener: &Listener,
        requestor: Window,
        property: Atom,
        value: Value,
        exchange: Option<Arc<Exchange>>,
    ) -> Result<Self, LinkError> {
        // Before the property is written, so that its deletion is not missed.
        listener.watch(requestor, true)?;
        let state = if value.bytes.len() <= limit(listener) {
            write(listener, requestor, property, &value, &value.bytes)?;
            State::Whole
        } else {
            let length = u32::try_from(value.bytes.len()).unwrap_or(u32::MAX);
            let kind = listener.atoms.INCR;
            let announcement = Value { kind, format: 32, bytes: length.to_ne_bytes().as_slice().into() };
            write(listener, requestor, property, &announcement, &announcement.bytes)?;
            State::Pieces { sent: 0, value }
        };
        Ok(Self { requestor, property, expires: after(PIECE_TIME), exchange, state })
    }

    /// The requestor has been told.
    pub(super) fn announced(&self) {
        if let (State::Whole, Some(exchange)) = (&self.state, &self.exchange) {
            exchange.enter(Phase::Delivered);
        }
    }

    /// Whether it carries the text of a paste.
    pub(super) const fn is_paste(&self) -> bool {
        self.exchange.is_some()
    }

    /// The application has deleted the property: it has what was in it.
    pub(super) fn deleted(&mut self, listener: &Listener) -> Result<Progress, LinkError> {
        self.expires = after(PIECE_TIME);
        match &mut self.state {
            State::Whole | State::End => {
                if let Some(exchange) = &self.exchange {
                    exchange.enter(Phase::Taken);
                }
                Ok(Progress::Done)
            }
            State::Pieces { sent, value } => {
                let end = value.bytes.len().min(*sent + limit(listener));
                write(listener, self.requestor, self.property, value, &value.bytes[*sent..end])?;
                if *sent == end {
                    self.state = State::End;
                } else {
                    *sent = end;
                }
                Ok(Progress::Going)
            }
        }
    }
}

/// How many bytes go into a property at once: a whole number of elements of any format.
pub(super) fn limit(listener: &Listener) -> usize {
    listener.link.connection.maximum_request_bytes().saturating_sub(REQUEST_BYTES).min(AT_ONCE) & !3
}

/// Writes into a requestor's property. That the window is gone is no error.
pub(super) fn write(
    listener: &Listener,
    requestor: Window,
    property: Atom,
    value: &Value,
    bytes: &[u8],
) -> Result<(), LinkError> {
    let elements = u32::try_from(bytes.len() / usize::from(value.format / 8).max(1)).unwrap_or(u32::MAX);
    listener
        .link
        .connection
        .change_property(PropMode::REPLACE, requestor, property, value.kind, value.format, elements, bytes)
        .map_err(|error| listener.link.explain(error))?
        .ignore_error();
    Ok(())
}
