//! What goes on watching the screen, on the capture thread: it is told of every change, and asked again and again whether it has
//! seen enough.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{CaptureError, Frame, FrameRequest};
use crate::{
    desktop::{
        curtain::View,
        evidence::Evidence,
        last_frame::LastFrame,
        settle::{ambient::Tile, history::History},
    },
    image::pixels::Pixels,
};

/// How often the screen is looked at while nobody waits for it: often enough to know when something last changed, and for a
/// video on the screen to cost one per cent of a processor.
pub const IDLE_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A captured frame in which something is different from the one before.
#[derive(Debug)]
pub struct Look<'a> {
    /// When it was captured.
    pub at: Instant,
    /// What it shows.
    pub pixels: Pixels<'a>,
    /// The frame with its serials.
    pub frame: &'a LastFrame,
    /// The tiles that are different.
    pub changed: &'a [Tile],
    /// Those of them that are different in a way in which they do not change by themselves.
    pub told: &'a [Tile],
    /// Whether an answer has called the screen settled, and nobody has acted since.
    pub after_settling: bool,
}

/// What a watcher wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its turn again at this time at the latest; it is told of changes until then.
    WaitUntil(Instant),
    /// Its turn again when something has changed, also what changes by itself.
    WaitForChange,
    /// It goes, without a frame and without a word.
    Leave,
    /// The frame of this moment; it has seen enough. If that frame is different from the last one, the watcher is told of it
    /// and asked once more.
    Finish,
}

/// What a watcher begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// The last captured frame: what was drawn since is told.
    LastFrame,
    /// A frame of this moment: what was drawn before is not.
    Now,
}

/// What it can see when it is its turn.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Now.
    pub now: Instant,
    /// The last frame.
    pub frame: &'a LastFrame,
    /// Whether it may be shown at all.
    pub view: View,
    /// The applications, where they can be seen.
    pub evidence: Option<&'a mut Evidence>,
}

/// Does a watcher's work at its end, with what it has found, and sends what that returns. Without anything found nobody waits.
pub(in crate::desktop) fn conclude<T, R>(
    frame: Result<Frame<'_>, CaptureError>,
    found: Option<T>,
    sender: oneshot::Sender<R>,
    work: impl FnOnce(Result<(Frame<'_>, T), CaptureError>) -> R,
) {
    let result = match (frame, found) {
        (Ok(frame), Some(found)) => work(Ok((frame, found))),
        (Err(error), _) => work(Err(error)),
        (Ok(_), None) => return,
    };
    // Whoever waited may have gone meanwhile, which is no error.
    drop(sender.send(result));
}

/// Watches the screen.
pub trait Watch: Send {
    /// How long may be between two looks, at the least: each takes the server and us some 0.2 ms.
    fn interval(&self) -> Duration;

    /// What it wants to begin with.
    fn baseline(&self) -> Baseline {
        Baseline::LastFrame
    }

    /// Whether the screen counts as settled when it has seen enough.
    fn calls_it_settled(&self) -> bool {
        false
    }

    /// It begins, with that frame and what has changed since the last action.
    fn begin(&mut self, frame: &LastFrame, since_action: &History);

    /// Something is different, if only what changes by itself.
    fn look(&mut self, look: &Look<'_>);

    /// What it wants next.
    fn turn(&mut self, surroundings: &mut Surroundings<'_>) -> Turn;

    /// How the frame is to be that it ends with.
    fn request(&self) -> FrameRequest;

    /// It is over: the frame of this moment, or why there is none.
    fn finish(self: Box<Self>, frame: Result<Frame<'_>, CaptureError>);
}
