//! One look at the windows that can be seen: where they are, how they lie on each other, and which of them are hidden from
//! pictures. Everything here was written by other clients; what cannot be known for certain is hidden, or there is no picture.

use std::collections::{HashMap, HashSet};

use x11rb::{
    connection::RequestConnection as _,
    protocol::{
        shape::{self, ConnectionExt as _},
        xproto::{AtomEnum, ConnectionExt as _, MapState, Window, WindowClass},
    },
};

use super::{Kind, Place, Top};
use crate::{
    desktop::{
        access,
        capture::CaptureError,
        connection::{Link, LinkError},
        focus,
        windows::ask::{self, Names},
    },
    protocol::{
        policy::{Executable, Visibility, WindowRules},
        window::SeenWindow,
    },
};

/// How many children the root may have. With more there is no picture: which of them are to be hidden could not be said in time.
const CHILDREN: usize = 4096;
/// How many windows are asked for something at once.
const AT_ONCE: usize = 256;
/// How deep below a child of the root a window is looked for that a rule means: a frame, something around the client that some
/// window managers have, the client, and one more.
const LEVELS: usize = 4;
/// How many windows of each level are looked at, below one child of the root.
const LEVEL_WINDOWS: usize = 64;
/// How many windows may be transient for each other in a row.
const TRANSIENTS: usize = 8;
/// How many bytes the children of a window may take beyond the longest reply: there may be a million.
const TREE_BYTES: usize = 4 * 1024 * 1024;

/// What a look needs to know of the display.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knowledge {
    names: Names,
    /// Owned by whoever composes the screen from the windows by itself.
    compositor: u32,
    shapes: Shapes,
}

/// Whether windows can be other than rectangles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shapes {
    None,
    Possible,
}

impl Knowledge {
    pub(super) fn ask(link: &Link) -> Result<Self, LinkError> {
        let names = Names::ask(link)?;
        let compositor = link.reply(link.connection.intern_atom(false, b"_NET_WM_CM_S0"))?.atom;
        let known = link.connection.extension_information(shape::X11_EXTENSION_NAME);
        let shapes = known.map_err(|error| link.explain(error))?.map_or(Shapes::None, |_| Shapes::Possible);
        Ok(Self { names, compositor, shapes })
    }
}

/// What a look has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The children of the root that can be seen, the lowest first.
    pub(super) tops: Vec<Top>,
    /// The clients of the windows that are hidden.
    pub(super) clients: HashSet<u32>,
}

/// A window below a child of the root, or that itself.
struct Inner {
    top: usize,
    window: Window,
    transient_for: Option<Window>,
    visibility: Visibility,
}

/// Looks at all windows that can be seen.
pub(super) fn look(link: &Link, known: &Knowledge, rules: &WindowRules) -> Result<Found, CaptureError> {
    link.connection.stream().note_incoming(|incoming| incoming.allow(TREE_BYTES));
    let owner = link.reply(link.connection.get_selection_owner(known.compositor))?.owner;
    if owner != x11rb::NONE {
        return Err(CaptureError::Unmaskable(
            "a compositing manager draws windows where they are not; switch its compositing off",
        ));
    }
    let children = ask::children(link, link.root)?;
    if children.len() > CHILDREN {
        return Err(CaptureError::Unmaskable(
            "there are more windows than can be told apart; end the program that makes them",
        ));
    }
    let (mut tops, popups) = places(link, known, &children)?;
    let mut inner = inner(link, known, rules, &tops)?;
    hide(link, &mut tops, &popups, &mut inner);
    let hidden = inner.iter().filter(|inner| inner.visibility == Visibility::Masked);
    let clients = hidden.map(|inner| focus::client_of(link, inner.window)).collect();
    Ok(Found { tops, clients })
}

/// Those of the windows that can be seen, and which of them no window manager has taken in.
fn places(link: &Link, known: &Knowledge, children: &[Window]) -> Result<(Vec<Top>, HashSet<Window>), LinkError> {
    let (mut tops, mut popups) = (Vec::new(), HashSet::new());
    for windows in children.chunks(AT_ONCE) {
        let states = windows.iter().map(|window| link.connection.get_window_attributes(*window)).collect();
        let states = ask::answers(link, states)?;
        let visible: Vec<_> = windows
            .iter()
            .zip(states)
            .filter_map(|(window, state)| Some((*window, state?)))
            .filter(|(_, state)| state.map_state == MapState::VIEWABLE && state.class == WindowClass::INPUT_OUTPUT)
            .collect();
        let sizes = visible.iter().map(|(window, _)| link.connection.get_geometry(*window)).collect();
        let shapes = if known.shapes == Shapes::Possible {
            visible.iter().map(|(window, _)| link.connection.shape_query_extents(*window)).collect()
        } else {
            Vec::new()
        };
        let (sizes, shapes) = (ask::answers(link, sizes)?, ask::answers(link, shapes)?);
        for (index, ((window, state), size)) in visible.into_iter().zip(sizes).enumerate() {
            let Some(size) = size else { continue };
            let place = Place::outside(size.x, size.y, size.width, size.height, size.border_width);
            // One that has vanished since is taken for one that covers nothing.
            let is_whole = known.shapes == Shapes::None
                || shapes.get(index).is_some_and(|shape| shape.as_ref().is_some_and(|shape| !shape.bounding_shaped));
            let kind = if is_whole { Kind::Covering } else { Kind::Shaped };
            tops.push(Top { window, place, kind });
            if state.override_redirect {
                popups.insert(window);
            }
        }
    }
    Ok((tops, popups))
}

