//! Keys of somebody else's keymap that carry our pages for a while: what they were before, so that they can be put back, by
//! us or, when we are killed, by whoever starts next.
//!
//! The record stands in a property of the root window, which outlives us. Any client can write it; it is read as what it
//! may be, and the worst that a forged one does is to change keys, which its author could do without us.
//!
//! Where the layout had no key type of eight levels, two that no key uses stay behind, and with them the modifier of the fifth
//! level: X.Org's server never takes key types away (a shorter list is accepted and ignored, tried with 21.1).

use x11rb::{
    connection::Connection as _,
    errors::ReplyError,
    protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, PropMode},
    wrapper::ConnectionExt as _,
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    set_map::{KeymapChange, set_map},
};
use crate::plan::{
    keymap::{KeyDescription, KeymapDescription, ModifierMask},
    step::{Keycode, Keysym, Page},
};

/// The property's name.
const PROPERTY: &[u8] = b"_DESKHAND_BORROWED_KEYS";
/// The first word of the property: another form would get another number.
const FORM: u32 = 2;
/// 248 keys with 32 symbols and six other words, and the two before them.
const WORDS: u32 = 248 * 38 + 2;
/// The words of a key before its symbols: keycode, groups, types, width, modifiers, how many symbols.
const KEY_WORDS: usize = 6;

/// A key as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Original {
    key: KeyDescription,
    modifiers: ModifierMask,
}

/// The keys that are not as their owner left them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BorrowedKeys {
    /// The key type of the pages' groups.
    key_type: u8,
    originals: Vec<Original>,
}

impl BorrowedKeys {
    /// Whether everything is as it was.
    pub fn is_empty(&self) -> bool {
        self.originals.is_empty()
    }

    /// Writes down what a page is about to change, here and on the display.
    pub fn note(&mut self, link: &Link, before: &KeymapDescription, page: &Page) -> Result<(), LinkError> {
        if let Some(key) = page.keys.first() {
            self.key_type = key.types[3];
        }
        let known = self.originals.len();
        let changed = page.keys.iter().map(|key| key.keycode).chain(page.modifier.map(|key| key.keycode));
        for keycode in changed {
            if self.originals.iter().any(|original| original.key.keycode == keycode) {
                continue;
            }
            if let Some(key) = before.key(keycode) {
                let masks = before.modifiers.iter().filter(|(key, _)| *key == keycode);
                let modifiers = masks.fold(ModifierMask::NONE, |all, (_, mask)| all.or(*mask));
                self.originals.push(Original { key: key.clone(), modifiers });
            }
        }
        if self.originals.len() == known { Ok(()) } else { self.write(link) }
    }

    /// Puts the keys back, those of them that are still as a page left them, and forgets them.
    pub fn put_back(&mut self, link: &Link, now: &KeymapDescription) -> Result<(), LinkError> {
        let borrowed = std::mem::take(self);
        let ours = |key: &&Original| now.key(key.key.keycode).is_some_and(|key| is_ours(key, borrowed.key_type));
        let originals: Vec<_> = borrowed.originals.iter().filter(ours).collect();
        let keys: Vec<_> = originals.iter().map(|original| original.key.clone()).collect();
        let modifiers: Vec<_> = originals
            .iter()
            .map(|original| (original.key.keycode, original.modifiers))
            .filter(|(keycode, mask)| !mask.is_empty() || now.modifiers.iter().any(|(key, _)| key == keycode))
            .collect();
        if !keys.is_empty() {
            set_map(link, &KeymapChange { before: now, types: &[], keys: &keys, modifiers: &modifiers })?;
        }
        let delete = || -> Result<(), ReplyError> {
            link.connection.delete_property(link.root, property(link)?)?.ignore_error();
            Ok(link.connection.flush()?)
        };
        delete().map_err(|error| link.explain(error))
    }

    /// What a predecessor wrote and could not put back; nothing where there is no record or none that makes sense.
    pub fn left_behind(link: &Link) -> Result<Self, LinkError> {
        let _limit = link.within(OPERATION_TIME);
        let read = || -> Result<Vec<u32>, ReplyError> {
            let atom = property(link)?;
            let reply = link.connection.get_property(false, link.root, atom, AtomEnum::CARDINAL, 0, WORDS)?.reply()?;
            Ok(reply.value32().map(Iterator::collect).unwrap_or_default())
        };
        Ok(decode(&read().map_err(|error| link.explain(error))?).unwrap_or_default())
    }

