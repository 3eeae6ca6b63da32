//! What an action means on a known screen: native pixels and keysyms, still without keycodes.
//!
//! An action becomes a gesture when it is admitted (`resolve`), so that every error in a message is found before anything
//! runs. A gesture becomes steps (`steps`) on the input thread, which alone knows the keymap of this moment.

use std::{sync::Arc, time::Duration};

use super::{
    notches::Notches,
    step::{ButtonNumber, Keysym},
};
use crate::protocol::{secret::SecretText, units::NativePoint};

/// Keys held together, pressed in this order. Never empty, at most 32 keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chord(pub Vec<Keysym>);

/// What the input thread is asked to do. Waiting is one of them, because it takes its turn like the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// Moves the pointer and checks that it arrived.
    Move(NativePoint),
    /// Clicks, after moving when a place is given.
    Click {
        /// Where to move first.
        at: Option<NativePoint>,
        /// Which button.
        button: ButtonNumber,
        /// 1, 2 or 3.
        count: u8,
        /// Held during the clicks.
        held: Option<Chord>,
    },
    /// Presses a button and leaves it down.
    PressButton(ButtonNumber),
    /// Releases a button.
    ReleaseButton(ButtonNumber),
    /// Presses at the start, moves through the points, releases at the last.
    Drag {
        /// Where the button goes down; the pointer's place when absent.
        start: Option<NativePoint>,
        /// At least one point.
        path: Vec<NativePoint>,
        /// Which button.
        button: ButtonNumber,
        /// Held during the drag.
        held: Option<Chord>,
    },
    /// Turns the wheel: clicks of a wheel button.
    Scroll {
        /// Where to move first.
        at: Option<NativePoint>,
        /// 4 up, 5 down, 6 left, 7 right.
        wheel: ButtonNumber,
        /// 1 to 100.
        notches: u8,
        /// Held while scrolling.
        held: Option<Chord>,
    },
    /// Turns the wheel both ways, vertically first.
    ScrollBy {
        /// Where to move first.
        at: Option<NativePoint>,
        /// How far.
        notches: Notches,
        /// Held while scrolling.
        held: Option<Chord>,
    },
    /// Presses and releases chords in turn, all of them `repeat` times.
    Keys {
        /// At least one.
        chords: Vec<Chord>,
        /// 1 to 100.
        repeat: u8,
    },
    /// Presses a chord and leaves it down.
    PressKeys(Chord),
    /// Releases a chord, last key first.
    ReleaseKeys(Chord),
    /// Presses a chord, waits, releases it.
    HoldKeys {
        /// Which keys.
        chord: Chord,
        /// How long.
        duration: Duration,
    },
    /// Types a text.
    Type(String),
    /// Types a secret: all of it or nothing, while nobody else is served.
    Secret(Arc<SecretText>),
    /// Pastes a text through the clipboard.
    Paste(String),
    /// Waits.
    Wait(Duration),
}

impl Gesture {
    /// Whether it types characters.
    pub const fn types(&self) -> bool {
        matches!(self, Self::Type(_) | Self::Secret(_))
    }

    /// Whether it brings a text into a window, by keys or otherwise.
    pub const fn brings_text(&self) -> bool {
        self.types() || matches!(self, Self::Paste(_))
    }
}
