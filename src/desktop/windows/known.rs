//! What is known about the windows of a display between two looks, from what the server has told.

use std::collections::HashSet;

use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window},
    },
};

use super::{ask::Names, look::Completeness};
use crate::desktop::{
    connection::{Link, LinkError},
    inbox::Hearing,
};

/// How many windows events are selected on: more than there are in the longest list, each with its frame and some inside.
const WATCHED: usize = 4096;

/// The children of the root that are mapped.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) windows: HashSet<Window>,
    /// Whether all were looked at when this began.
    pub(super) completeness: Completeness,
}

/// What is known.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) names: Option<Names>,
    /// `None` until somebody has looked, and again when nobody follows.
    pub(super) mapped: Option<Mapped>,
    /// Something was told since the last look that may change its result.
    pub(super) is_changed: bool,
    following: Following,
    /// Windows that events are selected on.
    watched: HashSet<Window>,
    root: Window,
}

/// Whether the server tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Following {
    No,
    Yes,
}

impl Known {
    pub(super) fn new(root: Window) -> Self {
        let (following, watched) = (Following::No, HashSet::new());
        Self { names: None, mapped: None, is_changed: false, following, watched, root }
    }

    pub(super) const fn following(&self) -> Following {
        self.following
    }

    /// Has the server tell from now on.
    pub(super) fn follow(&mut self, link: &Link) -> Result<(), LinkError> {
        if self.following == Following::No {
            let events = ChangeWindowAttributesAux::new().event_mask(EventMask::SUBSTRUCTURE_NOTIFY);
            link.done(link.connection.change_window_attributes(self.root, &events))?;
            self.following = Following::Yes;
        }
        Ok(())
    }

    /// Has the server tell nothing any more.
    pub(super) fn forget(&mut self, link: &Link) -> Result<(), LinkError> {
        (self.mapped, self.is_changed) = (None, false);
        if self.following == Following::Yes {
            self.following = Following::No;
            let windows: Vec<_> = self.watched.drain().chain([self.root]).collect();
            for window in windows {
                select(link, window, EventMask::NO_EVENT)?;
            }
            link.round_trip()?;
        }
        Ok(())
    }

    /// Has the server tell what becomes of a window, if it is asked to tell anything.
    pub(super) fn watch(&mut self, link: &Link, window: Window) -> Result<(), LinkError> {
        if self.following == Following::No || self.watched.len() >= WATCHED || !self.watched.insert(window) {
            return Ok(());
        }
        // A client inside a frame is not the root's child, and only the frame tells which comes into it.
        let own = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY | EventMask::FOCUS_CHANGE;
        select(link, window, own | EventMask::SUBSTRUCTURE_NOTIFY)
    }

    /// Stops watching all others.
    pub(super) fn watch_only(&mut self, link: &Link, windows: &HashSet<Window>) -> Result<(), LinkError> {
        for window in self.watched.extract_if(|window| !windows.contains(window)) {
            select(link, window, EventMask::NO_EVENT)?;
        }
        link.connection.flush().map_err(|error| link.explain(error))
    }

    /// Takes note of all events that have arrived.
    pub(super) fn hear_all(&mut self, link: &Link) -> Result<(), LinkError> {
        while let Some((event, _)) = link.next_event()? {
            self.note(&event);
        }
        Ok(())
    }

    /// Takes note of an event; it cannot wait if it is the first that asks for another look.
    pub(super) fn note(&mut self, event: &Event) -> Hearing {
        let matters = match event {
            Event::MapNotify(event) => {
                if event.event == self.root
                    && let Some(mapped) = &mut self.mapped
                {
                    mapped.windows.insert(event.window);
                }
                true
            }
            Event::UnmapNotify(event) => self.leaves(event.event, event.window),
            Event::DestroyNotify(event) => {
                self.watched.remove(&event.window);
                self.leaves(event.event, event.window)
            }
            // A window that is mapped is unmapped before it is moved into another, and mapped again there.
            Event::ReparentNotify(event) => event.event != self.root || event.parent != self.root,
            Event::ConfigureNotify(event) => event.event != self.root || self.is_mapped(event.window),
            Event::CirculateNotify(_) | Event::FocusIn(_) | Event::FocusOut(_) => true,
            Event::PropertyNotify(event) => self.names.is_some_and(|names| names.contain(event.atom)),
            // A window that was only made cannot be seen, and that one is gone its own event tells.
            _ => false,
        };
        let is_first = matters && !self.is_changed;
        self.is_changed |= matters;
        if is_first { Hearing::Stop } else { Hearing::GoOn }
    }

    fn leaves(&mut self, told_by: Window, window: Window) -> bool {
        told_by != self.root || self.mapped.as_mut().is_some_and(|mapped| mapped.windows.remove(&window))
    }

    fn is_mapped(&self, window: Window) -> bool {
        self.mapped.as_ref().is_some_and(|mapped| mapped.windows.contains(&window))
    }
}

/// Without waiting: that the window is gone is told as an event, which nobody minds.
fn select(link: &Link, window: Window, events: EventMask) -> Result<(), LinkError> {
    let events = ChangeWindowAttributesAux::new().event_mask(events);
    let sent = link.connection.change_window_attributes(window, &events);
    drop(sent.map_err(|error| link.explain(error))?);
    Ok(())
}
