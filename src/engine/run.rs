//! One request's life after its admission, whatever carried it here.

use std::time::Instant;

use super::{
    action::{self, Named},
    batch,
    client::Client,
    confirm,
    context::{self, Context},
    control, information,
    lane::Job,
    observation::Scope,
    outcome::Reply,
    recording,
    seen::Seen,
    state::Engine,
    wait_for,
};
use crate::{
    observe::metrics::{ActionKind, Answered},
    protocol::{
        answer_text,
        call::Call,
        error::{ErrorKind, Failure},
        usage::UsageCall,
    },
    session::registry::Turn,
};

/// Runs an admitted request.
///
/// # Errors
/// What to answer it with instead of a result.
pub async fn run(engine: &Engine, client: &Client, job: &Job) -> Result<Reply, Failure> {
    let begun = Instant::now();
    let request = &job.prepared;
    if !needs_display(&request.call) {
        let answered = match confirm::request(engine, client, job).await {
            Ok(()) => answer_without_display(engine, client, job).await,
            Err(failure) => Err(failure),
        };
        recording::done(engine, client, request, answered.as_ref().err(), begun.elapsed());
        recording::lease(engine);
        engine.metrics.answered(ActionKind::of(&request.call), Answered::of(&answered), job.received.elapsed());
        return answered;
    }
    let (intent, mut answered) = on_display(engine, client, job).await;
    recording::conclude(engine, client, request, intent, begun.elapsed(), &mut answered).await;
    engine.metrics.answered(ActionKind::of(&request.call), Answered::of(&answered), job.received.elapsed());
    let failure = answered.as_ref().err().map(|failure| failure.kind);
    tracing::debug!(session = client.id.0, method = request.method, ?failure, took = ?begun.elapsed(), "ended");
    answered
}

/// What a request came to, and the number of the record that it was about to be carried out.
async fn on_display(engine: &Engine, client: &Client, job: &Job) -> (Option<u64>, Result<Reply, Failure>) {
    // Input waits here for its turn among all sessions; pictures of a session that acted have waited in its lane.
    let _turn = match job.turn {
        Turn::Input => Some(engine.turn.lock().await),
        Turn::Immediate | Turn::AtOnce | Turn::Ordered => None,
    };
    if let Err(failure) = confirm::request(engine, client, job).await {
        return (None, Err(failure));
    }
    let context = match begin(engine, client, job).await {
        Ok(context) => context,
        Err(failure) => return (None, Err(failure)),
    };
    let recorded = recording::intend(engine, client, &job.prepared);
    if job.turn == Turn::Input {
        return match recorded.await {
            Ok(intent) => (intent, answer(&context).await),
            Err(failure) => (None, Err(failure)),
        };
    }
    // Nothing is changed by looking, so it need not wait for the disk; what was seen is told only when that is recorded.
    match tokio::try_join!(recorded, async { Ok(answer(&context).await) }) {
        Ok((intent, answered)) => (intent, answered),
        Err(failure) => (None, Err(failure)),
    }
}

/// Whoever halts must be able to while the display is gone.
fn needs_display(call: &Call) -> bool {
    !matches!(call, Call::Lease(_) | Call::Control(_) | Call::Usage(_))
}

async fn answer_without_display(engine: &Engine, client: &Client, job: &Job) -> Result<Reply, Failure> {
    let id = &job.prepared.id;
    let text = match &job.prepared.call {
        Call::Lease(call) => control::lease(engine, client, id, *call).await?,
        Call::Control(call) => control::control(engine, id, *call).await,
        Call::Usage(UsageCall::Report(report)) => control::report(engine, client, id, report).await?,
        _ => return Err(misplaced()),
    };
    Ok(Reply::text(text))
}

/// For what admission rules out.
fn misplaced() -> Failure {
    Failure::new(ErrorKind::Internal, "a request that is answered at once was queued")
}

async fn begin<'a>(engine: &'a Engine, client: &'a Client, job: &'a Job) -> Result<Context<'a>, Failure> {
    context::ended(job)?;
    let live = engine.live_soon().await?;
    if job.turn == Turn::Input && job.epoch.is_some_and(|epoch| epoch != live.epoch) {
        return Err(Failure::new(
            ErrorKind::StaleFrame,
            "the display restarted or changed its size while the request waited",
        )
        .hint("take a screenshot first; coordinates of the old picture mean nothing now"));
    }
    let geometry = client.geometry(engine.screen, live.desktop.size());
    let seen = job.prepared.meta.if_changed.map(|asked| Seen::new(asked, &geometry)).transpose()?;
    Ok(Context { engine, client, live, geometry, seen, job })
}

async fn answer(context: &Context<'_>) -> Result<Reply, Failure> {
    let job = context.job;
    let id = &job.prepared.id;
    match &job.prepared.call {
        Call::Act(action) => {
            let name = job.prepared.members.first().copied().unwrap_or(job.prepared.method);
            let named = Named { name, action };
            let mut written = action::result(context, named, Scope::Alone, answer_text::begin_result(id)).await?;
            written.text.end().push('}');
            Ok(Reply { attachments: written.attachment.into_iter().collect(), text: written.text })
        }
        Call::Batch(actions) => batch::run(context, actions).await,
        Call::DisplayInfo => information::display(context).await,
        Call::WindowsList => information::windows(context).await,
        Call::WaitFor(wait) => wait_for::run(context, wait).await,
        // Answered where they arrive: they never wait.
        _ => Err(misplaced()),
    }
}
