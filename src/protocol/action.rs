//! What a controller can ask the desktop to do, validated as far as the message alone allows: every count, length and
//! duration is inside its limit, but coordinates are not yet checked against a screen and key names not yet looked up.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    secret::SecretName,
    units::{Coordinate, Region},
};

/// A pointer button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Button {
    /// Button 1.
    #[default]
    Left,
    /// Button 2, usually the wheel.
    Middle,
    /// Button 3.
    Right,
    /// Button 8.
    Back,
    /// Button 9.
    Forward,
}

/// Where a scroll goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScrollDirection {
    /// Towards the beginning: button 4.
    Up,
    /// Towards the end: button 5.
    Down,
    /// Button 6.
    Left,
    /// Button 7.
    Right,
}

/// Keys held together, as the controller named them: `ctrl+shift+t`. `plan` looks the names up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChordText(pub String);

/// An action of the computer toolset or of Deskhand's wider set.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A picture of the whole screen.
    Screenshot,
    /// A picture of a part, as large as the session's screen allows.
    Zoom {
        /// In session coordinates.
        region: Region,
    },
    /// One to three clicks.
    Click {
        /// Which button.
        button: Button,
        /// 1, 2 or 3.
        count: u8,
        /// Where; the pointer's place when absent.
        at: Option<Coordinate>,
        /// Held during the clicks.
        held: Option<ChordText>,
    },
    /// Presses a button and leaves it down.
    MouseDown {
        /// Which button.
        button: Button,
    },
    /// Releases a button.
    MouseUp {
        /// Which button.
        button: Button,
    },
    /// Presses, moves along a path, releases.
    Drag {
        /// Where the button goes down; the pointer's place when absent.
        start: Option<Coordinate>,
        /// The points after the start, at least one, the last is where the button goes up.
        path: Vec<Coordinate>,
        /// Which button.
        button: Button,
        /// Held during the drag.
        held: Option<ChordText>,
    },
    /// Moves the pointer.
    MouseMove {
        /// Where to.
        at: Coordinate,
    },
    /// Asks where the pointer is.
    CursorPosition,
    /// Turns the wheel.
    Scroll {
        /// Which way.
        direction: ScrollDirection,
        /// 1 to 100 notches.
        notches: u8,
        /// Where; the pointer's place when absent.
        at: Option<Coordinate>,
        /// Held while scrolling.
        held: Option<ChordText>,
    },
    /// Turns the wheel both ways by as many notches as come nearest to a distance.
    ScrollPixels {
        /// To the right; to the left when negative.
        dx: i64,
        /// Down; up when negative.
        dy: i64,
        /// Where; the pointer's place when absent.
        at: Option<Coordinate>,
        /// Held while scrolling.
        held: Option<ChordText>,
    },
    /// Types a text.
    Type {
        /// At most 16,384 characters, none of them U+0000.
        text: String,
    },
    /// Types a secret.
    TypeSecret {
        /// Which one.
        name: SecretName,
    },
    /// Pastes a text through the clipboard.
    Paste {
        /// As long as the message allows, without U+0000.
        text: String,
    },
    /// Presses chords in turn.
    Key {
        /// At least one.
        chords: Vec<ChordText>,
        /// 1 to 100 times.
        repeat: u8,
    },
    /// Presses a chord and leaves it down.
    KeyDown {
        /// Pressed in this order.
        chord: ChordText,
    },
    /// Releases a chord, the last key first.
    KeyUp {
        /// Released in the opposite order.
        chord: ChordText,
    },
    /// Holds a chord for a while.
    HoldKey {
        /// Which keys.
        chord: ChordText,
        /// How long.
        duration: Duration,
    },
    /// Does nothing for a while, in turn with the other actions.
    Wait {
        /// How long.
        duration: Duration,
    },
}

impl Action {
    /// Whether the action only looks.
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::Screenshot | Self::Zoom { .. } | Self::CursorPosition)
    }

    /// Whether the action sends keys or moves the pointer: all but looking and waiting.
    pub const fn is_input(&self) -> bool {
        !self.is_read() && !matches!(self, Self::Wait { .. })
    }
}
