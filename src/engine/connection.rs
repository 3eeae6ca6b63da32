//! A WebSocket session: reads messages, answers at once what never waits, and lets the rest run in its lane.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use tokio::sync::Semaphore;

use super::{
    client::Client,
    context, control, information,
    lane::{CancelOutcome, Job},
    outcome::Reply,
    recording, replay,
    roster::{Eviction, Member},
    run,
    state::Engine,
    streaming::Subscriptions,
};
use crate::{
    desktop::capture::Attending,
    observe::metrics::{ActionKind, Answered},
    protocol::{
        action::Action,
        answer_text,
        call::{self, Call, Prepared},
        error::{ErrorKind, Executed, Failure},
        identity::Principal,
        initialize::Initialize,
        observe::Observing,
        request::{self, RequestId},
        subscription::{StreamCall, SubscribeResult},
    },
    session::registry::{Admitted, Carrier, Pictures, SessionEnd, TimeLeft, Turn},
    transport::{
        outbox::{CLOSE_POLICY, Outbox, Outgoing},
        service,
    },
};

/// How long a token's expiry is slept towards before the calendar is looked at again: it may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// How long a request waits for a reader who is behind: longer than a busy machine keeps a program from running, and short beside the
/// thirty seconds after which a peer counts as dead.
const READER_TIME: Duration = Duration::from_secs(1);
/// How many pictures of a session that wait for nothing are taken at a time. The display makes one after the other anyway: with one place
/// 3,600 a second come, with eight 3,800, and those of eight places would have to find room together.
const LOOKS: usize = 1;

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
    /// Places for pictures that wait for nothing.
    looks: Semaphore,
    /// As long as there is a connection, it is learned what moves on the screen by itself.
    _attending: Attending,
}

impl Connection {
    /// Begins a session.
    ///
    /// # Errors
    /// `overloaded` when the user has as many as the token allows.
    pub fn open(engine: Arc<Engine>, principal: Principal, outbox: Outbox) -> Result<Self, Failure> {
        let epoch = engine.display().epoch();
        let user = principal.user.clone();
        let id = engine.sessions().open(Instant::now(), principal, Carrier::Connection, epoch)?;
        tracing::info!(session = id.0, %user, "session begins");
        let attending = engine.attendance.attend();
        let (client, subscriptions) = (Client::new(id, user), Subscriptions::default());
        let shared = Arc::new(Shared {
            engine,
            client,
            outbox,
            subscriptions,
            looks: Semaphore::new(LOOKS),
            _attending: attending,
        });
        let member: Weak<Shared> = Arc::downgrade(&shared);
        shared.engine.roster.join(id, member);
        recording::session(&shared.engine, &shared.client, "begins", &[]);
        shared.engine.metrics.session_begins();
        tokio::spawn(Arc::clone(&shared).serve_lane());
        if shared.engine.sessions().time_left(Engine::now(), id).is_some() {
            tokio::spawn(Arc::clone(&shared).end_in_time());
        }
        Ok(Self { shared })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        recording::session(&self.shared.engine, &self.shared.client, "ends", &[]);
        self.shared.engine.end_session(&self.shared.client);
        self.shared.engine.metrics.session_ends();
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
                recording::rejected(&self.shared.engine, &self.shared.client, &rejected.failure);
                self.shared.engine.metrics.failed(rejected.failure.kind);
                self.shared.send(Reply::text(answer_text::error(rejected.id.as_ref(), &rejected.failure)));
            }
        }
    }

    fn binary(&mut self, _message: &[u8]) {
        let failure =
            Failure::new(ErrorKind::InvalidRequest, "requests are text messages; binary ones only go the other way");
        self.shared.engine.metrics.failed(failure.kind);
        recording::rejected(&self.shared.engine, &self.shared.client, &failure);
        self.shared.send(Reply::text(answer_text::error(None, &failure)));
    }
}

impl Member for Shared {
    fn evict(&self, why: Eviction) {
        for job in self.client.lane.evict(why) {
            self.withdraw(&job.prepared, Failure::new(why.kind(), why.message()));
        }
    }

    fn close(&self, reason: &'static str) {
        self.outbox.close(CLOSE_POLICY, reason);
    }
}

