//! What a controller may do in a sequence, and how it may end.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, prop_oneof},
    sample::select,
};
use serde_json::{Value, json};

/// A key that is held or pressed, by what it is to the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Shift,
    Control,
    Alt,
    Function,
    Letter,
}

impl Key {
    /// As a request names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shift => "shift",
            Self::Control => "ctrl",
            Self::Alt => "alt",
            Self::Function => "F9",
            Self::Letter => "z",
        }
    }

    /// As `held` names it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Shift => "Shift_L",
            Self::Control => "Control_L",
            Self::Alt => "Alt_L",
            Self::Function => "F9",
            Self::Letter => "z",
        }
    }

    pub fn is_modifier(self) -> bool {
        matches!(self, Self::Shift | Self::Control | Self::Alt)
    }
}

/// A button of the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Button {
    Left,
    Middle,
    Right,
}

impl Button {
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Middle => "middle",
            Self::Right => "right",
        }
    }

    /// Its number on the display.
    pub fn number(self) -> u8 {
        match self {
            Self::Left => 1,
            Self::Middle => 2,
            Self::Right => 3,
        }
    }
}

/// One action.
#[derive(Clone, Debug)]
pub enum Deed {
    KeyDown(Key),
    KeyUp(Key),
    MouseDown(Button),
    MouseUp(Button),
    Move,
    Click(Button, u8, Option<Key>),
    Drag(Button, Option<Key>),
    Scroll(Option<Key>),
    Tap(Key),
    Hold(Key),
    Type(&'static str),
    Paste,
}

impl Deed {
    /// The request.
    pub fn request(&self) -> (&'static str, Value) {
        let chord = |key: Option<Key>| key.map(Key::name);
        let (method, mut params) = match *self {
            Self::KeyDown(key) => ("key_down", json!({"text": key.name()})),
            Self::KeyUp(key) => ("key_up", json!({"text": key.name()})),
            Self::MouseDown(button) => ("mouse_down", json!({"button": button.name()})),
            Self::MouseUp(button) => ("mouse_up", json!({"button": button.name()})),
            Self::Move => ("mouse_move", json!({"coordinate": [50, 60]})),
            Self::Click(button, count, key) => {
                ("click", json!({"button": button.name(), "count": count, "coordinate": [70, 80], "text": chord(key)}))
            }
            Self::Drag(button, key) => (
                "drag",
                json!({"path": [[20, 20], [200, 150], [90, 300]], "button": button.name(), "text": chord(key)}),
            ),
            Self::Scroll(key) => (
                "scroll",
                json!({"scroll_direction": "down", "scroll_amount": 3, "coordinate": [90, 90], "text": chord(key)}),
            ),
            Self::Tap(key) => ("key", json!({"text": key.name()})),
            Self::Hold(key) => ("hold_key", json!({"text": key.name(), "duration": 0.15})),
            Self::Type(text) => ("type", json!({"text": text})),
            // The window never asks for it: that costs the call its time, and then its `done`.
            Self::Paste => ("paste", json!({"text": "nobody takes it", "_meta": {"deadline_ms": 200}})),
        };
        if params["text"].is_null() {
            params.as_object_mut().unwrap().remove("text");
        }
        (method, params)
    }
}

/// How a turn ends: with its last action's answer, or before that.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    Answer,
    Cancel,
    Deadline,
    /// The controller is gone without a word.
    Abandon,
    /// The executor is asked to stop, and started again.
    Stop,
    /// Every process of the executor is killed, and it is started again.
    Kill,
    /// The X server stands still for a while.
    Freeze,
    /// The X server is killed.
    KillDisplay,
}

/// Some actions, one after the other, and one more that is ended in its own way once the window has seen `events` events of it.
#[derive(Clone, Debug)]
pub struct Turn {
    pub before: Vec<Deed>,
    pub last: Deed,
    pub events: usize,
    pub ending: Ending,
}

fn key() -> impl Strategy<Value = Key> {
    select(vec![Key::Shift, Key::Control, Key::Alt, Key::Function, Key::Letter])
}

fn button() -> impl Strategy<Value = Button> {
    select(vec![Button::Left, Button::Middle, Button::Right])
}

/// Texts of the layout, of the wide keymap, and of pages, without the letter that may be held.
const TEXTS: [&str; 4] = ["plain text", "SHIFTED, and not!", "grüße, мир", "世界漢字龘靐齉 𠮷🧑🏽‍🚀"];

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => key().prop_map(Deed::KeyDown),
        2 => key().prop_map(Deed::KeyUp),
        3 => button().prop_map(Deed::MouseDown),
        2 => button().prop_map(Deed::MouseUp),
        1 => Just(Deed::Move),
        2 => (button(), 1..=3u8, option::of(key())).prop_map(|(button, count, key)| Deed::Click(button, count, key)),
        3 => (button(), option::of(key())).prop_map(|(button, key)| Deed::Drag(button, key)),
        1 => option::of(key()).prop_map(Deed::Scroll),
        1 => key().prop_map(Deed::Tap),
        1 => key().prop_map(Deed::Hold),
        3 => select(TEXTS.to_vec()).prop_map(Deed::Type),
        1 => Just(Deed::Paste),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        3 => Just(Ending::Answer),
        4 => Just(Ending::Cancel),
        2 => Just(Ending::Deadline),
        4 => Just(Ending::Abandon),
        1 => Just(Ending::Stop),
        2 => Just(Ending::Kill),
        1 => Just(Ending::Freeze),
        1 => Just(Ending::KillDisplay),
    ]
}

/// Up to six turns.
pub fn sequence() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (vec(deed(), 0..5), deed(), 0..12_usize, ending());
    vec(turn.prop_map(|(before, last, events, ending)| Turn { before, last, events, ending }), 1..7)
}
