//! Follows the pointer for those who want that: a thread with a connection of its own, as long as there is somebody.
//!
//! The server tells of motion unasked only as raw events (XI2, `RawMotion`), one for each step of the pointer and without the place.
//! So they serve as a bell: the first one ends the wait, no more are asked for, and while the pointer moves its place is asked for
//! at an interval; once it stands still they are asked for again. A pointer that stands still costs nothing, and one that is moved a
//! thousand times a second as much as any other. What it looks like is told by XFIXES.
//!
//! A client that sets the pointer (`WarpPointer`) rings no bell; that is seen with the next motion.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use x11rb::protocol::{
    Event,
    xfixes::{ConnectionExt as _, CursorNotifyMask},
    xinput::{self, ConnectionExt as _, XIEventMask},
    xproto::{Atom, ConnectionExt as _},
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    cursor::CursorSource,
    inbox::{Hearing, Inbox, Next, Slot},
    sanitize::sanitize,
    target::Target,
};
use crate::protocol::units::NativePoint;

/// The least time between two places that are told: thirty a second, as the frames that they belong to.
pub const POINTER_INTERVAL: Duration = Duration::from_millis(33);
/// The version of the input extension that has raw events (XI2 protocol, section 2).
const INPUT_VERSION: (u16, u16) = (2, 0);
/// The master devices, as whose events those of all that move their pointer come (XI2 protocol, `XIAllMasterDevices`).
const ALL_MASTER_DEVICES: u16 = 1;
/// The longest name of a cursor that is told, in bytes: the names of the cursor specification have at most 20.
const SHAPE_BYTES: usize = 64;

/// The pointer at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointerSeen {
    /// Where it is.
    pub at: NativePoint,
    /// The name of its shape, where whoever made the cursor gave it one. Sanitised, at most 64 bytes.
    pub shape: Option<String>,
}

/// Where the newest is to be found; `None` until it is known. It closes when the thread ends, also because the display did not
/// answer.
pub type PointerReceiver = watch::Receiver<Option<PointerSeen>>;
type Publisher = watch::Sender<Option<PointerSeen>>;

/// The pointer of one display.
#[derive(Debug)]
pub struct PointerWatch {
    target: Target,
    running: Mutex<Option<Running>>,
}

/// The thread, as long as it runs. Dropping this ends it.
#[derive(Debug)]
struct Running {
    publisher: Weak<Publisher>,
    _end: Slot<()>,
}

impl PointerWatch {
    /// Nobody watches yet, so there is neither thread nor connection.
    pub const fn new(target: Target) -> Self {
        Self { target, running: Mutex::new(None) }
    }

    /// Follows the pointer until the receiver is dropped.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn watch(&self) -> std::io::Result<PointerReceiver> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(publisher) = running.as_ref().and_then(|running| running.publisher.upgrade()) {
            return Ok(publisher.subscribe());
        }
        let (publisher, receiver) = watch::channel(None);
        let publisher = Arc::new(publisher);
        let weak = Arc::downgrade(&publisher);
        let (end, ended) = Inbox::new()?;
        let target = self.target.clone();
        thread::Builder::new().name("pointer".into()).spawn(move || follow(&target, &ended, &publisher))?;
        *running = Some(Running { publisher: weak, _end: end });
        Ok(receiver)
    }
}

fn follow(target: &Target, ended: &Inbox<()>, publisher: &Publisher) {
    let link = match Link::open(target, OPERATION_TIME) {
        Ok(link) => link,
        Err(error) => return tracing::debug!(%error, "no connection to follow the pointer with"),
    };
    let followed = Follower::set_up(&link).and_then(|mut follower| follower.run(ended, publisher));
    if let Err(error) = followed {
        tracing::debug!(%error, "the pointer is no longer followed");
    }
}

/// Whether the thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    GoOn,
    End,
}

struct Follower<'a> {
    link: &'a Link,
    /// What the cursor is called, and the atom of that name.
    shape: (Atom, Option<String>),
    /// When a place was last told.
    told: Option<Instant>,
}

