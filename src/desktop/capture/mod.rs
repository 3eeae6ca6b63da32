//! Pictures of the screen: a thread with a connection of its own, so that looking never waits behind acting.
//!
//! ```text
//! Capture ─► (thread) worker ─► screen: damage ─► screen_source ─► last_frame
//!                   │          └► masked ─► masks, where the policy hides windows
//!                             └► watch: settling ◄─ evidence, awaiting, …
//! ```
pub mod awaiting;
mod masked;
mod screen;
pub mod watch;
mod worker;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use thiserror::Error;
use tokio::sync::oneshot;

use self::{
    awaiting::{AwaitRequest, Awaiting},
    screen::Screen,
    watch::Watch,
    worker::{Job, Work, Worker},
};
use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    cursor::PlacedCursor,
    curtain::{Curtain, View},
    ended::EndSignal,
    inbox::{Inbox, Slot},
    settle::settling::{SettleRequest, Settling},
};
use crate::{
    image::{pixels::Pixels, tiles::TileSerials},
    protocol::{
        error::{ErrorKind, Failure},
        observe::Settled,
        units::{NativePoint, NativeSize},
        wait_for::Waited,
    },
};

/// How pixels come from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureMethod {
    /// MIT-SHM where the server has it and lets us attach memory, else as below.
    SharedMemory,
    /// Core `GetImage`: the pixels come through the socket.
    CoreProtocol,
}

/// Whether a frame comes with the cursor, which is not among its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorOverlay {
    /// Pixels only.
    Without,
    /// The cursor too, asked for in the same round trip.
    With,
}

/// What a frame must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRequest {
    /// With or without cursor.
    pub cursor: CursorOverlay,
}

/// A picture of the screen, captured after it was asked for.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Counts different pictures of this display, from 1: consecutive equal captures keep it.
    pub serial: u64,
    /// The root window.
    pub pixels: Pixels<'a>,
    /// The serials at which its tiles last changed.
    pub tiles: &'a TileSerials,
    /// Where it was asked for and the server has XFIXES.
    pub cursor: Option<PlacedCursor>,
    /// Where the pointer was, asked for in the same round trip.
    pub pointer: NativePoint,
    /// Whether it may be shown at all.
    pub view: View,
    /// From the first request sent to the frame being up to date.
    pub capture_time: Duration,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CaptureError {
    /// No answer in time. The next capture may succeed.
    #[error("the display did not answer within {} s; try again, and look whether its process is stopped", OPERATION_TIME.as_secs_f32())]
    Unresponsive,
    /// The connection ended; no later capture will succeed.
    #[error("the connection to the display ended: {0}; try again once it is back")]
    Lost(String),
    /// The server answered with an X error.
    #[error("the display refused to show its screen: {0}")]
    Refused(String),
    /// The policy hides windows, and which they are cannot be told for certain.
    #[error("no picture, because the windows that the policy masks cannot be told for certain: {0}")]
    Unmaskable(&'static str),
    /// The screen has another size than when the link was opened; a new link and a new epoch are needed.
    #[error("the screen is {}×{} now; take a new screenshot", .0.width, .0.height)]
    Resized(NativeSize),
}

impl From<LinkError> for CaptureError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Unresponsive => Self::Unresponsive,
            LinkError::Lost(reason) => Self::Lost(reason),
            LinkError::Refused(reason) => Self::Refused(reason),
        }
    }
}

impl From<CaptureError> for Failure {
    fn from(error: CaptureError) -> Self {
        Self::new(ErrorKind::DisplayLost, error.to_string())
    }
}

/// How many sessions there are. While there is one, the screen is looked at when something is drawn, so that it is known what
/// moves by itself; with none nobody looks. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Attendance(Arc<AtomicUsize>);

impl Attendance {
    /// Somebody is there, until the guard goes.
    pub fn attend(&self) -> Attending {
        self.0.fetch_add(1, Ordering::Relaxed);
        Attending(self.clone())
    }

