//! Events of the clipboard's connection: in order for the server, or one that is waited for while the others are kept.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, PropMode, Timestamp, Window},
    },
    wrapper::ConnectionExt as _,
};

use super::atoms::Atoms;
use crate::desktop::{
    connection::{Link, LinkError, OPERATION_TIME},
    permit::Waker,
    stream::remaining,
};

/// How many events are kept during a wait. A desktop sends a handful; a flood must not fill our memory, and loses its own.
const KEPT_EVENTS: usize = 1000;

/// The connection, our window, and what has come in.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) link: Link,
    pub(super) atoms: Atoms,
    /// The owner of selections, and what former owners write to.
    pub(super) window: Window,
    kept: VecDeque<Event>,
}

impl Listener {
    pub(super) fn new(link: Link) -> Result<Self, LinkError> {
        let limit = link.within(OPERATION_TIME);
        let explain = |error: x11rb::errors::ReplyOrIdError| link.explain(error);
        let set_up = || -> Result<(Atoms, Window), x11rb::errors::ReplyOrIdError> {
            let atoms = Atoms::new(&link.connection)?;
            let window = link.connection.generate_id()?;
            let events = x11rb::protocol::xproto::CreateWindowAux::new().event_mask(EventMask::PROPERTY_CHANGE);
            let class = x11rb::protocol::xproto::WindowClass::INPUT_ONLY;
            link.connection.create_window(0, window, link.root, -1, -1, 1, 1, 0, class, 0, &events)?.check()?;
            Ok((atoms.reply()?, window))
        };
        let (atoms, window) = set_up().map_err(explain)?;
        drop(limit);
        Ok(Self { link, atoms, window, kept: VecDeque::new() })
    }

    /// The client of a window (X11 protocol, connection setup: resources of a client share these bits).
    pub(super) fn client_of(&self, window: Window) -> u32 {
        window & !self.link.connection.setup().resource_id_mask
    }

    /// Whether a window is our own.
    pub(super) fn is_ours(&self, window: Window) -> bool {
        self.client_of(window) == self.client_of(self.window)
    }

    /// The next event, if one has come.
    pub(super) fn next(&mut self) -> Result<Option<Event>, LinkError> {
        if let Some(event) = self.kept.pop_front() {
            return Ok(Some(event));
        }
        Ok(self.link.next_from_anybody()?.map(|(event, _)| event))
    }

    /// Waits for an event in which `find` finds something; the others are kept for [`Listener::next`]. `None` when the time
    /// is over.
    pub(super) fn wait_for<T>(
        &mut self,
        until: Instant,
        mut find: impl FnMut(&Event) -> Option<T>,
    ) -> Result<Option<T>, LinkError> {
        self.flush()?;
        loop {
            // Also between two events of a flood.
            if Instant::now() >= until {
                return Ok(None);
            }
            match self.link.next_from_anybody()? {
                Some((event, _)) => match find(&event) {
                    Some(found) => return Ok(Some(found)),
                    None if self.kept.len() < KEPT_EVENTS => self.kept.push_back(event),
                    None => {}
                },
                None => sleep(&[PollFd::new(self.link.connection.stream(), PollFlags::IN)], Some(until))?,
            }
        }
    }

    /// Sleeps until the server or another thread has something, or until the given time.
    pub(super) fn sleep(&mut self, waker: &Waker, until: Option<Instant>) -> Result<(), LinkError> {
        self.flush()?;
        // While it writes, x11rb reads as well: what came in meanwhile is in its queue, and the socket would not tell of it. An
        // application's request was found too late so, about once in some hundred pastes on a busy machine.
        if let Some((event, _)) = self.link.next_from_anybody()? {
            self.kept.push_back(event);
            return Ok(());
        }
        let stream = self.link.connection.stream();
        sleep(&[PollFd::new(stream, PollFlags::IN), PollFd::new(waker, PollFlags::IN)], until)
    }

    pub(super) fn flush(&self) -> Result<(), LinkError> {
        self.link.connection.flush().map_err(|error| self.link.explain(error))
    }

    /// The server's time, as an event tells it: a change of a property of ours that changes nothing (ICCCM, section 2.1).
    pub(super) fn timestamp(&mut self) -> Result<Timestamp, LinkError> {
        let (window, property) = (self.window, self.atoms.TIMESTAMP);
        let kind = AtomEnum::INTEGER;
        let sent = self.link.connection.change_property8(PropMode::APPEND, window, property, kind, &[]);
        sent.map_err(|error| self.link.explain(error))?.ignore_error();
        let told = self.wait_for(Instant::now() + OPERATION_TIME, |event| match event {
            Event::PropertyNotify(event)
                if event.window == window && event.atom == property && is_of_server(event.response_type) =>
            {
                Some(event.time)
            }
            _ => None,
        })?;
        told.ok_or(LinkError::Unresponsive)
    }

    /// Asks to be told of a window's properties and its end, or no longer. That the window is gone is no error.
    pub(super) fn watch(&self, window: Window, watch: bool) -> Result<(), LinkError> {
        let none = EventMask::NO_EVENT;
        let mask = if watch { EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY } else { none };
        let events = ChangeWindowAttributesAux::new().event_mask(mask);
        let sent = self.link.connection.change_window_attributes(window, &events);
        sent.map_err(|error| self.link.explain(error))?.ignore_error();
        Ok(())
    }
}

/// Whether the X server sent an event by itself: `SendEvent` sets the highest bit (X protocol, "Events").
pub(super) const fn is_of_server(response_type: u8) -> bool {
    response_type & 0x80 == 0
}

/// Whether a time lies before another one; the server's clock of milliseconds starts anew after 49 days.
pub(super) const fn is_before(time: Timestamp, other: Timestamp) -> bool {
    time.wrapping_sub(other).cast_signed() < 0
}

fn sleep(descriptors: &[PollFd<'_>], until: Option<Instant>) -> Result<(), LinkError> {
    let Some(timeout) = remaining(until) else { return Ok(()) };
    match poll(&mut descriptors.to_vec(), timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(LinkError::Lost(error.to_string())),
    }
}

/// The earlier of two times, of which one may not be set.
pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A time from now.
pub(super) fn after(duration: Duration) -> Instant {
    Instant::now() + duration
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_across_the_end_of_the_clock() {
        assert!(is_before(1, 2) && !is_before(2, 2) && !is_before(3, 2));
        assert!(is_before(u32::MAX, 5) && !is_before(5, u32::MAX));
    }
}
