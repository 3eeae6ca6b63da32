//! The parameters of every action exactly as a model sends them, and their way into [`Action`].
//!
//! The field names are those of the toolset `computer_toolset_20260801` in the official SDK; what Deskhand adds are the
//! methods from [`ClickParams`] on.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    action::{Action, Button, ChordText, ScrollDirection},
    error::{ErrorKind, Failure},
    limits,
    secret::SecretName,
    units::Coordinate,
    wire::{self, Corners, Point, Whole},
};

/// No parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// `zoom`: a part of the screen as large as the session's screen allows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoomParams {
    /// `[x0, y0, x1, y1]`, half-open, in session coordinates.
    pub region: Corners,
}

/// `left_click`, `right_click`, `middle_click`, `double_click`, `triple_click`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClickAtParams {
    /// Where; the pointer's place when absent.
    pub coordinate: Option<Point>,
    /// A chord held during the click, such as `ctrl+shift`.
    pub text: Option<String>,
}

/// `left_click_drag`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftClickDragParams {
    /// Where the button goes down; the pointer's place when absent.
    pub start_coordinate: Option<Point>,
    /// Where the button goes up.
    pub coordinate: Point,
    /// A chord held during the drag.
    pub text: Option<String>,
}

/// `mouse_move`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MouseMoveParams {
    /// Where to.
    pub coordinate: Point,
}

/// `scroll`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrollParams {
    /// Which way.
    pub scroll_direction: ScrollDirection,
    /// 1 to 100 notches.
    pub scroll_amount: Whole,
    /// Where; the pointer's place when absent.
    pub coordinate: Option<Point>,
    /// A chord held while scrolling.
    pub text: Option<String>,
}

/// `scroll_pixels`: rounded to whole notches of the wheel, which has no finer unit; vertical notches first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrollPixelsParams {
    /// Where; the pointer's place when absent.
    pub coordinate: Option<Point>,
    /// Pixels to the right, negative to the left. They are the application's own, whatever the size of the session's
    /// pictures: one notch is 53 of them unless the server is configured otherwise (`pixels_per_notch`).
    pub dx: Whole,
    /// Pixels down, negative up.
    pub dy: Whole,
    /// A chord held while scrolling.
    pub text: Option<String>,
}

/// `type`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypeParams {
    /// At most 16,384 characters.
    pub text: Option<String>,
    /// The name of a secret in place of the text.
    pub secret: Option<String>,
}

/// `key`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyParams {
    /// `+` joins a chord, white space separates chords pressed in turn.
    pub text: String,
    /// 1 to 100 times.
    pub repeat: Option<Whole>,
}

/// `hold_key`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldKeyParams {
    /// One chord.
    pub text: String,
    /// 0 to 300 seconds.
    pub duration: f64,
}

/// `wait`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitParams {
    /// 0 to 300 seconds.
    pub duration: f64,
}

/// `click`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClickParams {
    /// Which button; left when absent.
    pub button: Option<Button>,
    /// 1 to 3; 1 when absent.
    pub count: Option<Whole>,
    /// Where; the pointer's place when absent.
    pub coordinate: Option<Point>,
    /// A chord held during the click.
    pub text: Option<String>,
}

/// `mouse_down` and `mouse_up`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ButtonParams {
    /// Which button.
    pub button: Button,
}

/// `drag`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DragParams {
    /// 2 to 10,000 points; the button goes down at the first and up at the last.
    pub path: Vec<Point>,
    /// Which button; left when absent.
    pub button: Option<Button>,
    /// A chord held during the drag.
    pub text: Option<String>,
}

/// `key_down` and `key_up`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChordParams {
    /// One chord.
    pub text: String,
}

/// `paste`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasteParams {
    /// As long as the message allows.
    pub text: String,
}

/// Parameters that become an action once their own limits are checked.
pub trait IntoAction {
    /// # Errors
    /// `out_of_range` and `invalid_params`, naming the parameter.
    fn into_action(self) -> Result<Action, Failure>;
}

impl ClickAtParams {
    /// A click of this button, so many times.
    pub fn into_click(self, button: Button, count: u8) -> Action {
        Action::Click { button, count, at: self.coordinate.map(Into::into), held: self.text.map(ChordText) }
    }
}

impl IntoAction for ZoomParams {
    fn into_action(self) -> Result<Action, Failure> {
        Ok(Action::Zoom { region: self.region.into() })
    }
}

impl IntoAction for LeftClickDragParams {
    fn into_action(self) -> Result<Action, Failure> {
        Ok(Action::Drag {
            start: self.start_coordinate.map(Into::into),
            path: vec![self.coordinate.into()],
            button: Button::Left,
            held: self.text.map(ChordText),
        })
    }
}

