//! Which window a person would say it is: the application's top level around a window or at a place, with its class and
//! title. Only asked when a request expects a certain window, or a text has characters that not every program keeps in order.
//!
//! A menu, the list of a box and a tooltip are windows of their own, without a title or with another one, and a person would
//! say they are part of the window that they came out of: both count.
//!
//! Everything here was written by other clients: bounded lengths, bounded depths, sanitised text, and a window that vanishes
//! meanwhile is no error.

use x11rb::{
    errors::ReplyError,
    protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, InputFocus, MapState, Window},
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

/// How many pop-ups may come out of each other: menus inside menus.
const POPUPS: usize = 8;
/// How many windows of the screen are looked through, from the top, for the one that a pop-up came out of.
const TOP_WINDOWS: usize = 64;

/// The top level that a window belongs to, and after a pop-up the window that it came out of.
pub fn around(link: &Link, window: Window) -> Result<Vec<SeenWindow>, LinkError> {
    let mut chain = focus::ancestry(link, window)?;
    chain.reverse();
    with_owner(link, chain)
}

/// The top level at a place of the screen, and after a pop-up the window that it came out of; nothing where there is only the
/// root window.
pub fn at(link: &Link, place: NativePoint) -> Result<Vec<SeenWindow>, LinkError> {
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
    if chain.is_empty() { Ok(Vec::new()) } else { with_owner(link, chain) }
}

fn with_owner(link: &Link, chain: Vec<Window>) -> Result<Vec<SeenWindow>, LinkError> {
    let outermost = chain[0];
    let (seen, managed) = describe(link, chain)?;
    // A frame is kept from the window manager like a pop-up, but there is something managed inside.
    let is_popup = managed == Managed::No && is_popup(link, outermost)?;
    let owner = if is_popup { owner(link, outermost)? } else { None };
    let mut all = vec![seen];
    if let Some(owner) = owner {
        let mut chain = focus::ancestry(link, owner)?;
        chain.reverse();
        all.push(describe(link, chain)?.0);
    }
    Ok(all)
}

/// Whether a window manager keeps away from a window that can be seen.
fn is_popup(link: &Link, window: Window) -> Result<bool, LinkError> {
    let attributes = optional(link, || link.connection.get_window_attributes(window)?.reply())?;
    Ok(attributes.is_some_and(|window| window.override_redirect && window.map_state == MapState::VIEWABLE))
}

/// The window that a pop-up came out of. It must be of the same client: anybody can say that a window of his is part of
/// another one.
fn owner(link: &Link, popup: Window) -> Result<Option<Window>, LinkError> {
    let is_of_client = |window: Window| focus::client_of(link, window) == focus::client_of(link, popup);
    let mut window = popup;
    for _ in 0..POPUPS {
        let property = optional(link, || {
            let (name, kind) = (AtomEnum::WM_TRANSIENT_FOR, AtomEnum::WINDOW);
            link.connection.get_property(false, window, name, kind, 0, 1)?.reply()
        })?;
        let said = property.and_then(|property| property.value32()?.next());
        match said.filter(|&said| said != link.root && is_of_client(said)) {
            Some(said) if !is_popup(link, said)? => return Ok(Some(said)),
            Some(said) => window = said,
            None => break,
        }
    }
    // Tk says nothing of it: then it came out of the window with the focus, or out of the topmost of the client.
    let focused = optional(link, || link.connection.get_input_focus()?.reply())?.map(|reply| reply.focus);
    let special = [InputFocus::NONE, InputFocus::POINTER_ROOT].map(Window::from);
    if let Some(focused) = focused.filter(|focused| !special.contains(focused) && is_of_client(*focused)) {
        // The list of a Tk box takes the focus itself; the frame of a window is not of the client.
        let top = focus::ancestry(link, focused)?.last().copied().unwrap_or(focused);
        if !is_of_client(top) || !is_popup(link, top)? {
            return Ok(Some(focused));
        }
    }
    let tree = optional(link, || link.connection.query_tree(link.root)?.reply())?;
    let children = tree.map(|tree| tree.children).unwrap_or_default();
    for &window in children.iter().rev().filter(|&&window| is_of_client(window)).take(TOP_WINDOWS) {
        let attributes = optional(link, || link.connection.get_window_attributes(window)?.reply())?;
        if attributes.is_some_and(|found| !found.override_redirect && found.map_state == MapState::VIEWABLE) {
            return Ok(Some(window));
        }
    }
    Ok(None)
}

/// Whether a window manager has taken a window in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Managed {
    Yes,
    No,
}

/// Finds the application's top level among nested windows, the outermost first, and reads what it says of itself.
fn describe(link: &Link, chain: Vec<Window>) -> Result<(SeenWindow, Managed), LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let names = ["WM_STATE", "_NET_WM_NAME"];
    let cookies = names.map(|name| link.connection.intern_atom(true, name.as_bytes()));
    let mut atoms = [0; 2];
    for (atom, cookie) in atoms.iter_mut().zip(cookies) {
        *atom = cookie.map_err(|error| link.explain(error))?.reply().map_err(|error| link.explain(error))?.atom;
    }
    let [wm_state, net_wm_name] = atoms;
    let mut ids = chain;
    let (top, managed) = match first_with(link, &ids, wm_state)? {
        Some(client) => (client, Managed::Yes),
        // The frame itself, its title bar or a border: the client lies inside, but not at this place.
        None => match framed(link, ids[0], wm_state)? {
            Some(client) => {
                ids.push(client);
                (client, Managed::Yes)
            }
            // No window manager, or none that knows this window.
            None => (first_with(link, &ids, AtomEnum::WM_CLASS.into())?.unwrap_or(ids[0]), Managed::No),
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
    ids.retain(|id| *id != top);
    ids.insert(0, top);
    Ok((SeenWindow { ids, class, title }, managed))
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
