//! Which display: one of our own or one that is there already.

use std::{path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::protocol::{
    display::DisplayNumber,
    limits::{SCREEN_MAX, SCREEN_MIN},
    units::NativeSize,
};

/// The display to work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisplayChoice {
    /// An Xvfb that the supervisor starts and owns.
    Owned {
        /// Its size in pixels; the depth is 24.
        size: NativeSize,
        /// Its number; a free one when absent.
        number: Option<DisplayNumber>,
        /// Where its cookie file goes; the private runtime directory when absent.
        xauthority: Option<PathBuf>,
    },
    /// A display that somebody else runs.
    Attached {
        /// Its number.
        display: DisplayNumber,
        /// The file with its cookie; none when it has no access control.
        xauthority: Option<PathBuf>,
    },
}

/// The size of an Xvfb of our own, `WxH` on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct XvfbSize(pub NativeSize);

impl FromStr for XvfbSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ((width_min, height_min), (width_max, height_max)) = (SCREEN_MIN, SCREEN_MAX);
        let whole = |part: &str| {
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().unwrap_or(u32::MAX))
        };
        let (width, height) = text
            .split_once('x')
            .filter(|(width, height)| !width.is_empty() && !height.is_empty())
            .and_then(|(width, height)| Some((whole(width)?, whole(height)?)))
            .ok_or_else(|| {
                format!("a screen size is WxH in pixels, such as 1024x768 (depth is always 24); got `{text}`")
            })?;
        let inside =
            |value: u32, min: u16, max: u16| u16::try_from(value).ok().filter(|value| (min..=max).contains(value));
        match (inside(width, width_min, width_max), inside(height, height_min, height_max)) {
            (Some(width), Some(height)) => Ok(Self(NativeSize { width, height })),
            _ => Err(format!(
                "{text} is outside {width_min}x{height_min}..{width_max}x{height_max}; choose a screen size within it"
            )),
        }
    }
}

impl TryFrom<String> for XvfbSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_hold_up_to_both_edges_and_not_one_past() {
        for edge in ["320x240", "3840x2160", "1024x768"] {
            assert!(edge.parse::<XvfbSize>().is_ok(), "{edge}");
        }
        for past in ["319x240", "320x239", "3841x2160", "3840x2161", "70000x768", "99999999999x768"] {
            assert!(
                past.parse::<XvfbSize>().is_err_and(|reason| reason.contains("outside 320x240..3840x2160")),
                "{past}"
            );
        }
        for wrong in ["", "x", "1024", "1024x", "x768", "1024x768x24", "1024X768", "+1024x768", "-1x768", " 1024x768"] {
            assert!(wrong.parse::<XvfbSize>().is_err_and(|reason| reason.contains("WxH")), "{wrong:?}");
        }
    }
}
