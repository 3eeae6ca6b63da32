//! Events: what a connection has subscribed to, and what sends it.
//!
//! ```text
//! Subscriptions ─► Subscription ◄─ weakly ─ follow (task): for each display anew
//!                                             ├─► frames  (capture thread) ─► tiles ─► outbox
//!                                             ├─► changed (capture thread) ─► relay ─► outbox
//!                                             ├─► pointer (its own thread) ─► relay ─► outbox
//!                                             └─► windows (their own thread) ─► relay ─► outbox
//!                           sessions (the same task, whatever becomes of the display) ─► lease, actions, egress ─► outbox
//! ```
//!
//! Nothing is ever queued for a reader who is slow: each source keeps what is newest until the outbox takes it. A subscription
//! belongs to its connection and goes with it; those who work for it find it gone and leave.
mod changed;
mod follow;
mod frames;
mod sessions;
mod tiles;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::AbortHandle;

use super::{
    client::{AttachmentNumbers, Client},
    picture_quota::PictureQuota,
    state::{EgressKnown, Engine},
};
use crate::{
    observe::metrics::Metrics,
    protocol::{
        answer_text,
        error::{ErrorKind, Failure},
        identity::Role,
        limits,
        message::BinaryMessage,
        screen::{CoordinateSpace, ScreenFit},
        subscription::{Event, EventKind, EventParams, SubscriptionNumber},
    },
    session::pacing::{Pacing, Room},
    transport::outbox::{Closed, Offered, Outbox, Outgoing},
};

/// What a client has subscribed to, and how it is reached.
#[derive(Debug)]
pub struct Subscription {
    number: SubscriptionNumber,
    events: Vec<EventKind>,
    outbox: Outbox,
    attachments: AttachmentNumbers,
    /// What the session's coordinates are; they do not change any more once it has subscribed.
    screen: ScreenFit,
    space: CoordinateSpace,
    metrics: Arc<Metrics>,
    quota: PictureQuota,
    /// Held while a frame is made and sent, so that frames leave in the order in which they are counted.
    pacing: Mutex<Pacing>,
}

impl Subscription {
    fn pacing(&self) -> MutexGuard<'_, Pacing> {
        // Every change is the last thing that is done under the lock.
        self.pacing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, event: EventKind) -> bool {
        self.events.contains(&event)
    }

    /// Sends an event and what it names, if the reader keeps up.
    fn offer(&self, event: Event, attachments: Vec<BinaryMessage>) -> Result<Offered, Closed> {
        let text = answer_text::event(&EventParams { subscription: self.number, event });
        let bytes: usize = attachments.iter().map(BinaryMessage::bytes).sum();
        let offered = self.outbox.offer(Outgoing { attachments, text: text.into() })?;
        if offered == Offered::Queued {
            self.metrics.streamed(bytes as u64);
        }
        Ok(offered)
    }
}

/// The subscriptions of one connection.
#[derive(Debug, Default)]
pub struct Subscriptions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<SubscriptionNumber, Open>,
    /// Numbers are not used again, so that a late acknowledgement cannot mean another one.
    last: i64,
}

/// A subscription with the task that works for it.
#[derive(Debug)]
struct Open {
    subscription: Arc<Subscription>,
    task: Option<AbortHandle>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Subscriptions {
    /// Opens a subscription, which sends nothing before [`Subscriptions::begin`].
    ///
    /// # Errors
    /// `unsupported` for what no log is followed for, `overloaded` when the connection has as many as it may, `forbidden` for what others do where the role is not admin.
    pub fn open(
        &self,
        engine: &Engine,
        client: &Client,
        outbox: &Outbox,
        events: Vec<EventKind>,
    ) -> Result<SubscriptionNumber, Failure> {
        if events.contains(&EventKind::Actions) && engine.sessions().role(client.id) != Some(Role::Admin) {
            let message = "what other sessions do is told to admins only; subscribe without actions";
            return Err(Failure::new(ErrorKind::Forbidden, message));
        }
        if events.contains(&EventKind::Egress) && engine.egress == EgressKnown::No {
            let message =
                "no log of an egress proxy is followed here; start with --egress-log, or subscribe without egress";
            return Err(Failure::new(ErrorKind::Unsupported, message));
        }
        let mut state = self.lock();
        if state.open.len() >= limits::SUBSCRIPTIONS {
            let message = format!(
                "this connection has {} subscriptions already; end one with unsubscribe, or name all events in one",
                limits::SUBSCRIPTIONS
            );
            return Err(Failure::new(ErrorKind::Overloaded, message));
        }
        state.last += 1;
        let number = SubscriptionNumber(state.last);
        let options = client.options();
        let subscription = Arc::new(Subscription {
            number,
            events,
            outbox: outbox.clone(),
            attachments: client.attachments(),
            screen: options.screen.unwrap_or(engine.screen),
            space: options.space,
            metrics: Arc::clone(&engine.metrics),
            quota: engine.picture_quota(client.id),
            pacing: Mutex::default(),
        });
        state.open.insert(number, Open { subscription, task: None });
        Ok(number)
    }

    /// Begins to send, once the client knows the number.
    pub fn begin(&self, engine: &Arc<Engine>, number: SubscriptionNumber) {
        if let Some(open) = self.lock().open.get_mut(&number) {
            let sessions = sessions::follow(engine, &open.subscription);
            let displays = follow::follow(Arc::clone(engine), Arc::downgrade(&open.subscription));
            open.task = Some(tokio::spawn(async { tokio::join!(sessions, displays) }).abort_handle());
        }
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// `not_found`.
    pub fn close(&self, engine: &Engine, number: SubscriptionNumber) -> Result<(), Failure> {
        let closed = self.lock().open.remove(&number);
        drop(closed.ok_or_else(|| not_found(number))?);
        nudge(engine);
        Ok(())
    }

    /// Ends all of them.
    pub fn close_all(&self, engine: &Engine) {
        let closed = std::mem::take(&mut self.lock().open);
        if !closed.is_empty() {
            drop(closed);
            nudge(engine);
        }
    }

    /// A frame has been taken in.
    ///
    /// # Errors
    /// `not_found` without such a subscription, `invalid_params` where it has no frames, `out_of_range` for a frame that was not
    /// sent to it or is acknowledged already.
    pub fn acknowledge(&self, engine: &Engine, number: SubscriptionNumber, serial: i64) -> Result<(), Failure> {
        let subscription = self.lock().open.get(&number).map(|open| Arc::clone(&open.subscription));
        let subscription = subscription.ok_or_else(|| not_found(number))?;
        if !subscription.has(EventKind::Frames) {
            let message = format!("subscription {} has no frames; only frames are acknowledged", number.0);
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        let room = subscription.pacing().acknowledge(serial)?;
        if room == Room::Awaited {
            nudge(engine);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one insertion or removal.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the capture thread look after its watchers; without a display there are none.
fn nudge(engine: &Engine) {
    if let Ok(live) = engine.display().live() {
        live.desktop.capture().nudge();
    }
}

fn not_found(number: SubscriptionNumber) -> Failure {
    let message =
        format!("this connection has no subscription {}; use the number that subscribe has returned", number.0);
    Failure::new(ErrorKind::NotFound, message)
}
