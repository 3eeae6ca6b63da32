//! What is held, by the rules that a controller relies on.

use std::collections::BTreeSet;

use serde_json::Value;

use super::deeds::{Button, Deed, Key};

/// Keys by their symbols and buttons by their numbers.
pub type Names = (BTreeSet<String>, BTreeSet<u8>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    keys: BTreeSet<Key>,
    buttons: BTreeSet<Button>,
    /// The last action did nothing and failed: an action that had begun released everything, one that had not released nothing,
    /// and its error does not tell which.
    may_be_empty: bool,
    /// The last action typed a text: its characters may stand on the key of a letter that was held, which is up then.
    letters_may_be_up: bool,
}

impl Model {
    /// An action was done.
    pub fn done(&mut self, deed: &Deed) {
        self.may_be_empty = false;
        self.letters_may_be_up = matches!(deed, Deed::Type(_));
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
        if error["data"]["executed"] == "no" {
            self.may_be_empty = true;
        } else {
            *self = Self::default();
        }
    }

    /// The names of the keys and the numbers of the buttons that are held, given what the server says.
    pub fn settle(&mut self, told: &Names) -> Names {
        if std::mem::take(&mut self.may_be_empty) && *told == Names::default() {
            *self = Self::default();
        }
        if std::mem::take(&mut self.letters_may_be_up) {
            self.keys.retain(|key| key.is_modifier() || told.0.contains(key.symbol()));
        }
        self.names()
    }

    fn names(&self) -> Names {
        let keys = self.keys.iter().map(|key| key.symbol().to_owned()).collect();
        (keys, self.buttons.iter().map(|button| button.number()).collect())
    }
}

/// `held` of an answer in the same form.
pub fn names(held: &Value) -> Names {
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
