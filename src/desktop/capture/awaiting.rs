//! One wait for a change of the screen, or until it stands still: by its pixels alone, whatever has caused them.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{
    CaptureError, Frame, FrameRequest,
    watch::{Baseline, Look, Surroundings, Turn, Watch, conclude},
};
use crate::{
    desktop::{
        last_frame::LastFrame,
        settle::{area::Area, history::History},
    },
    protocol::wait_for::{Outcome, Waited},
};

/// The least time between two captures: a frame of 60 a second. A wait may last for minutes beside a video, which then costs
/// some 2 % of a processor; a first change is captured at once.
const LOOK_INTERVAL: Duration = Duration::from_millis(16);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A pixel is different from the frame with this serial; without one from the screen when the wait begins.
    Changed {
        /// The frame.
        since: Option<u64>,
    },
    /// No pixel has changed for so long.
    Still {
        /// How long.
        quiet: Duration,
    },
}

/// A wait.
#[derive(Clone, Debug)]
pub struct AwaitRequest {
    /// What for.
    pub condition: Condition,
    /// Where changes count.
    pub area: Area,
    /// When it was asked for.
    pub asked: Instant,
    /// How long it may take from then on.
    pub timeout: Duration,
    /// How the frame is to be at the end.
    pub frame: FrameRequest,
}

/// The wait. `work` is done with the frame at its end, on the capture thread; what it returns goes to the receiver.
pub(super) struct Awaiting<R, Work> {
    request: AwaitRequest,
    changed: bool,
    /// The last change, or the beginning.
    still_since: Instant,
    waited: Option<Waited>,
    /// Closed when nobody waits any more.
    sender: oneshot::Sender<R>,
    work: Work,
}

impl<R, Work> Awaiting<R, Work>
where
    R: Send,
    Work: FnOnce(Result<(Frame<'_>, Waited), CaptureError>) -> R + Send,
{
    pub(super) const fn new(request: AwaitRequest, sender: oneshot::Sender<R>, work: Work) -> Self {
        let still_since = request.asked;
        Self { request, changed: false, still_since, waited: None, sender, work }
    }

    fn is_met(&self, now: Instant) -> bool {
        match self.request.condition {
            Condition::Changed { .. } => self.changed,
            Condition::Still { quiet } => now.saturating_duration_since(self.still_since) >= quiet,
        }
    }

    /// When it is over if nothing changes until then.
    fn end(&self) -> Instant {
        let end = self.request.asked + self.request.timeout;
        match self.request.condition {
            Condition::Changed { .. } => end,
            Condition::Still { quiet } => end.min(self.still_since + quiet),
        }
    }
}

impl<R, Work> Watch for Awaiting<R, Work>
where
    R: Send,
    Work: FnOnce(Result<(Frame<'_>, Waited), CaptureError>) -> R + Send,
{
    fn interval(&self) -> Duration {
        LOOK_INTERVAL
    }

    fn baseline(&self) -> Baseline {
        match self.request.condition {
            // What was drawn since the last frame is a change since it and all before.
            Condition::Changed { since: Some(_) } => Baseline::LastFrame,
            Condition::Changed { since: None } | Condition::Still { .. } => Baseline::Now,
        }
    }

    fn begin(&mut self, frame: &LastFrame, _since_action: &History) {
        let area = &mut self.request.area;
        if let Some(pixels) = frame.pixels() {
            area.remember(&pixels);
        }
        if let Condition::Changed { since: Some(serial) } = self.request.condition {
            self.changed = frame.tiles().changed_since(serial).any(|tile| area.touches(tile));
        }
        self.still_since = Instant::now();
    }

    fn look(&mut self, look: &Look<'_>) {
        let area = &mut self.request.area;
        // Each tile is looked at, because each look remembers what it saw.
        if look.changed.iter().filter(|&&tile| area.counts(&look.pixels, tile)).count() > 0 {
            self.changed = true;
            self.still_since = look.at;
        }
    }

    fn turn(&mut self, surroundings: &mut Surroundings<'_>) -> Turn {
        let now = surroundings.now;
        if self.sender.is_closed() {
            return Turn::Leave;
        }
        let outcome = if self.is_met(now) {
            Outcome::Met
        } else if now >= self.end() {
            Outcome::TimedOut
        } else {
            return Turn::WaitUntil(self.end());
        };
        self.waited = Some(Waited { outcome, time: now.saturating_duration_since(self.request.asked) });
        Turn::Finish
    }

    fn request(&self) -> FrameRequest {
        self.request.frame
    }

    fn finish(self: Box<Self>, frame: Result<Frame<'_>, CaptureError>) {
        conclude(frame, self.waited, self.sender, self.work);
    }
}
