//! The server's auto-repeat, off while keys are sent that are meant once.
//!
//! A key that is down for the repeat delay (660 ms on Xvfb) repeats, and the server counts that time by the clock. Press and release
//! leave here in one piece, but a server that gets no processor in between runs its timer before it reads on: with three browsers
//! drawing on two cores, one of 40,000 characters arrived twice. The repeating is done for the keyboard that clients see, so it is
//! switched there (XTEST's own control changes nothing; tried with Xvfb 21.1).

use x11rb::{
    connection::Connection as _,
    errors::{ConnectionError, ReplyError},
    protocol::{
        xkb::{self, BoolCtrl, ConnectionExt as _},
        xproto::ModMask,
    },
};

use super::connection::{Link, LinkError, OPERATION_TIME};

/// `XkbUseCoreKbd` (XKBproto.pdf, "Keyboard Devices"): the keyboard that clients see.
const CORE_KEYBOARD: xkb::DeviceSpec = 0x100;

/// Whether auto-repeat is to be switched on again.
#[derive(Debug, Default)]
pub(super) struct AutoRepeat {
    paused: bool,
}

impl AutoRepeat {
    /// Switches it off, if it is on. Should we be killed, the server switches it on again by itself.
    pub(super) fn pause(&mut self, link: &Link) -> Result<(), LinkError> {
        if self.paused {
            return Ok(());
        }
        let _limit = link.within(OPERATION_TIME);
        let get = || -> Result<_, ReplyError> { link.connection.xkb_get_controls(CORE_KEYBOARD)?.reply() };
        let controls = get().map_err(|error| link.explain(error))?;
        if !controls.enabled_controls.contains(BoolCtrl::REPEAT_KEYS) {
            return Ok(());
        }
        self.paused = true;
        let on_end = xkb::PerClientFlag::AUTO_RESET_CONTROLS;
        send(link, || {
            flags(link, on_end, BoolCtrl::REPEAT_KEYS)?;
            switch(link, BoolCtrl::from(0_u32))
        })
    }

    /// Switches it on again, if [`AutoRepeat::pause`] has switched it off.
    pub(super) fn resume(&mut self, link: &Link) -> Result<(), LinkError> {
        if !std::mem::take(&mut self.paused) {
            return Ok(());
        }
        send(link, || {
            switch(link, BoolCtrl::REPEAT_KEYS)?;
            // Whoever switches it off later means it.
            flags(link, xkb::PerClientFlag::from(0_u32), BoolCtrl::from(0_u32))?;
            // Nothing may follow for long: who holds a key on this display meanwhile is to see it repeat.
            link.connection.flush()
        })
    }
}

fn send(link: &Link, requests: impl FnOnce() -> Result<(), ConnectionError>) -> Result<(), LinkError> {
    requests().map_err(|error| link.explain(error))
}

/// What the server does when this connection ends.
fn flags(link: &Link, on_end: xkb::PerClientFlag, controls: BoolCtrl) -> Result<(), ConnectionError> {
    let change = xkb::PerClientFlag::AUTO_RESET_CONTROLS;
    let cookie = link.connection.xkb_per_client_flags(CORE_KEYBOARD, change, on_end, controls, controls, controls)?;
    // Its answer repeats what was asked.
    cookie.discard_reply_and_errors();
    Ok(())
}

fn switch(link: &Link, repeat: BoolCtrl) -> Result<(), ConnectionError> {
    let (no_modifiers, no_virtual, no_options) =
        (ModMask::from(0_u16), xkb::VMod::from(0_u16), xkb::AXOption::from(0_u16));
    let none = BoolCtrl::from(0_u32);
    let cookie = link.connection.xkb_set_controls(
        CORE_KEYBOARD,
        no_modifiers,
        no_modifiers,
        no_modifiers,
        no_modifiers,
        no_virtual,
        no_virtual,
        no_virtual,
        no_virtual,
        0,
        0,
        no_options,
        BoolCtrl::REPEAT_KEYS,
        repeat,
        xkb::Control::CONTROLS_ENABLED,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        none,
        none,
        no_options,
        no_options,
        &[0; 32],
    )?;
    cookie.ignore_error();
    Ok(())
}
