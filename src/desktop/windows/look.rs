//! One look at all windows that can be seen: in bounded time and memory, however many there are.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, InputFocus, MapState, Window, WindowClass};

use super::{
    WindowFocus, WindowInfo, WindowList,
    ask::{self, Names},
    known::{Following, Known, Mapped},
};
use crate::{
    desktop::{
        connection::{Link, LinkError, OPERATION_TIME},
        focus,
    },
    protocol::{
        units::{NativeRectangle, NativeSize},
        window::SeenWindow,
    },
};

/// How many windows a list has at most, the topmost: more than fit on a screen, and no more than a few answers' worth of
/// memory with the longest titles.
const LISTED: usize = 512;
/// How many windows inside a frame are looked at to find the one that it is for. Frames of openbox have 13 children.
const FRAME_CHILDREN: usize = 64;
/// How long a look may go on: ten times as long as one at 100,000 windows of which 512 are listed takes on a busy machine.
const LOOK_TIME: Duration = Duration::from_millis(700);
/// How many windows are asked for their state at once: 44 bytes each in answer, and so few that the server is back before other
/// clients have had it send us more events than we hold.
const STATES_AT_ONCE: usize = 1024;
/// How many are asked for their texts at once: up to 3 KiB each in answer, which must stay below what we hold.
const WINDOWS_AT_ONCE: usize = 32;

/// Whether everything was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completeness {
    Whole,
    /// There are too many windows.
    Part,
}

/// What a look has found.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) windows: WindowList,
    pub(super) completeness: Completeness,
}

/// A child of the root that can be seen, and the application's window: itself, or the one inside.
struct Found {
    top: Window,
    client: Window,
}

/// Looks at all windows that can be seen.
pub(super) fn look(link: &Link, known: &mut Known) -> Result<Look, LinkError> {
    let _deadline = link.within(OPERATION_TIME);
    let end = Instant::now() + LOOK_TIME;
    let names = match known.names {
        Some(names) => names,
        None => *known.names.insert(Names::ask(link)?),
    };
    // What is told from now on may have come too late for this look.
    known.is_changed = false;
    let children = ask::children(link, link.root)?;
    if known.mapped.is_none() {
        find_mapped(link, known, &children, end)?;
    }
    let mapped = known.mapped.as_ref();
    let mut completeness = mapped.map_or(Completeness::Part, |mapped| mapped.completeness);
    let is_mapped = |window: &&Window| mapped.is_some_and(|mapped| mapped.windows.contains(window));
    let mut visible: Vec<Window> = children.iter().rev().filter(is_mapped).take(LISTED + 1).copied().collect();
    if visible.len() > LISTED {
        completeness = Completeness::Part;
        visible.pop();
    }
    let focused = focused(link)?;
    let (mut windows, mut watched) = (Vec::new(), HashSet::new());
    for tops in visible.chunks(WINDOWS_AT_ONCE) {
        if Instant::now() >= end {
            completeness = Completeness::Part;
            break;
        }
        let found = find_clients(link, known, names, tops, &mut watched)?;
        windows.extend(describe(link, names, &found, &focused)?);
        known.hear_all(link)?;
    }
    if known.following() == Following::Yes {
        known.watch_only(link, &watched)?;
    }
    windows.reverse();
    Ok(Look { windows: windows.into(), completeness })
}

/// Asks every child of the root whether it is mapped, from the top.
fn find_mapped(link: &Link, known: &mut Known, children: &[Window], end: Instant) -> Result<(), LinkError> {
    // Here from the beginning, so that what is told meanwhile is not lost: the events about a window are a complete history,
    // and whatever was true when it was asked, the last of them says what is.
    known.mapped = Some(Mapped { windows: HashSet::new(), completeness: Completeness::Whole });
    for windows in children.rchunks(STATES_AT_ONCE) {
        let is_late = Instant::now() >= end;
        let sent = if is_late { &[] } else { windows };
        let sent = sent.iter().map(|window| link.connection.get_window_attributes(*window)).collect();
        let states = ask::answers(link, sent)?;
        let Some(mapped) = &mut known.mapped else { break };
        if is_late {
            mapped.completeness = Completeness::Part;
            break;
        }
        for (window, state) in windows.iter().zip(states) {
            if state.is_some_and(|state| state.map_state == MapState::VIEWABLE) {
                mapped.windows.insert(*window);
            }
        }
        known.hear_all(link)?;
    }
    Ok(())
}

/// Finds the application's window of each, where it can be seen.
fn find_clients(
    link: &Link,
    known: &mut Known,
    names: Names,
    tops: &[Window],
    watched: &mut HashSet<Window>,
) -> Result<Vec<Found>, LinkError> {
    for top in tops {
        // Before it is asked, so that no change falls in between.
        known.watch(link, *top)?;
        watched.insert(*top);
    }
    let states = tops.iter().map(|top| link.connection.get_window_attributes(*top)).collect();
    let managed = tops.iter().map(|top| ask::presence(link, *top, names.wm_state)).collect();
    let (states, managed) = (ask::answers(link, states)?, ask::answers(link, managed)?);
    let mut found = Vec::new();
    for ((top, state), managed) in tops.iter().zip(states).zip(managed) {
        let can_be_seen = state
            .is_some_and(|state| state.map_state == MapState::VIEWABLE && state.class == WindowClass::INPUT_OUTPUT);
        if !can_be_seen {
            continue;
        }
        let inside = if ask::is_present(managed.as_ref()) { None } else { inside(link, known, names, *top, watched)? };
        let client = match inside {
            Some(Inside::Seen(client)) => client,
            Some(Inside::Hidden) => continue,
            None => *top,
        };
        found.push(Found { top: *top, client });
    }
    Ok(found)
}

