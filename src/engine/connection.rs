//! A WebSocket session: reads messages, answers at once what never waits, and lets the rest run in its lane.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt as _;

use super::{
    client::Client,
    context, information,
    lane::{CancelOutcome, Job},
    outcome::Reply,
    run,
    state::Engine,
    streaming::Subscriptions,
};
use crate::{
    desktop::capture::Attending,
    protocol::{
        answer_text,
        call::{self, Call, Prepared},
        error::{ErrorKind, Executed, Failure},
        identity::Principal,
        initialize::Initialize,
        observe::Observing,
        request::{self, RequestId},
        subscription::{StreamCall, SubscribeResult},
    },
    session::registry::{Carrier, Pictures, Turn},
    transport::{
        outbox::{Outbox, Outgoing},
        service,
    },
};

/// A connection and its session. Dropping it ends the session.
pub struct Connection {
    shared: Arc<Shared>,
}

/// What the tasks of a connection share.
struct Shared {
    engine: Arc<Engine>,
    client: Client,
    outbox: Outbox,
    subscriptions: Subscriptions,
    /// As long as there is a connection, it is learned what moves on the screen by itself.
    _attending: Attending,
}

impl Connection {
    /// Begins a session.
    pub fn open(engine: Arc<Engine>, principal: Principal, outbox: Outbox) -> Self {
        let epoch = engine.display().epoch();
        let user = principal.user.clone();
        let id = engine.sessions().open(principal, Carrier::Connection, epoch);
        tracing::info!(session = id.0, user, "session begins");
        let attending = engine.attendance.attend();
        let (client, subscriptions) = (Client::new(id), Subscriptions::default());
        let shared = Arc::new(Shared { engine, client, outbox, subscriptions, _attending: attending });
        tokio::spawn(Arc::clone(&shared).serve_lane());
        Self { shared }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.engine.end_session(&self.shared.client);
        self.shared.subscriptions.close_all(&self.shared.engine);
    }
}

impl service::Connection for Connection {
    fn text(&mut self, message: &str) {
        let received = Instant::now();
        let prepared = request::read(message).and_then(call::prepare);
        match prepared {
            Ok(prepared) => self.shared.take(prepared, received),
            Err(rejected) => {
                self.shared.send(Reply::text(answer_text::error(rejected.id.as_ref(), &rejected.failure)));
            }
        }
    }

    fn binary(&mut self, _message: &[u8]) {
        let failure =
            Failure::new(ErrorKind::InvalidRequest, "requests are text messages; binary ones only go the other way");
        self.shared.send(Reply::text(answer_text::error(None, &failure)));
    }
}

impl Shared {
    fn send(&self, reply: Reply) {
        // A connection that has ended needs no answer; its session ends with it.
        if self.outbox.send(Outgoing { attachments: reply.attachments, text: reply.text }).is_err() {
            tracing::debug!(session = self.client.id.0, "an answer came after the connection had ended");
        }
    }

    fn take(self: &Arc<Self>, prepared: Prepared, received: Instant) {
        let epoch = self.engine.display().epoch();
        let admitted = self.engine.sessions().admit(self.client.id, &prepared, epoch);
        match admitted {
            Err(failure) => self.send(Reply::failure(&prepared.id, &failure)),
            Ok(Turn::Immediate) => self.answer_at_once(prepared),
            Ok(Turn::AtOnce) => {
                let job = Job::new(prepared, Turn::AtOnce, epoch, received);
                self.client.lane.begin(&job);
                let shared = Arc::clone(self);
                tokio::spawn(async move { shared.run(job).await });
            }
            Ok(turn @ (Turn::Input | Turn::Ordered)) => {
                let job = Job::new(prepared, turn, epoch, received);
                if let Some(deadline) = job.deadline() {
                    tokio::spawn(Arc::clone(self).expire(job.prepared.id.clone(), deadline));
                }
                self.client.lane.push(job);
            }
        }
    }

