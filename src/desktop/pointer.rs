//! Whether what was sent to the pointer has arrived.
//!
//! A client may hold a *synchronous* grab: the server gives it the button press and freezes the pointer until the client
//! lets go of it (X protocol, `GrabButton`, `AllowEvents`). Window managers do so with every click, to raise the window
//! first. Meanwhile the server queues the pointer's events and answers us as if all were done, while keys go past them
//! straight to the application: a text that follows a click lands in the field that had the focus before. Measured: under
//! openbox that has just read its Compose file again, for more than 20 ms.
//!
//! The server's own state tells: as long as the pointer is frozen, a button that we have released is still down in the answer
//! to `QueryPointer`, and a motion has not happened.

use std::time::Duration;

use super::{failure::InputCause, permit::Permit, station::Station};
use crate::{plan::step::ButtonNumber, protocol::units::NativePoint};

/// How long a client may keep the pointer frozen before the action fails. openbox without the setting that the image ships
/// takes up to 180 ms after a change of the keymap; whoever takes ten times that has stopped.
const FREEZE_TIME: Duration = Duration::from_millis(1500);
/// How long the pointer may take to come to its place. Shorter: something that confines it must not cost a second and a
/// half on every attempt, and nothing has been pressed yet.
const ARRIVAL_TIME: Duration = Duration::from_millis(300);
/// Buttons that were released and may still be down for everybody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Releases(u16);

impl Releases {
    /// Notes a release.
    pub fn note(&mut self, button: ButtonNumber) {
        self.0 |= button.mask();
    }

    /// Notes that a button is down again on purpose.
    pub fn forget(&mut self, button: ButtonNumber) {
        self.0 &= !button.mask();
    }

    /// Waits until the server has carried the releases out.
    ///
    /// # Errors
    /// [`InputCause::PointerFrozen`] when a client keeps the pointer frozen; the events are queued then and arrive when it
    /// lets go.
    pub fn arrive(&mut self, station: &mut Station, permit: &Permit) -> Result<(), InputCause> {
        let releases = std::mem::take(self).0;
        if releases == 0 {
            return Ok(());
        }
        if !station.hands.is_ahead() && station.hands.buttons_down & releases == 0 {
            return Ok(());
        }
        let arrived = station.ask_until(FREEZE_TIME, permit, |station| {
            station.hands.answer()?;
            Ok(station.hands.buttons_down & releases == 0)
        })?;
        if arrived { Ok(()) } else { Err(InputCause::PointerFrozen) }
    }
}

/// Waits until the pointer is where the last motion led.
///
/// # Errors
/// [`InputCause::PointerBlocked`] with its true place.
pub fn arrive_at(place: NativePoint, station: &mut Station, permit: &Permit) -> Result<(), InputCause> {
    let arrived = station.ask_until(ARRIVAL_TIME, permit, |station| {
        station.hands.answer()?;
        Ok(station.hands.pointer == place)
    })?;
    if arrived {
        return Ok(());
    }
    Err(InputCause::PointerBlocked { at: station.hands.pointer })
}
