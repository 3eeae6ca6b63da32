//! One session: what it is, what its requests may do and when they run.

use std::{collections::HashSet, time::Instant};

use jiff::Timestamp;

use super::{
    Carrier, DisplayEpoch, Pictures, Turn,
    admission::{is_input, uses_coordinates},
};
use crate::protocol::{
    action::Action,
    call::{Call, Prepared},
    error::{ErrorKind, Failure},
    identity::{Principal, Role},
    observe::Observing,
    request::RequestId,
    subscription::{EventKind, StreamCall},
    usage::UsageCall,
};

#[derive(Debug)]
pub(super) struct Session {
    pub(super) principal: Principal,
    pub(super) carrier: Carrier,
    /// A session may initialize only before anything else.
    pub(super) requests_seen: Requests,
    /// Ids that are not answered.
    pub(super) in_flight: HashSet<RequestId>,
    /// The epoch whose coordinates the session knows: that of its beginning, then that of its last picture.
    pub(super) known_epoch: Option<DisplayEpoch>,
    /// Whether it has sent input: until then its pictures have nothing to wait for.
    pub(super) acted: Acted,
    /// Whether its pictures wait for its actions unless they say otherwise.
    pub(super) pictures: Pictures,
    /// Whether it has seen what others did while they controlled.
    pub(super) sight: Sight,
    /// When it last asked for something.
    pub(super) last_request: Instant,
}

/// Whether a session knows what the screen looks like after it has lost the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It does, as far as anybody knows.
    Fresh,
    /// Another session has controlled since: its next input waits for a picture.
    Stale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requests {
    None,
    Some,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acted {
    No,
    Yes,
}

impl Session {
    pub(super) fn new(now: Instant, principal: Principal, carrier: Carrier, epoch: Option<DisplayEpoch>) -> Self {
        Self {
            principal,
            carrier,
            requests_seen: Requests::None,
            in_flight: HashSet::new(),
            known_epoch: epoch,
            acted: Acted::No,
            pictures: Pictures::AfterActions,
            sight: Sight::Fresh,
            last_request: now,
        }
    }

    /// # Errors
    /// `initialize` comes first, and only where there is a session to set up.
    pub(super) fn initializes_in_time(&mut self, call: &Call) -> Result<(), Failure> {
        let first = std::mem::replace(&mut self.requests_seen, Requests::Some) == Requests::None;
        if !matches!(call, Call::Initialize(_)) {
            return Ok(());
        }
        match self.carrier {
            Carrier::Connection if first => Ok(()),
            Carrier::Connection => {
                Err(Failure::new(ErrorKind::InvalidRequest, "initialize can only be the first request of a connection"))
            }
            Carrier::OneRequest => {
                Err(Failure::new(ErrorKind::Unsupported, "initialize needs a connection; use the WebSocket"))
            }
        }
    }

    pub(super) fn permits(&self, now: Timestamp, call: &Call) -> Result<(), Failure> {
        if !self.principal.is_valid(now) {
            return Err(Failure::new(ErrorKind::Forbidden, "this session's token has expired; connect with a new one"));
        }
        if (is_input(call) || matches!(call, Call::Lease(_))) && self.principal.role < Role::Control {
            return Err(Failure::new(
                ErrorKind::Forbidden,
                "this session may only observe; input needs the role control",
            ));
        }
        let consents = match call {
            Call::Confirm(_) => true,
            Call::Stream(StreamCall::Subscribe(events)) => events.contains(&EventKind::Confirm),
            _ => false,
        };
        if consents && self.principal.role < Role::Admin {
            return Err(Failure::new(ErrorKind::Forbidden, "only an admin is asked for consent and gives it"));
        }
        if matches!(call, Call::Secret(_)) && self.principal.role < Role::Admin {
            return Err(Failure::new(
                ErrorKind::Forbidden,
                "secrets are an admin's; have one typed with `type` and its name",
            ));
        }
        if self.carrier == Carrier::Connection {
            return Ok(());
        }
        let unsupported = |message| Err(Failure::new(ErrorKind::Unsupported, message));
        match call {
            Call::Stream(_) => unsupported("events need a connection; use the WebSocket"),
            Call::Lease(_) => {
                unsupported("a single HTTP request takes the lease for itself and gives it back; use the WebSocket")
            }
            Call::Act(Action::MouseDown { .. } | Action::KeyDown { .. }) => unsupported(
                "a single HTTP request cannot leave a key or button down; send it in a batch with its release, or use the WebSocket",
            ),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// `stale_frame` when the request means a screen that the session has not seen.
    pub(super) fn knows_the_screen(
        &mut self,
        call: &Call,
        acts: bool,
        epoch: Option<DisplayEpoch>,
    ) -> Result<(), Failure> {
        let stale = |message: &str| {
            Err(Failure::new(ErrorKind::StaleFrame, message)
                .hint("take a screenshot first; coordinates of the old picture mean nothing now"))
        };
        self.known_epoch = self.known_epoch.or(epoch);
        if epoch.is_some() && self.known_epoch != epoch && uses_coordinates(call) {
            return stale("the display has restarted or changed its size since this session's last picture");
        }
        if acts && self.sight == Sight::Stale {
            return stale("another session has controlled the desktop since this session's last picture");
        }
        Ok(())
    }

    pub(super) fn turn(&self, request: &Prepared) -> Turn {
        match &request.call {
            Call::Initialize(_)
            | Call::Ping
            | Call::Cancel(_)
            | Call::Status(_)
            | Call::Stream(_)
            | Call::Confirm(_)
            | Call::Secret(_)
            | Call::TaskBegin(_)
            | Call::TaskEnd(_)
            | Call::Usage(UsageCall::Check(_) | UsageCall::Get) => Turn::Immediate,
            // They wait: for what others held to be released, for the disk.
            Call::Lease(_) | Call::Control(_) | Call::Usage(UsageCall::Report(_)) => Turn::AtOnce,
            Call::DisplayInfo | Call::WindowsList | Call::WaitFor(_) | Call::Act(Action::CursorPosition) => {
                Turn::AtOnce
            }
            Call::Act(Action::Screenshot | Action::Zoom { .. }) => self.looking_turn(request),
            Call::Batch(actions) if actions.iter().all(Action::is_read) => self.looking_turn(request),
            Call::Act(_) | Call::Batch(_) => Turn::Input,
        }
    }
}

impl Session {
    fn looking_turn(&self, request: &Prepared) -> Turn {
        let pictures = match request.meta.observe {
            Observing::Unsaid => self.pictures,
            Observing::Off => Pictures::AtOnce,
            Observing::On(_) => Pictures::AfterActions,
        };
        match (self.acted, pictures) {
            (Acted::Yes, Pictures::AfterActions) => Turn::Ordered,
            (Acted::No, _) | (_, Pictures::AtOnce) => Turn::AtOnce,
        }
    }
}
