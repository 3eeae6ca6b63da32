//! Actions to gestures: coordinates to native pixels, key names to keysyms, button names to numbers. Everything that can be
//! wrong in a message is found here, before anything runs.

use super::{
    chord::parse_chord,
    fit::{Geometry, ZoomTarget},
    gesture::{Chord, Gesture},
    notches::Notches,
    step::ButtonNumber,
};
use crate::protocol::{
    action::{Action, Button, ChordText, ScrollDirection},
    error::{ErrorKind, Failure},
    secret::SecretName,
    units::{Coordinate, NativePoint, PixelsPerNotch},
};

/// The most key presses of one `key` call, repetitions included. A text of the longest message repeated 100 times would be
/// millions of them, hours of work and gigabytes of plan.
pub const KEY_PRESSES_MAX: usize = 100_000;

/// What an action comes down to. Looking and acting take different ways from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Changes nothing.
    Look(Look),
    /// For the input thread.
    Act(Gesture),
    /// The same, once the text of this name is known.
    Secret(SecretName),
}

/// An action that only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A picture of the whole screen.
    Screenshot,
    /// A picture of a part.
    Zoom(ZoomTarget),
    /// Where the pointer is.
    CursorPosition,
}

/// What an action means on this screen.
pub fn resolve(action: &Action, geometry: &Geometry, notch: PixelsPerNotch) -> Result<Resolved, Failure> {
    let place = |at: &Option<Coordinate>| at.map(|at| geometry.to_native(at)).transpose();
    let gesture = match action {
        Action::Screenshot => return Ok(Resolved::Look(Look::Screenshot)),
        Action::Zoom { region } => {
            return geometry.zoom_region(*region).map(|target| Resolved::Look(Look::Zoom(target)));
        }
        Action::CursorPosition => return Ok(Resolved::Look(Look::CursorPosition)),
        Action::Click { button, count, at, held } => Gesture::Click {
            at: place(at)?,
            button: button_number(*button),
            count: *count,
            held: chord_of(held.as_ref())?,
        },
        Action::MouseDown { button } => Gesture::PressButton(button_number(*button)),
        Action::MouseUp { button } => Gesture::ReleaseButton(button_number(*button)),
        Action::Drag { start, path, button, held } => Gesture::Drag {
            start: place(start)?,
            path: path.iter().map(|&at| geometry.to_native(at)).collect::<Result<Vec<NativePoint>, _>>()?,
            button: button_number(*button),
            held: chord_of(held.as_ref())?,
        },
        Action::MouseMove { at } => Gesture::Move(geometry.to_native(*at)?),
        Action::Scroll { direction, notches, at, held } => Gesture::Scroll {
            at: place(at)?,
            wheel: wheel_number(*direction),
            notches: *notches,
            held: chord_of(held.as_ref())?,
        },
        Action::ScrollPixels { dx, dy, at, held } => Gesture::ScrollBy {
            at: place(at)?,
            notches: Notches::nearest(*dx, *dy, notch)?,
            held: chord_of(held.as_ref())?,
        },
        Action::Type { text } => Gesture::Type(text.clone()),
        Action::TypeSecret { name } => return Ok(Resolved::Secret(name.clone())),
        Action::Paste { text } => Gesture::Paste(text.clone()),
        Action::Key { chords, repeat } => keys(chords, *repeat)?,
        Action::KeyDown { chord } => Gesture::PressKeys(parse_chord(&chord.0)?),
        Action::KeyUp { chord } => Gesture::ReleaseKeys(parse_chord(&chord.0)?),
        Action::HoldKey { chord, duration } => Gesture::HoldKeys { chord: parse_chord(&chord.0)?, duration: *duration },
        Action::Wait { duration } => Gesture::Wait(*duration),
    };
    Ok(Resolved::Act(gesture))
}

fn chord_of(text: Option<&ChordText>) -> Result<Option<Chord>, Failure> {
    Ok(text.map(|ChordText(text)| parse_chord(text)).transpose()?)
}

fn keys(texts: &[ChordText], repeat: u8) -> Result<Gesture, Failure> {
    let chords = texts.iter().map(|ChordText(text)| parse_chord(text)).collect::<Result<Vec<_>, _>>()?;
    let presses = chords.iter().map(|chord| chord.0.len()).sum::<usize>() * usize::from(repeat);
    if presses > KEY_PRESSES_MAX {
        let message = format!(
            "a call presses at most {KEY_PRESSES_MAX} keys, got {presses}; use several calls, or `type` for text"
        );
        return Err(Failure::new(ErrorKind::OutOfRange, message));
    }
    Ok(Gesture::Keys { chords, repeat })
}

