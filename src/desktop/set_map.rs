//! Changes the keymap by one `XkbSetMap`: key types, keys and modifiers at once, on every keyboard of the display.
//!
//! Measured (1,400 characters): the request returns in 1–2 ms. A core `ChangeKeyboardMapping` holds 192 characters and
//! destroys the third and fourth group of the keys that it touches, so it is not used at all.

use x11rb::{
    connection::Connection as _,
    cookie::VoidCookie,
    errors::{ConnectionError, ReplyError},
    protocol::{
        xkb::{self, ConnectionExt as _},
        xproto::{Atom, ConnectionExt as _, ModMask},
    },
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME, XConnection},
    hands::CORE_KEYBOARD,
};
use crate::plan::{
    keymap::{KeyDescription, KeyType, KeymapDescription, ModifierMask},
    step::Keycode,
};

/// The levels of the key types that we add: three modifiers choose among eight.
const LEVELS: u8 = 8;

/// What is different from a keymap that is known.
#[derive(Debug)]
pub struct KeymapChange<'a> {
    /// The keymap before.
    pub before: &'a KeymapDescription,
    /// Key types to add at the end.
    pub types: &'a [KeyType],
    /// Keys as they shall be.
    pub keys: &'a [KeyDescription],
    /// Keys that shall set just these modifiers.
    pub modifiers: &'a [(Keycode, ModifierMask)],
}

/// Sends the change and waits until the server has taken or refused it.
///
/// # Errors
/// [`LinkError::Refused`] when the server takes the map for inconsistent: somebody else changed it meanwhile.
pub fn set_map(link: &Link, change: &KeymapChange<'_>) -> Result<(), LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let send = || -> Result<(), ReplyError> {
        let named = if change.types.is_empty() { None } else { Some(add_types(link, change)?) };
        set_keys(link, change)?.check()?;
        named.map_or(Ok(()), VoidCookie::check)
    };
    send().map_err(|error| link.explain(error))
}

/// Adds the key types and names them. The server leaves the names of new types to chance (seen with 21.1: atoms that do not
/// exist), and clients that ask for them get an error instead of a keymap; both requests go out in one write, so that
/// nobody looks in between.
fn add_types<'a>(link: &'a Link, change: &KeymapChange<'_>) -> Result<Named<'a>, ReplyError> {
    let connection = &link.connection;
    let cookies: Vec<_> = (0..change.types.len())
        .map(|index| connection.intern_atom(false, format!("DESKHAND_EIGHT_LEVEL_{index}").as_bytes()))
        .collect::<Result<_, _>>()?;
    let names: Vec<Atom> =
        cookies.into_iter().map(|cookie| Ok(cookie.reply()?.atom)).collect::<Result<_, ReplyError>>()?;
    let (first, type_count) = (count(change.before.types.len()), count(change.types.len()));
    let types = Some(change.types.iter().map(key_type).collect());
    request(
        link,
        &Ranges { types: (first, type_count), ..Ranges::default() },
        &xkb::SetMapAux { types, ..xkb::SetMapAux::default() },
    )?
    .ignore_error();
    let levels = vec![LEVELS; change.types.len()];
    let no_names = vec![x11rb::NONE; levels.iter().map(|levels| usize::from(*levels)).sum()];
    let name_count = u16::try_from(no_names.len()).unwrap_or(u16::MAX);
    let values = xkb::SetNamesAux::new()
        .type_names(names)
        .kt_level_names(xkb::SetNamesAuxKTLevelNames { n_levels_per_type: levels, kt_level_names: no_names });
    let (none, no_groups) = (xkb::VMod::from(0_u16), xkb::SetOfGroup::from(0_u8));
    Ok(connection.xkb_set_names(
        CORE_KEYBOARD,
        none,
        first,
        type_count,
        first,
        type_count,
        0,
        no_groups,
        0,
        0,
        0,
        0,
        name_count,
        &values,
    )?)
}

fn set_keys<'a>(link: &'a Link, change: &KeymapChange<'_>) -> Result<Named<'a>, ReplyError> {
    let (first_key, keys) = neighbours(change);
    let (first_modifier, modifiers) = modifier_range(change);
    let last_modifier = change.modifiers.iter().map(|(keycode, _)| keycode.0).max();
    // At most 248 keys of 32 symbols.
    let symbols = u16::try_from(keys.iter().map(|key| key.syms.len()).sum::<usize>()).unwrap_or(u16::MAX);
    let ranges = Ranges {
        keys: (first_key, count(keys.len()), symbols),
        modifiers: (first_modifier, last_modifier.map_or(0, |last| last - first_modifier + 1), count(modifiers.len())),
        ..Ranges::default()
    };
    let values = xkb::SetMapAux {
        syms: Some(keys).filter(|keys| !keys.is_empty()),
        modmap: Some(modifiers).filter(|_| last_modifier.is_some()),
        ..xkb::SetMapAux::default()
    };
    Ok(request(link, &ranges, &values)?)
}

