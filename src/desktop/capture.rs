//! Pictures of the screen: a thread with a connection of its own, so that looking never waits behind acting.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::sync::oneshot;
use x11rb::protocol::{
    Event,
    xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask},
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    cursor::{self, CursorSource, PlacedCursor},
    ended::{EndSignal, Ended},
    inbox::{Inbox, Next, Slot},
    last_frame::LastFrame,
    screen_source::ScreenSource,
};
use crate::{
    image::{pixels::Pixels, tiles::TileSerials},
    protocol::{
        error::{ErrorKind, Failure},
        units::{NativePoint, NativeSize},
    },
};

/// How long nothing must be asked before shared memory goes back to the system. Longer than the pause between two steps of
/// a quick controller, so that these find the memory in place; one wake-up, then none.
const RELEASE_AFTER: Duration = Duration::from_secs(5);

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

type Work = Box<dyn FnOnce(Result<Frame<'_>, CaptureError>) + Send>;

struct Job {
    request: FrameRequest,
    work: Work,
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
    pub fn start(link: Link, method: CaptureMethod, ended: EndSignal) -> io::Result<Self> {
        let (slot, jobs) = Inbox::new()?;
        let last_serial = Arc::new(AtomicU64::new(0));
        let published = Arc::clone(&last_serial);
        // The shared memory is made on the thread and stays there: it cannot be sent.
        let body = move || Worker::new(link, method, published, ended).run(&jobs);
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
        self.jobs.put(Job { request, work });
        receiver
    }

    /// The serial of the last captured frame, 0 before the first. Does not wait and captures nothing.
    pub fn last_serial(&self) -> u64 {
        self.last_serial.load(Ordering::Acquire)
    }
}

/// What has been agreed on with the server.
struct Ready {
    screen: ScreenSource,
    cursor: Option<CursorSource>,
}

struct Worker {
    link: Link,
    method: CaptureMethod,
    /// `None` until the first frame is wanted.
    ready: Option<Ready>,
    /// The root window's size when it is no longer the link's. Stays, because nothing here fits the new size.
    resized: Option<NativeSize>,
    frame: LastFrame,
    last_serial: Arc<AtomicU64>,
    ended: EndSignal,
}

impl Worker {
    fn new(link: Link, method: CaptureMethod, last_serial: Arc<AtomicU64>, ended: EndSignal) -> Self {
        Self { frame: LastFrame::new(link.size), link, method, ready: None, resized: None, last_serial, ended }
    }

    fn run(mut self, jobs: &Inbox<Job>) {
        let mut holds_memory = false;
        let lost = loop {
            let until = if holds_memory { Instant::now().checked_add(RELEASE_AFTER) } else { None };
            let Self { link, resized, .. } = &mut self;
            match jobs.next(link, until, |event| note_size(link, resized, event)) {
                Ok(Next::Question(job)) => {
                    holds_memory = true;
                    if let Err(lost) = self.serve(job, jobs) {
                        break lost;
                    }
                }
                Ok(Next::Timeout) => {
                    self.release();
                    holds_memory = false;
                }
                Ok(Next::Closed) => return,
                Err(LinkError::Lost(reason)) => break reason,
                Err(error) => break error.to_string(),
            }
        };
        self.ended.end(Ended::Lost { reason: lost.clone() });
        jobs.refuse_all(|job| attempt(|| (job.work)(Err(CaptureError::Lost(lost.clone())))));
    }

    /// Captures and answers. The error is why no later capture can succeed.
    fn serve(&mut self, job: Job, jobs: &Inbox<Job>) -> Result<(), String> {
        let started = Instant::now();
        let captured = self.capture(job.request);
        // Whoever asked during a wait that timed out has waited long enough: nobody is to wait for several deadlines. They
        // are taken before anyone is answered, so that a request that follows on an answer gets an attempt of its own.
        let timed_out = matches!(captured, Err(CaptureError::Unresponsive));
        let waiting: Vec<Job> = if timed_out { jobs.waiting().collect() } else { Vec::new() };
        let lost = if let Err(CaptureError::Lost(reason)) = &captured { Err(reason.clone()) } else { Ok(()) };
        let frame = captured.and_then(|(pointer, cursor)| {
            let pixels = self.frame.pixels().ok_or_else(|| CaptureError::Lost("the screen has no pixels".into()))?;
            let tiles = self.frame.tiles();
            Ok(Frame { serial: self.frame.serial(), pixels, tiles, cursor, pointer, capture_time: started.elapsed() })
        });
        attempt(|| (job.work)(frame));
        for job in waiting {
            attempt(|| (job.work)(Err(CaptureError::Unresponsive)));
        }
        lost
    }

    /// Brings the frame up to date.
    fn capture(&mut self, request: FrameRequest) -> Result<(NativePoint, Option<PlacedCursor>), CaptureError> {
        let Self { link, ready, frame, .. } = self;
        let _deadline = link.within(OPERATION_TIME);
        let Ready { screen, cursor } = match ready {
            Some(ready) => ready,
            new => new.insert(set_up(link, self.method)?),
        };
        // Pointer and cursor are asked for first: all answers come with one wait.
        let pointer = link.connection.query_pointer(link.root);
        let asked = cursor.filter(|_| request.cursor == CursorOverlay::With).map(|cursor| cursor.ask(link));
        let updated = screen.update(link, frame);
        let pointer = link.reply(pointer)?;
        let cursor = asked.map(|asked| link.reply(asked));
        // The event comes before the replies to requests that the server carried out after the change.
        while let Some((event, _)) = link.next_event()? {
            note_size(link, &mut self.resized, &event);
        }
        if let Some(size) = self.resized {
            return Err(CaptureError::Resized(size));
        }
        updated?;
        self.last_serial.store(frame.serial(), Ordering::Release);
        let pointer =
            NativePoint { x: pointer.root_x.max(0).cast_unsigned(), y: pointer.root_y.max(0).cast_unsigned() };
        Ok((pointer, cursor.transpose()?.and_then(cursor::placed)))
    }

    fn release(&self) {
        if let Some(ready) = &self.ready
            && let Err(error) = ready.screen.release()
        {
            tracing::debug!(%error, "shared memory was not given back");
        }
    }
}

/// Agrees with the server on everything once.
fn set_up(link: &Link, method: CaptureMethod) -> Result<Ready, LinkError> {
    // A server that does not answer must be noticed by a request whose failure can be repeated: x11rb takes an extension
    // for missing for ever once the question whether it is there has failed.
    let events = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    link.done(link.connection.change_window_attributes(link.root, &events))?;
    let cursor = CursorSource::set_up(link)?;
    let screen = match method {
        CaptureMethod::SharedMemory => ScreenSource::set_up(link)?,
        CaptureMethod::CoreProtocol => ScreenSource::Core,
    };
    Ok(Ready { screen, cursor })
}

/// Notes the size of the root window when it is another than the link's.
fn note_size(link: &Link, resized: &mut Option<NativeSize>, event: &Event) {
    if let Event::ConfigureNotify(event) = event
        && event.window == link.root
    {
        let size = NativeSize { width: event.width, height: event.height };
        *resized = Some(size).filter(|&size| size != link.size).or(*resized);
    }
}

/// Runs foreign work. A panic in it is reported and must not take the pictures of everybody else with it; the frame is only
/// lent to it, so no state of ours can be half changed.
fn attempt(work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!("work on a frame panicked; its request is answered as an internal error");
    }
}
