//! What happens among the sessions, for those who have subscribed to it.
//!
//! Nothing is made while nobody is there. Who has the lease is kept as it is now; of what sessions do, the last few are kept for
//! all readers together, and one who is slower than that is told how many are missing.

use std::time::Duration;

use tokio::sync::{broadcast, watch};

use crate::{
    protocol::{audit::Outcome, egress::EgressVerdict, identity::UserName, limits},
    session::registry::SessionId,
};

/// Who has the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSeen {
    /// How often it has changed hands.
    pub epoch: u64,
    /// Whose session has it.
    pub holder: Option<UserName>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSeen {
    /// Of which session.
    pub session: SessionId,
    /// Whose session.
    pub user: UserName,
    /// What was asked for.
    pub method: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// What an application asked of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressSeen {
    /// The host.
    pub host: String,
    /// What became of it.
    pub verdict: EgressVerdict,
}

/// Where it is told.
#[derive(Debug)]
pub struct Happenings {
    lease: watch::Sender<Option<LeaseSeen>>,
    actions: broadcast::Sender<ActionSeen>,
    egress: broadcast::Sender<EgressSeen>,
}

impl Default for Happenings {
    fn default() -> Self {
        Self {
            lease: watch::Sender::new(None),
            actions: broadcast::Sender::new(limits::ACTIONS_KEPT),
            egress: broadcast::Sender::new(limits::ACTIONS_KEPT),
        }
    }
}

impl Happenings {
    /// Follows the lease; what it is now has to be told once more.
    pub fn follow_lease(&self) -> watch::Receiver<Option<LeaseSeen>> {
        self.lease.subscribe()
    }

    /// Whether anybody follows the lease.
    pub fn lease_is_followed(&self) -> bool {
        self.lease.receiver_count() > 0
    }

    /// Tells who has the lease, if that is news.
    pub fn lease(&self, now: LeaseSeen) {
        self.lease.send_if_modified(|known| {
            let is_news = known.as_ref().is_none_or(|known| known.epoch < now.epoch);
            if is_news {
                *known = Some(now);
            }
            is_news
        });
    }

    /// Follows what sessions do from now on.
    pub fn follow_actions(&self) -> broadcast::Receiver<ActionSeen> {
        self.actions.subscribe()
    }

    /// Follows what applications ask of the network from now on.
    pub fn follow_egress(&self) -> broadcast::Receiver<EgressSeen> {
        self.egress.subscribe()
    }

    /// Tells what one has asked for.
    pub fn egress(&self, seen: impl FnOnce() -> EgressSeen) {
        if self.egress.receiver_count() > 0 {
            // As below.
            self.egress.send(seen()).ok();
        }
    }

    /// Tells what came of a request.
    pub fn action(&self, action: impl FnOnce() -> ActionSeen) {
        if self.actions.receiver_count() > 0 {
            // The last reader may go in this moment, and then nobody misses it.
            self.actions.send(action()).ok();
        }
    }
}