impl Shared {
    /// Closes the connection when its token says so, so that nobody keeps the lease who may not use it.
    async fn end_in_time(self: Arc<Self>) {
        loop {
            let left = self.engine.sessions().time_left(Engine::now(), self.client.id);
            let Some(TimeLeft { time, end }) = left else { return };
            if time.is_zero() {
                tracing::info!(session = self.client.id.0, ?end, "the session is ended by its token");
                return self.close(match end {
                    SessionEnd::Idle => "the session was idle for longer than its token allows",
                    SessionEnd::Expired => "the session's token has expired; connect with a new one",
                });
            }
            tokio::select! {
                () = tokio::time::sleep(time.min(LONGEST_SLEEP)) => {}
                () = self.client.lane.closed() => return,
            }
        }
    }

    fn send(&self, reply: Reply) {
        // A connection that has ended needs no answer; its session ends with it.
        if self.outbox.send(Outgoing { attachments: reply.attachments, text: reply.text }).is_err() {
            tracing::debug!(session = self.client.id.0, "an answer came after the connection had ended");
        }
    }

    /// Sends what a request came to.
    fn answer(&self, id: &RequestId, answered: Result<Reply, Failure>) {
        self.send(answered.unwrap_or_else(|failure| {
            self.engine.metrics.failed(failure.kind);
            Reply::failure(id, &failure)
        }));
    }

