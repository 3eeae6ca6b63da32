//! Input methods (ibus, fcitx) between the keys and the text: whether one is active that composes other characters of them.
//!
//! With a plain keyboard layout as its engine a method hands every key on, and texts arrive. With an engine for Chinese,
//! Japanese or Korean it keeps letters, replaces punctuation, and some swallow even characters that they do not know
//! (measured: pinyin, hangul and anthy in GTK, Qt, st and xterm; none of "nihao, a" arrived as such). No X event tells; the
//! method itself says which engine it uses, over D-Bus, where the application's environment says that it is.

mod bus;

use std::{fs, path::PathBuf, time::Duration};

use x11rb::protocol::xproto::Window;

use self::bus::Bus;
use super::{connection::LinkError, failure::InputCause, grabs::Client, sanitize::sanitize, station::Station};

/// How long a method may take to say what it does. Both answered within a millisecond when idle.
const ANSWER_TIME: Duration = Duration::from_millis(300);
/// The longest environment that is read: the kernel allows two megabytes, and sessions have some kilobytes.
const ENVIRONMENT_BYTES: usize = 256 * 1024;
/// The longest name of an engine that is told.
const NAME_BYTES: usize = 64;
/// How many files of addresses are looked at: one for each display that ever had a daemon.
const ADDRESS_FILES: usize = 256;
/// Variables that say which method an application uses.
const CHOICES: [&str; 5] = ["GTK_IM_MODULE", "QT_IM_MODULE", "QT4_IM_MODULE", "CLUTTER_IM_MODULE", "XMODIFIERS"];

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
    let link = station.link();
    let Some(environment) = environment_of(station, window)? else { return Ok(()) };
    for framework in Framework::ALL {
        if !environment.chooses(framework) {
            continue;
        }
        let engine = match framework {
            Framework::Ibus => link.display_number().and_then(|number| environment.ibus_engine(number)),
            Framework::Fcitx => environment.fcitx_method(),
        };
        if let Some(engine) = engine.filter(|engine| !engine.is_empty() && !engine.starts_with(framework.plain())) {
            let engine = sanitize(engine.as_bytes(), NAME_BYTES);
            return Err(InputCause::InputMethod { engine, framework });
        }
    }
    Ok(())
}

/// The variables that a process was started with.
struct Environment(Vec<u8>);

fn environment_of(station: &Station, window: Window) -> Result<Option<Environment>, LinkError> {
    let link = station.link();
    let Some(process) = Client::of(link, window).process(link)? else { return Ok(None) };
    let content = fs::read(format!("/proc/{}/environ", process.pid)).ok();
    Ok(content.filter(|content| content.len() <= ENVIRONMENT_BYTES).map(Environment))
}

impl Environment {
    fn value(&self, name: &str) -> Option<&str> {
        let mut entries = self.0.split(|byte| *byte == 0);
        let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        std::str::from_utf8(value).ok().filter(|value| !value.is_empty())
    }

    fn chooses(&self, framework: Framework) -> bool {
        let is_it = |value: &str| value.split([':', '=', '@']).any(|word| word.starts_with(framework.name()));
        CHOICES.into_iter().any(|name| self.value(name).is_some_and(is_it))
    }

    fn ibus_engine(&self, display: u16) -> Option<String> {
        let address = self.value("IBUS_ADDRESS").map(str::to_owned).or_else(|| self.ibus_address(display))?;
        let mut bus = Bus::connect(&address, ANSWER_TIME)?;
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

    /// The daemon writes its address into a file whose name ends in the display's number.
    fn ibus_address(&self, display: u16) -> Option<String> {
        let configuration = match self.value("XDG_CONFIG_HOME") {
            Some(directory) => PathBuf::from(directory),
            None => PathBuf::from(self.value("HOME")?).join(".config"),
        };
        let ending = format!("-unix-{display}");
        let files = fs::read_dir(configuration.join("ibus/bus")).ok()?.take(ADDRESS_FILES).flatten();
        let file = files.map(|file| file.path()).find(|path| path.to_string_lossy().ends_with(&ending))?;
        let content = fs::read_to_string(file).ok()?;
        content.lines().find_map(|line| line.strip_prefix("IBUS_ADDRESS=")).map(str::to_owned)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_says_which_method_it_uses() {
        let environment = |text: &str| Environment(text.replace(' ', "\0").into_bytes());
        let chosen = |text: &str| Framework::ALL.map(|framework| environment(text).chooses(framework));
        assert_eq!(chosen("HOME=/ibus GTK_IM_MODULE=ibus"), [true, false]);
        assert_eq!(chosen("XMODIFIERS=@im=fcitx"), [false, true]);
        assert_eq!(chosen("QT_IM_MODULE=fcitx5 XMODIFIERS=@im=none"), [false, true]);
        assert_eq!(chosen("GTK_IM_MODULE=xim:ibus"), [true, false]);
        assert_eq!(chosen("GTK_IM_MODULE=gtk-im-context-simple XMODIFIERS= X_XMODIFIERS=ibus"), [false, false]);
    }
}