    fn is_anybody(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// Somebody is there as long as this is.
#[derive(Debug)]
pub struct Attending(Attendance);

impl Drop for Attending {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The capture thread of one display. It ends when this is dropped, after the work that is under way.
#[derive(Debug)]
pub struct Capture {
    jobs: Slot<Job>,
    last_serial: Arc<AtomicU64>,
}

impl Capture {
    /// Starts the thread. It asks the display nothing until the first frame is wanted. Without its connection there are no
    /// pictures any more, so the connection's end is the end of the desktop.
    pub fn start(link: Link, method: CaptureMethod, attendance: Attendance, ended: EndSignal) -> io::Result<Self> {
        Self::start_behind(link, method, Arc::default(), attendance, ended)
    }

    /// The same, behind a curtain.
    pub fn start_behind(
        link: Link,
        method: CaptureMethod,
        curtain: Arc<Curtain>,
        attendance: Attendance,
        ended: EndSignal,
    ) -> io::Result<Self> {
        let (slot, jobs) = Inbox::new()?;
        let last_serial = Arc::new(AtomicU64::new(0));
        let published = Arc::clone(&last_serial);
        // The shared memory is made on the thread and stays there: it cannot be sent.
        let body = move || Worker::new(Screen::new(link, method, curtain), published, attendance, ended).run(&jobs);
        thread::Builder::new().name("capture".into()).spawn(body)?;
        Ok(Self { jobs: slot, last_serial })
    }

    /// Captures the screen, then runs `work` on the capture thread, so that encoding needs no copy of the frame. The answer
    /// is what `work` returns. It is an error if `work` panicked or the thread is gone; both are defects.
    ///
    /// Dropping the receiver before its turn cancels the capture.
    pub fn with_frame<R: Send + 'static>(
        &self,
        request: FrameRequest,
        work: impl FnOnce(Result<Frame<'_>, CaptureError>) -> R + Send + 'static,
    ) -> oneshot::Receiver<R> {
        let (sender, receiver) = oneshot::channel();
        let work: Work = Box::new(move |frame| {
            if !sender.is_closed() {
                // Whoever asked may have gone meanwhile, which is no error.
                drop(sender.send(work(frame)));
            }
        });
        // If the thread is gone, the sender inside `work` is dropped and the receiver tells.
        self.jobs.put(Job::Picture { request, work });
        receiver
    }

    /// Waits by evidence until the screen has settled after an action, then runs `work` as [`Capture::with_frame`] does, with
    /// the frame in which it had. To be announced by [`Capture::before_action`] before the action.
    ///
    /// Dropping the receiver ends the wait.
    pub fn when_settled<R: Send + 'static>(
        &self,
        request: SettleRequest,
        work: impl FnOnce(Result<(Frame<'_>, Settled), CaptureError>) -> R + Send + 'static,
    ) -> oneshot::Receiver<R> {
        let (sender, receiver) = oneshot::channel();
        self.watch(Box::new(Settling::new(request, sender, work)));
        receiver
    }

    /// Waits for a change of the screen, or until it stands still, then runs `work` as [`Capture::with_frame`] does, with the
    /// frame of that moment.
    ///
    /// Dropping the receiver ends the wait.
    pub fn when<R: Send + 'static>(
        &self,
        request: AwaitRequest,
        work: impl FnOnce(Result<(Frame<'_>, Waited), CaptureError>) -> R + Send + 'static,
    ) -> oneshot::Receiver<R> {
        let (sender, receiver) = oneshot::channel();
        self.watch(Box::new(Awaiting::new(request, sender, work)));
        receiver
    }

    /// Lets somebody watch the screen.
    pub fn watch(&self, watch: Box<dyn Watch>) {
        self.jobs.put(Job::Watch(watch));
    }

    /// Gives everybody who watches a turn, because what they wait for beside the screen may have come.
    pub fn nudge(&self) {
        self.jobs.put(Job::Nudge);
    }

    /// An action is about to begin, whose effect somebody may want to see. Nobody waits for it: what is seen then is what was
    /// before or hardly after.
    pub fn action_begins(&self) {
        self.jobs.put(Job::ActionBegins(None));
    }

    /// The same, and says when the screen and the applications have been looked at, so that the effect can be told apart.
    pub fn before_action(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.jobs.put(Job::ActionBegins(Some(sender)));
        receiver
    }

    /// The sources of evidence that are in use; an error when the display does not answer.
    pub fn evidence(&self) -> oneshot::Receiver<Result<Vec<&'static str>, CaptureError>> {
        let (sender, receiver) = oneshot::channel();
        self.jobs.put(Job::Evidence(sender));
        receiver
    }

    /// The serial of the last captured frame, 0 before the first. Does not wait and captures nothing.
    pub fn last_serial(&self) -> u64 {
        self.last_serial.load(Ordering::Acquire)
    }
}
