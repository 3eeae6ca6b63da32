//! Sends the screen of one display to one subscription, on the capture thread, where the pixels are.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Subscription,
    tiles::{Encoded, Workshop},
};
use crate::{
    desktop::{
        capture::{
            CaptureError, CursorOverlay, Frame, FrameRequest,
            watch::{IDLE_LOOK_INTERVAL, Look, Surroundings, Turn, Watch},
        },
        curtain::View,
        last_frame::LastFrame,
        settle::history::History,
    },
    protocol::{
        error::Failure,
        message::{BinaryKind, BinaryMessage},
        subscription::{Event, FramesEvent, Tile},
    },
    session::{pacing::Next, registry::DisplayEpoch},
    transport::outbox::Offered,
};

/// The least time between two frames: thirty a second, as a video. Each costs a look of 0.2 ms and what has changed.
const FRAME_INTERVAL: Duration = Duration::from_millis(33);
/// How long a stream waits for an outbox that is not empty enough. It is asked again because no acknowledgement may come: an
/// answer can be in the way. Only while the reader is behind and the screen has changed.
pub(super) const OUTBOX_INTERVAL: Duration = Duration::from_millis(50);

/// How long a stream waits whose user may not be sent as much as this one frame takes, in any window. It becomes smaller when the
/// screen shows something else, and to find that out costs an encoding: 50 ms for noise on a 4K screen, one per cent of a processor.
const NEVER_FITS_INTERVAL: Duration = Duration::from_secs(5);

/// One subscription's frames of one display.
pub(super) struct FrameStream {
    subscription: Weak<Subscription>,
    epoch: DisplayEpoch,
    /// Shared with the other streams of the display; there from the beginning to the end.
    workshop: Option<Arc<Workshop>>,
    pace: Pace,
    /// Before then its user may not be sent what there is; nothing is encoded until that.
    spent_until: Option<Instant>,
    /// Says why it has ended.
    ended: oneshot::Sender<CaptureError>,
}

/// Whether the next frame is of any use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// It can be sent.
    Flowing,
    /// The reader has to catch up first.
    Held,
}

/// What a turn came to.
enum Progress {
    /// Everything is sent, or an acknowledgement is awaited, which brings the next turn.
    Waits,
    /// The outbox is not empty enough.
    Busy,
    /// Its user has been sent as many bytes of pictures as they may until then.
    Spent(Instant),
    /// There is no reader any more.
    Over,
}

impl FrameStream {
    /// A stream that has not begun.
    pub(super) fn new(
        subscription: Weak<Subscription>,
        epoch: DisplayEpoch,
        ended: oneshot::Sender<CaptureError>,
    ) -> Self {
        Self { subscription, epoch, workshop: None, pace: Pace::Flowing, spent_until: None, ended }
    }

    fn send(&mut self, frame: &LastFrame, now: Instant) -> Progress {
        let (Some(subscription), Some(pixels)) = (self.subscription.upgrade(), frame.pixels()) else {
            return Progress::Over;
        };
        let mut pacing = subscription.pacing();
        self.pace = Pace::Flowing;
        let since = match pacing.next(self.epoch, frame.serial()) {
            Next::Full => None,
            Next::Since(serial) => Some(serial),
            Next::Nothing => return Progress::Waits,
            Next::NoRoom => {
                self.pace = Pace::Held;
                return Progress::Waits;
            }
            Next::Over => return Progress::Over,
        };
        if let Some(until) = self.spent_until.filter(|until| *until > now) {
            self.pace = Pace::Held;
            return Progress::Spent(until);
        }
        if !subscription.outbox.takes_offers() {
            self.pace = Pace::Held;
            return Progress::Busy;
        }
        let workshop = self.workshop.get_or_insert_with(Workshop::of_this_thread);
        let made = workshop.with(frame, &pixels, since, |encoded| {
            let bytes: usize = encoded.iter().map(|part| part.png.len()).sum();
            subscription.quota.take(bytes as u64).map(|()| message(&subscription, encoded))
        });
        let (tiles, attachments) = match made {
            Ok(Ok(made)) => made,
            Ok(Err(spent)) => return self.stand_still(&subscription, spent, now),
            Err(error) => {
                tracing::error!(%error, "a frame of a stream could not be encoded");
                return Progress::Over;
            }
        };
        let size = pixels.size();
        let event = Event::Frames(FramesEvent {
            epoch: self.epoch.0,
            serial: frame.serial(),
            full: since.is_none(),
            width: size.width,
            height: size.height,
            tiles,
        });
        match subscription.offer(event, attachments) {
            Ok(Offered::Queued) => {
                pacing.sent(self.epoch, frame.serial());
                Progress::Waits
            }
            Ok(Offered::Busy) => {
                self.pace = Pace::Held;
                Progress::Busy
            }
            Err(_) => Progress::Over,
        }
    }

    /// Waits until its user may be sent more. Nothing is said to the reader, whose next picture says why and for how long.
    fn stand_still(&mut self, subscription: &Subscription, spent: Failure, now: Instant) -> Progress {
        let wait = spent.detail.and_then(|detail| detail.retry_after_ms).map(Duration::from_millis);
        let until = now + wait.unwrap_or(NEVER_FITS_INTERVAL);
        subscription.metrics.failed(spent.kind);
        tracing::info!(reason = spent.message, "a stream stands still");
        (self.pace, self.spent_until) = (Pace::Held, Some(until));
        Progress::Spent(until)
    }
}

/// What stands in the event, and the binary messages that it names.
fn message(subscription: &Subscription, encoded: &[Encoded]) -> (Vec<Tile>, Vec<BinaryMessage>) {
    let part = |Encoded { region, png }: &Encoded| {
        let attachment = subscription.attachments.next();
        let (x, y, width, height) = (region.x, region.y, region.width, region.height);
        let tile = Tile { x, y, width, height, mime: "image/png", attachment };
        (tile, BinaryMessage::new(BinaryKind::Tile, attachment, Arc::clone(png)))
    };
    encoded.iter().map(part).unzip()
}

impl Watch for FrameStream {
    fn interval(&self) -> Duration {
        match self.pace {
            Pace::Flowing => FRAME_INTERVAL,
            // Nobody waits for the next look; it happens all the same, because a session is there.
            Pace::Held => IDLE_LOOK_INTERVAL,
        }
    }

    fn begin(&mut self, _frame: &LastFrame, _since_action: &History) {
        if let Some(subscription) = self.subscription.upgrade() {
            subscription.pacing().begin(self.epoch);
        }
    }

    fn look(&mut self, _look: &Look<'_>) {
        // Its turn comes after every look, also after those at what changes by itself.
    }

    fn turn(&mut self, surroundings: &mut Surroundings<'_>) -> Turn {
        if surroundings.view == View::Closed {
            // Told when it is open again, with a frame that may be shown.
            return Turn::WaitForChange;
        }
        match self.send(surroundings.frame, surroundings.now) {
            Progress::Waits => Turn::WaitForChange,
            Progress::Busy => Turn::WaitUntil(surroundings.now + OUTBOX_INTERVAL),
            Progress::Spent(until) => Turn::WaitUntil(until),
            Progress::Over => Turn::Leave,
        }
    }

    fn request(&self) -> FrameRequest {
        FrameRequest { cursor: CursorOverlay::Without }
    }

    fn finish(self: Box<Self>, frame: Result<Frame<'_>, CaptureError>) {
        if let Err(error) = frame {
            // Whoever wants to know may be gone.
            self.ended.send(error).ok();
        }
    }
}
