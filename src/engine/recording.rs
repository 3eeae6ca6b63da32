//! What is recorded, and when: the step between admission and the display, and behind it.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    client::Client,
    happenings::{ActionSeen, LeaseSeen},
    outcome::Reply,
    state::Engine,
};
use crate::{
    config::{
        audit::{AuditSettings, AuditTarget},
        strictness::Strictness,
    },
    exit::{Exit, Fatal},
    observe::{
        audit::{self, Audit, Opened, Opening, Target, storage::Rotation},
        throttle::{Fate, Throttle},
    },
    protocol::{
        audit::{ActionType, AuditDetails, AuditPlace, Outcome, Record},
        call::{Call, Prepared},
        confirm::{ConfirmAnswer, Consent},
        error::{ErrorKind, Failure},
        identity::UserName,
        secret::SecretName,
        subscription::EventKind,
    },
    session::{audit::details, policy::Rulebook, tasks::Ended},
};

/// The audit, and what it takes to know what is new.
#[derive(Debug, Default)]
pub struct Recording {
    audit: Audit,
    /// The lease as it was last recorded.
    lease: AtomicU64,
    /// Attempts to get in: each is recorded like a line of a log, or whoever can reach the port could fill the disk.
    attempts: Mutex<Throttle<()>>,
}

/// Opens the audit that the settings ask for.
///
/// # Errors
/// Why it cannot be kept: the server must not start then.
pub fn open(
    settings: Option<&AuditSettings>,
    boot: &str,
    policy: Option<&Rulebook>,
    strictness: Strictness,
) -> Result<Option<Opened>, Fatal> {
    let Some(settings) = settings else { return Ok(None) };
    let AuditSettings { target, mode, details, key, max_bytes, keep } = settings;
    let failed = |message: String| Fatal::new(Exit::Audit, message);
    let key = key.as_deref().map(audit::read_key).transpose().map_err(failed)?;
    if key.is_none() {
        strictness.judge(
            "the audit has no key: only a head that is kept elsewhere proves it; --audit-key FILE gives it one",
        )?;
    }
    let target = match target {
        AuditTarget::File(path) => {
            Target::File { path: path.clone(), rotation: Rotation { bytes: *max_bytes, keep: *keep } }
        }
        AuditTarget::Stdout => Target::StandardOutput,
        AuditTarget::Syslog => Target::SystemLog,
    };
    let first = Record::new(Timestamp::now(), ActionType::Config, Outcome::Success)
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("mode", json!(mode))
        .with("details", json!(details));
    let first = match policy {
        Some(policy) => first.with("policy", policy.sha256()),
        None => first,
    };
    let opening = Opening { target, key, mode: *mode, details: *details, boot, first };
    Opened::open(opening).map(Some).map_err(|error| failed(error.to_string()))
}

/// Begins to take records.
///
/// # Errors
/// Why there is no thread for it.
pub fn start(opened: Option<Opened>) -> Result<Audit, Fatal> {
    let started = opened.map_or_else(|| Ok(Audit::default()), Opened::start);
    started.map_err(|error| Fatal::new(Exit::Audit, error.to_string()))
}

impl Recording {
    /// Of an audit that is open.
    pub fn new(audit: Audit) -> Self {
        Self { audit, ..Self::default() }
    }

    /// The word of the ready line.
    pub fn mode(&self) -> &'static str {
        self.audit.mode()
    }

    /// Records the end and waits until all is written.
    pub fn close(&self) {
        self.audit.close();
    }

    /// How many records could not be kept since the start.
    pub fn lost(&self) -> u64 {
        self.audit.lost()
    }

    fn details(&self) -> Option<AuditDetails> {
        self.audit.details()
    }

    /// Whether something may be done of which the record is only sent on its way.
    ///
    /// # Errors
    /// `audit_unavailable`.
    pub fn permits(&self) -> Result<(), Failure> {
        self.audit.permits()
    }
}

/// Records that a request is about to be carried out; its number is that of the record.
///
/// # Errors
/// `audit_unavailable`: it must not be.
pub async fn intend(engine: &Engine, client: &Client, request: &Prepared) -> Result<Option<u64>, Failure> {
    let Some(keep) = engine.audit.details() else { return Ok(None) };
    let mut record = of(engine, client, ActionType::ToolUse, Outcome::Started);
    record.details = details(request, keep);
    engine.audit.audit.intend(record).await
}

