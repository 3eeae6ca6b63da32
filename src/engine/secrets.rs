//! Secrets: keeping them, having one typed, and no pictures until what was typed can no longer be seen.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    act::{self, Conditions},
    client::Client,
    context::{Context, Written},
    observation::Scope,
    recording,
    state::Engine,
};
use crate::{
    desktop::{
        curtain::{Cover, Curtain, Part, View},
        permit::{SecretPermit, Tainted},
    },
    plan::gesture::Gesture,
    protocol::{
        answer_text,
        call::Prepared,
        error::{ErrorKind, Failure},
        policy::WindowRules,
        request::RequestId,
        secret::{Secret, SecretCall, SecretName, SecretRule, Taint},
        secret_params::{SecretListResult, SecretsResult},
    },
    sandbox,
    session::secrets::{Secrets, Stain, Taken, Typed},
};

/// A part of the curtain, and how long it is needed.
#[derive(Clone, Copy, Debug)]
struct Covered {
    part: Part,
    cover: Cover,
    stain: Stain,
}

/// A use of a secret that may still come about.
#[derive(Clone, Debug)]
struct Abandoned {
    rule: Arc<SecretRule>,
    slot: Arc<OnceLock<Tainted>>,
}

/// How often it is looked whether a window has gone that a secret was typed into. Nobody waits for it but pictures.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// The secrets of a server, and what they have left on its screen.
#[derive(Debug)]
pub struct SecretKeeper {
    secrets: Mutex<Secrets>,
    stains: Mutex<Vec<Covered>>,
    /// Uses for whose outcome nobody waits any more; the input thread may still get to them.
    abandoned: Mutex<Vec<Abandoned>>,
    /// Something is to be looked at, or another time to be waited for.
    changed: Notify,
    /// What pictures do not show.
    pub curtain: Arc<Curtain>,
    /// The executables of programs that may be connected while a secret is typed.
    clients: Arc<[String]>,
}

impl SecretKeeper {
    /// One that keeps nothing yet.
    pub fn new(curtain: Curtain, clients: &[String]) -> Self {
        Self {
            secrets: Mutex::default(),
            stains: Mutex::default(),
            abandoned: Mutex::default(),
            changed: Notify::default(),
            curtain: Arc::new(curtain),
            clients: clients.into(),
        }
    }

    /// Keeps a secret; the number of those that there are then.
    ///
    /// # Errors
    /// `overloaded`.
    pub fn put(&self, name: SecretName, secret: Secret) -> Result<usize, Failure> {
        match sandbox::memory::keep(secret.text.pages()) {
            Ok(kept) => secret.text.keep(kept),
            Err(error) => {
                tracing::warn!(%error, "a secret's memory may be written to a swap device; raise the limit on locked memory");
            }
        }
        let put = lock(&self.secrets).put(Instant::now(), name, secret);
        self.changed.notify_one();
        put
    }

    /// Takes a new stain among the others, in place of those that it outlasts: a secret that is typed again and again is not covered
    /// by as many parts.
    fn cover(&self, new: Covered) {
        let mut stains = lock(&self.stains);
        stains.retain(|old| {
            let is_covered = old.cover == new.cover && new.stain.outlasts(&old.stain);
            if is_covered {
                self.curtain.open(old.part);
            }
            !is_covered
        });
        stains.push(new);
        self.changed.notify_one();
    }

    /// Whether there are pictures at all, but for windows that are painted over.
    ///
    /// # Errors
    /// `screen_tainted`.
    pub fn expect_view(&self) -> Result<(), Failure> {
        match self.curtain.standing().view {
            View::Open => Ok(()),
            View::Closed => Err(tainted()),
        }
    }

