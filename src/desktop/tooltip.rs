//! A tooltip under the pointer takes clicks: Chromium and GTK do not make theirs transparent to the pointer, and a click on one
//! is lost (measured: each of them). A person never meets that, because the tooltip goes away as soon as the pointer is on it,
//! long before a finger is down. We are faster than the program, so we wait for that.

use std::time::Duration;

use x11rb::{
    connection::{DiscardMode, ReplyOrError, RequestConnection as _, RequestKind},
    protocol::xproto::{AtomEnum, ConnectionExt as _, GetPropertyReply, Window},
    x11_utils::TryParse as _,
};

use super::{
    connection::{LinkError, OPERATION_TIME},
    failure::InputCause,
    permit::Permit,
    station::Station,
};

/// How long a tooltip may take to go: Qt hides its own 300 ms after the pointer has left what it explains, the others at once.
/// One that stays is what the click is for.
const TOOLTIP_TIME: Duration = Duration::from_millis(700);
/// How many types a window may give itself before the rest is ignored (EWMH lists them by preference).
const TYPES: u32 = 8;

/// The question whether the window under the pointer is a tooltip, on its way.
#[derive(Debug)]
pub struct Look {
    window: Window,
    request: u64,
}

impl Look {
    /// Asks, without waiting for the answer. Nothing is asked where there is no window.
    pub fn begin(station: &Station) -> Result<Option<Self>, LinkError> {
        let window = station.hands.under_pointer;
        if window == x11rb::NONE {
            return Ok(None);
        }
        let link = station.link();
        let name = station.events.atoms.net_wm_window_type;
        let cookie = link.connection.get_property(false, window, name, AtomEnum::ATOM, 0, TYPES);
        let cookie = cookie.map_err(|error| link.explain(error))?;
        let request = cookie.sequence_number();
        // Dropping the cookie would throw the answer away; it owns nothing else.
        std::mem::forget(cookie);
        Ok(Some(Self { window, request }))
    }

    /// Waits for a tooltip to go, for a while.
    pub fn end(self, station: &mut Station, permit: &Permit) -> Result<(), InputCause> {
        if !self.is_tooltip(station)? {
            return Ok(());
        }
        station.ask_until(TOOLTIP_TIME, permit, |station| {
            station.hands.answer()?;
            Ok(station.hands.under_pointer != self.window)
        })?;
        Ok(())
    }

    fn is_tooltip(&self, station: &Station) -> Result<bool, LinkError> {
        let link = station.link();
        let _limit = link.within(OPERATION_TIME);
        let answer = link.connection.wait_for_reply_or_raw_error(self.request).map_err(|error| link.explain(error))?;
        // The window has gone meanwhile.
        let ReplyOrError::Reply(answer) = answer else { return Ok(false) };
        let (reply, _) =
            GetPropertyReply::try_parse(answer.as_ref()).map_err(|error| LinkError::Lost(error.to_string()))?;
        let tooltip = station.events.atoms.net_wm_window_type_tooltip;
        Ok(reply.value32().is_some_and(|mut types| types.any(|found| found == tooltip)))
    }

    /// Throws the answer away.
    pub fn discard(self, station: &Station) {
        let connection = &station.link().connection;
        connection.discard_reply(self.request, RequestKind::HasResponse, DiscardMode::DiscardReplyAndError);
    }
}
