//! What all requests share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    client::Client,
    confirm::Confirmations,
    display::{DisplayState, Live},
    happenings::Happenings,
    outcome::Reply,
    picture_quota::PictureQuota,
    readiness::Readiness,
    recording::{self, Recording},
    replay,
    roster::Roster,
    secrets::SecretKeeper,
};
use crate::{
    desktop::capture::Attendance,
    observe::{audit::Audit, metrics::Metrics, usage_store::UsageStore},
    protocol::{
        error::{ErrorKind, Failure},
        identity::Principal,
        meta::Meta,
        screen::ScreenFit,
        task::TaskRule,
        token::TokenHash,
        token_table::TokenTable,
        units::PixelsPerNotch,
        usage::Used,
    },
    session::{
        policy::Rulebook,
        registry::{Now, Rules, SessionId, Sessions},
        tickets::Tickets,
    },
};

/// How long a request waits for a display that is coming back: opening it again takes milliseconds, an Xvfb that starts
/// anew half a second. Longer would only hide that it is gone.
const RETURN_TIME: Duration = Duration::from_millis(500);

/// How long releasing what is held is waited for. The display answers in microseconds or is stopped; then the next start releases
/// what the X server says is down.
pub const RELEASE_TIME: Duration = Duration::from_millis(500);

/// Whether it is known what applications ask of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressKnown {
    /// A proxy's log is followed.
    FromItsLog,
    /// No log was named.
    No,
}

/// Whether the X server is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Started by our supervisor.
    Owned,
    /// Somebody else's.
    Attached,
}

/// The server's state. One for each start, shared by everything that answers requests.
#[derive(Debug)]
pub struct Engine {
    /// The display at this moment.
    pub display: watch::Receiver<DisplayState>,
    /// Sessions and lease.
    sessions: Arc<Mutex<Sessions>>,
    /// Input of all sessions runs one request at a time, first come, first served (tokio's mutex is fair).
    pub turn: tokio::sync::Mutex<()>,
    /// The sessions that stay.
    pub attendance: Attendance,
    /// Where actions are recorded.
    pub audit: Recording,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is told of the sessions.
    pub happenings: Happenings,
    /// What probes were told.
    pub readiness: Readiness,
    /// This start of the server.
    pub boot: String,
    /// How pictures are fitted unless a session says otherwise.
    pub screen: ScreenFit,
    /// How far applications scroll by one notch of the wheel.
    pub notch: PixelsPerNotch,
    /// Who started the X server.
    pub ownership: Ownership,
    /// Whom the server can reach of those who are connected.
    pub roster: Roster,
    /// What the process has confined itself to, for `display.info`.
    pub sandbox: &'static str,
    /// What may be done; everything where there is none.
    pub policy: Option<Arc<Rulebook>>,
    /// Whether the event `egress` can be sent.
    pub egress: EgressKnown,
    /// What waits for a person's consent.
    pub confirmations: Confirmations,
    /// The secrets, and what they have left on the screen.
    pub secrets: SecretKeeper,
    /// Where the tokens of the month are kept; nowhere without `--state`.
    pub usage_store: Option<tokio::sync::Mutex<Arc<UsageStore>>>,
    /// Which tokens open the door; none where only the host can reach us.
    tokens: RwLock<TokenTable>,
    /// What pages have exchanged their tokens for.
    tickets: Mutex<Tickets>,
}

/// What a server is made with.
pub struct Parts {
    /// The display at this moment.
    pub display: watch::Receiver<DisplayState>,
    /// Which tokens open the door.
    pub tokens: TokenTable,
    /// Whether input needs a task.
    pub tasks: TaskRule,
    /// Where the tokens of the month are kept, and what is there.
    pub usage: Option<(UsageStore, Vec<Used>)>,
    /// How pictures are fitted unless a session says otherwise.
    pub screen: ScreenFit,
    /// How far applications scroll by one notch of the wheel.
    pub notch: PixelsPerNotch,
    /// Who started the X server.
    pub ownership: Ownership,
    /// This start of the server.
    pub boot: String,
    /// Where what is done is recorded.
    pub audit: Audit,
    /// How the server has confined itself.
    pub sandbox: &'static str,
    /// What may be done; everything where there is none.
    pub policy: Option<Arc<Rulebook>>,
    /// The secrets, and what pictures do not show.
    pub secrets: SecretKeeper,
    /// Whether the egress proxy's log is followed.
    pub egress: EgressKnown,
}

/// A name for this start of the server that no other has.
///
/// # Errors
/// When the system has no random numbers.
pub fn new_boot() -> Result<String, getrandom::Error> {
    let mut boot = [0; 8];
    getrandom::fill(&mut boot)?;
    Ok(HEXLOWER.encode(&boot))
}

