//! The only importer of x11rb: opens the display, carries out plans on it, looks at it.
//!
//! ```text
//! Desktop ─► Input ─► (thread) worker ─► interpreter ─► station ─► hands ─► connection ─► stream
//!                                          keyboard, focus,   events, ledger
//!                                          acknowledge
//! ```
//!
//! Each part that talks to the server has a connection and a thread of its own, so that a picture never waits for a text.
//! A [`Desktop`] is one display at one size: when its connection ends or its screen changes its size it is over, and a new
//! one is opened.

pub mod acknowledge;
pub mod answer;
pub mod capture;
pub mod connection;
pub mod cursor;
pub mod ended;
pub mod events;
pub mod failure;
#[cfg(test)]
mod fake_server;
pub mod focus;
pub mod hands;
pub mod input;
pub mod interpreter;
pub mod keyboard;
pub mod last_frame;
pub mod ledger;
pub mod observer;
pub mod permit;
pub mod pointer;
pub mod sanitize;
pub mod screen_source;
pub mod shm;
pub mod station;
pub mod stream;
pub mod target;
mod worker;
pub mod xauthority;
pub mod xkb_map;

use std::path::{Path, PathBuf};

use tokio::sync::watch;

use self::{
    capture::{Capture, CaptureMethod},
    connection::{Link, LinkError, OPERATION_TIME, OpenError},
    ended::{EndSignal, Ended},
    input::Input,
    interpreter::StepHook,
    observer::Observer,
    target::Target,
};
use crate::protocol::{display::DisplayNumber, units::NativeSize};

/// A display that is open. Dropping it releases what is held and ends its threads within a bounded time.
#[derive(Debug)]
pub struct Desktop {
    input: Input,
    capture: Capture,
    observer: Observer,
    ended: EndSignal,
    display: DisplayNumber,
    xauthority: Option<PathBuf>,
    size: NativeSize,
}

impl Desktop {
    /// Opens the display and starts its threads. Whatever was down on it is released first.
    pub fn open(target: &Target) -> Result<Self, OpenError> {
        Self::open_with(target, None)
    }

    /// As [`Desktop::open`], with something to call before each step of an action, where tests put faults.
    pub fn open_with(target: &Target, hook: Option<StepHook>) -> Result<Self, OpenError> {
        let ended = EndSignal::default();
        let link = Link::open(target, OPERATION_TIME)?;
        let size = link.size;
        let input = Input::start(link, ended.clone(), hook).map_err(|error| match error {
            LinkError::Unresponsive => OpenError::Unresponsive(OPERATION_TIME),
            LinkError::Lost(reason) | LinkError::Refused(reason) => OpenError::Broken(reason),
        })?;
        let thread = |error: std::io::Error| OpenError::Broken(format!("no thread could be started: {error}"));
        let capture =
            Capture::start(Link::open(target, OPERATION_TIME)?, CaptureMethod::SharedMemory).map_err(thread)?;
        let observer = Observer::start(Link::open(target, OPERATION_TIME)?).map_err(thread)?;
        let xauthority = target.xauthority.clone();
        Ok(Self { input, capture, observer, ended, display: target.display, xauthority, size })
    }

    /// The display's name, such as `:99`.
    pub fn name(&self) -> String {
        self.display.to_string()
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

    /// The file whose cookie opened the display.
    pub fn xauthority(&self) -> Option<&Path> {
        self.xauthority.as_deref()
    }

    /// Where to wait for the desktop's end; `None` until then.
    pub fn ended(&self) -> watch::Receiver<Option<Ended>> {
        self.ended.subscribe()
    }
}
