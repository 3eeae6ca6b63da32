//! One controller at a time: a free lease is taken by a session's first input request and kept until the session ends.

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
            self.holder = Some(session);
            self.epoch += 1;
        }
        self.holder == Some(session)
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

    /// The lease as a session sees it.
    pub fn status(&self, session: SessionId) -> LeaseStatus {
        let holder = match self.holder {
            None => LeaseHolder::None,
            Some(holder) if holder == session => LeaseHolder::Own,
            Some(_) => LeaseHolder::Other,
        };
        LeaseStatus { holder, epoch: self.epoch }
    }
}
