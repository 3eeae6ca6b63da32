//! What a session's pictures take of what its user may be sent.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use crate::{
    protocol::error::Failure,
    session::registry::{SessionId, Sessions},
};

/// Counts the pictures of one session. It keeps the sessions and not the engine: streams work on the display's threads, which must
/// not be the last to hold what holds the display.
#[derive(Debug)]
pub struct PictureQuota {
    sessions: Arc<Mutex<Sessions>>,
    session: SessionId,
}

impl PictureQuota {
    pub(super) const fn new(sessions: Arc<Mutex<Sessions>>, session: SessionId) -> Self {
        Self { sessions, session }
    }

    /// Takes the bytes of a picture that is about to be sent.
    ///
    /// # Errors
    /// `rate_limited`: it is not to be sent.
    pub fn take(&self, bytes: u64) -> Result<(), Failure> {
        // As Engine::sessions: a panic in between leaves the state usable.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.take_picture(Instant::now(), self.session, bytes)
    }
}