impl Engine {
    /// The state at the start.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            display,
            tokens,
            tasks,
            usage,
            screen,
            notch,
            ownership,
            boot,
            audit,
            sandbox,
            policy,
            secrets,
            egress,
        } = parts;
        let mut sessions = Sessions::new(Rules { boot: boot.clone(), tasks, policy: policy.clone() });
        let usage_store = usage.map(|(store, used)| {
            for used in used {
                sessions.restore(used);
            }
            tokio::sync::Mutex::new(Arc::new(store))
        });
        Self {
            display,
            sessions: Arc::new(Mutex::new(sessions)),
            turn: tokio::sync::Mutex::default(),
            attendance: Attendance::default(),
            audit: Recording::new(audit),
            metrics: Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))),
            happenings: Happenings::default(),
            readiness: Readiness::default(),
            boot,
            screen,
            notch,
            ownership,
            roster: Roster::default(),
            sandbox,
            policy,
            egress,
            confirmations: Confirmations::default(),
            secrets,
            usage_store,
            tokens: RwLock::new(tokens),
            tickets: Mutex::default(),
        }
    }

    /// Sessions and lease; held for single decisions only, never over a wait.
    pub fn sessions(&self) -> MutexGuard<'_, Sessions> {
        // Every change is one assignment or one insertion, so a panic in between leaves the state usable.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a session's pictures are counted by.
    pub fn picture_quota(&self, session: SessionId) -> PictureQuota {
        PictureQuota::new(Arc::clone(&self.sessions), session)
    }

    /// Who presents this token.
    pub fn principal(&self, token: &[u8]) -> Option<Principal> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).principal(Timestamp::now(), token)
    }

    /// Who holds the token with this hash, if it still opens the door.
    pub fn holder(&self, sha256: TokenHash) -> Option<Principal> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).holder(Timestamp::now(), sha256)
    }

    /// The tickets that are out; held for single decisions only, never over a wait.
    pub fn tickets(&self) -> MutexGuard<'_, Tickets> {
        // Each change is one insertion or removal.
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other tokens open the door from now on. Sessions that have begun go on.
    pub fn replace_tokens(&self, tokens: TokenTable) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// The moment of a decision.
    pub fn now() -> Now {
        Now { monotonic: Instant::now(), wall: Timestamp::now() }
    }

    /// The display at this moment.
    pub fn display(&self) -> DisplayState {
        self.display.borrow().clone()
    }

    /// The open desktop, or the one that is just being opened: after a change of the screen's size that takes some
    /// milliseconds, and a client cannot know that they matter.
    ///
    /// # Errors
    /// `display_lost` when it has not come back within half a second.
    pub async fn live_soon(&self) -> Result<Arc<Live>, Failure> {
        let mut display = self.display.clone();
        let returned = display.wait_for(|state| matches!(state, DisplayState::Here(_)));
        let state = match tokio::time::timeout(RETURN_TIME, returned).await {
            Ok(Ok(state)) => state.clone(),
            // Not yet, or never again: the state says why.
            Ok(Err(_)) | Err(_) => self.display(),
        };
        state.live()
    }

    /// Ends a session: cancels its requests and releases what it held, whether or not anybody waits for that.
    pub fn end_session(&self, client: &Client) {
        for job in client.lane.close() {
            let ended = Failure::new(ErrorKind::Cancelled, "the session ended before the request began");
            recording::refused(self, client, &job.prepared, &ended);
            self.record(client, &job.prepared.meta, &Err(ended));
        }
        self.roster.leave(client.id);
        let had_lease = self.sessions().close(client.id);
        recording::lease(self);
        tracing::debug!(session = client.id.0, had_lease, "session ends");
        if had_lease {
            self.release();
        }
    }

    /// Records what a request with a key came to.
    pub fn record(&self, client: &Client, meta: &Meta, answered: &Result<Reply, Failure>) {
        if let Some(keyed) = &meta.request_key {
            self.sessions().record(Instant::now(), &client.user, &keyed.key, replay::record(answered));
        }
    }

    /// The same, and waits until it is done or the display does not answer.
    pub async fn release_and_wait(&self) {
        if let Ok(live) = self.display().live()
            && tokio::time::timeout(RELEASE_TIME, live.desktop.input().release_all()).await.is_err()
        {
            tracing::warn!("the display did not confirm in time that everything is released");
        }
    }

    /// Releases what is held, after what the input thread is doing now.
    pub fn release(&self) {
        if let Ok(live) = self.display().live() {
            // The thread does it all the same; only its report is not needed.
            drop(live.desktop.input().release_all());
        }
    }

    /// The session of a name on the wire; `None` for that of another start.
    pub fn session_of_name(&self, name: &str) -> Option<SessionId> {
        let number = name.strip_prefix(self.boot.as_str())?.strip_prefix('-')?;
        number.parse().ok().map(SessionId)
    }

    /// A session's name on the wire.
    pub fn session_name(&self, session: SessionId) -> String {
        format!("{}-{}", self.boot, session.0)
    }
}
