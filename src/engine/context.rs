//! What the steps of a request share: whose it is, which desktop it works on, when it must end, what it has written.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{client::Client, display::Live, lane::Job, seen::Seen, state::Engine};
use crate::{
    plan::fit::Geometry,
    protocol::{
        answer::Timing,
        error::{ErrorKind, Failure},
        message::{BinaryMessage, MessageText},
    },
};

/// What every step of a request needs.
pub struct Context<'a> {
    /// The server.
    pub engine: &'a Engine,
    /// Whose request.
    pub client: &'a Client,
    /// The desktop that the request began on.
    pub live: Arc<Live>,
    /// The session's coordinates on that desktop.
    pub geometry: Geometry,
    /// The picture that the client has.
    pub seen: Option<Seen>,
    /// The request.
    pub job: &'a Job,
}

impl Context<'_> {
    /// How long the request has waited until now.
    pub fn waited(&self) -> Duration {
        self.job.received.elapsed()
    }

    /// # Errors
    /// `cancelled` or `deadline_exceeded` when the request is to end before its next step.
    pub fn check(&self) -> Result<(), Failure> {
        ended(self.job)
    }

    /// Waits for what the display does for the request, which a cancel or the deadline ends.
    ///
    /// # Errors
    /// `cancelled`, `deadline_exceeded`, or `display_lost` where nobody is there any more to do it.
    pub async fn wait_for<T>(&self, done: oneshot::Receiver<T>) -> Result<T, Failure> {
        let deadline = async {
            match self.job.deadline() {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = done => {
                done.map_err(|_| Failure::new(ErrorKind::DisplayLost, "the display was lost while the request waited for it"))
            }
            () = self.job.cancellation.cancelled() => {
                Err(Failure::new(ErrorKind::Cancelled, "the request was cancelled while it waited for the display"))
            }
            () = deadline => Err(Failure::new(
                ErrorKind::DeadlineExceeded,
                "the deadline passed while the request waited for the display; give it more time with deadline_ms",
            )),
        }
    }
}

/// # Errors
/// Why a request is to end before it goes on.
pub fn ended(job: &Job) -> Result<(), Failure> {
    if job.cancellation.is_cancelled() {
        return Err(cancelled());
    }
    match job.deadline() {
        Some(deadline) if deadline <= Instant::now() => Err(expired()),
        _ => Ok(()),
    }
}

/// The answer of a request that was cancelled before it began.
pub fn cancelled() -> Failure {
    Failure::new(ErrorKind::Cancelled, "the request was cancelled before it began")
}

/// The answer of a request whose deadline passed before it began.
pub fn expired() -> Failure {
    Failure::new(
        ErrorKind::DeadlineExceeded,
        "the deadline passed before the request began; give it more time with deadline_ms",
    )
}

/// A result that has been written behind the text it continues.
#[derive(Debug)]
pub struct Written {
    /// What there was, and the result.
    pub text: MessageText,
    /// The picture that the result names.
    pub attachment: Option<BinaryMessage>,
    /// The size of the picture, attached or in the text.
    pub image_bytes: u64,
    /// Where the time went.
    pub timing: Timing,
}

/// Whole microseconds, for `timing`.
pub fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