impl IntoAction for MouseMoveParams {
    fn into_action(self) -> Result<Action, Failure> {
        Ok(Action::MouseMove { at: self.coordinate.into() })
    }
}

impl IntoAction for ScrollParams {
    fn into_action(self) -> Result<Action, Failure> {
        Ok(Action::Scroll {
            direction: self.scroll_direction,
            notches: wire::count("scroll_amount", self.scroll_amount, limits::SCROLL_NOTCHES_MAX)?,
            at: self.coordinate.map(Into::into),
            held: self.text.map(ChordText),
        })
    }
}

impl IntoAction for ScrollPixelsParams {
    fn into_action(self) -> Result<Action, Failure> {
        Ok(Action::ScrollPixels {
            dx: self.dx.0,
            dy: self.dy.0,
            at: self.coordinate.map(Into::into),
            held: self.text.map(ChordText),
        })
    }
}

impl IntoAction for TypeParams {
    fn into_action(self) -> Result<Action, Failure> {
        let text = match (self.text, self.secret) {
            (Some(text), None) => text,
            (None, Some(name)) => return SecretName::check("secret", name).map(|name| Action::TypeSecret { name }),
            _ => return Err(Failure::new(ErrorKind::InvalidParams, "type takes either `text` or `secret`")),
        };
        let characters = text.chars().count();
        if characters > limits::TEXT_CHARACTERS {
            let most = limits::TEXT_CHARACTERS;
            return Err(wire::out_of_range("characters in text", characters, &format!("0..={most}; send it in parts")));
        }
        refuse_zero(&text, "which no keyboard has")?;
        Ok(Action::Type { text })
    }
}

impl IntoAction for PasteParams {
    fn into_action(self) -> Result<Action, Failure> {
        refuse_zero(&self.text, "at which applications end a text")?;
        Ok(Action::Paste { text: self.text })
    }
}

/// Refuses U+0000, for this reason.
fn refuse_zero(text: &str, reason: &str) -> Result<(), Failure> {
    match text.chars().position(|character| character == '\0') {
        Some(index) => {
            let message = format!("character {index} of text is U+0000, {reason}; leave it out");
            Err(Failure::new(ErrorKind::InvalidParams, message))
        }
        None => Ok(()),
    }
}

impl IntoAction for KeyParams {
    fn into_action(self) -> Result<Action, Failure> {
        let repeat = self.repeat.map_or(Ok(1), |repeat| wire::count("repeat", repeat, limits::KEY_REPEAT_MAX))?;
        Ok(Action::Key { chords: chords(&self.text), repeat })
    }
}

/// Chords are separated by white space, but a single space is the space key. Any other text without a key stays one chord,
/// which the key table refuses with its own words.
fn chords(text: &str) -> Vec<ChordText> {
    if text.trim().is_empty() {
        return vec![ChordText(text.to_owned())];
    }
    text.split_whitespace().map(|chord| ChordText(chord.to_owned())).collect()
}

impl IntoAction for HoldKeyParams {
    fn into_action(self) -> Result<Action, Failure> {
        Ok(Action::HoldKey { chord: ChordText(self.text), duration: wire::seconds(self.duration)? })
    }
}

impl IntoAction for WaitParams {
    fn into_action(self) -> Result<Action, Failure> {
        Ok(Action::Wait { duration: wire::seconds(self.duration)? })
    }
}

impl IntoAction for ClickParams {
    fn into_action(self) -> Result<Action, Failure> {
        Ok(Action::Click {
            button: self.button.unwrap_or_default(),
            count: self.count.map_or(Ok(1), |count| wire::count("count", count, limits::CLICK_COUNT_MAX))?,
            at: self.coordinate.map(Into::into),
            held: self.text.map(ChordText),
        })
    }
}

impl IntoAction for DragParams {
    fn into_action(self) -> Result<Action, Failure> {
        let points = self.path.len();
        if !(limits::DRAG_POINTS_MIN..=limits::DRAG_POINTS_MAX).contains(&points) {
            let range = format!("{}..={}", limits::DRAG_POINTS_MIN, limits::DRAG_POINTS_MAX);
            return Err(wire::out_of_range("points in path", points, &range));
        }
        let mut path = self.path.into_iter().map(Coordinate::from);
        Ok(Action::Drag {
            start: path.next(),
            path: path.collect(),
            button: self.button.unwrap_or_default(),
            held: self.text.map(ChordText),
        })
    }
}