/// Records what came of it, and puts the place of the record into the answer.
pub async fn conclude(
    engine: &Engine,
    client: &Client,
    request: &Prepared,
    intent: Option<u64>,
    took: Duration,
    answered: &mut Result<Reply, Failure>,
) {
    tell(engine, client, request.method, answered.as_ref().err(), took);
    if engine.audit.details().is_none() {
        return;
    }
    let (action, outcome) = match answered {
        Ok(_) => (ActionType::ToolUse, Outcome::Success),
        Err(failure) => (ActionType::Error, Outcome::Failed(failure.kind)),
    };
    let mut record = of(engine, client, action, outcome).with("method", request.method);
    record.duration = Some(took);
    if let Some(intent) = intent {
        record = record.with("intent", intent);
    }
    if let Err(failure) = answered {
        record = record.with("executed", json!(failure.executed));
        if let Some(typed) = failure.detail.as_ref().and_then(|detail| detail.typed) {
            record = record.with("typed", typed);
        }
    }
    if let (Some(place), Ok(reply)) = (engine.audit.audit.conclude(record).await, answered) {
        add_place(reply, place);
    }
}

/// Adds the member `audit` to the result.
fn add_place(reply: &mut Reply, place: AuditPlace) {
    let end = reply.text.end();
    // Ours end with the braces of the result and of the message.
    if let Some(open) = end.strip_suffix("}}").map(str::len) {
        end.truncate(open);
        if !end.ends_with('{') {
            end.push(',');
        }
        end.push_str(r#""audit":"#);
        end.push_str(&json!(place).to_string());
        end.push_str("}}");
    }
}

/// Records a request that was not let in.
pub fn refused(engine: &Engine, client: &Client, request: &Prepared, failure: &Failure) {
    tell(engine, client, request.method, Some(failure), Duration::ZERO);
    let Some(keep) = engine.audit.details() else { return };
    let mut record = of(engine, client, ActionType::Refused, Outcome::Failed(failure.kind));
    record.details = details(request, keep);
    engine.audit.audit.note(record);
}

/// Records a message that is no request.
pub fn rejected(engine: &Engine, client: &Client, failure: &Failure) {
    note(engine, client, ActionType::Refused, Outcome::Failed(failure.kind), &[]);
}

/// The same of a message that came without a session.
pub fn rejected_post(engine: &Engine, user: &UserName, failure: &Failure) {
    let mut record = Record::new(Timestamp::now(), ActionType::Refused, Outcome::Failed(failure.kind));
    record.user = Some(user.clone());
    engine.audit.audit.note(record);
}

/// Records that a session is going to be shown what happens on the screen or among the sessions.
///
/// # Errors
/// `audit_unavailable`: it must not be.
pub fn subscribes(engine: &Engine, client: &Client, events: &[EventKind]) -> Result<(), Failure> {
    engine.audit.permits()?;
    let details = [("method", "subscribe".into()), ("events", json!(events))];
    note(engine, client, ActionType::ToolUse, Outcome::Success, &details);
    Ok(())
}

/// Records a request whose client has gone: what became of it nobody was told.
pub fn abandoned(engine: &Engine, client: &Client, request: &Prepared, failure: &Failure) {
    let details = [("method", request.method.into()), ("executed", json!(failure.executed))];
    note(engine, client, ActionType::Error, Outcome::Failed(failure.kind), &details);
}

/// Records a request that was answered with what it came to before.
pub fn replayed(engine: &Engine, client: &Client, request: &Prepared) {
    tell(engine, client, request.method, None, Duration::ZERO);
    let details = [("method", request.method.into()), ("replayed", true.into())];
    note(engine, client, ActionType::ToolUse, Outcome::Success, &details);
}

/// Records something about a session.
pub fn session(engine: &Engine, client: &Client, event: &'static str, details: &[(&str, Value)]) {
    let details: Vec<_> = [("event", event.into())].into_iter().chain(details.iter().cloned()).collect();
    note(engine, client, ActionType::Session, Outcome::Success, &details);
}

/// Records what nobody waits for a record of: a pause, a halt and what gives back must not fail for the lack of one.
pub fn done(engine: &Engine, client: &Client, request: &Prepared, failure: Option<&Failure>, took: Duration) {
    tell(engine, client, request.method, failure, took);
    let Some(keep) = engine.audit.details() else { return };
    let action = match &request.call {
        Call::Control(_) => ActionType::Session,
        Call::Lease(_) => ActionType::Lease,
        _ => ActionType::ToolUse,
    };
    let outcome = failure.map_or(Outcome::Success, |failure| Outcome::Failed(failure.kind));
    let mut record = of(engine, client, action, outcome);
    record.details = details(request, keep);
    engine.audit.audit.note(record);
}

/// Records what an admin says to a request that waits for consent.
pub fn consent(engine: &Engine, client: &Client, ConfirmAnswer { id, consent }: ConfirmAnswer) {
    let details = [("event", "consent".into()), ("id", id.into()), ("allow", (consent == Consent::Given).into())];
    note(engine, client, ActionType::Policy, Outcome::Success, &details);
}

/// Records what an admin does with secrets.
pub fn secret(engine: &Engine, client: &Client, request: &Prepared, failure: Option<&Failure>) {
    tell(engine, client, request.method, failure, Duration::ZERO);
    let Some(keep) = engine.audit.details() else { return };
    let outcome = failure.map_or(Outcome::Success, |failure| Outcome::Failed(failure.kind));
    let mut record = of(engine, client, ActionType::Secret, outcome);
    record.details = details(request, keep);
    engine.audit.audit.note(record);
}

/// Records that a secret was to be typed, and what came of it.
pub fn secret_typed(engine: &Engine, client: &Client, name: &SecretName, failure: Option<&Failure>) {
    let outcome = failure.map_or(Outcome::Success, |failure| Outcome::Failed(failure.kind));
    let details = [("event", "typed".into()), ("secret", json!(name))];
    note(engine, client, ActionType::Secret, outcome, &details);
}

/// Records that a task begins.
pub fn task_begins(engine: &Engine, client: &Client, request: &Prepared) {
    tell(engine, client, request.method, None, Duration::ZERO);
    let Some(keep) = engine.audit.details() else { return };
    let mut record = of(engine, client, ActionType::ExecutionStarted, Outcome::Success);
    record.details = details(request, keep);
    engine.audit.audit.note(record);
}

/// Records that a task has ended.
pub fn task_ends(engine: &Engine, client: &Client, request: &Prepared, ended: &Ended) {
    tell(engine, client, request.method, None, Duration::ZERO);
    let Some(keep) = engine.audit.details() else { return };
    let mut record = of(engine, client, ActionType::Completion, Outcome::Success);
    record.details = details(request, keep);
    record.task = Some(ended.task.id);
    record.duration = Some(ended.duration);
    let milliseconds = u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX);
    engine.audit.audit.note(record.with("turns", ended.turns).with("duration_ms", milliseconds));
}

