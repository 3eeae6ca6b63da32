//! What sessions hand to each other and share: the lease, pause and halt, the user's task and tokens.

use std::time::Instant;

use jiff::Timestamp;

use super::{SessionId, Sessions, admission::lease_held, session::Sight};
use crate::{
    protocol::{
        control::{ControlCall, ControlResult, Force},
        error::{ErrorKind, Failure},
        identity::Role,
        task::{TaskBegin, TaskId},
        usage::{UsageCheckResult, UsageResult, Used},
    },
    session::tasks::Ended,
};

impl Sessions {
    /// Gives the lease to a session that asks for it. Who has lost it: what that session does is to be ended, and what it holds
    /// released, before this one acts.
    ///
    /// # Errors
    /// `lease_held` when another session has it and it is not taken by force, `forbidden` when force is not this session's to use.
    pub fn acquire(&mut self, id: SessionId, force: Force) -> Result<Option<SessionId>, Failure> {
        let Some(session) = self.open.get(&id) else {
            return Err(Failure::new(ErrorKind::Internal, "the session has ended"));
        };
        let other = self.lease.holder().filter(|holder| *holder != id);
        if let Some(holder) = other {
            if force == Force::Ask {
                return Err(lease_held());
            }
            let holders = self.open.get(&holder).map(|session| session.principal.role);
            if session.principal.role != Role::Admin && holders.is_some_and(|role| role >= session.principal.role) {
                let message = "taking the lease by force needs a role above the holder's, or admin";
                return Err(Failure::new(ErrorKind::Forbidden, message));
            }
        }
        Ok(self.hand_to(id))
    }

    fn hand_to(&mut self, id: SessionId) -> Option<SessionId> {
        let loser = self.lease.seize(id);
        if let Some(session) = loser.and_then(|loser| self.open.get_mut(&loser)) {
            session.sight = Sight::Stale;
        }
        loser
    }

    /// Gives the lease back. Whether the session had it.
    pub fn release_lease(&mut self, id: SessionId) -> bool {
        self.lease.release(id)
    }

    /// Takes over what a predecessor of the same user has: its lease goes to the successor at once. The predecessor is to be closed.
    ///
    /// # Errors
    /// `not_found` when there is no such session of this user.
    pub fn resume(&mut self, id: SessionId, predecessor: SessionId) -> Result<(), Failure> {
        let user = |id: SessionId| self.open.get(&id).map(|session| &session.principal.user);
        if id == predecessor || user(predecessor).is_none() || user(predecessor) != user(id) {
            return Err(Failure::new(
                ErrorKind::NotFound,
                "there is no such session of yours to resume: it has ended, or the server has started anew; initialize without resume",
            ));
        }
        if self.lease.holder() == Some(predecessor) {
            self.hand_to(id);
        }
        Ok(())
    }

    /// Applies a pause, a halt or their end.
    pub fn control(&mut self, call: ControlCall) -> ControlResult {
        self.control.apply(call);
        self.control.shown()
    }

    /// Whether everything is paused or halted.
    pub const fn controlled(&self) -> ControlResult {
        self.control.shown()
    }

    /// Begins a task of the session's user.
    ///
    /// # Errors
    /// `conflict` when there is one.
    pub fn begin_task(&mut self, now: Instant, id: SessionId, said: TaskBegin) -> Result<TaskId, Failure> {
        let Some(session) = self.open.get(&id) else {
            return Err(Failure::new(ErrorKind::Internal, "the session has ended"));
        };
        self.tasks.begin(now, &session.principal.user, &session.principal.limits, said)
    }

    /// Ends it.
    ///
    /// # Errors
    /// `not_found` when there is none.
    pub fn end_task(&mut self, now: Instant, id: SessionId) -> Result<Ended, Failure> {
        let Some(session) = self.open.get(&id) else {
            return Err(Failure::new(ErrorKind::Internal, "the session has ended"));
        };
        self.tasks.end(now, &session.principal.user)
    }

    /// The task that a session's requests belong to.
    pub fn task(&self, id: SessionId) -> Option<TaskId> {
        self.open.get(&id).and_then(|session| self.tasks.current(&session.principal.user)).map(|task| task.id)
    }

    /// Counts tokens that were used.
    pub fn report_usage(&mut self, now: Timestamp, id: SessionId, tokens: u64) -> Option<Used> {
        let session = self.open.get(&id)?;
        Some(self.usage.report(now, &session.principal.user, tokens))
    }

    /// Whether the month has room for so many tokens.
    pub fn check_usage(&self, now: Timestamp, id: SessionId, tokens: u64) -> Option<UsageCheckResult> {
        let principal = &self.open.get(&id)?.principal;
        Some(self.usage.check(now, &principal.user, &principal.limits, tokens))
    }

    /// What has been used of the month.
    pub fn usage(&self, now: Timestamp, id: SessionId) -> Option<UsageResult> {
        let principal = &self.open.get(&id)?.principal;
        Some(self.usage.get(now, &principal.user, &principal.limits))
    }
}
