//! Reads a keyboard's map and state from the server.
//!
//! The XTEST device's map counts: the server copies the map of the device that last sent an event to the keyboard that
//! clients see, and that device is XTEST's as soon as we press a key.

use x11rb::{
    errors::ReplyError,
    protocol::{
        xinput::ConnectionExt as _,
        xkb::{self, ConnectionExt as _},
        xproto::ModMask,
    },
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    hands::CORE_KEYBOARD,
    ledger::Locks,
};
use crate::plan::{
    keymap::{KeyDescription, KeyType, KeymapDescription, ModifierMask, TypeEntry},
    step::{Group, Keycode, Keysym},
};

/// The name that every X.Org server gives the keyboard behind XTEST (`AllocXTestDevice`).
const XTEST_KEYBOARD: &[u8] = b"Virtual core XTEST keyboard";

/// What is locked, and what holds for the next key only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyboardState {
    /// The locked group and modifiers.
    pub locks: Locks,
    /// The latched modifiers.
    pub latched: ModifierMask,
}

/// The device number of the XTEST keyboard.
pub fn xtest_keyboard(link: &Link) -> Result<xkb::DeviceSpec, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let list = || -> Result<_, ReplyError> { link.connection.xinput_list_input_devices()?.reply() };
    let reply = list().map_err(|error| link.explain(error))?;
    let named = reply.devices.iter().zip(&reply.names).find(|(_, name)| name.name == XTEST_KEYBOARD);
    // A server without that device has one keyboard for all.
    Ok(named.map_or(CORE_KEYBOARD, |(device, _)| u16::from(device.device_id)))
}

/// Reads the whole map of a device.
pub fn read_map(link: &Link, device: xkb::DeviceSpec) -> Result<KeymapDescription, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let full = xkb::MapPart::KEY_TYPES | xkb::MapPart::KEY_SYMS | xkb::MapPart::MODIFIER_MAP;
    let (no_part, no_modifiers) = (xkb::MapPart::from(0_u16), xkb::VMod::from(0_u16));
    let get = || -> Result<_, ReplyError> {
        let connection = &link.connection;
        connection.xkb_get_map(device, full, no_part, 0, 0, 0, 0, 0, 0, 0, 0, no_modifiers, 0, 0, 0, 0, 0, 0)?.reply()
    };
    let reply = get().map_err(|error| link.explain(error))?;
    let keycodes = reply.first_key_sym..=u8::MAX;
    let keys = reply.map.syms_rtrn.unwrap_or_default();
    let modifiers = reply.map.modmap_rtrn.unwrap_or_default();
    Ok(KeymapDescription {
        types: reply.map.types_rtrn.unwrap_or_default().iter().map(key_type).collect(),
        keys: keycodes.zip(keys).map(|(keycode, key)| describe(Keycode(keycode), key)).collect(),
        modifiers: modifiers.iter().map(|entry| (Keycode(entry.keycode), mask(entry.mods))).collect(),
        paged: Vec::new(),
    })
}

fn key_type(key_type: &xkb::KeyType) -> KeyType {
    let preserved = |index: usize| key_type.preserve.get(index).map_or(ModifierMask::NONE, |entry| mask(entry.mask));
    let entries = key_type.map.iter().enumerate().filter(|(_, entry)| entry.active);
    KeyType {
        modifiers: mask(key_type.mods_mask),
        levels: key_type.num_levels,
        entries: entries
            .map(|(index, entry)| TypeEntry {
                modifiers: mask(entry.mods_mask),
                preserved: preserved(index),
                level: entry.level,
            })
            .collect(),
    }
}

fn describe(keycode: Keycode, key: xkb::KeySymMap) -> KeyDescription {
    KeyDescription {
        keycode,
        group_info: key.group_info,
        types: key.kt_index,
        width: key.width,
        symbols: key.syms.into_iter().map(Keysym).collect(),
    }
}

/// What is locked and latched on the keyboard that clients see.
pub fn read_state(link: &Link) -> Result<KeyboardState, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let get = || -> Result<_, ReplyError> { link.connection.xkb_get_state(CORE_KEYBOARD)?.reply() };
    let reply = get().map_err(|error| link.explain(error))?;
    Ok(state_of(reply.locked_group, reply.locked_mods, reply.latched_mods))
}

/// Puts the parts of a state together, as replies and events carry them.
pub fn state_of(group: xkb::Group, locked: ModMask, latched: ModMask) -> KeyboardState {
    let locks = Locks { group: Group(u8::from(group)), modifiers: mask(locked) };
    KeyboardState { locks, latched: mask(latched) }
}

/// The eight modifiers of the core protocol; the upper bits are not modifiers.
fn mask(mask: ModMask) -> ModifierMask {
    ModifierMask(u16::from(mask).to_le_bytes()[0])
}