/// Records and tells who has the lease, where that has changed since it was last asked.
pub fn lease(engine: &Engine) {
    let (recorded, followed) = (engine.audit.details().is_some(), engine.happenings.lease_is_followed());
    if !recorded && !followed {
        return;
    }
    let (epoch, holder) = engine.sessions().lease_holder();
    if followed {
        engine.happenings.lease(LeaseSeen { epoch, holder: holder.as_ref().map(|(_, user)| user.clone()) });
    }
    if !recorded || engine.audit.lease.swap(epoch, Ordering::Relaxed) == epoch {
        return;
    }
    let mut record = Record::new(Timestamp::now(), ActionType::Lease, Outcome::Success).with("epoch", epoch);
    record = match holder {
        Some((session, user)) => {
            (record.user, record.session) = (Some(user), Some(engine.session_name(session)));
            record.with("event", "taken")
        }
        None => record.with("event", "given_back"),
    };
    engine.audit.audit.note(record);
}

/// Records that somebody without a valid token asked to be let in, or a process of a user who is not named.
pub fn stranger(engine: &Engine) {
    if engine.audit.details().is_none() {
        return;
    }
    let fate = engine.audit.attempts.lock().unwrap_or_else(PoisonError::into_inner).line(Instant::now(), ());
    let Fate::Written { left_out } = fate else { return };
    let record = Record::new(Timestamp::now(), ActionType::AuthFailed, Outcome::Failed(ErrorKind::Forbidden));
    engine.audit.audit.note(if left_out > 0 { record.with("left_out_before", left_out) } else { record });
}

/// Records that a file was read again.
pub fn reload(engine: &Engine, what: &'static str) {
    let record = Record::new(Timestamp::now(), ActionType::Config, Outcome::Success);
    engine.audit.audit.note(record.with("event", "reload").with("file", what));
}

/// Tells those who have subscribed to it what came of a request: no more than that it was made.
fn tell(engine: &Engine, client: &Client, method: &'static str, failure: Option<&Failure>, took: Duration) {
    engine.happenings.action(|| ActionSeen {
        session: client.id,
        user: client.user.clone(),
        method,
        outcome: failure.map_or(Outcome::Success, |failure| Outcome::Failed(failure.kind)),
        took,
    });
}

fn note(engine: &Engine, client: &Client, action: ActionType, outcome: Outcome, details: &[(&str, Value)]) {
    if engine.audit.details().is_none() {
        return;
    }
    let mut record = of(engine, client, action, outcome);
    for (name, value) in details {
        record = record.with(name, value.clone());
    }
    engine.audit.audit.note(record);
}

/// A record of what a session does.
fn of(engine: &Engine, client: &Client, action: ActionType, outcome: Outcome) -> Record {
    let mut record = Record::new(Timestamp::now(), action, outcome);
    record.user = Some(client.user.clone());
    record.session = Some(engine.session_name(client.id));
    record.task = engine.sessions().task(client.id);
    record
}
