//! Requests that wait for a person's consent, as the policy wants it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::{oneshot, watch};

use super::{action::Named, client::Client, context::Context, lane::Job, state::Engine};
use crate::{
    desktop::observer::Aim,
    plan::{gesture::Gesture, resolve::Resolved},
    protocol::{
        action::Action,
        call::Call,
        confirm::{ConfirmAnswer, ConfirmEvent, Consent},
        error::{ErrorKind, Failure},
        policy::{Access, ConfirmRule, WindowRule, WindowRules},
        window::SeenWindow,
    },
    session::{
        registry::SessionId,
        summary::{self, summary},
    },
};

/// All requests that wait.
#[derive(Debug)]
pub struct Confirmations {
    state: Mutex<State>,
    /// The number of the last one, for those who are to be told.
    asked: watch::Sender<i64>,
}

#[derive(Debug, Default)]
struct State {
    last: i64,
    waiting: BTreeMap<i64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    by: SessionId,
    method: &'static str,
    summary: String,
    until: Instant,
    sender: oneshot::Sender<Consent>,
}

impl Default for Confirmations {
    fn default() -> Self {
        Self { state: Mutex::default(), asked: watch::Sender::new(0) }
    }
}

/// A question that is open as long as this is.
struct Open<'a> {
    confirmations: &'a Confirmations,
    id: i64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.confirmations.lock().waiting.remove(&self.id);
    }
}

impl Confirmations {
    /// Follows what is asked.
    pub fn follow(&self) -> watch::Receiver<i64> {
        self.asked.subscribe()
    }

    /// What waits and was asked after the one with this number.
    pub fn waiting_after(&self, last: i64) -> Vec<ConfirmEvent> {
        let now = Instant::now();
        let event = |(id, waiting): (&i64, &Waiting)| {
            let left = waiting.until.saturating_duration_since(now);
            let deadline_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            ConfirmEvent { id: *id, method: waiting.method, summary: waiting.summary.clone(), deadline_ms }
        };
        self.lock().waiting.range(last.saturating_add(1)..).map(event).collect()
    }

    /// Answers for somebody. That they may is decided.
    ///
    /// # Errors
    /// `not_found` when nothing of that number waits, `forbidden` for whoever asks: consent is another's.
    pub fn answer(&self, by: SessionId, ConfirmAnswer { id, consent }: ConfirmAnswer) -> Result<(), Failure> {
        let mut state = self.lock();
        match state.waiting.get(&id) {
            None => {
                let message = format!("nothing with id = {id} waits for consent; it was answered, ended or expired");
                return Err(Failure::new(ErrorKind::NotFound, message));
            }
            Some(waiting) if waiting.by == by => {
                let message = "a session cannot consent to its own request; answer from another connection";
                return Err(Failure::new(ErrorKind::Forbidden, message));
            }
            Some(_) => {}
        }
        if let Some(waiting) = state.waiting.remove(&id) {
            // Whoever waited may have gone meanwhile, which is no error.
            waiting.sender.send(consent).ok();
        }
        Ok(())
    }

