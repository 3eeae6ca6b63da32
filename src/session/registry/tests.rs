use super::*;
use crate::protocol::{
    answer::LeaseHolder,
    call::{self, Prepared},
    control::{ControlCall, Force},
    error::Executed,
    identity::{UserLimits, WindowLimit},
    request,
};

const FIRST: Option<DisplayEpoch> = Some(DisplayEpoch(1));
const SECOND: Option<DisplayEpoch> = Some(DisplayEpoch(2));
const CLICK: &str = r#""left_click","params":{"coordinate":[1,1]}"#;

fn request(id: u32, rest: &str) -> Prepared {
    let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{rest}}}"#);
    call::prepare(request::read(&text).expect("an envelope")).expect("a request")
}

fn now() -> Now {
    Now { monotonic: Instant::now(), wall: "2026-11-27T12:00:00Z".parse().expect("a moment") }
}

fn open(sessions: &mut Sessions, role: Role) -> SessionId {
    let principal = Principal { role, ..Principal::single_token() };
    open_as(sessions, principal)
}

fn open_as(sessions: &mut Sessions, principal: Principal) -> SessionId {
    sessions.open(Instant::now(), principal, Carrier::Connection, FIRST).expect("there is room")
}

fn once(sessions: &mut Sessions) -> SessionId {
    sessions.open(Instant::now(), Principal::single_token(), Carrier::OneRequest, FIRST).expect("there is room")
}

fn of_user(user: &str, limits: UserLimits) -> Principal {
    Principal { user: user.to_owned().try_into().expect("a name"), limits, ..Principal::single_token() }
}

const RUNS_IN_TURN: Result<Admitted, Failure> = Ok(Admitted::Run(Turn::Input));

fn refused(outcome: Result<Admitted, Failure>) -> ErrorKind {
    outcome.expect_err("must be refused").kind
}

