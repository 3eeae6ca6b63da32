//! Whom the server can reach of those who are connected: to end what a session does when another takes over or everything halts,
//! and to close a session that has a successor.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
};

use crate::{
    protocol::error::ErrorKind,
    session::{self, registry::SessionId},
};

/// Why what a session does is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// Another session has the lease now.
    LeaseLost,
    /// Input is paused: what has begun goes on to its end, what waits does not begin.
    Paused,
    /// An admin has halted everything.
    Halted,
}

impl Eviction {
    /// What its requests are answered with.
    pub const fn kind(self) -> ErrorKind {
        match self {
            Self::LeaseLost => ErrorKind::LeaseHeld,
            Self::Paused => ErrorKind::Paused,
            Self::Halted => ErrorKind::Halted,
        }
    }

    /// The same in words.
    pub const fn message(self) -> &'static str {
        match self {
            Self::LeaseLost => "another session has taken the lease",
            Self::Paused => session::control::PAUSED,
            Self::Halted => session::control::HALTED,
        }
    }
}

/// A session that can be reached.
pub trait Member: Send + Sync {
    /// Ends its requests: input only, or everything, by what happened.
    fn evict(&self, why: Eviction);

    /// Closes its connection.
    fn close(&self, reason: &'static str);
}

/// All of them. They leave by being dropped.
#[derive(Default)]
pub struct Roster {
    members: Mutex<HashMap<SessionId, Weak<dyn Member>>>,
}

impl Roster {
    /// A session begins.
    pub fn join(&self, id: SessionId, member: Weak<dyn Member>) {
        self.lock().insert(id, member);
    }

    /// It has ended.
    pub fn leave(&self, id: SessionId) {
        self.lock().remove(&id);
    }

    /// Does something with one of them, if it is still there.
    pub fn reach(&self, id: SessionId, act: impl FnOnce(&dyn Member)) {
        // Not under the lock: the member may answer requests and leave.
        let member = self.lock().get(&id).and_then(Weak::upgrade);
        if let Some(member) = member {
            act(&*member);
        }
    }

    /// Does something with all of them.
    pub fn reach_all(&self, mut act: impl FnMut(&dyn Member)) {
        let members: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        for member in members {
            act(&*member);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Weak<dyn Member>>> {
        // Each change is one insertion or removal.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Roster").field("members", &self.lock().len()).finish()
    }
}