    fn write(&self, link: &Link) -> Result<(), LinkError> {
        let _limit = link.within(OPERATION_TIME);
        let words = encode(self);
        let change = || -> Result<(), ReplyError> {
            let (atom, mode) = (property(link)?, PropMode::REPLACE);
            link.connection.change_property32(mode, link.root, atom, AtomEnum::CARDINAL, &words)?.ignore_error();
            Ok(link.connection.flush()?)
        };
        change().map_err(|error| link.explain(error))
    }
}

/// Whether a key is as one of our pages leaves it: four groups, of which the last three have the pages' type, as no layout has
/// it, or it leads to the fifth level, where there was no such key.
fn is_ours(key: &KeyDescription, key_type: u8) -> bool {
    let paged = key.group_info & 0x0f == 4 && key.types[1..] == [key_type; 3];
    paged || key.symbols == [Keysym::LEVEL_5_SHIFT]
}

fn property(link: &Link) -> Result<Atom, ReplyError> {
    Ok(link.connection.intern_atom(false, PROPERTY)?.reply()?.atom)
}

fn encode(borrowed: &BorrowedKeys) -> Vec<u32> {
    let mut words = vec![FORM, borrowed.key_type.into()];
    for Original { key, modifiers } in &borrowed.originals {
        let count = u32::try_from(key.symbols.len()).unwrap_or(0);
        words.extend([key.keycode.0.into(), key.group_info.into(), u32::from_le_bytes(key.types)]);
        words.extend([key.width.into(), modifiers.0.into(), count]);
        words.extend(key.symbols.iter().map(|keysym| keysym.0));
    }
    words
}

fn decode(words: &[u32]) -> Option<BorrowedKeys> {
    let byte = |word: u32| u8::try_from(word).ok();
    let (&[FORM, key_type], mut rest) = words.split_first_chunk::<2>()? else { return None };
    let mut originals = Vec::new();
    while let Some((&[keycode, group_info, types, width, modifiers, count], symbols)) =
        rest.split_first_chunk::<KEY_WORDS>()
    {
        let (symbols, later) = symbols.split_at_checked(usize::try_from(count).ok()?)?;
        let key = KeyDescription {
            keycode: Keycode(byte(keycode)?),
            group_info: byte(group_info)?,
            types: types.to_le_bytes(),
            width: byte(width)?,
            symbols: symbols.iter().map(|&word| Keysym(word)).collect(),
        };
        originals.push(Original { key, modifiers: ModifierMask(byte(modifiers)?) });
        rest = later;
    }
    Some(BorrowedKeys { key_type: byte(key_type)?, originals })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn borrowed() -> BorrowedKeys {
        let key = |keycode, symbols: &[u32]| KeyDescription {
            keycode: Keycode(keycode),
            group_info: 1,
            types: [1, 0, 0, 0],
            width: 2,
            symbols: symbols.iter().map(|&keysym| Keysym(keysym)).collect(),
        };
        let original = |key, mask| Original { key, modifiers: ModifierMask(mask) };
        BorrowedKeys {
            key_type: 28,
            originals: vec![original(key(203, &[0xff7e, 0]), 0x80), original(key(250, &[]), 0)],
        }
    }

    #[test]
    fn the_record_is_read_as_it_was_written() {
        assert_eq!(decode(&encode(&borrowed())), Some(borrowed()));
    }

    #[test]
    fn a_record_that_makes_no_sense_is_no_record() {
        let words = encode(&borrowed());
        for broken in [&words[..1], &words[..words.len() - 7], &[FORM, 1, 300, 0, 0, 0, 0, 0][..], &[1, 1][..], &[]] {
            assert!(decode(broken).is_none_or(|borrowed| borrowed.originals.len() < 2), "{broken:?}");
        }
        let endless = [&words[..2], &[9, 1, 0, 1, 0, u32::MAX, 0]].concat();
        assert_eq!(decode(&endless), None);
    }
}
