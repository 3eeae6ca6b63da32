//! Requests about who controls and how much: the lease, pause and halt, tasks, tokens.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;

use super::{client::Client, outcome::Reply, recording, roster::Eviction, secrets, state::Engine};
use crate::{
    observe::metrics::TaskStatus,
    protocol::{
        answer_text,
        call::{Call, Prepared},
        confirm::ConfirmAnswer,
        control::{ControlCall, ControlResult, LeaseCall, LeaseResult},
        error::{ErrorKind, Failure},
        request::RequestId,
        task::{TaskBegin, TaskBeginResult, TaskEnd, TaskEndResult},
        usage::{UsageCall, UsageReport},
    },
    session::registry::SessionId,
};

/// `lease.acquire` and `lease.release`. When it is answered, nothing of whoever had the lease is held or runs any more.
///
/// # Errors
/// Why the lease stays where it is.
pub async fn lease(engine: &Engine, client: &Client, id: &RequestId, call: LeaseCall) -> Result<String, Failure> {
    let changed = match call {
        LeaseCall::Acquire(force) => {
            let loser = engine.sessions().acquire(client.id, force)?;
            if let Some(loser) = loser {
                evict(engine, loser);
            }
            loser.is_some()
        }
        LeaseCall::Release => engine.sessions().release_lease(client.id),
    };
    if changed {
        engine.release_and_wait().await;
    }
    let (lease, _) = engine.sessions().status(client.id);
    Ok(answer_text::result(id, &LeaseResult { lease }))
}

/// Ends what a session does that has lost the lease.
pub fn evict(engine: &Engine, loser: SessionId) {
    tracing::info!(session = loser.0, "the lease was taken from a session");
    engine.roster.reach(loser, |member| member.evict(Eviction::LeaseLost));
}

/// `session.pause`, `session.resume` and `session.halt`. When a halt is answered, nothing is held or runs any more.
pub async fn control(engine: &Engine, id: &RequestId, call: ControlCall) -> String {
    let result: ControlResult = engine.sessions().control(call);
    tracing::info!(?call, "an admin or whoever controls has spoken");
    match call {
        ControlCall::Resume => {}
        ControlCall::Pause => engine.roster.reach_all(|member| member.evict(Eviction::Paused)),
        ControlCall::Halt => {
            engine.roster.reach_all(|member| member.evict(Eviction::Halted));
            engine.release_and_wait().await;
        }
    }
    answer_text::result(id, &result)
}

/// `confirm.answer`.
///
/// # Errors
/// `not_found`, `forbidden`.
pub fn consent(engine: &Engine, client: &Client, id: &RequestId, answer: ConfirmAnswer) -> Result<String, Failure> {
    engine.confirmations.answer(client.id, answer)?;
    recording::consent(engine, client, answer);
    tracing::info!(session = client.id.0, consent = ?answer.consent, "an admin has answered a request for consent");
    Ok(answer_text::result(id, &serde_json::json!({})))
}

/// What changes something and is answered where it arrives: tasks and secrets. `None` for any other request.
pub fn at_once(engine: &Engine, client: &Client, request: &Prepared) -> Option<Result<Reply, Failure>> {
    let refused = |failure: &Failure| recording::refused(engine, client, request, failure);
    let answered = match &request.call {
        Call::TaskBegin(said) => begin_task(engine, client, request, said).inspect_err(refused),
        Call::TaskEnd(said) => end_task(engine, client, request, said).inspect_err(refused),
        Call::Secret(call) => secrets::call(engine, client, request, call),
        _ => return None,
    };
    Some(answered.map(Reply::text))
}

fn begin_task(engine: &Engine, client: &Client, request: &Prepared, said: &TaskBegin) -> Result<String, Failure> {
    engine.audit.permits()?;
    let task = engine.sessions().begin_task(Instant::now(), client.id, said.clone())?;
    engine.metrics.task_begins();
    recording::task_begins(engine, client, request);
    Ok(answer_text::result(&request.id, &TaskBeginResult { task }))
}

fn end_task(engine: &Engine, client: &Client, request: &Prepared, said: &TaskEnd) -> Result<String, Failure> {
    let ended = engine.sessions().end_task(Instant::now(), client.id)?;
    let status = if said.success { TaskStatus::Success } else { TaskStatus::Error };
    engine.metrics.task_ends(&client.user, status, ended.duration);
    recording::task_ends(engine, client, request, &ended);
    let id = &request.id;
    let duration_ms = u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX);
    Ok(answer_text::result(id, &TaskEndResult { task: ended.task.id, turns: ended.turns, duration_ms }))
}

/// `usage.check` and `usage.get`, which never wait.
///
/// # Errors
/// `internal` when the session has ended meanwhile.
pub fn usage(engine: &Engine, client: &Client, id: &RequestId, call: &UsageCall) -> Result<String, Failure> {
    let (sessions, now) = (engine.sessions(), Timestamp::now());
    let text = match call {
        UsageCall::Check(tokens) => {
            sessions.check_usage(now, client.id, *tokens).map(|usage| answer_text::result(id, &usage))
        }
        UsageCall::Get | UsageCall::Report(_) => {
            sessions.usage(now, client.id).map(|usage| answer_text::result(id, &usage))
        }
    };
    text.ok_or_else(|| Failure::new(ErrorKind::Internal, "the session has ended"))
}

/// `usage.report`: answered when it is on the disk.
///
/// # Errors
/// `internal` when it cannot be written; the tokens are counted in memory all the same.
pub async fn report(engine: &Engine, client: &Client, id: &RequestId, report: &UsageReport) -> Result<String, Failure> {
    let tokens = report.input_tokens.saturating_add(report.output_tokens);
    let used = engine.sessions().report_usage(Timestamp::now(), client.id, tokens);
    if used.is_some() {
        engine.metrics.tokens_used(&client.user, &report.model, tokens);
    }
    if let (Some(used), Some(store)) = (used, &engine.usage_store) {
        // One at a time: each would take a thread that does nothing but wait for the one before.
        let turn = store.lock().await;
        let store = Arc::clone(&turn);
        let written = tokio::task::spawn_blocking(move || store.put(&used)).await;
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(ErrorKind::Internal, format!("the usage cannot be written to --state: {error}"))
        };
        written.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    }
    usage(engine, client, id, &UsageCall::Get)
}
