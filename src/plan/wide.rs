//! The wide keymap: on a display of our own the layout keeps every key that it has, and some five thousand further characters
//! stand beside them, so that hardly any text needs the keymap to change.

use super::{
    hosts::{Host, Purpose, Room, hosts},
    keymap::{Keymap, KeymapDescription, ModifierMask},
    keysyms::keysym_of_character,
    levels::{PLACES, Place, Symbols},
    pages::{fifth_level_key, our_types},
    step::{Keycode, Keysym, ModifierKey, Page},
    tables::wide_characters::WIDE_CHARACTERS,
};

/// Keys that stay empty, so that the first texts with characters from outside the table take nothing away from it.
const KEYS_LEFT_EMPTY: usize = 2;

/// A keymap with the further characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WideKeymap {
    /// What has to be set.
    pub page: Page,
    /// The keys whose characters may make room for others, those with the rarest first.
    pub paged: Vec<Keycode>,
}

/// What makes a keymap wide; none if it is already.
pub fn widen(map: &KeymapDescription) -> Option<WideKeymap> {
    let keymap = Keymap::new(map.clone());
    let mut level_keys = keymap.level_keys();
    let mut free = hosts(map, Purpose::WholeKeymap);
    let modifier = if level_keys.fifth.is_none() { fifth_level_key(map, &mut free) } else { None };
    if let Some(ModifierKey { keycode, modifier }) = modifier {
        level_keys.fifth = Some((modifier, keycode));
    }
    let (types, lacking) = our_types(map, level_keys);
    if lacking.is_empty() {
        return None;
    }
    let places: Vec<Place> =
        Place::all().filter(|place| level_keys.reach(place.level, ModifierMask::NONE).is_some()).collect();
    let mut characters = WIDE_CHARACTERS
        .chars()
        .filter_map(keysym_of_character)
        .filter(|&keysym| keymap.keycode_of(keysym, super::step::Group(0), ModifierMask::NONE).is_none());
    let (empty, joined): (Vec<Host>, Vec<Host>) = free.into_iter().partition(|host| host.room == Room::Whole);
    // The most frequent stand for good, in the order of their code points: neighbours in a script then share a group and a
    // level, and no modifier goes up and down between two letters of one word.
    let for_good: usize =
        joined.iter().map(|host| places.iter().filter(|place| host.room.is_free(**place)).count()).sum();
    let mut frequent: Vec<Keysym> = characters.by_ref().take(for_good).collect();
    frequent.sort_unstable();
    let mut loads: Vec<Symbols> = vec![[Keysym::NONE; PLACES]; joined.len()];
    let mut next = frequent.into_iter();
    for place in &places {
        for (host, symbols) in joined.iter().zip(&mut loads) {
            if host.room.is_free(*place) {
                symbols[place.index()] = next.next().unwrap_or(Keysym::NONE);
            }
        }
    }
    let mut keys: Vec<_> = joined.iter().zip(&loads).map(|(host, symbols)| host.with(symbols, types)).collect();
    // The rarer ones stand on the empty keys, key by key, so that the rarest go first when something else needs a place.
    let filled = empty.len().saturating_sub(KEYS_LEFT_EMPTY);
    let mut paged = Vec::new();
    for host in &empty[..filled] {
        let mut symbols = [Keysym::NONE; PLACES];
        for place in &places {
            symbols[place.index()] = characters.next().unwrap_or(Keysym::NONE);
        }
        keys.push(host.with(&symbols, types));
        paged.push(host.keycode);
    }
    paged.reverse();
    keys.sort_by_key(|key| key.keycode);
    Some(WideKeymap { page: Page { types: lacking, keys, modifier }, paged })
}