type Named<'a> = VoidCookie<'a, XConnection>;

/// The first of each kind and how many there are; of keys also their symbols, of modifiers also the entries.
#[derive(Debug, Default)]
struct Ranges {
    types: (u8, u8),
    keys: (u8, u8, u16),
    modifiers: (u8, u8, u8),
}

fn request<'a>(link: &'a Link, ranges: &Ranges, values: &xkb::SetMapAux) -> Result<Named<'a>, ConnectionError> {
    let setup = link.connection.setup();
    // Resizing cuts the types off behind the last that is named, so it is asked for only where some are.
    let resize = if ranges.types.1 == 0 { xkb::SetMapFlags::from(0_u16) } else { xkb::SetMapFlags::RESIZE_TYPES };
    let flags = resize | xkb::SetMapFlags::RECOMPUTE_ACTIONS;
    let Ranges { types: (first_type, types), keys: (first_key, keys, symbols), .. } = ranges;
    let Ranges { modifiers: (first, span, entries), .. } = ranges;
    // The zeros: no actions, behaviours, explicit components and virtual modifiers.
    link.connection.xkb_set_map(
        CORE_KEYBOARD,
        flags,
        setup.min_keycode,
        setup.max_keycode,
        *first_type,
        *types,
        *first_key,
        *keys,
        *symbols,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        *first,
        *span,
        *entries,
        0,
        0,
        0,
        xkb::VMod::from(0_u16),
        values,
    )
}

/// The request names a run of keys, so those between the changed ones are sent as they are.
fn neighbours(change: &KeymapChange<'_>) -> (u8, Vec<xkb::KeySymMap>) {
    let changed = |key: &&KeyDescription| change.keys.iter().find(|changed| changed.keycode == key.keycode);
    let keycodes = || change.keys.iter().map(|key| key.keycode);
    let (Some(first), Some(last)) = (keycodes().min(), keycodes().max()) else { return (0, Vec::new()) };
    let run = change.before.keys.iter().filter(|key| (first..=last).contains(&key.keycode));
    (first.0, run.map(|key| symbols(changed(&key).unwrap_or(key))).collect())
}

fn symbols(key: &KeyDescription) -> xkb::KeySymMap {
    xkb::KeySymMap {
        kt_index: key.types,
        group_info: key.group_info,
        width: key.width,
        syms: key.symbols.iter().map(|keysym| keysym.0).collect(),
    }
}

/// The run of keys that the request's modifier map is about: those between that set none are named by being absent, so
/// every one that does set some is repeated.
fn modifier_range(change: &KeymapChange<'_>) -> (u8, Vec<xkb::KeyModMap>) {
    let keycodes = || change.modifiers.iter().map(|(keycode, _)| *keycode);
    let (Some(first), Some(last)) = (keycodes().min(), keycodes().max()) else { return (0, Vec::new()) };
    let known = change.before.modifiers.iter().filter(|(keycode, _)| {
        (first..=last).contains(keycode) && change.modifiers.iter().all(|(changed, _)| changed != keycode)
    });
    let mut all: Vec<_> = known.chain(change.modifiers).filter(|(_, mask)| !mask.is_empty()).collect();
    all.sort_unstable_by_key(|(keycode, _)| *keycode);
    let entry = |(keycode, mask): &(Keycode, ModifierMask)| xkb::KeyModMap { keycode: keycode.0, mods: wire(*mask) };
    (first.0, all.into_iter().map(entry).collect())
}

fn key_type(key_type: &KeyType) -> xkb::SetKeyType {
    let no_virtual = xkb::VMod::from(0_u16);
    let entry = |entry: &crate::plan::keymap::TypeEntry| xkb::KTSetMapEntry {
        level: entry.level,
        real_mods: wire(entry.modifiers),
        virtual_mods: no_virtual,
    };
    xkb::SetKeyType {
        mask: wire(key_type.modifiers),
        real_mods: wire(key_type.modifiers),
        virtual_mods: no_virtual,
        num_levels: LEVELS,
        preserve: false,
        entries: key_type.entries.iter().map(entry).collect(),
        preserve_entries: Vec::new(),
    }
}

fn wire(mask: ModifierMask) -> ModMask {
    ModMask::from(mask.0)
}

/// Key types and keys are counted in a byte.
fn count(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}
