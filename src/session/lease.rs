//! One controller at a time: a free lease is taken by a session's first input request and kept until it is given back, the session
//! ends, or somebody who stands higher takes it.

use super::registry::SessionId;
use crate::protocol::answer::{LeaseHolder, LeaseStatus};

/// Who controls the desktop.
#[derive(Debug, Default)]
pub struct Lease {
    holder: Option<SessionId>,
    /// Grows with every change of hands, so that a late request of an earlier holder can be told apart.
    epoch: u64,
}

impl Lease {
    /// Takes the lease if it is free; keeps it if it is ours already. Whether the session has it now.
    pub fn take(&mut self, session: SessionId) -> bool {
        if self.holder.is_none() {
            self.hand_to(session);
        }
        self.holder == Some(session)
    }

    /// Takes the lease from whoever has it. Who lost it.
    pub fn seize(&mut self, session: SessionId) -> Option<SessionId> {
        if self.holder == Some(session) {
            return None;
        }
        let loser = self.holder;
        self.hand_to(session);
        loser
    }

    /// Gives the lease back if this session has it. Whether it had.
    pub fn release(&mut self, session: SessionId) -> bool {
        let had = self.holder == Some(session);
        if had {
            self.holder = None;
            self.epoch += 1;
        }
        had
    }

    /// Who has it.
    pub const fn holder(&self) -> Option<SessionId> {
        self.holder
    }

    /// How often it has changed hands.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The lease as a session sees it.
    pub fn status(&self, session: SessionId) -> LeaseStatus {
        let holder = match self.holder {
            None => LeaseHolder::None,
            Some(holder) if holder == session => LeaseHolder::Own,
            Some(_) => LeaseHolder::Other,
        };
        LeaseStatus { holder, epoch: self.epoch }
    }

    fn hand_to(&mut self, session: SessionId) {
        self.holder = Some(session);
        self.epoch += 1;
    }
}
