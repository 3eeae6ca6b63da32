//! The decision on a request: whether it may run, when, and what it takes.

use super::{Admitted, DisplayEpoch, Now, SessionId, Sessions, Turn, session::Acted};
use crate::{
    protocol::{
        action::Action,
        call::{Call, Prepared},
        error::{ErrorKind, Executed, Failure},
        limits,
        meta::Keyed,
    },
    session::allowance::Takes,
};

impl Sessions {
    /// Decides on a request and, when it is admitted, counts it as in flight until [`Sessions::complete`] (requests whose
    /// turn is [`Turn::Immediate`] are answered in the same breath and are not counted).
    ///
    /// # Errors
    /// The failure to answer with; nothing has been taken then.
    pub fn admit(
        &mut self,
        now: Now,
        id: SessionId,
        request: &Prepared,
        epoch: Option<DisplayEpoch>,
    ) -> Result<Admitted, Failure> {
        if self.stopping {
            return Err(Failure::new(ErrorKind::ShuttingDown, "the server is shutting down; connect again later"));
        }
        let Some(session) = self.open.get_mut(&id) else {
            return Err(Failure::new(ErrorKind::Internal, "the session has ended"));
        };
        session.last_request = now.monotonic;
        if session.in_flight.contains(&request.id) {
            return Err(Failure::new(
                ErrorKind::InvalidRequest,
                "a request with this id is in flight on this connection; use another id",
            ));
        }
        session.initializes_in_time(&request.call)?;
        let acts = is_input(&request.call);
        session.permits(now.wall, &request.call)?;
        self.policy.as_ref().map_or(Ok(()), |policy| policy.permits(request))?;
        // A pause must not keep a key down.
        self.control.permits(&request.call, acts && !only_releases(&request.call))?;
        if let Call::Control(call) = request.call {
            crate::session::control::may(call, session.principal.role, self.lease.holder() == Some(id))?;
        }
        let user = session.principal.user.clone();
        let keyed = request.meta.request_key.as_ref();
        if let Some(keyed) = keyed {
            of_this_boot(keyed, &self.boot)?;
            if let Some(outcome) = self.journal.find(now.monotonic, &user, &keyed.key, keyed.fingerprint)? {
                return Ok(Admitted::Replay(outcome));
            }
        }
        // Before what it has seen: a picture would not help whoever may not act.
        if acts && self.lease.holder().is_some_and(|holder| holder != id) {
            return Err(lease_held());
        }
        session.knows_the_screen(&request.call, acts, epoch)?;
        let turn = session.turn(request);
        // Whoever stops the desktop is never told to wait.
        let is_counted = turn != Turn::Immediate && !matches!(request.call, Call::Control(_));
        if is_counted && session.in_flight.len() >= limits::REQUESTS_IN_FLIGHT {
            return Err(Failure::new(
                ErrorKind::Overloaded,
                format!("{} requests are in flight on this connection; wait for an answer", limits::REQUESTS_IN_FLIGHT),
            ));
        }
        let takes = takes(&request.call);
        self.allowances.check(now.monotonic, &session.principal, takes)?;
        if acts && !only_releases(&request.call) {
            self.usage.admits(now.wall, &user, &session.principal.limits)?;
            self.tasks.turn(now.monotonic, &user)?;
        }

        if let Some(keyed) = keyed {
            self.journal.enter(&user, &keyed.key, keyed.fingerprint);
        }
        self.allowances.take(now.monotonic, &session.principal, takes);
        if turn == Turn::Immediate {
            return Ok(Admitted::Run(turn));
        }
        if acts {
            self.lease.take(id);
        }
        if turn == Turn::Input {
            session.acted = Acted::Yes;
        }
        session.in_flight.insert(request.id.clone());
        Ok(Admitted::Run(turn))
    }
}

/// Whether a call acts on the desktop. `wait` takes its turn among the actions and does nothing.
pub(super) fn is_input(call: &Call) -> bool {
    let acts = |action: &Action| !action.is_read() && !matches!(action, Action::Wait { .. });
    match call {
        Call::Act(action) => acts(action),
        Call::Batch(actions) => actions.iter().any(acts),
        _ => false,
    }
}

/// # Errors
/// `conflict` for a request that was first sent to another start of the server: whether it ran then is not known here.
fn of_this_boot(keyed: &Keyed, boot: &str) -> Result<(), Failure> {
    match &keyed.boot {
        Some(other) if other != boot => Err(Failure::new(
            ErrorKind::Conflict,
            "the server has started anew since the boot that this request_key belongs to; look at the screen, then use a new key",
        )
        .executed(Executed::Unknown)),
        _ => Ok(()),
    }
}

/// What only lets go. It is exempt from every limit: a limit must not keep a key down.
fn only_releases(call: &Call) -> bool {
    matches!(call, Call::Act(Action::MouseUp { .. } | Action::KeyUp { .. }))
}

/// What a request takes of its user's windows.
fn takes(call: &Call) -> Takes {
    let counts = match call {
        Call::Act(_) => !only_releases(call),
        Call::Batch(_) | Call::WaitFor(_) | Call::WindowsList | Call::TaskBegin(_) => true,
        _ => false,
    };
    let typed = |action: &Action| match action {
        Action::Type { text } | Action::Paste { text } => text.chars().count() as u64,
        _ => 0,
    };
    let characters = match call {
        Call::Act(action) => typed(action),
        Call::Batch(actions) => actions.iter().map(typed).sum(),
        _ => 0,
    };
    Takes { requests: u64::from(counts), characters }
}

pub(super) fn lease_held() -> Failure {
    Failure::new(ErrorKind::LeaseHeld, "another session controls this desktop")
        .hint("reading (screenshot, zoom, cursor_position, status) needs no lease")
}

pub(super) fn uses_coordinates(call: &Call) -> bool {
    let positioned = |action: &Action| {
        matches!(
            action,
            Action::Zoom { .. }
                | Action::MouseMove { .. }
                | Action::Drag { .. }
                | Action::Click { at: Some(_), .. }
                | Action::Scroll { at: Some(_), .. }
        )
    };
    match call {
        Call::Act(action) => positioned(action),
        Call::Batch(actions) => actions.iter().any(positioned),
        Call::WaitFor(wait) => wait.region().is_some(),
        _ => false,
    }
}
