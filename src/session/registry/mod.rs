//! All sessions, and what they share: the lease, what each user has used up, what became of requests.
//!
//! `admission` decides on each request; `session` is one session; `sharing` hands the lease, tasks and tokens around.
mod admission;
mod session;
mod sharing;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use self::session::{Requests, Session, Sight};
use super::{
    allowance::Allowances,
    control::Control,
    journal::{Journal, Lookup, Recorded},
    lease::Lease,
    policy::Rulebook,
    tasks::Tasks,
    usage::Usage,
};
use crate::protocol::{
    answer::LeaseStatus,
    error::{ErrorKind, Failure},
    identity::{Principal, Role, UserName},
    request::RequestId,
    request_key::RequestKey,
    secret::SecretAccess,
    task::TaskRule,
    usage::Used,
};

/// A session's number within this start of the server; `boot` makes it unique across starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

/// How a session's messages reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A WebSocket: the session lives as long as the connection.
    Connection,
    /// One `POST /v1/rpc`: the session is over with its answer, so nothing may stay pressed on purpose.
    OneRequest,
}

/// When a request runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At once; never waits for anything.
    Immediate,
    /// At once, but takes time: a picture that does not wait for actions.
    AtOnce,
    /// After the session's earlier requests, and in the order of all sessions' input.
    Input,
    /// A picture after the session's earlier requests.
    Ordered,
}

/// What the display is while a request is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplayEpoch(pub u32);

/// The moment of a decision: one clock that never goes back, one that says what the calendar does.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For whatever is measured.
    pub monotonic: Instant,
    /// For whatever stands in a calendar.
    pub wall: Timestamp,
}

/// How long a session may go on, and what then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLeft {
    /// So long.
    pub time: Duration,
    /// Then it ends for this.
    pub end: SessionEnd,
}

/// Why a session is ended by its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// It has asked for nothing for as long as it may.
    Idle,
    /// The token is no longer valid.
    Expired,
}

/// What becomes of a request that is let in.
#[derive(Clone, Debug, PartialEq)]
pub enum Admitted {
    /// It runs.
    Run(Turn),
    /// It has run before, and came to this.
    Replay(Recorded),
}

/// What became of a request that is asked about by its key.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestState {
    /// Its outcome is known or it runs.
    Known(Recorded),
    /// It has never begun.
    NotStarted,
    /// Nobody can tell any more.
    Unknown,
}

/// When a picture is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictures {
    /// After the session's earlier actions.
    AfterActions,
    /// At once.
    AtOnce,
}

/// How all sessions are ruled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// This start of the server.
    pub boot: String,
    /// Whether input needs a task.
    pub tasks: TaskRule,
    /// What may be done; everything where there is none.
    pub policy: Option<Arc<Rulebook>>,
}

/// All sessions, the lease, and what each user has used up.
#[derive(Debug, Default)]
pub struct Sessions {
    open: HashMap<SessionId, Session>,
    lease: Lease,
    control: Control,
    allowances: Allowances,
    tasks: Tasks,
    usage: Usage,
    journal: Journal,
    boot: String,
    policy: Option<Arc<Rulebook>>,
    last: u64,
    stopping: bool,
}

impl Sessions {
    /// None yet.
    pub fn new(rules: Rules) -> Self {
        Self { tasks: Tasks::new(rules.tasks), boot: rules.boot, policy: rules.policy, ..Self::default() }
    }

    /// Continues with the tokens that were used before this start.
    pub fn restore(&mut self, used: Used) {
        self.usage.restore(used);
    }

    /// Begins a session.
    ///
    /// # Errors
    /// `overloaded` when the user has as many as the token allows.
    pub fn open(
        &mut self,
        now: Instant,
        principal: Principal,
        carrier: Carrier,
        epoch: Option<DisplayEpoch>,
    ) -> Result<SessionId, Failure> {
        if let Some(most) = principal.limits.sessions
            && carrier == Carrier::Connection
        {
            let of_user = |session: &&Session| session.principal.user == principal.user && session.carrier == carrier;
            if self.open.values().filter(of_user).count() >= most.get() as usize {
                let message =
                    format!("{} has {most} sessions, as many as the token allows; end one first", principal.user);
                return Err(Failure::new(ErrorKind::Overloaded, message));
            }
        }
        self.last += 1;
        let id = SessionId(self.last);
        let session = Session::new(now, principal, carrier, epoch);
        self.open.insert(id, session);
        Ok(id)
    }

    /// Ends a session. Whether it had the lease, so that what it held must be released.
    pub fn close(&mut self, id: SessionId) -> bool {
        self.open.remove(&id);
        self.lease.release(id)
    }

