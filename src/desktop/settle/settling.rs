//! One wait for the screen to settle after an action.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{
    area::Area,
    history::History,
    judge::{Judge, Rules},
};
use crate::{
    desktop::{
        capture::{
            CaptureError, Frame, FrameRequest,
            watch::{Look, Surroundings, Turn, Watch, conclude},
        },
        last_frame::LastFrame,
    },
    protocol::observe::Settled,
};

/// How often the applications are looked at; a look takes some 100 µs.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(8);
/// The least time between two captures: a fourth of a frame of 60 a second, so that the X server has time for those who draw.
const LOOK_INTERVAL: Duration = Duration::from_millis(4);

/// What to wait for.
#[derive(Clone, Debug)]
pub struct SettleRequest {
    /// When the action had ended.
    pub acted: Instant,
    /// What must be the case.
    pub rules: Rules,
    /// Where changes count.
    pub area: Area,
    /// How the frame is to be at the end.
    pub frame: FrameRequest,
}

/// The wait. `work` is done with the frame at its end, on the capture thread; what it returns goes to the receiver.
pub struct Settling<R, Work> {
    request: SettleRequest,
    judge: Judge,
    next_sample: Instant,
    settled: Option<Settled>,
    /// Closed when nobody waits any more.
    sender: oneshot::Sender<R>,
    work: Work,
}

impl<R, Work> Settling<R, Work>
where
    R: Send,
    Work: FnOnce(Result<(Frame<'_>, Settled), CaptureError>) -> R + Send,
{
    /// A wait that has not begun.
    pub fn new(request: SettleRequest, sender: oneshot::Sender<R>, work: Work) -> Self {
        let judge = Judge::new(request.rules, request.acted);
        Self { next_sample: request.acted, request, judge, settled: None, sender, work }
    }
}

impl<R, Work> Watch for Settling<R, Work>
where
    R: Send,
    Work: FnOnce(Result<(Frame<'_>, Settled), CaptureError>) -> R + Send,
{
    fn interval(&self) -> Duration {
        LOOK_INTERVAL
    }

    fn calls_it_settled(&self) -> bool {
        true
    }

    fn begin(&mut self, frame: &LastFrame, since_action: &History) {
        if let Some(pixels) = frame.pixels() {
            self.request.area.remember(&pixels);
        }
        if let Some(at) = since_action.last_change(|tile| self.request.area.touches(tile)) {
            self.judge.note_change(at);
        }
    }

    fn look(&mut self, look: &Look<'_>) {
        let area = &mut self.request.area;
        // Each tile is looked at, because each look remembers what it saw.
        if look.told.iter().filter(|&&tile| area.counts(&look.pixels, tile)).count() > 0 {
            tracing::trace!(since_action = ?look.at.saturating_duration_since(self.request.acted), "a change that counts");
            self.judge.note_change(look.at);
        }
    }

    fn turn(&mut self, surroundings: &mut Surroundings<'_>) -> Turn {
        let now = surroundings.now;
        if self.sender.is_closed() {
            return Turn::Leave;
        }
        if now >= self.next_sample
            && let Some(evidence) = surroundings.evidence.as_deref_mut()
        {
            let sample = evidence.sample(self.request.acted, now);
            tracing::trace!(?sample, since_action = ?now.saturating_duration_since(self.request.acted), "a look at the applications");
            self.judge.note_sample(now, sample);
            self.next_sample = now + SAMPLE_INTERVAL;
        }
        match self.judge.verdict(now) {
            Some(reason) => {
                let waited = now.saturating_duration_since(self.request.acted);
                let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
                self.settled = Some(Settled { reason, waited_ms });
                Turn::Finish
            }
            None => Turn::WaitUntil(now + SAMPLE_INTERVAL),
        }
    }

    fn request(&self) -> FrameRequest {
        self.request.frame
    }

    fn finish(self: Box<Self>, frame: Result<Frame<'_>, CaptureError>) {
        conclude(frame, self.settled, self.sender, self.work);
    }
}
