//! All sessions, and the decision on each request.

use std::collections::{HashMap, HashSet};

use super::lease::Lease;
use crate::protocol::{
    action::Action,
    answer::LeaseStatus,
    call::{Call, Prepared},
    error::{ErrorKind, Failure},
    identity::{Principal, Role},
    limits,
    observe::Observing,
    request::RequestId,
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

#[derive(Debug)]
struct Session {
    principal: Principal,
    carrier: Carrier,
    /// A session may initialize only before anything else.
    requests_seen: Requests,
    /// Ids that are not answered.
    in_flight: HashSet<RequestId>,
    /// The epoch whose coordinates the session knows: that of its beginning, then that of its last picture.
    known_epoch: Option<DisplayEpoch>,
    /// Whether it has sent input: until then its pictures have nothing to wait for.
    acted: Acted,
    /// Whether its pictures wait for its actions unless they say otherwise.
    pictures: Pictures,
}

/// When a picture is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictures {
    /// After the session's earlier actions.
    AfterActions,
    /// At once.
    AtOnce,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Requests {
    None,
    Some,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acted {
    No,
    Yes,
}

/// All sessions and the lease.
#[derive(Debug, Default)]
pub struct Sessions {
    open: HashMap<SessionId, Session>,
    lease: Lease,
    last: u64,
    stopping: bool,
}

impl Sessions {
    /// Begins a session.
    pub fn open(&mut self, principal: Principal, carrier: Carrier, epoch: Option<DisplayEpoch>) -> SessionId {
        self.last += 1;
        let id = SessionId(self.last);
        let session = Session {
            principal,
            carrier,
            requests_seen: Requests::None,
            in_flight: HashSet::new(),
            known_epoch: epoch,
            acted: Acted::No,
            pictures: Pictures::AfterActions,
        };
        self.open.insert(id, session);
        id
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

    /// Decides on a request and, when it is admitted, counts it as in flight until [`Sessions::complete`] (requests whose
    /// turn is [`Turn::Immediate`] are answered in the same breath and are not counted).
    ///
    /// # Errors
    /// The failure to answer with; nothing has changed then.
    pub fn admit(&mut self, id: SessionId, request: &Prepared, epoch: Option<DisplayEpoch>) -> Result<Turn, Failure> {
        if self.stopping {
            return Err(Failure::new(ErrorKind::ShuttingDown, "the server is shutting down; connect again later"));
        }
        let Some(session) = self.open.get_mut(&id) else {
            return Err(Failure::new(ErrorKind::Internal, "the session has ended"));
        };
        if session.in_flight.contains(&request.id) {
            return Err(Failure::new(
                ErrorKind::InvalidRequest,
                "a request with this id is in flight on this connection; use another id",
            ));
        }
        let first = std::mem::replace(&mut session.requests_seen, Requests::Some) == Requests::None;
        if matches!(request.call, Call::Initialize(_)) && (!first || session.carrier == Carrier::OneRequest) {
            return Err(match session.carrier {
                Carrier::Connection => {
                    Failure::new(ErrorKind::InvalidRequest, "initialize can only be the first request of a connection")
                }
                Carrier::OneRequest => {
                    Failure::new(ErrorKind::Unsupported, "initialize needs a connection; use the WebSocket")
                }
            });
        }
        session.permits(&request.call)?;
        session.known_epoch = session.known_epoch.or(epoch);
        if epoch.is_some() && session.known_epoch != epoch && uses_coordinates(&request.call) {
            return Err(Failure::new(
                ErrorKind::StaleFrame,
                "the display has restarted or changed its size since this session's last picture",
            )
            .hint("take a screenshot first; coordinates of the old picture mean nothing now"));
        }
        let turn = session.turn(request);
        if turn == Turn::Immediate {
            return Ok(turn);
        }
        if session.in_flight.len() >= limits::REQUESTS_IN_FLIGHT {
            return Err(Failure::new(
                ErrorKind::Overloaded,
                format!("{} requests are in flight on this connection; wait for an answer", limits::REQUESTS_IN_FLIGHT),
            ));
        }
        if turn == Turn::Input {
            if is_input(&request.call) && !self.lease.take(id) {
                return Err(Failure::new(ErrorKind::LeaseHeld, "another session controls this desktop")
                    .hint("reading (screenshot, zoom, cursor_position, status) needs no lease"));
            }
            session.acted = Acted::Yes;
        }
        session.in_flight.insert(request.id.clone());
        Ok(turn)
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

    /// The session has been sent a picture of this epoch.
    pub fn saw_picture(&mut self, id: SessionId, epoch: DisplayEpoch) {
        if let Some(session) = self.open.get_mut(&id) {
            session.known_epoch = Some(epoch);
        }
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

    /// The lease and the number of requests in flight, as a session sees them.
    pub fn status(&self, id: SessionId) -> (LeaseStatus, usize) {
        (self.lease.status(id), self.open.get(&id).map_or(0, |session| session.in_flight.len()))
    }
}

impl Session {
    fn permits(&self, call: &Call) -> Result<(), Failure> {
        if is_input(call) && self.principal.role < Role::Control {
            return Err(Failure::new(
                ErrorKind::Forbidden,
                "this session may only observe; input needs the role control",
            ));
        }
        if matches!(call, Call::Stream(_)) && self.carrier == Carrier::OneRequest {
            return Err(Failure::new(ErrorKind::Unsupported, "events need a connection; use the WebSocket"));
        }
        let leaves_pressed = matches!(call, Call::Act(Action::MouseDown { .. } | Action::KeyDown { .. }));
        if leaves_pressed && self.carrier == Carrier::OneRequest {
            return Err(Failure::new(
                ErrorKind::Unsupported,
                "a single HTTP request cannot leave a key or button down; send it in a batch with its release, or use the WebSocket",
            ));
        }
        Ok(())
    }

    fn turn(&self, request: &Prepared) -> Turn {
        match &request.call {
            Call::Initialize(_) | Call::Ping | Call::Cancel(_) | Call::Status | Call::Stream(_) => Turn::Immediate,
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

/// Whether a call acts on the desktop. `wait` takes its turn among the actions and does nothing.
fn is_input(call: &Call) -> bool {
    let acts = |action: &Action| !action.is_read() && !matches!(action, Action::Wait { .. });
    match call {
        Call::Act(action) => acts(action),
        Call::Batch(actions) => actions.iter().any(acts),
        Call::Initialize(_)
        | Call::Ping
        | Call::Cancel(_)
        | Call::Status
        | Call::DisplayInfo
        | Call::Stream(_)
        | Call::WindowsList
        | Call::WaitFor(_) => false,
    }
}

fn uses_coordinates(call: &Call) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        answer::LeaseHolder,
        call,
        request::{self},
    };

    const FIRST: Option<DisplayEpoch> = Some(DisplayEpoch(1));
    const SECOND: Option<DisplayEpoch> = Some(DisplayEpoch(2));
    const CLICK: &str = r#""left_click","params":{"coordinate":[1,1]}"#;

    fn request(id: u32, rest: &str) -> Prepared {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{rest}}}"#);
        call::prepare(request::read(&text).expect("an envelope")).expect("a request")
    }

    fn open(sessions: &mut Sessions, role: Role) -> SessionId {
        sessions.open(Principal { user: "u".to_owned(), role }, Carrier::Connection, FIRST)
    }

    fn refused(outcome: Result<Turn, Failure>) -> ErrorKind {
        outcome.expect_err("must be refused").kind
    }

    #[test]
    fn the_first_input_takes_the_lease_until_its_session_ends() {
        let mut sessions = Sessions::default();
        let (first, second) = (open(&mut sessions, Role::Control), open(&mut sessions, Role::Control));
        assert_eq!(sessions.admit(first, &request(1, r#""screenshot""#), FIRST), Ok(Turn::AtOnce));
        assert_eq!(sessions.status(first).0.holder, LeaseHolder::None, "reading takes no lease");
        assert_eq!(sessions.admit(first, &request(2, CLICK), FIRST), Ok(Turn::Input));
        assert_eq!(sessions.status(first).0.holder, LeaseHolder::Own);
        assert_eq!(sessions.status(second).0.holder, LeaseHolder::Other);
        assert_eq!(refused(sessions.admit(second, &request(1, CLICK), FIRST)), ErrorKind::LeaseHeld);
        assert_eq!(sessions.admit(second, &request(1, r#""screenshot""#), FIRST), Ok(Turn::AtOnce));
        assert!(sessions.close(first), "what it held must be released");
        assert_eq!(sessions.admit(second, &request(2, CLICK), FIRST), Ok(Turn::Input));
        assert!(!sessions.close(first));
    }

    #[test]
    fn a_picture_waits_for_the_sessions_own_actions_only() {
        let mut sessions = Sessions::default();
        let (acting, watching) = (open(&mut sessions, Role::Control), open(&mut sessions, Role::Observe));
        assert_eq!(sessions.admit(acting, &request(1, CLICK), FIRST), Ok(Turn::Input));
        assert_eq!(sessions.admit(acting, &request(2, r#""screenshot""#), FIRST), Ok(Turn::Ordered));
        let at_once = r#""screenshot","params":{"_meta":{"observe":null}}"#;
        assert_eq!(sessions.admit(acting, &request(3, at_once), FIRST), Ok(Turn::AtOnce));
        sessions.take_pictures(acting, Pictures::AtOnce);
        assert_eq!(sessions.admit(acting, &request(4, r#""screenshot""#), FIRST), Ok(Turn::AtOnce));
        let after = r#""screenshot","params":{"_meta":{"observe":{}}}"#;
        assert_eq!(sessions.admit(acting, &request(5, after), FIRST), Ok(Turn::Ordered));
        assert_eq!(sessions.admit(watching, &request(1, r#""screenshot""#), FIRST), Ok(Turn::AtOnce));
    }

    #[test]
    fn an_observer_sees_and_does_not_act() {
        let mut sessions = Sessions::default();
        let observer = open(&mut sessions, Role::Observe);
        for input in
            [CLICK, r#""batch","params":{"actions":[{"name":"wait","input":{"duration":0}},{"name":"left_click"}]}"#]
        {
            assert_eq!(refused(sessions.admit(observer, &request(1, input), FIRST)), ErrorKind::Forbidden, "{input}");
        }
        let looking = r#""batch","params":{"actions":[{"name":"screenshot"},{"name":"cursor_position"}]}"#;
        assert_eq!(sessions.admit(observer, &request(1, looking), FIRST), Ok(Turn::AtOnce));
        let wait = r#""wait","params":{"duration":0}"#;
        assert_eq!(sessions.admit(observer, &request(2, wait), FIRST), Ok(Turn::Input), "it takes its turn");
        assert_eq!(sessions.status(observer).0.holder, LeaseHolder::None, "and no lease");
        let wait_for = r#""wait_for","params":{"change":{},"timeout_ms":1}"#;
        for (id, looking) in [(3, wait_for), (4, r#""windows.list""#)] {
            assert_eq!(sessions.admit(observer, &request(id, looking), FIRST), Ok(Turn::AtOnce), "{looking}");
        }
    }

    #[test]
    fn a_role_can_be_lowered_and_not_raised() {
        let mut sessions = Sessions::default();
        let session = open(&mut sessions, Role::Control);
        assert_eq!(sessions.lower_role(session, Role::Admin).expect_err("above").kind, ErrorKind::Forbidden);
        assert_eq!(sessions.lower_role(session, Role::Observe), Ok(()));
        assert_eq!(sessions.lower_role(session, Role::Control).expect_err("above").kind, ErrorKind::Forbidden);
    }

    #[test]
    fn coordinates_of_an_older_display_are_stale_until_a_picture_was_seen() {
        let mut sessions = Sessions::default();
        let session = open(&mut sessions, Role::Control);
        assert_eq!(sessions.admit(session, &request(1, CLICK), FIRST), Ok(Turn::Input));
        assert_eq!(refused(sessions.admit(session, &request(2, CLICK), SECOND)), ErrorKind::StaleFrame);
        let zoom = r#""zoom","params":{"region":[0,0,5,5]}"#;
        assert_eq!(refused(sessions.admit(session, &request(3, zoom), SECOND)), ErrorKind::StaleFrame);
        let region = r#""wait_for","params":{"change":{"region":[0,0,5,5]},"timeout_ms":1}"#;
        assert_eq!(refused(sessions.admit(session, &request(7, region), SECOND)), ErrorKind::StaleFrame);
        assert_eq!(sessions.admit(session, &request(4, r#""key","params":{"text":"a"}"#), SECOND), Ok(Turn::Input));
        assert_eq!(sessions.admit(session, &request(5, r#""screenshot""#), SECOND), Ok(Turn::Ordered));
        sessions.saw_picture(session, DisplayEpoch(2));
        assert_eq!(sessions.admit(session, &request(6, CLICK), SECOND), Ok(Turn::Input));
    }

    #[test]
    fn thirty_two_requests_may_be_in_flight_and_questions_beyond_them() {
        let mut sessions = Sessions::default();
        let session = open(&mut sessions, Role::Control);
        for id in 1..=32 {
            assert_eq!(sessions.admit(session, &request(id, CLICK), FIRST), Ok(Turn::Input));
        }
        assert_eq!(refused(sessions.admit(session, &request(33, CLICK), FIRST)), ErrorKind::Overloaded);
        assert_eq!(sessions.admit(session, &request(33, r#""ping""#), FIRST), Ok(Turn::Immediate));
        assert_eq!(
            refused(sessions.admit(session, &request(7, r#""ping""#), FIRST)),
            ErrorKind::InvalidRequest,
            "id 7 is taken"
        );
        sessions.complete(session, &RequestId::Number(7));
        assert_eq!(sessions.admit(session, &request(7, CLICK), FIRST), Ok(Turn::Input));
    }

    #[test]
    fn initialize_comes_first_or_not_at_all() {
        let initialize = r#""initialize","params":{"protocol":"deskhand.v1","client":{"name":"t","version":"1"}}"#;
        let mut sessions = Sessions::default();
        let session = open(&mut sessions, Role::Control);
        assert_eq!(sessions.admit(session, &request(1, initialize), FIRST), Ok(Turn::Immediate));
        assert_eq!(refused(sessions.admit(session, &request(2, initialize), FIRST)), ErrorKind::InvalidRequest);
        sessions.initialize_failed(session);
        assert_eq!(sessions.admit(session, &request(3, initialize), FIRST), Ok(Turn::Immediate));
        let once = sessions.open(Principal::single_token(), Carrier::OneRequest, FIRST);
        assert_eq!(refused(sessions.admit(once, &request(1, initialize), FIRST)), ErrorKind::Unsupported);
    }

    #[test]
    fn one_http_request_leaves_nothing_pressed_on_purpose() {
        let mut sessions = Sessions::default();
        for press in [
            r#""left_mouse_down""#,
            r#""mouse_down","params":{"button":"left"}"#,
            r#""key_down","params":{"text":"a"}"#,
        ] {
            let once = sessions.open(Principal::single_token(), Carrier::OneRequest, FIRST);
            assert_eq!(refused(sessions.admit(once, &request(1, press), FIRST)), ErrorKind::Unsupported, "{press}");
        }
        let once = sessions.open(Principal::single_token(), Carrier::OneRequest, FIRST);
        let batch = r#""batch","params":{"actions":[{"name":"left_mouse_down"},{"name":"left_mouse_up"}]}"#;
        assert_eq!(sessions.admit(once, &request(1, batch), FIRST), Ok(Turn::Input));
    }

    #[test]
    fn nothing_is_admitted_while_the_server_stops() {
        let mut sessions = Sessions::default();
        let session = open(&mut sessions, Role::Admin);
        sessions.stop();
        assert_eq!(refused(sessions.admit(session, &request(1, r#""screenshot""#), FIRST)), ErrorKind::ShuttingDown);
    }
}
