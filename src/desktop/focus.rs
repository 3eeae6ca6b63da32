//! Which window receives keys, and the windows around it. Everything here was written by other clients: bounded lengths,
//! bounded depths, and a window that vanishes meanwhile is no error.

use x11rb::{
    errors::ReplyError,
    protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, InputFocus, Window},
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    events::Atoms,
};

/// How deep windows may nest before we stop looking. Toolkits stay below ten.
const DEPTH: usize = 32;
/// How many protocols a window may announce before the rest is ignored; the usual three or four fit many times over.
const PROTOCOLS: u32 = 64;

/// Where keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focused {
    /// To this window.
    Window(Window),
    /// To the window manager: nothing has the focus, and it has taken it onto its own invisible check window (EWMH,
    /// `_NET_SUPPORTING_WM_CHECK`). A text would be lost there; its hotkeys and its menus work.
    Manager,
    /// Nowhere.
    Nowhere,
}

/// Where keys go now. With the focus on `PointerRoot` or the root window it is the window under the pointer.
pub fn focused(link: &Link, atoms: &Atoms) -> Result<Focused, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let find = || -> Result<(Focused, bool), ReplyError> {
        let focus = link.connection.get_input_focus()?;
        let check =
            link.connection.get_property(false, link.root, atoms.net_supporting_wm_check, AtomEnum::WINDOW, 0, 1)?;
        let pointer = link.connection.query_pointer(link.root)?;
        let focus = focus.reply()?.focus;
        let check = check.reply()?.value32().and_then(|mut windows| windows.next());
        let under_pointer = pointer.reply()?.child;
        let none = Window::from(InputFocus::NONE);
        let by_pointer = focus == Window::from(InputFocus::POINTER_ROOT) || focus == link.root;
        let window = if by_pointer { under_pointer } else { focus };
        let focused = match window {
            _ if window == none => Focused::Nowhere,
            _ if Some(window) == check => Focused::Manager,
            _ => Focused::Window(window),
        };
        Ok((focused, by_pointer))
    };
    match find().map_err(|error| link.explain(error))? {
        (Focused::Window(window), true) => deepest_under_pointer(link, window).map(Focused::Window),
        (focused, _) => Ok(focused),
    }
}

/// Whether keys go to the window under the pointer, wherever that is.
pub fn follows_pointer(link: &Link) -> Result<bool, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let cookie = link.connection.get_input_focus().map_err(|error| link.explain(error))?;
    let focus = cookie.reply().map_err(|error| link.explain(error))?.focus;
    Ok(focus == Window::from(InputFocus::POINTER_ROOT) || focus == link.root)
}

/// The deepest window under the pointer; the root window where there is no other.
pub fn under_pointer(link: &Link) -> Result<Window, LinkError> {
    deepest_under_pointer(link, link.root)
}

/// The window with which a window manager announces itself.
pub fn manager_window(link: &Link, atoms: &Atoms) -> Result<Option<Window>, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let check = gone_is_none(link, || {
        link.connection.get_property(false, link.root, atoms.net_supporting_wm_check, AtomEnum::WINDOW, 0, 1)?.reply()
    })?;
    Ok(check.and_then(|check| check.value32()?.next()))
}

/// The client that made a window, as the part of the id that all of its resources share (X11 protocol, connection setup).
pub fn client_of(link: &Link, window: Window) -> u32 {
    use x11rb::connection::Connection as _;
    window & !link.connection.setup().resource_id_mask
}

/// The windows from a window up to the child of the root, the given one first.
pub fn ancestry(link: &Link, window: Window) -> Result<Vec<Window>, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let mut windows = vec![window];
    let mut lowest = window;
    while windows.len() < DEPTH {
        let parent = gone_is_none(link, || link.connection.query_tree(lowest)?.reply())?.map_or(0, |tree| tree.parent);
        if parent == 0 || parent == link.root {
            break;
        }
        windows.push(parent);
        lowest = parent;
    }
    Ok(windows)
}

/// The deepest window under the pointer below a window; the window itself where it has no child there.
fn deepest_under_pointer(link: &Link, window: Window) -> Result<Window, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let mut window = window;
    for _ in 0..DEPTH {
        let child =
            gone_is_none(link, || link.connection.query_pointer(window)?.reply())?.map_or(0, |reply| reply.child);
        if child == 0 {
            break;
        }
        window = child;
    }
    Ok(window)
}

/// Whether a window announces a protocol in `WM_PROTOCOLS`.
pub fn announces(link: &Link, atoms: &Atoms, window: Window, protocol: Atom) -> Result<bool, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let property = gone_is_none(link, || {
        link.connection.get_property(false, window, atoms.wm_protocols, AtomEnum::ATOM, 0, PROTOCOLS)?.reply()
    })?;
    Ok(property.is_some_and(|property| property.value32().is_some_and(|mut atoms| atoms.any(|atom| atom == protocol))))
}

/// An X error means that the window vanished between two looks; only the connection's own troubles are errors here.
fn gone_is_none<T>(link: &Link, ask: impl FnOnce() -> Result<T, ReplyError>) -> Result<Option<T>, LinkError> {
    match ask() {
        Ok(reply) => Ok(Some(reply)),
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(link.explain(error)),
    }
}
