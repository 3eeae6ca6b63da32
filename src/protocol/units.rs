//! Units and spaces as types, so that a screen coordinate can never be sent to the X server by mistake.
//!
//! Three spaces exist: *session* coordinates (what the model sends, [`Coordinate`]), *screen* pixels (the picture that the
//! session receives, [`ScreenSize`]) and *native* pixels (the X root window, [`NativePoint`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pixel of the X root window. X11 carries positions in 16 bits; screens up to 3840×2160 keep them positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NativePoint {
    /// Pixels from the left edge.
    pub x: u16,
    /// Pixels from the top edge.
    pub y: u16,
}

/// The size of the X root window in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct NativeSize {
    /// Width in native pixels.
    pub width: u16,
    /// Height in native pixels.
    pub height: u16,
}

/// The size of the picture that a session receives, in screen pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ScreenSize {
    /// Width in screen pixels.
    pub width: u16,
    /// Height in screen pixels.
    pub height: u16,
}

/// A half-open rectangle of the X root window. Never empty, always inside the root it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeRegion {
    /// Left edge.
    pub x: u16,
    /// Top edge.
    pub y: u16,
    /// Width, at least 1.
    pub width: u16,
    /// Height, at least 1.
    pub height: u16,
}

impl NativeRegion {
    /// Whether a pixel lies inside.
    pub const fn contains(&self, x: u16, y: u16) -> bool {
        // Differences, because the sum of edge and length may exceed 16 bits.
        x >= self.x && x - self.x < self.width && y >= self.y && y - self.y < self.height
    }
}

/// A rectangle on the X root window as X11 carries it, which may lie outside the screen in part or altogether: a window's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NativeRectangle {
    /// Left edge.
    pub x: i16,
    /// Top edge.
    pub y: i16,
    /// Width.
    pub width: u16,
    /// Height.
    pub height: u16,
}

/// A position as the controller sent it, not yet checked against any screen: whole numbers in the session's coordinate space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coordinate {
    /// Horizontal position.
    pub x: i64,
    /// Vertical position.
    pub y: i64,
}

/// A region as the controller sent it, not yet checked: the half-open rectangle from `(x0, y0)` to `(x1, y1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Left edge, included.
    pub x0: i64,
    /// Top edge, included.
    pub y0: i64,
    /// Right edge, excluded.
    pub x1: i64,
    /// Bottom edge, excluded.
    pub y1: i64,
}

/// A whole number of milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Milliseconds(pub u32);

impl From<Milliseconds> for std::time::Duration {
    fn from(value: Milliseconds) -> Self {
        Self::from_millis(u64::from(value.0))
    }
}

/// How many pixels an application scrolls by one notch of the wheel. X11 has wheels only as buttons, so nothing tells; what
/// Chromium does is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct PixelsPerNotch(u16);

impl PixelsPerNotch {
    /// The most: a whole screen of the largest height.
    const MAX: u16 = 2160;

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for PixelsPerNotch {
    /// Chromium's on Linux without a desktop's settings (`kWheelScrollAmount` in its `ui/events`).
    fn default() -> Self {
        Self(53)
    }
}

impl TryFrom<u16> for PixelsPerNotch {
    type Error = String;

    fn try_from(pixels: u16) -> Result<Self, Self::Error> {
        if (1..=Self::MAX).contains(&pixels) {
            return Ok(Self(pixels));
        }
        Err(format!("a notch of the wheel is 1 to {} pixels, such as 53; got {pixels}", Self::MAX))
    }
}

impl From<PixelsPerNotch> for u16 {
    fn from(value: PixelsPerNotch) -> Self {
        value.0
    }
}

impl std::str::FromStr for PixelsPerNotch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |_| format!("a notch of the wheel is a whole number of pixels, such as 53; got `{text}`");
        text.parse::<u16>().map_err(wrong)?.try_into()
    }
}

/// The identity of a captured picture, `epoch-serial` on the wire: equal frames have equal native pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameId {
    /// Counts displays: it grows when the display restarts or changes its size.
    pub epoch: u32,
    /// Counts different pictures within an epoch; 0 before the first capture.
    pub serial: u64,
}

impl std::fmt::Display for FrameId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-{}", self.epoch, self.serial)
    }
}

impl std::str::FromStr for FrameId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('-')
            .and_then(|(epoch, serial)| Some(Self { epoch: epoch.parse().ok()?, serial: serial.parse().ok()? }))
            .filter(|frame| frame.to_string() == text)
            .ok_or_else(|| format!("a frame looks like `1-42`, as in an earlier answer; got `{text}`"))
    }
}

impl Serialize for FrameId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FrameId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for FrameId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FrameId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+-[0-9]+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notch_is_at_least_a_pixel_and_at_most_a_screen() {
        for (text, good) in [("1", true), ("53", true), ("2160", true), ("0", false), ("2161", false), ("70000", false)]
        {
            assert_eq!(text.parse::<PixelsPerNotch>().is_ok(), good, "{text}");
        }
        assert_eq!(PixelsPerNotch::default().get(), 53);
    }

    #[test]
    fn frame_ids_read_back_what_they_print_and_nothing_else() {
        let frame = FrameId { epoch: 3, serial: 41 };
        assert_eq!(frame.to_string().parse(), Ok(frame));
        for wrong in ["", "1", "1-", "-1", "1-2-3", "01-2", "+1-2", "1- 2", "99999999999-1"] {
            assert!(wrong.parse::<FrameId>().is_err(), "{wrong:?} must be refused");
        }
    }
}