    fn take(self: &Arc<Self>, prepared: Prepared, received: Instant) {
        let epoch = self.engine.display().epoch();
        let admitted = self.engine.sessions().admit(Engine::now(), self.client.id, &prepared, epoch);
        recording::lease(&self.engine);
        match admitted {
            Err(failure) => {
                recording::refused(&self.engine, &self.client, &prepared, &failure);
                self.answer(&prepared.id, Err(failure));
            }
            Ok(Admitted::Replay(recorded)) => {
                recording::replayed(&self.engine, &self.client, &prepared);
                self.send(replay::answer(&prepared.id, recorded));
            }
            Ok(Admitted::Run(Turn::Immediate)) => self.answer_at_once(prepared, received),
            Ok(Admitted::Run(Turn::AtOnce)) => {
                let job = Job::new(prepared, Turn::AtOnce, epoch, received);
                self.client.lane.begin(&job);
                let shared = Arc::clone(self);
                tokio::spawn(async move {
                    // A halt waits for nobody, and what waits for the screen keeps nobody from looking at it.
                    let looks = matches!(&job.prepared.call, Call::Act(action) if *action != Action::CursorPosition);
                    let place = if looks { shared.looks.acquire().await.ok() } else { None };
                    if looks {
                        shared.await_reader().await;
                    }
                    shared.run(job).await;
                    drop(place);
                });
            }
            Ok(Admitted::Run(turn @ (Turn::Input | Turn::Ordered))) => {
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
        loop {
            self.await_reader().await;
            let Some(job) = self.client.lane.next().await else { return };
            self.run(job).await;
        }
    }

    /// Waits until an answer has room. Thirty-two large pictures are more than the outbox holds, and whoever asks for them is no slow
    /// reader; who takes nothing at all is one, and is told so by the answer that finds no room.
    async fn await_reader(&self) {
        tokio::time::timeout(READER_TIME, self.outbox.room()).await.ok();
    }

    async fn run(&self, job: Job) {
        // A defect in one request must not end the session without a word, and leave keys down.
        let answered = AssertUnwindSafe(run::run(&self.engine, &self.client, &job)).catch_unwind().await;
        let answered = answered.unwrap_or_else(|_| {
            self.engine.release();
            let message = "an internal error ended the request; everything held was released; please report it";
            Err(Failure::new(ErrorKind::Internal, message).executed(Executed::Unknown))
        });
        self.finish(&job.prepared, answered.map_err(|failure| job.explain(failure)));
    }

    fn finish(&self, prepared: &Prepared, answered: Result<Reply, Failure>) {
        let id = &prepared.id;
        self.client.lane.end(id);
        self.engine.record(&self.client, &prepared.meta, &answered);
        self.engine.sessions().complete(self.client.id, id);
        self.answer(id, answered);
    }

    /// Answers a request that was admitted and has not begun, and never will.
    fn withdraw(&self, prepared: &Prepared, failure: Failure) {
        recording::refused(&self.engine, &self.client, prepared, &failure);
        self.finish(prepared, Err(failure));
    }

    /// Answers a request that still waits in the lane when its deadline passes.
    async fn expire(self: Arc<Self>, id: RequestId, deadline: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until(deadline.into()) => {}
            // Nothing of a session outlives its connection, not even a timer.
            () = self.client.lane.closed() => return,
        }
        if let Some(job) = self.client.lane.expire(&id) {
            self.withdraw(&job.prepared, context::expired());
        }
    }

    fn answer_at_once(&self, prepared: Prepared, received: Instant) {
        if let Some(answered) = control::at_once(&self.engine, &self.client, &prepared) {
            self.engine.record(&self.client, &prepared.meta, &answered);
            self.engine.metrics.answered(ActionKind::Control, Answered::of(&answered), received.elapsed());
            return self.answer(&prepared.id, answered);
        }
        let Prepared { id, call, meta, .. } = prepared;
        let kind = ActionKind::of(&call);
        let reply = match call {
            Call::Cancel(target) => {
                let outcome = self.client.lane.cancel(&target);
                let cancelled = !matches!(outcome, CancelOutcome::NotFound);
                if let CancelOutcome::Removed(job) = outcome {
                    self.withdraw(&job.prepared, context::cancelled());
                }
                Ok(answer_text::result(&id, &serde_json::json!({ "cancelled": cancelled })))
            }
            Call::Status(asked) => {
                Ok(answer_text::result(&id, &information::status(&self.engine, &self.client, asked.as_ref())))
            }
            Call::Confirm(answer) => control::consent(&self.engine, &self.client, &id, answer),
            Call::Usage(call) => control::usage(&self.engine, &self.client, &id, &call),
            Call::Initialize(initialize) => self.initialize(&id, &initialize).inspect_err(|_| {
                self.engine.sessions().initialize_failed(self.client.id);
            }),
            Call::Stream(call) => return self.stream(&id, call, received),
            // Nothing else is answered at once.
            _ => Ok(answer_text::result(&id, &serde_json::json!({}))),
        };
        let answered = reply.map(Reply::text);
        self.engine.record(&self.client, &meta, &answered);
        self.engine.metrics.answered(kind, Answered::of(&answered), received.elapsed());
        self.answer(&id, answered);
    }

    fn stream(&self, id: &RequestId, call: StreamCall, received: Instant) {
        let Self { engine, subscriptions, .. } = self;
        let done = |()| answer_text::result(id, &serde_json::json!({}));
        let answered = match call {
            StreamCall::Subscribe(events) => match recording::subscribes(engine, &self.client, &events)
                .and_then(|()| subscriptions.open(engine, &self.client, &self.outbox, events))
            {
                Ok(number) => {
                    self.engine.metrics.answered(ActionKind::Control, Answered::Ok, received.elapsed());
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
        self.engine.metrics.answered(ActionKind::Control, Answered::of(&answered), received.elapsed());
        self.answer(id, answered.map(Reply::text));
    }

    /// Takes over what an earlier session of the same user has, and closes it.
    fn resume(&self, name: &str) -> Result<(), Failure> {
        let Self { engine, client, .. } = self;
        // A name that is none of ours is that of no session here.
        let predecessor = engine.session_of_name(name).unwrap_or(client.id);
        engine.sessions().resume(client.id, predecessor)?;
        control::evict(engine, predecessor);
        recording::lease(engine);
        engine.roster.reach(predecessor, |member| member.close("another connection has resumed this session"));
        // What comes next is done after that on the same thread.
        engine.release();
        Ok(())
    }

    fn initialize(&self, id: &RequestId, initialize: &Initialize) -> Result<String, Failure> {
        let live = self.engine.display().live()?;
        if let Some(predecessor) = &initialize.resume {
            self.resume(predecessor)?;
        }
        if let Some(role) = initialize.role {
            self.engine.sessions().lower_role(self.client.id, role)?;
        }
        self.client.set_up(initialize);
        if initialize.observe == Observing::Off {
            self.engine.sessions().take_pictures(self.client.id, Pictures::AtOnce);
        }
        tracing::info!(session = self.client.id.0, client = initialize.client, "session is initialized");
        recording::session(&self.engine, &self.client, "initialized", &[("client", initialize.client.clone().into())]);
        let result = information::initialize(&self.engine, &self.client, &live)?;
        Ok(answer_text::result(id, &result))
    }
}
