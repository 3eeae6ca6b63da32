//! Whose turn it is to use the keyboard, when several executors share a display: their keys would mix, and one would type with
//! the keymap that the other is about to change.
//!
//! The X server keeps the turn: a passive grab of a key combination is granted to one client only, in one step, and ends
//! with the client's connection whatever kills it (X protocol, `GrabKey`: `Access` error). The combination cannot be pressed,
//! so the grab never becomes active. (A lock made of a selection or a property would need `GrabServer`, which a hostile
//! client can make wait.)

use std::time::Duration;

use x11rb::{
    connection::Connection as _,
    errors::ReplyError,
    protocol::{
        ErrorKind,
        xproto::{ConnectionExt as _, GrabMode, ModMask},
    },
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    failure::InputCause,
    permit::Permit,
    station::Station,
};

/// How long to wait for another executor: longer than a long text takes, and still an answer.
const TURN_TIME: Duration = Duration::from_secs(5);

/// All eight modifiers at once.
const EVERY_MODIFIER: u16 = 0xff;

/// The turn, taken or not.
#[derive(Debug, Default)]
pub struct Turn {
    taken: bool,
}

impl Turn {
    /// Waits for the turn; costs one round trip where nobody else has it.
    ///
    /// # Errors
    /// [`InputCause::AnotherExecutor`] after five seconds.
    pub fn take(&mut self, station: &mut Station, permit: &Permit) -> Result<(), InputCause> {
        if self.taken {
            return Ok(());
        }
        self.taken = station.ask_until(TURN_TIME, permit, |station| Ok(try_take(station.link())?))?;
        if self.taken { Ok(()) } else { Err(InputCause::AnotherExecutor) }
    }

    /// Takes the turn if it is free. Says whether it is ours.
    pub fn take_if_free(&mut self, link: &Link) -> Result<bool, LinkError> {
        self.taken = self.taken || try_take(link)?;
        Ok(self.taken)
    }

    /// Gives the turn to whoever waits for it.
    pub fn give(&mut self, link: &Link) -> Result<(), LinkError> {
        if std::mem::take(&mut self.taken) {
            let (keycode, modifiers) = combination(link);
            let ungrab = link.connection.ungrab_key(keycode, link.root, modifiers);
            ungrab.map_err(|error| link.explain(error))?.ignore_error();
            link.connection.flush().map_err(|error| link.explain(error))?;
        }
        Ok(())
    }
}

/// The lowest keycode is evdev's "reserved", which no keyboard sends.
fn combination(link: &Link) -> (u8, ModMask) {
    (link.connection.setup().min_keycode, ModMask::from(EVERY_MODIFIER))
}

fn try_take(link: &Link) -> Result<bool, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let (keycode, modifiers) = combination(link);
    let grab = || -> Result<(), ReplyError> {
        let mode = GrabMode::ASYNC;
        link.connection.grab_key(false, link.root, modifiers, keycode, mode, mode)?.check()
    };
    match grab() {
        Ok(()) => Ok(true),
        Err(ReplyError::X11Error(error)) if error.error_kind == ErrorKind::Access => Ok(false),
        Err(error) => Err(link.explain(error)),
    }
}
