//! One wait for a window to come or go.

use std::time::Instant;

use tokio::sync::oneshot;

use super::look::{Completeness, Look};
use crate::{
    desktop::connection::LinkError,
    protocol::{
        wait_for::{Outcome, Presence, Waited},
        window::WindowMatch,
    },
};

/// A wait. It is answered after at least one look, however short its time is.
#[derive(Debug)]
pub struct WindowWait {
    /// Which window.
    pub window: WindowMatch,
    /// What of it.
    pub presence: Presence,
    /// When it was asked for.
    pub asked: Instant,
    /// When the time is over.
    pub until: Instant,
    /// Who waits; closed when nobody does any more.
    pub sender: oneshot::Sender<Result<Waited, LinkError>>,
}

impl WindowWait {
    /// Whether what is waited for is the case. That a window is gone is only known to whoever has seen all of them.
    pub(super) fn is_met(&self, look: &Look) -> bool {
        let is_there = look.windows.iter().any(|window| self.window.accepts(&window.seen));
        match self.presence {
            Presence::There => is_there,
            Presence::Gone => !is_there && look.completeness == Completeness::Whole,
        }
    }

    pub(super) fn answer(self, outcome: Outcome) {
        let waited = Waited { outcome, time: self.asked.elapsed() };
        // Whoever waited may have gone meanwhile, which is no error.
        drop(self.sender.send(Ok(waited)));
    }

    pub(super) fn refuse(self, error: &LinkError) {
        drop(self.sender.send(Err(error.clone())));
    }
}
