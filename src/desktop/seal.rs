//! A secret's keys: sent while the X server serves nobody else, after a last look at where they go and who could read them.

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ConnectionExt as _, Window},
};

use super::{
    access::{self, Targets},
    confinement,
    connection::{Link, LinkError},
    curtain::{Cover, View},
    failure::InputCause,
    focus::{self, Focused},
    grabs::{self, Device},
    input_method,
    permit::{Permit, SecretPermit, Tainted},
    station::Station,
    toplevel,
};
use crate::protocol::{
    policy::Executable,
    secret::{Confinement, SecretRule, Taint},
    window::SeenWindow,
};

/// Whether the server serves us alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Seal {
    /// It serves everybody.
    #[default]
    Open,
    /// It serves us.
    Closed,
}

impl Seal {
    /// Has the server serve us alone. To be opened whatever comes of this: the request may wait behind another client's.
    pub(super) fn close(&mut self, link: &Link) -> Result<(), LinkError> {
        *self = Self::Closed;
        link.connection.grab_server().map_err(|error| link.explain(error))?.ignore_error();
        Ok(())
    }

    /// Has it serve everybody again, if it does not.
    pub(super) fn open(&mut self, link: &Link) -> Result<(), LinkError> {
        if std::mem::take(self) == Self::Open {
            return Ok(());
        }
        link.connection.ungrab_server().map_err(|error| link.explain(error))?.ignore_error();
        link.connection.flush().map_err(|error| link.explain(error))
    }
}

/// Makes sure that no input method reads the keys for a window. It is another program, and none of the display's.
pub(super) fn expect_no_reader(station: &Station, window: Window, secret: &SecretPermit) -> Result<(), InputCause> {
    match (secret.rule.confinement, input_method::in_use(station, window)?) {
        (Confinement::Required, Some(framework)) => {
            Err(InputCause::NotConfined(format!("the window's keys go through the input method {framework}")))
        }
        _ => Ok(()),
    }
}

/// Makes sure, under the seal, that a secret's keys go to the window that was found before, that its rule allows that window,
/// and that nobody else could read them; then covers what pictures would show.
///
/// # Errors
/// [`InputCause::TargetMismatch`], [`InputCause::Forbidden`], [`InputCause::InputGrabbed`], [`InputCause::NotConfined`].
pub(super) fn verify(
    station: &Station,
    window: Window,
    permit: &Permit,
    secret: &SecretPermit,
) -> Result<(), InputCause> {
    let link = station.link();
    if focus::focused(link, &station.events.atoms)? != Focused::Window(window) {
        return Err(InputCause::FocusLost);
    }
    // A request that expects a window, and the policy.
    Targets::of(permit).around(link, window)??;
    let found = toplevel::around(link, window)?;
    let Some(top) = found.first() else { return Err(InputCause::FocusLost) };
    fits(link, top, &secret.rule, permit.view)?;
    if grabs::is_grabbed(station, Device::Keyboard)? {
        return Err(InputCause::InputGrabbed { device: Device::Keyboard, process: None });
    }
    if secret.rule.confinement == Confinement::Required
        && let Some(who) = confinement::stranger(link, window, &secret.clients)?
    {
        return Err(InputCause::NotConfined(who));
    }
    let window = top.ids.first().copied().unwrap_or(window);
    let cover = match secret.rule.taint {
        Taint::Refuse => Cover::Everything,
        Taint::Mask => Cover::Window(window),
    };
    let part = secret.curtain.draw(cover);
    // Each permit is for one secret.
    secret.tainted.set(Tainted { part, cover, window }).ok();
    Ok(())
}

/// Whether a window is one that a rule allows. Not what it came out of, as for other input: the keys go into this one.
fn fits(link: &Link, top: &SeenWindow, rule: &SecretRule, view: View) -> Result<(), InputCause> {
    let is_meant = rule.window.as_ref().is_none_or(|wanted| wanted.accepts(top));
    let refused = |why: &str| {
        let described = access::describe(top, view);
        Err(InputCause::TargetMismatch(format!(
            "the window with the keyboard focus is {described}, {why}; nothing was typed; click into the one that it is for"
        )))
    };
    if !is_meant {
        return refused("which the secret's rule does not name");
    }
    let Some(path) = &rule.executable else { return Ok(()) };
    match access::executable(link, top)? {
        Executable::Path(found) if found == *path || found.strip_suffix(" (deleted)") == Some(path) => Ok(()),
        Executable::Path(_) => refused("of another executable than the secret's rule names"),
        Executable::Hidden => refused("whose executable the system hides, which the secret's rule names"),
    }
}
