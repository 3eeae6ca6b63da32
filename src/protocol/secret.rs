//! Secrets: texts that a controller can have typed by name and never sees.

use std::{
    any::Any,
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::{
    error::{ErrorKind, Failure},
    json, limits,
    window::WindowMatch,
    wire,
};

/// A secret's name: 1 to 64 of `A-Z a-z 0-9 _ . -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(with = "String")]
pub struct SecretName(String);

impl SecretName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks a name that came as the parameter `parameter`.
    ///
    /// # Errors
    /// `invalid_params`.
    pub(super) fn check(parameter: &str, text: String) -> Result<Self, Failure> {
        Self::try_from(text).map_err(|rule| Failure::new(ErrorKind::InvalidParams, format!("{parameter} = {rule}")))
    }
}

impl TryFrom<String> for SecretName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if (1..=limits::SECRET_NAME_CHARACTERS).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text));
        }
        let (text, most) = (json::clipped(&text), limits::SECRET_NAME_CHARACTERS);
        Err(format!("`{text}` is not 1 to {most} of the characters A-Z a-z 0-9 _ . -"))
    }
}

impl std::fmt::Display for SecretName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The secrets that the holder of a token may have typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretAccess {
    /// None at all.
    None,
    /// Those of these names.
    Named(Arc<BTreeSet<SecretName>>),
    /// All of them.
    #[default]
    All,
}

impl SecretAccess {
    /// Whether that secret is one of them.
    pub fn includes(&self, name: &SecretName) -> bool {
        match self {
            Self::None => false,
            Self::Named(names) => names.contains(name),
            Self::All => true,
        }
    }
}

/// The size of the pages that the system keeps in memory one by one, on all processors that Deskhand is made for; larger ones are
/// multiples, and then neighbours are kept as well.
const PAGE_BYTES: usize = 4096;

/// The text of a secret, on pages of its own, wiped when it goes. It has no way into a message: what shows it prints a word.
pub struct SecretText {
    /// What keeps the pages from being written to a disk, from whoever can ask the system for it. Goes before the pages do.
    keeper: OnceLock<Box<dyn Any + Send + Sync>>,
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl SecretText {
    /// Takes a text over.
    ///
    /// # Errors
    /// `invalid_params`, `out_of_range`: what cannot be typed in one piece. The message says nothing of the text but its length.
    pub fn new(text: &str) -> Result<Self, Failure> {
        let characters = text.chars().count();
        if !(1..=limits::SECRET_CHARACTERS).contains(&characters) {
            let range = format!("1..={}", limits::SECRET_CHARACTERS);
            return Err(wire::out_of_range("characters in value", characters, &range));
        }
        // Whether such a character overtakes others can only be learned from the application, which is not served meanwhile.
        if text.chars().any(|character| character == '\0' || u32::from(character) > 0xffff) {
            let message =
                "value has U+0000 or a character beyond U+FFFF, which cannot be typed in one piece; use another secret";
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        let pages = text.len().div_ceil(PAGE_BYTES);
        let mut memory = vec![0_u8; (pages + 1) * PAGE_BYTES];
        let start = memory.as_ptr().align_offset(PAGE_BYTES).min(PAGE_BYTES);
        memory[start..start + text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { keeper: OnceLock::new(), memory, start, length: text.len() })
    }

    /// The text.
    pub fn expose(&self) -> &str {
        let bytes = self.memory.get(self.start..self.start + self.length);
        // It was one when it came in, and nothing changes it.
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The pages that it is on.
    pub fn pages(&self) -> &[u8] {
        let length = self.length.div_ceil(PAGE_BYTES) * PAGE_BYTES;
        self.memory.get(self.start..self.start + length).unwrap_or_default()
    }

    /// What keeps its pages in memory from now on, until the text goes.
    pub fn keep(&self, keeper: impl Any + Send + Sync) {
        // A second one has nothing to add.
        drop(self.keeper.set(Box::new(keeper)));
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.memory.zeroize();
        // The pages are empty now, and still there.
        drop(self.keeper.take());
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[secret]")
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for SecretText {}

/// What becomes of pictures once a secret has been typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Taint {
    /// There are none, nor a list of windows, until the condition clears.
    #[default]
    Refuse,
    /// The window is painted over in them. What a person could copy out of it can be seen elsewhere.
    Mask,
}

/// Whether other programs may be connected to the display while a secret is typed. Every one of them can read all keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confinement {
    /// Only the window's own and those that the server was told of.
    #[default]
    Required,
    /// Any.
    NotRequired,
}

/// When pictures come again: at the first of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clearing {
    /// So long after the secret was typed.
    pub after: Option<Duration>,
    /// When the window that it was typed into is no longer there.
    pub window_gone: bool,
}

/// Where a secret may be typed, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRule {
    /// The window by class and title.
    pub window: Option<WindowMatch>,
    /// The path of the executable of its process.
    pub executable: Option<String>,
    /// Who else may be connected.
    pub confinement: Confinement,
    /// What becomes of pictures.
    pub taint: Taint,
    /// Until when.
    pub clearing: Clearing,
}

/// A secret as it comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct Secret {
    /// Its text.
    pub text: Arc<SecretText>,
    /// Where it may be typed.
    pub rule: SecretRule,
    /// How long it is kept; for ever when absent.
    pub lifetime: Option<Duration>,
    /// How often it may be typed; any number of times when absent.
    pub uses: Option<u32>,
}

/// What a request does with secrets.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretCall {
    /// Keeps one, in place of an earlier one of the name.
    Put(SecretName, Box<Secret>),
    /// Forgets one.
    Forget(SecretName),
    /// Tells which there are.
    List,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_on_pages_of_its_own_and_shows_nothing_of_itself() {
        for text in ["a", &"ß".repeat(limits::SECRET_CHARACTERS)] {
            let secret = SecretText::new(text).expect("a text");
            assert_eq!((secret.expose(), format!("{secret:?}").as_str()), (text, "[secret]"));
            assert_eq!((secret.pages().as_ptr().align_offset(PAGE_BYTES), secret.pages().len() % PAGE_BYTES), (0, 0));
            assert!(secret.pages().starts_with(text.as_bytes()));
        }
    }

    #[test]
    fn whoever_may_have_none_typed_has_none() {
        let name = SecretName::try_from("a".to_owned()).expect("a name");
        assert!(!SecretAccess::None.includes(&name) && SecretAccess::All.includes(&name));
        assert!(SecretAccess::Named(Arc::new([name.clone()].into())).includes(&name));
    }
}
