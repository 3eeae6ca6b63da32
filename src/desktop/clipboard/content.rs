//! What a selection holds, and what of it answers a request (ICCCM, section 2.6.2).

use std::sync::Arc;

use x11rb::protocol::xproto::{Atom, AtomEnum};

use super::atoms::Atoms;

/// A selection's content: a text, and what else was kept of a former owner's.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) text: Option<Arc<str>>,
    pub(super) flavours: Vec<Flavour>,
}

/// One form of a content, as its owner gave it.
#[derive(Clone, Debug)]
pub(super) struct Flavour {
    pub(super) target: Atom,
    pub(super) value: Value,
}

/// What goes into a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) kind: Atom,
    /// Bits of an element: 8, 16 or 32.
    pub(super) format: u8,
    pub(super) bytes: Arc<[u8]>,
}

impl Content {
    pub(super) fn of_text(text: Arc<str>) -> Self {
        Self { text: Some(text), flavours: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_none() && self.flavours.is_empty()
    }

    /// The targets that can be asked for.
    pub(super) fn targets(&self, atoms: &Atoms) -> Vec<Atom> {
        let mut targets = vec![atoms.TARGETS, atoms.TIMESTAMP, atoms.MULTIPLE];
        if let Some(text) = &self.text {
            targets.extend([atoms.UTF8_STRING, atoms.TEXT_PLAIN_UTF_8, atoms.TEXT, atoms.TEXT_PLAIN]);
            if is_latin_1(text) {
                targets.push(AtomEnum::STRING.into());
            }
        }
        targets.extend(self.flavours.iter().map(|flavour| flavour.target));
        targets
    }

    /// The content in the form of this target, if it has one.
    pub(super) fn value(&self, target: Atom, atoms: &Atoms) -> Option<Value> {
        if let Some(flavour) = self.flavours.iter().find(|flavour| flavour.target == target) {
            return Some(flavour.value.clone());
        }
        let text = self.text.as_ref()?;
        let string = Atom::from(AtomEnum::STRING);
        let utf_8 = |kind| Value { kind, format: 8, bytes: Arc::clone(text).into() };
        if target == atoms.UTF8_STRING || target == atoms.TEXT_PLAIN || target == atoms.TEXT_PLAIN_UTF_8 {
            return Some(utf_8(target));
        }
        let wants_string = target == string || target == atoms.TEXT;
        if wants_string && is_latin_1(text) {
            return Some(Value { kind: string, format: 8, bytes: text.chars().map(latin_1).collect() });
        }
        // The owner chooses the form of TEXT; STRING has only one.
        (target == atoms.TEXT).then(|| utf_8(atoms.UTF8_STRING))
    }
}

fn is_latin_1(text: &str) -> bool {
    text.chars().all(|character| u32::from(character) <= 0xff)
}

fn latin_1(character: char) -> u8 {
    u8::try_from(u32::from(character)).unwrap_or(b'?')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atoms() -> Atoms {
        Atoms {
            CLIPBOARD: 101,
            TARGETS: 102,
            TIMESTAMP: 103,
            MULTIPLE: 104,
            ATOM_PAIR: 105,
            INCR: 106,
            UTF8_STRING: 107,
            TEXT: 108,
            TEXT_PLAIN: 109,
            TEXT_PLAIN_UTF_8: 110,
            TEXT_HTML: 111,
            TEXT_URI_LIST: 112,
            COPIED_FILES: 113,
            IMAGE_PNG: 114,
            _DESKHAND_SELECTION: 115,
        }
    }

    const STRING: Atom = 31;

    #[test]
    fn a_text_of_latin_1_is_also_a_string_of_one_byte_a_character() {
        let content = Content::of_text("né\t".into());
        assert!(content.targets(&atoms()).contains(&STRING));
        for target in [STRING, atoms().TEXT] {
            let value = content.value(target, &atoms()).unwrap();
            assert_eq!((value.kind, value.format, &*value.bytes), (STRING, 8, b"n\xe9\t".as_slice()));
        }
        assert_eq!(&*content.value(atoms().UTF8_STRING, &atoms()).unwrap().bytes, "né\t".as_bytes());
    }

    #[test]
    fn a_text_that_no_string_can_hold_is_never_given_as_one() {
        let content = Content::of_text("né漢".into());
        assert!(!content.targets(&atoms()).contains(&STRING));
        assert_eq!(content.value(STRING, &atoms()), None);
        let text = content.value(atoms().TEXT, &atoms()).unwrap();
        assert_eq!((text.kind, &*text.bytes), (atoms().UTF8_STRING, "né漢".as_bytes()));
    }

    #[test]
    fn what_was_kept_comes_back_as_it_was() {
        let value = Value { kind: 114, format: 8, bytes: Arc::from(b"png".as_slice()) };
        let content = Content { text: None, flavours: vec![Flavour { target: 114, value: value.clone() }] };
        assert_eq!(content.value(114, &atoms()), Some(value));
        assert_eq!(content.value(atoms().UTF8_STRING, &atoms()), None);
        assert_eq!(content.targets(&atoms()), [102, 103, 104, 114]);
    }
}