/// The windows of each of them, down to the depth at which a rule's window is looked for, and what the rules say.
fn inner(link: &Link, known: &Knowledge, rules: &WindowRules, tops: &[Top]) -> Result<Vec<Inner>, LinkError> {
    let mut level: Vec<(usize, Window)> = tops.iter().enumerate().map(|(index, top)| (index, top.window)).collect();
    let (mut all, mut executables) = (Vec::new(), HashMap::new());
    for depth in 0..LEVELS {
        for windows in level.chunks(AT_ONCE) {
            all.extend(judge(link, known, rules, windows, &mut executables)?);
        }
        if depth + 1 == LEVELS {
            break;
        }
        let mut next = Vec::new();
        let mut counts: HashMap<usize, usize> = HashMap::new();
        for windows in level.chunks(AT_ONCE) {
            let trees = windows.iter().map(|(_, window)| link.connection.query_tree(*window)).collect();
            for ((top, _), tree) in windows.iter().zip(ask::answers(link, trees)?) {
                let count = counts.entry(*top).or_default();
                let children = tree.map(|tree| tree.children).unwrap_or_default();
                let taken = children.into_iter().take(LEVEL_WINDOWS - *count);
                next.extend(taken.inspect(|_| *count += 1).map(|child| (*top, child)));
            }
        }
        level = next;
    }
    Ok(all)
}

fn judge(
    link: &Link,
    known: &Knowledge,
    rules: &WindowRules,
    windows: &[(usize, Window)],
    executables: &mut HashMap<u32, Executable>,
) -> Result<Vec<Inner>, LinkError> {
    let ids = || windows.iter().map(|(_, window)| *window);
    let classes = ids().map(|id| ask::text(link, id, AtomEnum::WM_CLASS.into())).collect();
    let titles = ids().map(|id| ask::text(link, id, known.names.net_wm_name)).collect();
    let old_titles = ids().map(|id| ask::text(link, id, AtomEnum::WM_NAME.into())).collect();
    let (name, kind) = (AtomEnum::WM_TRANSIENT_FOR, AtomEnum::WINDOW);
    let transients = ids().map(|id| link.connection.get_property(false, id, name, kind, 0, 1)).collect();
    let classes = ask::answers(link, classes)?;
    let titles = ask::answers(link, titles)?.into_iter().zip(ask::answers(link, old_titles)?);
    let transients = ask::answers(link, transients)?;
    let mut judged = Vec::with_capacity(windows.len());
    for (((&(top, window), class), (title, old_title)), transient) in
        windows.iter().zip(classes).zip(titles).zip(transients)
    {
        let title = ask::title(title).or_else(|| ask::title(old_title)).unwrap_or_default();
        let seen = SeenWindow { ids: vec![window], class: ask::class(class), title };
        let executable = if rules.ask_executables() {
            let client = focus::client_of(link, window);
            match executables.get(&client) {
                Some(known) => known.clone(),
                None => executables.entry(client).or_insert(access::executable(link, &seen)?).clone(),
            }
        } else {
            Executable::Hidden
        };
        let transient_for = transient.and_then(|reply| reply.value32()?.next());
        judged.push(Inner { top, window, transient_for, visibility: rules.visibility(&seen, &executable) });
    }
    Ok(judged)
}

/// Hides what the rules say, and what belongs to it: its pop-ups, and what is transient for it.
fn hide(link: &Link, tops: &mut [Top], popups: &HashSet<Window>, inner: &mut [Inner]) {
    let client = |window: Window| focus::client_of(link, window);
    let mut hidden: HashSet<usize> =
        inner.iter().filter(|inner| inner.visibility == Visibility::Masked).map(|inner| inner.top).collect();
    if hidden.is_empty() {
        return;
    }
    for _ in 0..TRANSIENTS {
        let of_hidden = |inner: &&Inner| hidden.contains(&inner.top);
        let windows: HashSet<Window> = inner.iter().filter(of_hidden).map(|inner| inner.window).collect();
        let masked = inner.iter().filter(|inner| inner.visibility == Visibility::Masked);
        let clients: HashSet<u32> = masked.map(|inner| client(inner.window)).collect();
        let belongs = |inner: &Inner, top: &Top| {
            let is_of_client = clients.contains(&client(inner.window));
            // Of a group, whichever of its windows is meant.
            let for_group = inner.transient_for == Some(link.root) && is_of_client;
            let for_hidden = inner.transient_for.is_some_and(|window| windows.contains(&window));
            for_hidden || for_group || (is_of_client && inner.window == top.window && popups.contains(&top.window))
        };
        let before = hidden.len();
        for inner in inner.iter_mut() {
            if !hidden.contains(&inner.top) && tops.get(inner.top).is_some_and(|top| belongs(inner, top)) {
                inner.visibility = Visibility::Masked;
                hidden.insert(inner.top);
            }
        }
        if hidden.len() == before {
            break;
        }
    }
    for index in hidden {
        if let Some(top) = tops.get_mut(index) {
            top.kind = Kind::Hidden;
        }
    }
}