impl<'a> Follower<'a> {
    fn set_up(link: &'a Link) -> Result<Self, LinkError> {
        let _deadline = link.within(OPERATION_TIME);
        let (major, minor) = INPUT_VERSION;
        link.reply(link.connection.xinput_xi_query_version(major, minor))?;
        let mut shape = (x11rb::NONE, None);
        // A server without XFIXES has no names of cursors.
        if CursorSource::set_up(link)?.is_some() {
            let select = link.connection.xfixes_select_cursor_input(link.root, CursorNotifyMask::DISPLAY_CURSOR);
            link.done(select)?;
            let cursor = link.reply(link.connection.xfixes_get_cursor_image_and_name())?;
            shape = (cursor.cursor_atom, name(&cursor.name));
        }
        Ok(Self { link, shape, told: None })
    }

    fn run(&mut self, ended: &Inbox<()>, publisher: &Publisher) -> Result<(), LinkError> {
        loop {
            // Asked for before the place: what moves in between is in the place or rings the bell.
            self.select(XIEventMask::RAW_MOTION)?;
            self.tell(publisher)?;
            if self.wait(ended, publisher, None)? == Course::End {
                return Ok(());
            }
            self.select(XIEventMask::from(0_u32))?;
            loop {
                let due = self.told.map(|told| told + POINTER_INTERVAL);
                if due.is_some() && self.wait(ended, publisher, due)? == Course::End {
                    return Ok(());
                }
                if !self.tell(publisher)? {
                    break;
                }
            }
        }
    }

    /// Which raw events come from now on.
    fn select(&self, mask: XIEventMask) -> Result<(), LinkError> {
        let _deadline = self.link.within(OPERATION_TIME);
        let mask = xinput::EventMask { deviceid: ALL_MASTER_DEVICES, mask: vec![mask] };
        self.link.done(self.link.connection.xinput_xi_select_events(self.link.root, &[mask]))
    }

    /// Tells what is new. Whether anything was.
    fn tell(&mut self, publisher: &Publisher) -> Result<bool, LinkError> {
        let _deadline = self.link.within(OPERATION_TIME);
        let reply = self.link.reply(self.link.connection.query_pointer(self.link.root))?;
        // A display has one screen here, so the pointer is on it and its position is not negative.
        let at = NativePoint { x: reply.root_x.unsigned_abs(), y: reply.root_y.unsigned_abs() };
        let seen = Some(PointerSeen { at, shape: self.shape.1.clone() });
        let is_new = publisher.send_if_modified(|known| {
            let is_new = *known != seen;
            *known = seen;
            is_new
        });
        if is_new {
            self.told = Some(Instant::now());
        }
        Ok(is_new)
    }

    /// Waits for the time; without one for the bell, which is motion or another shape.
    fn wait(&mut self, ended: &Inbox<()>, publisher: &Publisher, until: Option<Instant>) -> Result<Course, LinkError> {
        let mut shape = self.shape.0;
        let next = ended.next(self.link, until, |event, _| {
            match event {
                Event::XfixesCursorNotify(event) if event.name != shape => shape = event.name,
                Event::XinputRawMotion(_) => {}
                _ => return Hearing::GoOn,
            }
            if until.is_none() { Hearing::Stop } else { Hearing::GoOn }
        })?;
        if matches!(next, Next::Closed) || publisher.is_closed() {
            return Ok(Course::End);
        }
        if shape != self.shape.0 {
            self.shape = (shape, self.name_of(shape)?);
        }
        Ok(Course::GoOn)
    }

    fn name_of(&self, shape: Atom) -> Result<Option<String>, LinkError> {
        if shape == x11rb::NONE {
            return Ok(None);
        }
        let _deadline = self.link.within(OPERATION_TIME);
        let reply = self.link.reply(self.link.connection.get_atom_name(shape))?;
        Ok(name(&reply.name))
    }
}

/// A cursor's name is made up by another client.
fn name(name: &[u8]) -> Option<String> {
    Some(sanitize(name, SHAPE_BYTES)).filter(|name| !name.is_empty())
}