    /// Runs the requests of the lane until the connection ends.
    async fn serve_lane(self: Arc<Self>) {
        while let Some(job) = self.client.lane.next().await {
            self.run(job).await;
        }
    }

    async fn run(&self, job: Job) {
        let id = &job.prepared.id;
        // A defect in one request must not end the session without a word, and leave keys down.
        let answered = AssertUnwindSafe(run::run(&self.engine, &self.client, &job)).catch_unwind().await;
        let answered = answered.unwrap_or_else(|_| {
            self.engine.release();
            let message = "an internal error ended the request; everything held was released; please report it";
            Err(Failure::new(ErrorKind::Internal, message).executed(Executed::Unknown))
        });
        self.finish(id, answered.unwrap_or_else(|failure| Reply::failure(id, &failure)));
    }

    fn finish(&self, id: &RequestId, reply: Reply) {
        self.client.lane.end(id);
        self.engine.sessions().complete(self.client.id, id);
        self.send(reply);
    }

    /// Answers a request that still waits in the lane when its deadline passes.
    async fn expire(self: Arc<Self>, id: RequestId, deadline: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until(deadline.into()) => {}
            // Nothing of a session outlives its connection, not even a timer.
            () = self.client.lane.closed() => return,
        }
        if self.client.lane.expire(&id).is_some() {
            self.finish(&id, Reply::failure(&id, &context::expired()));
        }
    }

    fn answer_at_once(&self, prepared: Prepared) {
        let id = prepared.id;
        let reply = match prepared.call {
            Call::Cancel(target) => {
                let outcome = self.client.lane.cancel(&target);
                let cancelled = !matches!(outcome, CancelOutcome::NotFound);
                if let CancelOutcome::Removed(job) = outcome {
                    self.finish(&target, Reply::failure(&job.prepared.id, &context::cancelled()));
                }
                Ok(answer_text::result(&id, &serde_json::json!({ "cancelled": cancelled })))
            }
            Call::Status => Ok(answer_text::result(&id, &information::status(&self.engine, &self.client))),
            Call::Initialize(initialize) => self.initialize(&id, &initialize).inspect_err(|_| {
                self.engine.sessions().initialize_failed(self.client.id);
            }),
            Call::Stream(call) => return self.stream(&id, call),
            // Nothing else is answered at once.
            _ => Ok(answer_text::result(&id, &serde_json::json!({}))),
        };
        self.send(reply.map_or_else(|failure| Reply::failure(&id, &failure), Reply::text));
    }

    fn stream(&self, id: &RequestId, call: StreamCall) {
        let Self { engine, subscriptions, .. } = self;
        let done = |()| answer_text::result(id, &serde_json::json!({}));
        let answered = match call {
            StreamCall::Subscribe(events) => match subscriptions.open(engine, &self.client, &self.outbox, events) {
                Ok(number) => {
                    // The client learns the number before the first event comes under it.
                    self.send(Reply::text(answer_text::result(id, &SubscribeResult { subscription: number })));
                    return subscriptions.begin(engine, number);
                }
                Err(failure) => Err(failure),
            },
            StreamCall::Unsubscribe(number) => subscriptions.close(engine, number).map(done),
            StreamCall::Acknowledge { subscription, serial } => {
                subscriptions.acknowledge(engine, subscription, serial).map(done)
            }
        };
        self.send(answered.map_or_else(|failure| Reply::failure(id, &failure), Reply::text));
    }

    fn initialize(&self, id: &RequestId, initialize: &Initialize) -> Result<String, Failure> {
        let live = self.engine.display().live()?;
        if let Some(role) = initialize.role {
            self.engine.sessions().lower_role(self.client.id, role)?;
        }
        self.client.set_up(initialize);
        if initialize.observe == Observing::Off {
            self.engine.sessions().take_pictures(self.client.id, Pictures::AtOnce);
        }
        tracing::info!(session = self.client.id.0, client = initialize.client, "session is initialized");
        let result = information::initialize(&self.engine, &self.client, &live)?;
        Ok(answer_text::result(id, &result))
    }
}