/// The numbers that X clients expect: 1 to 3 by the core protocol, 8 and 9 as toolkits and browsers read them.
const fn button_number(button: Button) -> ButtonNumber {
    ButtonNumber(match button {
        Button::Left => 1,
        Button::Middle => 2,
        Button::Right => 3,
        Button::Back => 8,
        Button::Forward => 9,
    })
}

const fn wheel_number(direction: ScrollDirection) -> ButtonNumber {
    ButtonNumber(match direction {
        ScrollDirection::Up => 4,
        ScrollDirection::Down => 5,
        ScrollDirection::Left => 6,
        ScrollDirection::Right => 7,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        screen::{CoordinateSpace, ScreenFit},
        units::{NativeSize, Region},
    };

    fn resolved(action: &Action) -> Result<Resolved, Failure> {
        let native = NativeSize { width: 1024, height: 768 };
        let geometry = Geometry::new(native, ScreenFit::Native, CoordinateSpace::Screen);
        resolve(action, &geometry, PixelsPerNotch::default())
    }

    fn text(text: &str) -> ChordText {
        ChordText(text.to_owned())
    }

    #[test]
    fn buttons_and_wheels_have_the_numbers_of_x() {
        let buttons = [Button::Left, Button::Middle, Button::Right, Button::Back, Button::Forward];
        let numbers = buttons.map(|button| resolved(&Action::MouseDown { button }).unwrap());
        assert_eq!(numbers, [1, 2, 3, 8, 9].map(|number| Resolved::Act(Gesture::PressButton(ButtonNumber(number)))));
        let directions = [ScrollDirection::Up, ScrollDirection::Down, ScrollDirection::Left, ScrollDirection::Right];
        assert_eq!(directions.map(wheel_number), [4, 5, 6, 7].map(ButtonNumber));
    }

    #[test]
    fn looking_is_never_a_gesture() {
        let region = Region { x0: 0, y0: 0, x1: 10, y1: 10 };
        for action in [Action::Screenshot, Action::Zoom { region }, Action::CursorPosition] {
            assert!(action.is_read());
            assert!(matches!(resolved(&action), Ok(Resolved::Look(_))), "{action:?}");
        }
    }

    #[test]
    fn every_place_and_every_key_name_is_checked() {
        let inside = Coordinate { x: 1023, y: 767 };
        let outside = Coordinate { x: 1024, y: 5 };
        let button = Button::Left;
        for action in [
            Action::MouseMove { at: outside },
            Action::Click { button, count: 1, at: Some(outside), held: None },
            Action::Scroll { direction: ScrollDirection::Up, notches: 1, at: Some(outside), held: None },
            Action::ScrollPixels { dx: 0, dy: 0, at: Some(outside), held: None },
            Action::ScrollPixels { dx: 0, dy: 5327, at: None, held: None },
            Action::Drag { start: Some(outside), path: vec![inside], button, held: None },
            Action::Drag { start: None, path: vec![inside, outside, inside], button, held: None },
            Action::Zoom { region: Region { x0: 0, y0: 0, x1: 1025, y1: 5 } },
            Action::KeyDown { chord: text(&["a"; 33].join("+")) },
        ] {
            assert_eq!(resolved(&action).unwrap_err().kind, ErrorKind::OutOfRange, "{action:?}");
        }
        let held = Some(text("hyper+bogus"));
        for action in [
            Action::Click { button, count: 1, at: Some(inside), held: held.clone() },
            Action::Scroll { direction: ScrollDirection::Up, notches: 1, at: None, held: held.clone() },
            Action::Drag { start: None, path: vec![inside], button, held },
            Action::Key { chords: vec![text("a"), text("ctrl+")], repeat: 1 },
            Action::KeyUp { chord: text("") },
            Action::HoldKey { chord: text("a b"), duration: std::time::Duration::ZERO },
        ] {
            assert_eq!(resolved(&action).unwrap_err().kind, ErrorKind::InvalidParams, "{action:?}");
        }
    }

    #[test]
    fn the_key_presses_of_a_call_are_bounded() {
        let keys = |chords: &[&str], repeat| {
            resolved(&Action::Key { chords: chords.iter().map(|chord| text(chord)).collect(), repeat })
        };
        let Ok(Resolved::Act(Gesture::Keys { chords, repeat: 3 })) = keys(&["ctrl+a", "Delete"], 3) else {
            panic!("a key action presses keys");
        };
        assert_eq!(chords.len(), 2);
        assert!(keys(&["a"; KEY_PRESSES_MAX / 100], 100).is_ok());
        let failure = keys(&["a"; KEY_PRESSES_MAX / 100 + 1], 100).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::OutOfRange);
    }
}
