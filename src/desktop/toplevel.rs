//! Which window a person would say it is: the application's top level around a window or at a place, with its class and
//! title. Only asked when a request expects a certain window, or a text has characters that not every program keeps in order.
//!
//! Everything here was written by other clients: bounded lengths, bounded depths, sanitised text, and a window that vanishes
//! meanwhile is no error.

use x11rb::{
    errors::ReplyError,
    protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, Window},
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    focus,
    sanitize::sanitize,
};
use crate::protocol::{units::NativePoint, window::SeenWindow};

/// The longest class or title that is read, in bytes. A title may be 300 MiB long and still costs no more than this; four
/// times what fits into the widest title bar.
const TEXT_BYTES: u32 = 1024;
/// How many windows inside a frame are looked at to find the one that it is for. Frames of openbox have 13 children.
const FRAME_CHILDREN: usize = 64;
/// How deep windows may nest before we stop looking. Toolkits stay below ten.
const DEPTH: usize = 32;

/// The top level that a window belongs to.
pub fn around(link: &Link, window: Window) -> Result<SeenWindow, LinkError> {
    let mut chain = focus::ancestry(link, window)?;
    chain.reverse();
    describe(link, chain)
}

/// The top level at a place of the screen; `None` where there is only the root window.
pub fn at(link: &Link, place: NativePoint) -> Result<Option<SeenWindow>, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let mut chain = Vec::new();
    let mut window = link.root;
    while chain.len() < DEPTH {
        // The protocol's own way down: the child of a window that contains a point.
        let (x, y) = (place.x.cast_signed(), place.y.cast_signed());
        let inside = optional(link, || link.connection.translate_coordinates(link.root, window, x, y)?.reply())?;
        match inside.map(|inside| inside.child) {
            Some(child) if child != x11rb::NONE => chain.push(child),
            _ => break,
        }
        window = chain[chain.len() - 1];
    }
    if chain.is_empty() { Ok(None) } else { describe(link, chain).map(Some) }
}

/// Finds the application's top level among nested windows, the outermost first, and reads what it says of itself.
fn describe(link: &Link, chain: Vec<Window>) -> Result<SeenWindow, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let names = ["WM_STATE", "_NET_WM_NAME"];
    let cookies = names.map(|name| link.connection.intern_atom(true, name.as_bytes()));
    let mut atoms = [0; 2];
    for (atom, cookie) in atoms.iter_mut().zip(cookies) {
        *atom = cookie.map_err(|error| link.explain(error))?.reply().map_err(|error| link.explain(error))?.atom;
    }
    let [wm_state, net_wm_name] = atoms;
    let mut ids = chain;
    let top = match first_with(link, &ids, wm_state)? {
        Some(managed) => managed,
        // The frame itself, its title bar or a border: the client lies inside, but not at this place.
        None => match framed(link, ids[0], wm_state)? {
            Some(client) => {
                ids.push(client);
                client
            }
            // No window manager, or none that knows this window.
            None => first_with(link, &ids, AtomEnum::WM_CLASS.into())?.unwrap_or(ids[0]),
        },
    };
    let class = text(link, top, AtomEnum::WM_CLASS.into())?.unwrap_or_default();
    let mut names = class.split(|&byte| byte == 0).map(|name| sanitize(name, TEXT_BYTES as usize));
    let class = std::array::from_fn(|_| names.next().unwrap_or_default());
    let title = match text(link, top, net_wm_name)? {
        Some(title) => Some(title),
        None => text(link, top, AtomEnum::WM_NAME.into())?,
    };
    let title = title.map(|title| sanitize(&title, TEXT_BYTES as usize)).unwrap_or_default();
    Ok(SeenWindow { ids, class, title })
}

/// The window inside a frame that the window manager manages (ICCCM, 4.1.3.1: only it sets `WM_STATE`).
fn framed(link: &Link, frame: Window, wm_state: Atom) -> Result<Option<Window>, LinkError> {
    let tree = optional(link, || link.connection.query_tree(frame)?.reply())?;
    let children: Vec<_> = tree.into_iter().flat_map(|tree| tree.children).take(FRAME_CHILDREN).collect();
    first_with(link, &children, wm_state)
}

/// The first of the windows that has a property.
fn first_with(link: &Link, windows: &[Window], property: Atom) -> Result<Option<Window>, LinkError> {
    if property == x11rb::NONE {
        return Ok(None);
    }
    let ask = |window: &Window| link.connection.get_property(false, *window, property, AtomEnum::ANY, 0, 0);
    // All the questions go out before the first answer is awaited.
    let cookies: Vec<_> = windows.iter().map(ask).collect::<Result<_, _>>().map_err(|error| link.explain(error))?;
    let mut found = None;
    for (window, cookie) in windows.iter().zip(cookies) {
        let reply = optional(link, || cookie.reply())?;
        if found.is_none() && reply.is_some_and(|reply| reply.type_ != x11rb::NONE) {
            found = Some(*window);
        }
    }
    Ok(found)
}

/// At most [`TEXT_BYTES`] of a property with 8-bit elements.
fn text(link: &Link, window: Window, property: Atom) -> Result<Option<Vec<u8>>, LinkError> {
    if property == x11rb::NONE {
        return Ok(None);
    }
    let reply = optional(link, || {
        link.connection.get_property(false, window, property, AtomEnum::ANY, 0, TEXT_BYTES / 4)?.reply()
    })?;
    Ok(reply.filter(|reply| reply.format == 8).map(|reply| reply.value))
}

/// An X error means that the window vanished between two looks; only the connection's own troubles are errors here.
fn optional<T>(link: &Link, ask: impl FnOnce() -> Result<T, ReplyError>) -> Result<Option<T>, LinkError> {
    match ask() {
        Ok(reply) => Ok(Some(reply)),
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(link.explain(error)),
    }
}
