//! What is held, by the rules that a controller relies on.

use std::collections::BTreeSet;

use serde_json::Value;

use super::deeds::{Button, Deed, Key};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    keys: BTreeSet<Key>,
    buttons: BTreeSet<Button>,
}

impl Model {
    /// An action was done.
    pub fn done(&mut self, deed: &Deed) {
        match deed {
            Deed::KeyDown(key) => {
                self.keys.insert(*key);
            }
            // A key that goes up is up, whatever pressed it before.
            Deed::KeyUp(key) | Deed::Tap(key) | Deed::Hold(key) => {
                self.keys.remove(key);
            }
            Deed::MouseDown(button) => {
                self.buttons.insert(*button);
            }
            Deed::MouseUp(button) => {
                self.buttons.remove(button);
            }
            Deed::Click(button, _, key) | Deed::Drag(button, key) => {
                self.buttons.remove(button);
                self.around(*key);
            }
            Deed::Scroll(key) => self.around(*key),
            Deed::Move | Deed::Type(_) | Deed::Paste => {}
        }
    }

    /// A chord around a pointer action leaves a modifier alone that is held already.
    fn around(&mut self, key: Option<Key>) {
        if let Some(key) = key.filter(|key| !key.is_modifier()) {
            self.keys.remove(&key);
        }
    }

    /// An action failed. Once it had begun, it released everything.
    pub fn failed(&mut self, error: &Value) {
        if error["data"]["executed"] != "no" {
            *self = Self::default();
        }
    }

    /// The names of the keys and the numbers of the buttons, sorted.
    pub fn names(&self) -> (BTreeSet<String>, BTreeSet<u8>) {
        let keys = self.keys.iter().map(|key| key.symbol().to_owned()).collect();
        (keys, self.buttons.iter().map(|button| button.number()).collect())
    }
}

/// `held` of an answer in the same form.
pub fn names(held: &Value) -> (BTreeSet<String>, BTreeSet<u8>) {
    let list = |field: &str| held[field].as_array().unwrap_or_else(|| panic!("held: {held}")).clone();
    let number = |name: &Value| match name.as_str().unwrap() {
        "left" => 1,
        "middle" => 2,
        "right" => 3,
        other => panic!("nobody pressed {other}"),
    };
    (
        list("keys").iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        list("buttons").iter().map(number).collect(),
    )
}
