//! What an application was told about input methods when it was started.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Framework;

/// The longest environment that is read: the kernel allows two megabytes, and sessions have some kilobytes.
const ENVIRONMENT_BYTES: usize = 256 * 1024;
/// How many files of addresses are looked at: one for each display that ever had a daemon.
const ADDRESS_FILES: usize = 256;
/// Variables that say which method an application uses.
const CHOICES: [&str; 5] = ["GTK_IM_MODULE", "QT_IM_MODULE", "QT4_IM_MODULE", "CLUTTER_IM_MODULE", "XMODIFIERS"];
/// Variables that say where the method is.
const PLACES: [&str; 5] = [IBUS_ADDRESS, "DBUS_SESSION_BUS_ADDRESS", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "HOME"];
const IBUS_ADDRESS: &str = "IBUS_ADDRESS";

/// The variables that a process was started with, as far as they are about input methods: others may hold secrets, which are
/// nobody's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Reads those of a process. On this display an ibus daemon may have written down where it is, which then counts as if the
    /// environment said it. `None` where they cannot be read.
    pub fn of(process: u32, display: Option<u16>) -> Option<Self> {
        let content = fs::read(format!("/proc/{process}/environ")).ok()?;
        let mut environment = (content.len() <= ENVIRONMENT_BYTES).then(|| Self::parse(&content))?;
        if environment.value(IBUS_ADDRESS).is_none()
            && environment.chooses(Framework::Ibus)
            && let Some(address) = display.and_then(|display| environment.ibus_address(display))
        {
            environment.0.push((IBUS_ADDRESS.to_owned(), address));
        }
        Some(environment)
    }

    pub(super) fn parse(content: &[u8]) -> Self {
        let entries =
            content.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('='));
        let wanted =
            entries.filter(|(name, value)| !value.is_empty() && (CHOICES.contains(name) || PLACES.contains(name)));
        Self(wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// What one of them says.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    pub(super) fn chooses(&self, framework: Framework) -> bool {
        let is_it = |value: &str| value.split([':', '=', '@']).any(|word| word.starts_with(framework.name()));
        CHOICES.into_iter().any(|name| self.value(name).is_some_and(is_it))
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> Environment {
        Environment::parse(text.replace(' ', "\0").as_bytes())
    }

    #[test]
    fn an_application_says_which_method_it_uses() {
        let chosen = |text: &str| Framework::ALL.map(|framework| environment(text).chooses(framework));
        assert_eq!(chosen("HOME=/ibus GTK_IM_MODULE=ibus"), [true, false]);
        assert_eq!(chosen("XMODIFIERS=@im=fcitx"), [false, true]);
        assert_eq!(chosen("QT_IM_MODULE=fcitx5 XMODIFIERS=@im=none"), [false, true]);
        assert_eq!(chosen("GTK_IM_MODULE=xim:ibus"), [true, false]);
        assert_eq!(chosen("GTK_IM_MODULE=gtk-im-context-simple XMODIFIERS= X_XMODIFIERS=ibus"), [false, false]);
    }

    #[test]
    fn what_is_not_about_input_methods_is_not_kept() {
        let kept = environment("PATH=/bin API_KEY=secret HOME=/home/u XMODIFIERS=@im=ibus LONELY");
        assert_eq!(kept, environment("HOME=/home/u XMODIFIERS=@im=ibus"));
        assert_eq!(kept.value("API_KEY"), None);
    }
}
