//! What a request would do, in words for a person who is to consent to it. What is typed is not among them.

use crate::{
    plan::{chord::parse_chord, chord_pattern::fold, keysyms::unicode_of, step::Keysym},
    protocol::{
        action::{Action, Button, ChordText},
        call::Call,
        units::Coordinate,
        window::SeenWindow,
    },
};

/// As much of a title as a person needs.
const SHOWN: usize = 80;
/// How many chords are named.
const CHORDS: usize = 8;
/// With these down a key is a command and no text: Control, Alt, Super, folded.
const COMMANDS: [Keysym; 3] = [Keysym(0xffe3), Keysym(0xffe9), Keysym(0xffeb)];

/// An action for a window.
pub fn summary(method: &str, action: &Action, target: Option<&SeenWindow>) -> String {
    let what = what(action);
    let what = if what.is_empty() { method.to_owned() } else { format!("{method} {what}") };
    let Some(target) = target else { return what };
    let shorten = |text: &str| text.chars().take(SHOWN).collect::<String>();
    format!("{what} in \"{}\" of class \"{}\"", shorten(&target.title), shorten(&target.class[1]))
}

/// A request that is no action.
pub fn call(method: &str, call: &Call) -> String {
    match call {
        Call::Batch(actions) => format!("{method} of {} actions", actions.len()),
        _ => method.to_owned(),
    }
}

fn what(action: &Action) -> String {
    match action {
        Action::Screenshot | Action::Zoom { .. } | Action::CursorPosition => String::new(),
        Action::Click { button, count, at, held } => {
            format!("{}{}{}{}", named(*button), times(*count), place(*at), with(held.as_ref()))
        }
        Action::MouseDown { button } | Action::MouseUp { button } => named(*button).to_owned(),
        Action::Drag { start, path, held, .. } => {
            let end = path.last().copied();
            format!("from{} to{}{}", place_or_pointer(*start), place(end), with(held.as_ref()))
        }
        Action::MouseMove { at } => format!("to{}", place(Some(*at))),
        Action::Scroll { notches, at, held, .. } => format!("{notches} notches{}{}", place(*at), with(held.as_ref())),
        Action::ScrollPixels { dx, dy, at, held } => format!("by {dx}, {dy}{}{}", place(*at), with(held.as_ref())),
        Action::TypeSecret { name } => format!("the secret `{name}`"),
        Action::Type { text } | Action::Paste { text } => format!("{} characters", text.chars().count()),
        Action::Key { chords: all, repeat } => format!("{}{}", chords(all), times(*repeat)),
        Action::KeyDown { chord } | Action::KeyUp { chord } => shown(chord),
        Action::HoldKey { chord, duration } => format!("{} for {} s", shown(chord), duration.as_secs_f32()),
        Action::Wait { duration } => format!("{} s", duration.as_secs_f32()),
    }
}

const fn named(button: Button) -> &'static str {
    match button {
        Button::Left => "left",
        Button::Middle => "middle",
        Button::Right => "right",
        Button::Back => "back",
        Button::Forward => "forward",
    }
}

fn times(count: u8) -> String {
    if count == 1 { String::new() } else { format!(" {count} times") }
}

fn place(at: Option<Coordinate>) -> String {
    at.map_or_else(String::new, |Coordinate { x, y }| format!(" ({x}, {y})"))
}

fn place_or_pointer(at: Option<Coordinate>) -> String {
    if at.is_none() { " the pointer".to_owned() } else { place(at) }
}

fn with(held: Option<&ChordText>) -> String {
    held.map_or_else(String::new, |chord| format!(" with {}", shown(chord)))
}

fn chords(all: &[ChordText]) -> String {
    let mut named: Vec<_> = all.iter().take(CHORDS).map(shown).collect();
    if all.len() > CHORDS {
        named.push(format!("and {} more", all.len() - CHORDS));
    }
    named.join(" ")
}

/// A chord, but for what is a character of a text.
fn shown(ChordText(text): &ChordText) -> String {
    let Ok(chord) = parse_chord(text) else { return "keys".to_owned() };
    let is_command = chord.0.iter().any(|keysym| COMMANDS.contains(&fold(*keysym)));
    let is_character = |keysym: &Keysym| unicode_of(*keysym).is_some_and(|character| character != ' ');
    if !is_command && chord.0.iter().any(is_character) { "a character".to_owned() } else { text.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_what_and_where_and_never_what_is_typed() {
        let window = SeenWindow {
            title: "Transfer – Bank".to_owned(),
            class: ["bank".to_owned(), "Bank".to_owned()],
            ..SeenWindow::default()
        };
        let key = |text: &str| Action::Key {
            chords: text.split(' ').map(|chord| ChordText(chord.to_owned())).collect(),
            repeat: 1,
        };
        for (method, action, expected) in [
            ("type", Action::Type { text: "hunter2".to_owned() }, "type 7 characters"),
            ("key", key("h u ctrl+a Return shift+T"), "key a character a character ctrl+a Return a character"),
            (
                "left_click",
                Action::Click { button: Button::Left, count: 1, at: Some(Coordinate { x: 5, y: 6 }), held: None },
                "left_click left (5, 6)",
            ),
            ("wait", Action::Wait { duration: std::time::Duration::from_secs(2) }, "wait 2 s"),
        ] {
            assert_eq!(summary(method, &action, None), expected);
            assert_eq!(
                summary(method, &action, Some(&window)),
                format!("{expected} in \"Transfer – Bank\" of class \"Bank\"")
            );
        }
        assert_eq!(call("batch", &Call::Batch(vec![Action::Screenshot])), "batch of 1 actions");
    }
}