#[test]
fn the_first_input_takes_the_lease_until_its_session_ends() {
    let mut sessions = Sessions::default();
    let (first, second) = (open(&mut sessions, Role::Control), open(&mut sessions, Role::Control));
    assert_eq!(sessions.admit(now(), first, &request(1, r#""screenshot""#), FIRST), Ok(Admitted::Run(Turn::AtOnce)));
    assert_eq!(sessions.status(first).0.holder, LeaseHolder::None, "reading takes no lease");
    assert_eq!(sessions.admit(now(), first, &request(2, CLICK), FIRST), Ok(Admitted::Run(Turn::Input)));
    assert_eq!(sessions.status(first).0.holder, LeaseHolder::Own);
    assert_eq!(sessions.status(second).0.holder, LeaseHolder::Other);
    assert_eq!(refused(sessions.admit(now(), second, &request(1, CLICK), FIRST)), ErrorKind::LeaseHeld);
    assert_eq!(sessions.admit(now(), second, &request(1, r#""screenshot""#), FIRST), Ok(Admitted::Run(Turn::AtOnce)));
    assert!(sessions.close(first), "what it held must be released");
    assert_eq!(sessions.admit(now(), second, &request(2, CLICK), FIRST), Ok(Admitted::Run(Turn::Input)));
    assert!(!sessions.close(first));
}

#[test]
fn a_picture_waits_for_the_sessions_own_actions_only() {
    let mut sessions = Sessions::default();
    let (acting, watching) = (open(&mut sessions, Role::Control), open(&mut sessions, Role::Observe));
    assert_eq!(sessions.admit(now(), acting, &request(1, CLICK), FIRST), Ok(Admitted::Run(Turn::Input)));
    assert_eq!(sessions.admit(now(), acting, &request(2, r#""screenshot""#), FIRST), Ok(Admitted::Run(Turn::Ordered)));
    let at_once = r#""screenshot","params":{"_meta":{"observe":null}}"#;
    assert_eq!(sessions.admit(now(), acting, &request(3, at_once), FIRST), Ok(Admitted::Run(Turn::AtOnce)));
    sessions.take_pictures(acting, Pictures::AtOnce);
    assert_eq!(sessions.admit(now(), acting, &request(4, r#""screenshot""#), FIRST), Ok(Admitted::Run(Turn::AtOnce)));
    let after = r#""screenshot","params":{"_meta":{"observe":{}}}"#;
    assert_eq!(sessions.admit(now(), acting, &request(5, after), FIRST), Ok(Admitted::Run(Turn::Ordered)));
    assert_eq!(sessions.admit(now(), watching, &request(1, r#""screenshot""#), FIRST), Ok(Admitted::Run(Turn::AtOnce)));
}

#[test]
fn an_observer_sees_and_does_not_act() {
    let mut sessions = Sessions::default();
    let observer = open(&mut sessions, Role::Observe);
    for input in
        [CLICK, r#""batch","params":{"actions":[{"name":"wait","input":{"duration":0}},{"name":"left_click"}]}"#]
    {
        assert_eq!(
            refused(sessions.admit(now(), observer, &request(1, input), FIRST)),
            ErrorKind::Forbidden,
            "{input}"
        );
    }
    let looking = r#""batch","params":{"actions":[{"name":"screenshot"},{"name":"cursor_position"}]}"#;
    assert_eq!(sessions.admit(now(), observer, &request(1, looking), FIRST), Ok(Admitted::Run(Turn::AtOnce)));
    let wait = r#""wait","params":{"duration":0}"#;
    assert_eq!(
        sessions.admit(now(), observer, &request(2, wait), FIRST),
        Ok(Admitted::Run(Turn::Input)),
        "it takes its turn"
    );
    assert_eq!(sessions.status(observer).0.holder, LeaseHolder::None, "and no lease");
    let wait_for = r#""wait_for","params":{"change":{},"timeout_ms":1}"#;
    for (id, looking) in [(3, wait_for), (4, r#""windows.list""#)] {
        assert_eq!(
            sessions.admit(now(), observer, &request(id, looking), FIRST),
            Ok(Admitted::Run(Turn::AtOnce)),
            "{looking}"
        );
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
    assert_eq!(sessions.admit(now(), session, &request(1, CLICK), FIRST), Ok(Admitted::Run(Turn::Input)));
    assert_eq!(refused(sessions.admit(now(), session, &request(2, CLICK), SECOND)), ErrorKind::StaleFrame);
    let zoom = r#""zoom","params":{"region":[0,0,5,5]}"#;
    assert_eq!(refused(sessions.admit(now(), session, &request(3, zoom), SECOND)), ErrorKind::StaleFrame);
    let region = r#""wait_for","params":{"change":{"region":[0,0,5,5]},"timeout_ms":1}"#;
    assert_eq!(refused(sessions.admit(now(), session, &request(7, region), SECOND)), ErrorKind::StaleFrame);
    assert_eq!(
        sessions.admit(now(), session, &request(4, r#""key","params":{"text":"a"}"#), SECOND),
        Ok(Admitted::Run(Turn::Input))
    );
    assert_eq!(
        sessions.admit(now(), session, &request(5, r#""screenshot""#), SECOND),
        Ok(Admitted::Run(Turn::Ordered))
    );
    sessions.saw_picture(session, DisplayEpoch(2));
    assert_eq!(sessions.admit(now(), session, &request(6, CLICK), SECOND), Ok(Admitted::Run(Turn::Input)));
}

#[test]
fn thirty_two_requests_may_be_in_flight_and_questions_beyond_them() {
    let mut sessions = Sessions::default();
    let session = open(&mut sessions, Role::Admin);
    for id in 1..=32 {
        assert_eq!(sessions.admit(now(), session, &request(id, CLICK), FIRST), Ok(Admitted::Run(Turn::Input)));
    }
    assert_eq!(refused(sessions.admit(now(), session, &request(33, CLICK), FIRST)), ErrorKind::Overloaded);
    assert_eq!(sessions.admit(now(), session, &request(33, r#""ping""#), FIRST), Ok(Admitted::Run(Turn::Immediate)));
    for stop in [r#""session.pause""#, r#""session.halt""#] {
        assert_eq!(
            sessions.admit(now(), session, &request(34, stop), FIRST),
            Ok(Admitted::Run(Turn::AtOnce)),
            "{stop}"
        );
        sessions.complete(session, &RequestId::Number(34));
    }
    assert_eq!(
        refused(sessions.admit(now(), session, &request(7, r#""ping""#), FIRST)),
        ErrorKind::InvalidRequest,
        "id 7 is taken"
    );
    sessions.complete(session, &RequestId::Number(7));
    assert_eq!(sessions.admit(now(), session, &request(7, CLICK), FIRST), Ok(Admitted::Run(Turn::Input)));
}

#[test]
fn initialize_comes_first_or_not_at_all() {
    let initialize = r#""initialize","params":{"protocol":"deskhand.v1","client":{"name":"t","version":"1"}}"#;
    let mut sessions = Sessions::default();
    let session = open(&mut sessions, Role::Control);
    assert_eq!(sessions.admit(now(), session, &request(1, initialize), FIRST), Ok(Admitted::Run(Turn::Immediate)));
    assert_eq!(refused(sessions.admit(now(), session, &request(2, initialize), FIRST)), ErrorKind::InvalidRequest);
    sessions.initialize_failed(session);
    assert_eq!(sessions.admit(now(), session, &request(3, initialize), FIRST), Ok(Admitted::Run(Turn::Immediate)));
    let once = once(&mut sessions);
    assert_eq!(refused(sessions.admit(now(), once, &request(1, initialize), FIRST)), ErrorKind::Unsupported);
}

#[test]
fn one_http_request_leaves_nothing_pressed_on_purpose() {
    let mut sessions = Sessions::default();
    for press in
        [r#""left_mouse_down""#, r#""mouse_down","params":{"button":"left"}"#, r#""key_down","params":{"text":"a"}"#]
    {
        let once = once(&mut sessions);
        assert_eq!(refused(sessions.admit(now(), once, &request(1, press), FIRST)), ErrorKind::Unsupported, "{press}");
    }
    let once = once(&mut sessions);
    let batch = r#""batch","params":{"actions":[{"name":"left_mouse_down"},{"name":"left_mouse_up"}]}"#;
    assert_eq!(sessions.admit(now(), once, &request(1, batch), FIRST), Ok(Admitted::Run(Turn::Input)));
}

#[test]
fn nothing_is_admitted_while_the_server_stops() {
    let mut sessions = Sessions::default();
    let session = open(&mut sessions, Role::Admin);
    sessions.stop();
    assert_eq!(refused(sessions.admit(now(), session, &request(1, r#""screenshot""#), FIRST)), ErrorKind::ShuttingDown);
}

fn window(amount: u64) -> WindowLimit {
    WindowLimit { amount: amount.try_into().expect("not zero"), window: Duration::from_secs(3600) }
}

#[test]
fn only_who_stands_higher_takes_the_lease_by_force_and_the_loser_looks_before_it_acts_again() {
    let mut sessions = Sessions::default();
    let (loser, equal) = (open(&mut sessions, Role::Control), open(&mut sessions, Role::Control));
    let admin = open(&mut sessions, Role::Admin);
    assert_eq!(sessions.admit(now(), loser, &request(1, CLICK), FIRST), RUNS_IN_TURN);
    for (session, force, kind) in [
        (equal, Force::Ask, ErrorKind::LeaseHeld),
        (equal, Force::Take, ErrorKind::Forbidden),
        (admin, Force::Ask, ErrorKind::LeaseHeld),
    ] {
        assert_eq!(sessions.acquire(session, force).expect_err("not theirs").kind, kind);
    }
    let before = sessions.status(admin).0.epoch;
    assert_eq!(sessions.acquire(admin, Force::Take), Ok(Some(loser)));
    assert_eq!(sessions.status(admin).0.epoch, before + 1);
    assert_eq!(sessions.acquire(admin, Force::Take), Ok(None), "it has it");
    assert_eq!(refused(sessions.admit(now(), loser, &request(2, CLICK), FIRST)), ErrorKind::LeaseHeld);
    sessions.saw_picture(loser, DisplayEpoch(1));
    assert_eq!(refused(sessions.admit(now(), loser, &request(2, CLICK), FIRST)), ErrorKind::LeaseHeld, "not yet");
    assert!(sessions.release_lease(admin));
    assert_eq!(refused(sessions.admit(now(), loser, &request(2, CLICK), FIRST)), ErrorKind::StaleFrame);
    sessions.saw_picture(loser, DisplayEpoch(1));
    assert_eq!(sessions.admit(now(), loser, &request(2, CLICK), FIRST), RUNS_IN_TURN);
}

#[test]
fn a_successor_takes_over_what_its_predecessor_of_the_same_user_has() {
    let mut sessions = Sessions::default();
    let limits = UserLimits::default();
    let dead = open_as(&mut sessions, of_user("ann", limits));
    let other = open_as(&mut sessions, of_user("bob", limits));
    let again = open_as(&mut sessions, of_user("ann", limits));
    assert_eq!(sessions.admit(now(), dead, &request(1, CLICK), FIRST), RUNS_IN_TURN);
    assert_eq!(sessions.resume(other, dead).expect_err("another user's").kind, ErrorKind::NotFound);
    assert_eq!(sessions.resume(again, SessionId(99)).expect_err("none").kind, ErrorKind::NotFound);
    assert_eq!(sessions.resume(again, again).expect_err("itself").kind, ErrorKind::NotFound);
    assert_eq!(sessions.resume(again, dead), Ok(()));
    assert_eq!(sessions.status(again).0.holder, LeaseHolder::Own);
    assert_eq!(sessions.admit(now(), again, &request(1, CLICK), FIRST), RUNS_IN_TURN);
}

#[test]
fn a_pause_refuses_input_and_a_halt_everything_until_an_admin_resumes() {
    let mut sessions = Sessions::default();
    let (acting, admin) = (open(&mut sessions, Role::Control), open(&mut sessions, Role::Admin));
    assert_eq!(refused(sessions.admit(now(), acting, &request(1, r#""session.pause""#), FIRST)), ErrorKind::Forbidden);
    assert_eq!(sessions.admit(now(), acting, &request(1, CLICK), FIRST), RUNS_IN_TURN);
    sessions.admit(now(), acting, &request(2, r#""session.pause""#), FIRST).expect("it controls");
    assert!(sessions.control(ControlCall::Pause).paused);
    assert_eq!(refused(sessions.admit(now(), acting, &request(3, CLICK), FIRST)), ErrorKind::Paused);
    sessions.admit(now(), acting, &request(3, r#""screenshot""#), FIRST).expect("looking goes on");
    sessions.admit(now(), acting, &request(4, r#""left_mouse_up""#), FIRST).expect("letting go");
    sessions.complete(acting, &RequestId::Number(4));
    assert!(sessions.control(ControlCall::Halt).halted);
    for session in [acting, admin] {
        for call in [CLICK, r#""screenshot""#, r#""windows.list""#, r#""display.info""#] {
            assert_eq!(refused(sessions.admit(now(), session, &request(9, call), FIRST)), ErrorKind::Halted, "{call}");
        }
        for call in [r#""ping""#, r#""status""#] {
            sessions.admit(now(), session, &request(9, call), FIRST).expect("it tells about the server");
        }
    }
    assert_eq!(refused(sessions.admit(now(), acting, &request(9, r#""session.resume""#), FIRST)), ErrorKind::Forbidden);
    sessions.admit(now(), admin, &request(9, r#""session.resume""#), FIRST).expect("an admin");
    sessions.control(ControlCall::Resume);
    assert_eq!(sessions.admit(now(), acting, &request(4, CLICK), FIRST), RUNS_IN_TURN);
}

#[test]
fn a_users_window_counts_on_all_connections_and_what_only_lets_go_is_exempt() {
    let mut sessions = Sessions::default();
    let limits = UserLimits { requests: Some(window(3)), ..UserLimits::default() };
    let (first, second) =
        (open_as(&mut sessions, of_user("ann", limits)), open_as(&mut sessions, of_user("ann", limits)));
    let other = open_as(&mut sessions, of_user("bob", limits));
    assert_eq!(sessions.admit(now(), first, &request(1, CLICK), FIRST), RUNS_IN_TURN);
    sessions.admit(now(), second, &request(1, r#""screenshot""#), FIRST).expect("the second");
    assert_eq!(
        refused(sessions.admit(now(), second, &request(2, CLICK), FIRST)),
        ErrorKind::LeaseHeld,
        "takes nothing"
    );
    sessions.admit(now(), second, &request(3, r#""task.begin""#), FIRST).expect("the third");
    for (session, call) in [(first, CLICK), (second, r#""screenshot""#), (second, r#""task.begin""#)] {
        let failure = sessions.admit(now(), session, &request(4, call), FIRST).expect_err("the fourth");
        assert_eq!(failure.kind, ErrorKind::RateLimited, "{call}");
        assert!(failure.detail.expect("detail").retry_after_ms.is_some());
    }
    for call in [r#""left_mouse_up""#, r#""key_up","params":{"text":"a"}"#] {
        assert_eq!(sessions.admit(now(), first, &request(5, call), FIRST), RUNS_IN_TURN, "{call}");
        sessions.complete(first, &RequestId::Number(5));
    }
    for call in [r#""ping""#, r#""status""#] {
        sessions.admit(now(), first, &request(6, call), FIRST).expect("exempt");
    }
    sessions.admit(now(), other, &request(1, r#""screenshot""#), FIRST).expect("another user");
}

#[test]
fn typed_characters_are_counted_also_in_a_batch() {
    let mut sessions = Sessions::default();
    let limits = UserLimits { typed_characters: Some(window(10)), ..UserLimits::default() };
    let session = open_as(&mut sessions, of_user("ann", limits));
    let text = |text: &str| format!(r#""type","params":{{"text":"{text}"}}"#);
    assert_eq!(sessions.admit(now(), session, &request(1, &text("漢字éa")), FIRST), RUNS_IN_TURN);
    let batch = r#""batch","params":{"actions":[{"name":"type","input":{"text":"abcd"}},{"name":"paste","input":{"text":"efg"}}]}"#;
    assert_eq!(refused(sessions.admit(now(), session, &request(2, batch), FIRST)), ErrorKind::RateLimited);
    assert_eq!(sessions.admit(now(), session, &request(2, &text("abcdef")), FIRST), RUNS_IN_TURN);
    assert_eq!(refused(sessions.admit(now(), session, &request(3, &text("a")), FIRST)), ErrorKind::RateLimited);
}

#[test]
fn a_key_runs_once_whatever_the_connection_and_a_refusal_leaves_it_free() {
    let mut sessions = Sessions::new(Rules { boot: "now".to_owned(), ..Rules::default() });
    let (first, second) = (open(&mut sessions, Role::Control), open(&mut sessions, Role::Control));
    let keyed = |id: u32, key: &str, x: u32| {
        request(
            id,
            &format!(
                r#""left_click","params":{{"coordinate":[{x},1],"_meta":{{"request_key":"{key}","boot":"now"}}}}"#
            ),
        )
    };
    let key = |text: &str| RequestKey::try_from(text.to_owned()).expect("a key");
    assert_eq!(sessions.admit(now(), first, &keyed(1, "a", 1), FIRST), RUNS_IN_TURN);
    assert_eq!(refused(sessions.admit(now(), second, &keyed(1, "b", 1), FIRST)), ErrorKind::LeaseHeld);
    assert_eq!(sessions.look_up(Instant::now(), second, &key("b")), RequestState::NotStarted);
    let user = UserName::only();
    sessions.record(Instant::now(), &user, &key("a"), Recorded::Done("{}".to_owned()));
    for session in [first, second] {
        let again = sessions.admit(now(), session, &keyed(2, "a", 1), FIRST);
        assert_eq!(again, Ok(Admitted::Replay(Recorded::Done("{}".to_owned()))));
    }
    assert_eq!(refused(sessions.admit(now(), first, &keyed(2, "a", 2), FIRST)), ErrorKind::Conflict);
    let older = r#""left_click","params":{"coordinate":[1,1],"_meta":{"request_key":"z","boot":"earlier"}}"#;
    let failure = sessions.admit(now(), first, &request(3, older), FIRST).expect_err("another start");
    assert_eq!((failure.kind, failure.executed), (ErrorKind::Conflict, Executed::Unknown));
}

#[test]
fn a_token_that_expires_ends_what_its_sessions_may_do() {
    let mut sessions = Sessions::default();
    let expires = Some(now().wall);
    let session = open_as(&mut sessions, Principal { expires, ..Principal::single_token() });
    let before = Now { wall: "2026-11-27T11:59:59Z".parse().expect("a moment"), ..now() };
    assert_eq!(sessions.admit(before, session, &request(1, CLICK), FIRST), RUNS_IN_TURN);
    assert_eq!(refused(sessions.admit(now(), session, &request(2, CLICK), FIRST)), ErrorKind::Forbidden);
}

#[test]
fn a_user_has_as_many_connections_as_the_token_allows() {
    let mut sessions = Sessions::default();
    let limits = UserLimits { sessions: Some(1.try_into().expect("not zero")), ..UserLimits::default() };
    let first = open_as(&mut sessions, of_user("ann", limits));
    let second = sessions.open(Instant::now(), of_user("ann", limits), Carrier::Connection, FIRST);
    assert_eq!(second.expect_err("one too many").kind, ErrorKind::Overloaded);
    open_as(&mut sessions, of_user("bob", limits));
    sessions.close(first);
    open_as(&mut sessions, of_user("ann", limits));
}
