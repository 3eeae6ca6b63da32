//! Input methods (ibus, fcitx) between the keys and the text: whether one is active that composes other characters of them.
//!
//! With a plain keyboard layout as its engine a method hands every key on, and texts arrive. With an engine for Chinese,
//! Japanese or Korean it keeps letters, replaces punctuation, and some swallow even characters that they do not know
//! (measured: pinyin, hangul and anthy in GTK, Qt, st and xterm; none of "nihao, a" arrived as such). No X event tells; the
//! method itself says which engine it uses, over D-Bus, where the application's environment says that it is.

mod bus;
mod environment;

use std::time::Duration;

use x11rb::protocol::xproto::Window;

use self::bus::Bus;
pub use self::environment::Environment;
use super::{connection::LinkError, failure::InputCause, grabs::Client, sanitize::sanitize, station::Station, witness};

/// How long a method may take to say what it does. Both answered within a millisecond when idle.
const ANSWER_TIME: Duration = Duration::from_millis(300);
/// The longest name of an engine that is told.
const NAME_BYTES: usize = 64;

/// A framework for input methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// With engines such as `xkb:us::eng` and `libpinyin`.
    Ibus,
    /// With input methods such as `keyboard-us` and `pinyin`.
    Fcitx,
}

impl Framework {
    const ALL: [Self; 2] = [Self::Ibus, Self::Fcitx];

    const fn name(self) -> &'static str {
        match self {
            Self::Ibus => "ibus",
            Self::Fcitx => "fcitx",
        }
    }

    /// What engines begin with that pass every key on.
    const fn plain(self) -> &'static str {
        match self {
            Self::Ibus => "xkb:",
            Self::Fcitx => "keyboard-",
        }
    }
}

impl std::fmt::Display for Framework {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Makes sure that no input method makes other characters of the keys for a window. Where nobody can say (another user's
/// processes, another process namespace) none is assumed.
///
/// # Errors
/// [`InputCause::InputMethod`].
pub fn expect_none(station: &Station, window: Window) -> Result<(), InputCause> {
    let Some(environment) = environment_of(station, window)? else { return Ok(()) };
    for framework in Framework::ALL {
        if !environment.chooses(framework) {
            continue;
        }
        let engine = match framework {
            Framework::Ibus => environment.ibus_engine(),
            Framework::Fcitx => environment.fcitx_method(),
        };
        if let Some(engine) = engine.filter(|engine| !engine.is_empty() && !engine.starts_with(framework.plain())) {
            let engine = sanitize(engine.as_bytes(), NAME_BYTES);
            return Err(InputCause::InputMethod { engine, framework });
        }
    }
    Ok(())
}

/// The framework whose engine gets the keys for a window before it does, whatever it makes of them.
///
/// # Errors
/// About the connection to the display.
pub fn in_use(station: &Station, window: Window) -> Result<Option<Framework>, LinkError> {
    let Some(environment) = environment_of(station, window)? else { return Ok(None) };
    let is_there = |framework: &Framework| {
        let engine = match framework {
            Framework::Ibus => environment.ibus_engine(),
            Framework::Fcitx => environment.fcitx_method(),
        };
        environment.chooses(*framework) && engine.is_some_and(|engine| !engine.is_empty())
    };
    Ok(Framework::ALL.into_iter().find(is_there))
}

fn environment_of(station: &Station, window: Window) -> Result<Option<Environment>, LinkError> {
    let link = station.link();
    let Some(process) = Client::of(link, window).process_id(link)? else { return Ok(None) };
    Ok(witness::input_method(process, link.display_number()))
}

impl Environment {
    fn ibus_engine(&self) -> Option<String> {
        let mut bus = Bus::connect(self.value("IBUS_ADDRESS")?, ANSWER_TIME)?;
        let arguments = ["org.freedesktop.IBus", "GlobalEngine"];
        let reply = bus.ask(
            "org.freedesktop.IBus",
            "/org/freedesktop/IBus",
            "org.freedesktop.DBus.Properties",
            "Get",
            &arguments,
        )?;
        bus::serialized_name(&reply, "IBusEngineDesc")
    }

    fn fcitx_method(&self) -> Option<String> {
        let address = match self.value("DBUS_SESSION_BUS_ADDRESS") {
            Some(address) => address.to_owned(),
            None => format!("unix:path={}/bus", self.value("XDG_RUNTIME_DIR")?),
        };
        let mut bus = Bus::connect(&address, ANSWER_TIME)?;
        let (name, path, interface) = ("org.fcitx.Fcitx5", "/controller", "org.fcitx.Fcitx.Controller1");
        bus::string(&bus.ask(name, path, interface, "CurrentInputMethod", &[])?, &mut 0)
    }
}