    /// Refuses everything from now on.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// `initialize` has failed, so it may come again: a display that is just coming back must not cost the connection.
    pub fn initialize_failed(&mut self, id: SessionId) {
        if let Some(session) = self.open.get_mut(&id) {
            session.requests_seen = Requests::None;
        }
    }

    /// A request has been answered.
    pub fn complete(&mut self, id: SessionId, request: &RequestId) {
        if let Some(session) = self.open.get_mut(&id) {
            session.in_flight.remove(request);
        }
    }

    /// Records what a request with a key came to, also after its session has ended.
    pub fn record(&mut self, now: Instant, user: &UserName, key: &RequestKey, outcome: Recorded) {
        self.journal.end(now, user, key, outcome);
    }

    /// What became of a request of this session's user.
    pub fn look_up(&mut self, now: Instant, id: SessionId, key: &RequestKey) -> RequestState {
        let Some(session) = self.open.get(&id) else { return RequestState::Unknown };
        match self.journal.look_up(now, &session.principal.user, key) {
            Lookup::Known(recorded) => RequestState::Known(recorded),
            Lookup::NotStarted => RequestState::NotStarted,
            Lookup::Forgotten => RequestState::Unknown,
        }
    }

    /// The session has been sent a picture of this epoch.
    pub fn saw_picture(&mut self, id: SessionId, epoch: DisplayEpoch) {
        let others_control = self.lease.holder().is_some_and(|holder| holder != id);
        if let Some(session) = self.open.get_mut(&id) {
            session.known_epoch = Some(epoch);
            if !others_control {
                session.sight = Sight::Fresh;
            }
        }
    }

    /// Takes the bytes of a picture that is about to be sent.
    ///
    /// # Errors
    /// `rate_limited`: it is not to be sent.
    pub fn take_picture(&mut self, now: Instant, id: SessionId, bytes: u64) -> Result<(), Failure> {
        match self.open.get(&id) {
            Some(session) => self.allowances.take_picture(now, &session.principal, bytes),
            None => Ok(()),
        }
    }

    /// How long a session may go on if it asks for nothing more, by its token; `None` for as long as it likes, or when it has
    /// ended.
    pub fn time_left(&self, now: Now, id: SessionId) -> Option<TimeLeft> {
        let session = self.open.get(&id)?;
        let principal = &session.principal;
        let idle = principal.limits.idle_time.map(|limit| {
            let idle = now.monotonic.saturating_duration_since(session.last_request);
            // What works is not idle, however long it takes.
            let time = if session.in_flight.is_empty() { limit.saturating_sub(idle) } else { limit };
            TimeLeft { time, end: SessionEnd::Idle }
        });
        let expires = principal.expires.map(|expires| {
            // A negative time is none.
            let time = Duration::try_from(expires.duration_since(now.wall)).unwrap_or_default();
            TimeLeft { time, end: SessionEnd::Expired }
        });
        idle.into_iter().chain(expires).min_by_key(|left| left.time)
    }

    /// Lowers a session's role.
    ///
    /// # Errors
    /// `forbidden` when the asked role is above the token's.
    pub fn lower_role(&mut self, id: SessionId, role: Role) -> Result<(), Failure> {
        let Some(session) = self.open.get_mut(&id) else {
            return Err(Failure::new(ErrorKind::Internal, "the session has ended"));
        };
        if role > session.principal.role {
            return Err(Failure::new(
                ErrorKind::Forbidden,
                "role is above what the token allows; it can only be lowered",
            ));
        }
        session.principal.role = role;
        Ok(())
    }

    /// How a session's pictures are taken from now on, unless they say otherwise.
    pub fn take_pictures(&mut self, id: SessionId, pictures: Pictures) {
        if let Some(session) = self.open.get_mut(&id) {
            session.pictures = pictures;
        }
    }

    /// What a session may do.
    pub fn role(&self, id: SessionId) -> Option<Role> {
        self.open.get(&id).map(|session| session.principal.role)
    }

    /// Which secrets a session may have typed.
    pub fn secrets(&self, id: SessionId) -> SecretAccess {
        self.open.get(&id).map_or(SecretAccess::None, |session| session.principal.secrets.clone())
    }

    /// How often the lease has changed hands, and who has it.
    pub fn lease_holder(&self) -> (u64, Option<(SessionId, UserName)>) {
        let holder = self.lease.holder();
        let named = holder.and_then(|id| Some((id, self.open.get(&id)?.principal.user.clone())));
        (self.lease.epoch(), named)
    }

    /// The lease and the number of requests in flight, as a session sees them.
    pub fn status(&self, id: SessionId) -> (LeaseStatus, usize) {
        (self.lease.status(id), self.open.get(&id).map_or(0, |session| session.in_flight.len()))
    }
}

#[cfg(test)]
mod tests;