    fn ask(
        &self,
        by: SessionId,
        method: &'static str,
        summary: String,
        until: Instant,
    ) -> (Open<'_>, oneshot::Receiver<Consent>) {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.last += 1;
        let id = state.last;
        state.waiting.insert(id, Waiting { by, method, summary, until, sender });
        drop(state);
        self.asked.send_replace(id);
        (Open { confirmations: self, id }, receiver)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one insertion or removal.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for consent to a request that is no action, if the policy wants it.
///
/// # Errors
/// `forbidden`, `deadline_exceeded`, `cancelled`: nothing ran.
pub async fn request(engine: &Engine, client: &Client, job: &Job) -> Result<(), Failure> {
    // Actions wait one by one: only then it is known where they go.
    if matches!(job.prepared.call, Call::Act(_)) {
        return Ok(());
    }
    let method = job.prepared.method;
    let Some(policy) = engine.policy.as_deref() else { return Ok(()) };
    let rule = policy.rule_for(method);
    match rule {
        Some(rule) => wait(engine, client, job, rule, method, summary::call(method, &job.prepared.call)).await,
        None => Ok(()),
    }
}

/// Waits for consent to an action, if the policy wants it, and says which rules about windows hold for it: what was found to need
/// no consent must not go to a window that does.
///
/// # Errors
/// `forbidden`, `deadline_exceeded`, `cancelled`: nothing of it ran.
pub async fn action(
    context: &Context<'_>,
    Named { name: method, action }: Named<'_>,
    resolved: &Resolved,
) -> Result<Option<Arc<WindowRules>>, Failure> {
    let Some(policy) = context.engine.policy.as_deref() else { return Ok(None) };
    let rules = policy.windows_for_input().cloned();
    // No iterator is kept over a wait: the compiler could not tell that others may poll it.
    let matching: Vec<&ConfirmRule> = policy.confirm().iter().filter(|rule| concerns(rule, method, action)).collect();
    if matching.is_empty() {
        return Ok(rules);
    }
    let targets = match resolved {
        Resolved::Act(gesture) => targets(context, aims(gesture)).await?,
        Resolved::Secret(_) => targets(context, vec![Aim::Keys]).await?,
        Resolved::Look(_) => Vec::new(),
    };
    let (mut asked, mut others) = (None, Vec::new());
    for rule in matching {
        match &rule.window {
            Some(window) if !targets.iter().any(|target| window.accepts(target)) => others.push(denial(rule)),
            _ => asked = asked.or(Some(rule)),
        }
    }
    if let Some(rule) = asked {
        let summary = summary(method, action, targets.first());
        wait(context.engine, context.client, context.job, rule, method, summary).await?;
        // A person has seen it; what they let pass may be for a window of another rule as well.
        return Ok(rules);
    }
    Ok(with(others, rules))
}

fn concerns(rule: &ConfirmRule, method: &str, action: &Action) -> bool {
    let lets_go = matches!(action, Action::MouseUp { .. } | Action::KeyUp { .. });
    let by_name = rule.method.is_none_or(|named| named == method);
    let needs_window = rule.window.is_some() || rule.method.is_none();
    by_name && !lets_go && (!needs_window || action.is_input())
}

/// Where a gesture goes.
fn aims(gesture: &Gesture) -> Vec<Aim> {
    match gesture {
        Gesture::Wait(_) => Vec::new(),
        Gesture::Move(at) => vec![Aim::At(*at)],
        Gesture::Click { at, .. } | Gesture::Scroll { at, .. } | Gesture::ScrollBy { at, .. } => {
            vec![at.map_or(Aim::Pointer, Aim::At)]
        }
        Gesture::Drag { start, path, .. } => {
            let begin = start.map_or(Aim::Pointer, Aim::At);
            [begin].into_iter().chain(path.last().copied().map(Aim::At)).collect()
        }
        Gesture::PressButton(_) | Gesture::ReleaseButton(_) => vec![Aim::Pointer],
        Gesture::Keys { .. }
        | Gesture::PressKeys(_)
        | Gesture::ReleaseKeys(_)
        | Gesture::HoldKeys { .. }
        | Gesture::Type(_)
        | Gesture::Secret(_)
        | Gesture::Paste(_) => vec![Aim::Keys],
    }
}

/// The windows there.
async fn targets(context: &Context<'_>, aims: Vec<Aim>) -> Result<Vec<SeenWindow>, Failure> {
    let mut found = Vec::new();
    for aim in aims {
        found.extend(context.wait_for(context.live.desktop.observer().target(aim)).await??);
    }
    Ok(found)
}

/// The rule that keeps what needs no consent out of a window that does.
fn denial(rule: &ConfirmRule) -> WindowRule {
    WindowRule {
        window: rule.window.clone(),
        executable: None,
        access: Some(Access::Denied),
        visibility: None,
        text: "[[confirm]], which found another window there a moment ago,".to_owned(),
    }
}

fn with(others: Vec<WindowRule>, rules: Option<Arc<WindowRules>>) -> Option<Arc<WindowRules>> {
    if others.is_empty() {
        return rules;
    }
    let known = rules.iter().flat_map(|rules| rules.0.iter().cloned());
    Some(Arc::new(WindowRules(others.into_iter().chain(known).collect())))
}

async fn wait(
    engine: &Engine,
    client: &Client,
    job: &Job,
    rule: &ConfirmRule,
    method: &'static str,
    summary: String,
) -> Result<(), Failure> {
    let until = Instant::now() + rule.deadline;
    let until = job.deadline().map_or(until, |deadline| deadline.min(until));
    tracing::info!(session = client.id.0, method, "a request waits for consent");
    let (_open, consent) = engine.confirmations.ask(client.id, method, summary, until);
    tokio::select! {
        biased;
        () = job.cancellation.cancelled() => {
            Err(Failure::new(ErrorKind::Cancelled, "the request was cancelled while it waited for consent"))
        }
        consent = consent => match consent {
            Ok(Consent::Given) => Ok(()),
            Ok(Consent::Refused) | Err(_) => Err(Failure::new(
                ErrorKind::Forbidden,
                format!("the policy wants consent to {method}, and it was refused; do something else"),
            )),
        },
        () = tokio::time::sleep_until(until.into()) => Err(Failure::new(
            ErrorKind::DeadlineExceeded,
            format!("the policy wants consent to {method}, and nobody gave it in time; ask an admin who is subscribed to `confirm`"),
        )),
    }
}
