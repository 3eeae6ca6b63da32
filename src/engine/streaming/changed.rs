//! Watches for changes of a screen that an answer has called settled.

use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::desktop::{
    capture::{
        CaptureError, CursorOverlay, Frame, FrameRequest,
        watch::{IDLE_LOOK_INTERVAL, Look, Surroundings, Turn, Watch},
    },
    last_frame::LastFrame,
    settle::history::History,
};

/// Publishes the serial of the newest frame with such a change.
pub(super) struct ChangeWatch {
    serials: watch::Sender<Option<u64>>,
    ended: oneshot::Sender<CaptureError>,
}

impl ChangeWatch {
    pub(super) const fn new(serials: watch::Sender<Option<u64>>, ended: oneshot::Sender<CaptureError>) -> Self {
        Self { serials, ended }
    }
}

impl Watch for ChangeWatch {
    fn interval(&self) -> Duration {
        // As often as for any session that is there.
        IDLE_LOOK_INTERVAL
    }

    fn begin(&mut self, _frame: &LastFrame, _since_action: &History) {}

    fn look(&mut self, look: &Look<'_>) {
        if look.after_settling && !look.told.is_empty() {
            self.serials.send_replace(Some(look.frame.serial()));
        }
    }

    fn turn(&mut self, _surroundings: &mut Surroundings<'_>) -> Turn {
        if self.ended.is_closed() { Turn::Leave } else { Turn::WaitForChange }
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
