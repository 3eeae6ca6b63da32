//! The only importer of x11rb: opens the display, carries out plans on it, looks at it.
//!
//! ```text
//! Desktop ─► Input ─► (thread) worker ─► interpreter ─► station ─► hands ─► connection ─► stream
//!                                          keyboard, focus,   events, ledger
//!                                          acknowledge ─► resting_place ─► threads, unix_sockets
//!                                          acknowledge, paste ─► (thread) clipboard
//! ```
//!
//! Each part that talks to the server has a connection and a thread of its own, so that a picture never waits for a text.
//! A [`Desktop`] is one display at one size: when its connection ends or its screen changes its size it is over, and a new
//! one is opened.

pub mod access;
pub mod acknowledge;
pub mod answer;
mod auto_repeat;
pub mod borrowed;
pub mod capture;
mod clicks;
mod clipboard;
mod confinement;
pub mod connection;
pub mod cursor;
pub mod curtain;
pub mod damage;
pub mod door;
pub mod ended;
pub mod events;
pub mod evidence;
pub mod failure;
#[cfg(test)]
mod fake_server;
#[cfg(test)]
mod fake_setup;
pub mod faults;
pub mod focus;
pub mod focus_watch;
pub mod forwarding;
pub mod grabs;
pub mod guard;
pub mod hands;
mod inbox;
pub mod incoming;
pub mod input;
pub mod input_method;
pub mod interpreter;
pub mod keyboard;
pub mod last_frame;
pub mod ledger;
mod listener_process;
mod masks;
pub mod observer;
pub mod overtaking;
mod paste;
pub mod permit;
pub mod pointer;
pub mod pointer_watch;
pub mod resting_place;
pub mod sanitize;
pub mod screen_source;
pub mod seal;
pub mod set_map;
pub mod settle;
pub mod shm;
pub mod station;
pub mod stream;
pub mod target;
pub mod threads;
pub mod tooltip;
pub mod toplevel;
pub mod turn;
pub mod unix_sockets;
pub mod unread;
pub mod windows;
pub mod witness;
mod worker;
pub mod xauthority;
pub mod xkb_map;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;

use self::{
    capture::{Attendance, Capture, CaptureMethod},
    connection::{Link, LinkError, OPERATION_TIME, OpenError},
    curtain::Curtain,
    door::{Door, Unguarded},
    ended::{EndSignal, Ended},
    faults::Faults,
    input::Input,
    interpreter::StepHook,
    observer::Observer,
    pointer_watch::PointerWatch,
    target::Target,
    windows::Windows,
};
use crate::protocol::{display::DisplayNumber, units::NativeSize};

/// A display that is open. Dropping it releases what is held and ends its threads within a bounded time.
#[derive(Debug)]
pub struct Desktop {
    input: Input,
    capture: Capture,
    observer: Observer,
    pointer_watch: PointerWatch,
    windows: Windows,
    ended: EndSignal,
    door: Door,
    display: DisplayNumber,
    xauthority: Option<PathBuf>,
    size: NativeSize,
}

impl Desktop {
    /// Opens the display and starts its threads. Whatever was down on it is released first.
    pub fn open(target: &Target) -> Result<Self, OpenError> {
        Self::open_for(target, Attendance::default(), Arc::default(), Unguarded::Taken)
    }

    /// The same, for these sessions, with pictures behind a curtain, and perhaps only where the display
    /// lets in nobody without its cookie. One that is refused is left as it is.
    pub fn open_for(
        target: &Target,
        attendance: Attendance,
        curtain: Arc<Curtain>,
        unguarded: Unguarded,
    ) -> Result<Self, OpenError> {
        Self::open_all(target, attendance, curtain, unguarded, Faults::default())
    }

    /// As [`Desktop::open`], with something to call before each step of an action, where tests put faults.
    pub fn open_with(target: &Target, hook: Option<StepHook>) -> Result<Self, OpenError> {
        Self::open_with_faults(target, Faults { before_step: hook, ..Faults::default() })
    }

    /// As [`Desktop::open`], with everything that tests can put in.
    pub fn open_with_faults(target: &Target, faults: Faults) -> Result<Self, OpenError> {
        Self::open_all(target, Attendance::default(), Arc::default(), Unguarded::Taken, faults)
    }

    /// As [`Desktop::open_for`], with everything that tests can put in.
    pub fn open_all(
        target: &Target,
        attendance: Attendance,
        curtain: Arc<Curtain>,
        unguarded: Unguarded,
        faults: Faults,
    ) -> Result<Self, OpenError> {
        let ended = EndSignal::default();
        let link = Link::open(target, OPERATION_TIME)?;
        let size = link.size;
        let door = Door::of(&link, target)?;
        if unguarded == Unguarded::Refused && door != Door::Guarded {
            return Err(OpenError::unguarded(target.display.to_string(), door));
        }
        let input = Input::start(link, target.clone(), ended.clone(), faults).map_err(LinkError::of_open)?;
        let thread = |error: std::io::Error| OpenError::Broken(format!("no thread could be started: {error}"));
        let (link, method) = (Link::open(target, OPERATION_TIME)?, CaptureMethod::SharedMemory);
        let capture = Capture::start_behind(link, method, curtain, attendance, ended.clone()).map_err(thread)?;
        let observer = Observer::start(Link::open(target, OPERATION_TIME)?, ended.clone()).map_err(thread)?;
        let pointer_watch = PointerWatch::new(target.clone());
        let windows = Windows::start(Link::open(target, OPERATION_TIME)?, ended.clone()).map_err(thread)?;
        let (display, xauthority) = (target.display, target.xauthority.clone());
        Ok(Self { input, capture, observer, pointer_watch, windows, ended, door, display, xauthority, size })
    }

    /// The display's name, such as `:99`.
    pub fn name(&self) -> String {
        self.display.to_string()
    }

    /// Whom the X server let in without its cookie when the desktop was opened.
    pub const fn door(&self) -> Door {
        self.door
    }

    /// The size of the screen, which does not change while the desktop lives.
    pub const fn size(&self) -> NativeSize {
        self.size
    }

    /// The keyboard and the pointer.
    pub const fn input(&self) -> &Input {
        &self.input
    }

    /// Pictures of the screen.
    pub const fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Questions that wait for nothing.
    pub const fn observer(&self) -> &Observer {
        &self.observer
    }

    /// The pointer, for those who want to follow it.
    pub const fn pointer_watch(&self) -> &PointerWatch {
        &self.pointer_watch
    }

    /// Which windows there are.
    pub const fn windows(&self) -> &Windows {
        &self.windows
    }

    /// The file whose cookie opened the display.
    pub fn xauthority(&self) -> Option<&Path> {
        self.xauthority.as_deref()
    }

    /// Where to wait for the desktop's end; `None` until then.
    pub fn ended(&self) -> watch::Receiver<Option<Ended>> {
        self.ended.subscribe()
    }
}