    /// Forgets what is over, and opens the curtain where a secret can no longer be seen, as long as the future is polled.
    pub async fn tend(&self, engine: &Engine) {
        loop {
            let expiry = lock(&self.secrets).expire(Instant::now());
            let due = self.look(engine).await;
            let next = expiry.into_iter().chain(due).min();
            let wait = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Takes note of what has become of uses that were abandoned. Says whether some are still open.
    fn settle_abandoned(&self) -> bool {
        let mut settled = Vec::new();
        let mut abandoned = lock(&self.abandoned);
        abandoned.retain(|Abandoned { rule, slot }| {
            // Read before the slot: once the input thread has let go of it, nothing is put there any more.
            let is_over = Arc::strong_count(slot) == 1;
            if let Some(Tainted { part, cover, window }) = slot.get().copied() {
                settled.push(Covered { part, cover, stain: Stain::new(Instant::now(), rule, window) });
                return false;
            }
            !is_over
        });
        let are_open = !abandoned.is_empty();
        drop(abandoned);
        for covered in settled {
            self.cover(covered);
        }
        are_open
    }

    /// Looks whether something can no longer be seen. Says when to look again.
    async fn look(&self, engine: &Engine) -> Option<Instant> {
        let are_open = self.settle_abandoned();
        let windows: Vec<_> = lock(&self.stains).iter().filter_map(|covered| covered.stain.window).collect();
        let mut gone = Vec::new();
        for window in windows {
            if is_gone(engine, window).await {
                gone.push(window);
            }
        }
        let now = Instant::now();
        let mut stains = lock(&self.stains);
        let before = stains.len();
        for Covered { stain, .. } in stains.iter_mut() {
            if let Some(window) = stain.window {
                stain.note(now, !gone.contains(&window));
            }
        }
        stains.retain(|Covered { part, stain, .. }| {
            let is_over = stain.is_over(now);
            if is_over {
                self.curtain.open(*part);
            }
            !is_over
        });
        if stains.len() < before
            && let Ok(live) = engine.display().live()
        {
            // Those who stream have waited for it.
            live.desktop.capture().nudge();
        }
        let has_windows = stains.iter().any(|covered| covered.stain.window.is_some());
        let looks = (has_windows || are_open).then_some(now + LOOK_INTERVAL);
        stains.iter().filter_map(|covered| covered.stain.until).chain(looks).min()
    }
}

/// Whether a window is certainly not there. A display that is away, or does not answer, says nothing.
async fn is_gone(engine: &Engine, window: u32) -> bool {
    let Ok(live) = engine.display().live() else { return false };
    let exists = live.desktop.observer().exists(window);
    drop(live);
    matches!(exists.await, Ok(Ok(false)))
}

/// Every change is one insertion or removal, so a panic in between leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is answered in place of a picture.
pub fn tainted() -> Failure {
    Failure::new(
        ErrorKind::ScreenTainted,
        "a secret was typed and may be on the screen, so there is no picture; close its window, or wait",
    )
    .hint("actions run; ask for no picture with them, and try again")
}

/// `secret.put`, `secret.forget` and `secret.list`.
///
/// # Errors
/// `audit_unavailable`, `overloaded`, `not_found`.
pub fn call(engine: &Engine, client: &Client, request: &Prepared, call: &SecretCall) -> Result<String, Failure> {
    let answered = engine.audit.permits().and_then(|()| carry_out(engine, &request.id, call));
    recording::secret(engine, client, request, answered.as_ref().err());
    answered
}

fn carry_out(engine: &Engine, id: &RequestId, call: &SecretCall) -> Result<String, Failure> {
    let keeper = &engine.secrets;
    let secrets = match call {
        SecretCall::Put(name, secret) => keeper.put(name.clone(), Secret::clone(secret))?,
        SecretCall::Forget(name) => lock(&keeper.secrets).forget(Instant::now(), name)?,
        SecretCall::List => {
            let secrets = lock(&keeper.secrets).list(Instant::now());
            return Ok(answer_text::result(id, &SecretListResult { secrets }));
        }
    };
    Ok(answer_text::result(id, &SecretsResult { secrets }))
}

/// Whether a request's secret is there and may be typed.
///
/// # Errors
/// `secret_unknown`; `invalid_params` for a pace.
pub fn check(context: &Context<'_>, name: &SecretName) -> Result<(), Failure> {
    if context.job.prepared.meta.pace.is_some() {
        let message = "_meta: a secret is typed in one piece, without pace_ms; leave it out";
        return Err(Failure::new(ErrorKind::InvalidParams, message));
    }
    let access = context.engine.sessions().secrets(context.client.id);
    lock(&context.engine.secrets.secrets).look_up(Instant::now(), name, &access).map(drop)
}

/// Has a secret typed, and writes the action's result behind `text`.
///
/// # Errors
/// Why it was not typed; all of it was, or nothing, unless the error says otherwise.
pub async fn perform(
    context: &Context<'_>,
    name: &SecretName,
    windows: Option<Arc<WindowRules>>,
    scope: Scope,
    text: String,
) -> Result<Written, Failure> {
    let keeper = &context.engine.secrets;
    let access = context.engine.sessions().secrets(context.client.id);
    let taken = lock(&keeper.secrets).take(Instant::now(), name, &access)?;
    let slot = Arc::new(OnceLock::new());
    let permit = SecretPermit {
        rule: Arc::clone(&taken.rule),
        clients: Arc::clone(&keeper.clients),
        curtain: Arc::clone(&keeper.curtain),
        tainted: Arc::clone(&slot),
    };
    let gesture = Gesture::Secret(Arc::clone(&taken.text));
    let mut used = Use { context, name, taken, slot, command: Command::UnderWay };
    let written = act::perform(context, gesture, Conditions { windows, secret: Some(permit) }, scope, text).await;
    used.command = Command::Ended;
    recording::secret_typed(context.engine, context.client, name, written.as_ref().err());
    written
}

/// A use of a secret. What came of it counts also where nobody waits for the answer any more.
struct Use<'a> {
    context: &'a Context<'a>,
    name: &'a SecretName,
    taken: Taken,
    slot: Arc<OnceLock<Tainted>>,
    command: Command,
}

/// Whether the input thread has done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    UnderWay,
    Ended,
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        let keeper = &self.context.engine.secrets;
        let mut typed = Typed::Nothing;
        if let Some(Tainted { part, cover, window }) = self.slot.get().copied() {
            typed = Typed::Something;
            let stain = Stain::new(Instant::now(), &self.taken.rule, window);
            keeper.cover(Covered { part, cover, stain });
        } else if self.command == Command::UnderWay {
            typed = Typed::Something;
            lock(&keeper.abandoned)
                .push(Abandoned { rule: Arc::clone(&self.taken.rule), slot: Arc::clone(&self.slot) });
            keeper.changed.notify_one();
        }
        lock(&keeper.secrets).conclude(self.name, &self.taken, typed);
    }
}

/// Whether an action may be answered with a picture.
///
/// # Errors
/// `screen_tainted`: nothing was done.
pub fn expect_picture(engine: &Engine, secret: Option<&SecretPermit>) -> Result<(), Failure> {
    engine.secrets.expect_view()?;
    match secret {
        Some(secret) if secret.rule.taint == Taint::Refuse => Err(tainted()),
        _ => Ok(()),
    }
}