/// The application's window inside a frame.
enum Inside {
    /// It can be seen.
    Seen(Window),
    /// Only the frame can.
    Hidden,
}

/// The window inside a frame that a window manager manages, or is about to; `None` where it is no frame.
fn inside(
    link: &Link,
    known: &mut Known,
    names: Names,
    frame: Window,
    watched: &mut HashSet<Window>,
) -> Result<Option<Inside>, LinkError> {
    let mut children = ask::children(link, frame)?;
    children.truncate(FRAME_CHILDREN);
    if children.is_empty() {
        return Ok(None);
    }
    let asked = [frame].into_iter().chain(children.iter().copied());
    let classes = asked.map(|window| ask::presence(link, window, AtomEnum::WM_CLASS.into())).collect();
    let managed = children.iter().map(|child| ask::presence(link, *child, names.wm_state)).collect();
    let (classes, managed) = (ask::answers(link, classes)?, ask::answers(link, managed)?);
    let has_class = |index: usize| ask::is_present(classes.get(index).and_then(Option::as_ref));
    let by_state = managed.iter().position(|reply| ask::is_present(reply.as_ref()));
    // What names itself is a window of an application, with whatever it has inside.
    let by_class = if has_class(0) { None } else { (0..children.len()).find(|index| has_class(index + 1)) };
    let Some(client) = by_state.or(by_class).map(|index| children[index]) else {
        // A frame that is just being made, or a pop-up without a name: what becomes of it will be told.
        let unnamed = if has_class(0) { Vec::new() } else { children };
        for child in unnamed {
            known.watch(link, child)?;
            watched.insert(child);
        }
        return Ok(None);
    };
    known.watch(link, client)?;
    watched.insert(client);
    let state = ask::answers(link, vec![link.connection.get_window_attributes(client)])?;
    let is_seen = state.into_iter().flatten().any(|state| state.map_state == MapState::VIEWABLE);
    Ok(Some(if is_seen { Inside::Seen(client) } else { Inside::Hidden }))
}

/// Asks all of them for what they say of themselves, and where they are. One that has vanished is left out.
fn describe(link: &Link, names: Names, found: &[Found], focused: &[Window]) -> Result<Vec<WindowInfo>, LinkError> {
    let clients = || found.iter().map(|found| found.client);
    let sizes = clients().map(|client| link.connection.get_geometry(client)).collect();
    // Asked for the other way round: the server goes through the children of the destination, of which the root may have
    // 100,000; that took 2 ms for each window.
    let places = clients().map(|client| link.connection.translate_coordinates(link.root, client, 0, 0)).collect();
    let classes = clients().map(|client| ask::text(link, client, AtomEnum::WM_CLASS.into())).collect();
    let titles = clients().map(|client| ask::text(link, client, names.net_wm_name)).collect();
    let old_titles = clients().map(|client| ask::text(link, client, AtomEnum::WM_NAME.into())).collect();
    let (sizes, places) = (ask::answers(link, sizes)?, ask::answers(link, places)?);
    let classes = ask::answers(link, classes)?;
    let titles = ask::answers(link, titles)?.into_iter().zip(ask::answers(link, old_titles)?);
    let mut windows = Vec::new();
    for ((((Found { top, client }, size), place), class), (title, old_title)) in
        found.iter().zip(sizes).zip(places).zip(classes).zip(titles)
    {
        let (Some(size), Some(place)) = (size, place) else { continue };
        let (x, y) = (place.dst_x.saturating_neg(), place.dst_y.saturating_neg());
        let place = NativeRectangle { x, y, width: size.width, height: size.height };
        if !is_on_screen(link.size, place) {
            continue;
        }
        let ids = if top == client { vec![*client] } else { vec![*client, *top] };
        let title = ask::title(title).or_else(|| ask::title(old_title)).unwrap_or_default();
        let is_focused = ids.iter().any(|id| focused.contains(id));
        windows.push(WindowInfo {
            id: *client,
            seen: SeenWindow { ids, class: ask::class(class), title },
            place,
            focus: if is_focused { WindowFocus::Here } else { WindowFocus::Elsewhere },
        });
    }
    Ok(windows)
}

/// Whether a window is not all beside the screen, where openbox has its own.
fn is_on_screen(screen: NativeSize, place: NativeRectangle) -> bool {
    let overlaps = |start: i16, length: u16, most: u16| {
        i32::from(start) < i32::from(most) && i32::from(start) + i32::from(length) > 0
    };
    overlaps(place.x, place.width, screen.width) && overlaps(place.y, place.height, screen.height)
}

/// The window that keys go to and those around it; with a focus that follows the pointer, the one under it.
fn focused(link: &Link) -> Result<Vec<Window>, LinkError> {
    let focus = link.reply(link.connection.get_input_focus())?.focus;
    if focus == u32::from(InputFocus::NONE) {
        return Ok(Vec::new());
    }
    if focus == u32::from(InputFocus::POINTER_ROOT) || focus == link.root {
        return Ok(vec![link.reply(link.connection.query_pointer(link.root))?.child]);
    }
    focus::ancestry(link, focus)
}
