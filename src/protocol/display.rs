//! Which display: `:N` on this machine and nothing else.

use std::{path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// The highest display number: X11 reserves TCP port 6000 + N for display N, and ports end at 65535.
pub const DISPLAY_NUMBER_MAX: u16 = 65_535 - 6_000;

/// The number of a display on this machine: `:N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DisplayNumber(u16);

impl DisplayNumber {
    /// The number N of display `:N`; `None` past [`DISPLAY_NUMBER_MAX`].
    pub fn new(number: u16) -> Option<Self> {
        (number <= DISPLAY_NUMBER_MAX).then_some(Self(number))
    }

    /// Where the display's server listens. X servers put their sockets there since X11R6 (`Xtrans`, `X11_UNIX_PATH`).
    pub fn socket_path(self) -> PathBuf {
        PathBuf::from(format!("/tmp/.X11-unix/X{}", self.0))
    }

    /// The bare number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl std::fmt::Display for DisplayNumber {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, ":{}", self.0)
    }
}

impl FromStr for DisplayNumber {
    type Err = String;

    /// Takes `:N` and, as `DISPLAY` often has it, `:N.0`. A host name is refused: the way there would be TCP.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rule = || format!("a display is `:N` on this machine with N from 0 to {DISPLAY_NUMBER_MAX}; got `{text}`");
        let number = text.strip_prefix(':').ok_or_else(rule)?;
        let number = number.strip_suffix(".0").unwrap_or(number);
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(rule());
        }
        number.parse().ok().and_then(Self::new).ok_or_else(rule)
    }
}

impl TryFrom<String> for DisplayNumber {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DisplayNumber> for String {
    fn from(number: DisplayNumber) -> Self {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_are_local_numbers() {
        for (text, number) in [(":0", 0), (":99", 99), (":7.0", 7), (":59535", DISPLAY_NUMBER_MAX)] {
            assert_eq!(text.parse(), Ok(DisplayNumber(number)));
        }
        for wrong in ["", ":", "99", ":-1", ":+1", ":59536", ":99999999", "host:0", "unix:0", ":0.1", ":0.0.0", ":0 "] {
            assert!(wrong.parse::<DisplayNumber>().is_err(), "{wrong:?} must be refused");
        }
    }
}
