//! The engine as transport sees it.

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use super::{
    client::Client,
    connection::Connection,
    control, information,
    lane::Job,
    outcome::Reply,
    recording, replay,
    roster::{Eviction, Member},
    run,
    state::Engine,
    tickets,
};
use crate::{
    observe::metrics::{ActionKind, Answered},
    protocol::{
        action::Action,
        answer_text,
        call::{self, Call, Prepared},
        carrying::{Closing, HttpRefusal},
        error::{ErrorKind, Executed, Failure},
        identity::Principal,
        meta::Meta,
        request::{self, RequestId},
    },
    session::registry::{Admitted, Carrier, Turn},
    transport::{
        outbox::{CLOSE_OVERLOADED, Outbox},
        service::{self, Service, ServiceFuture},
    },
};

/// Answers requests with an engine.
pub struct EngineService(pub Arc<Engine>);

impl Service for EngineService {
    fn authenticate(&self, token: &[u8]) -> Option<Principal> {
        self.0.principal(token)
    }

    fn ticket(&self, token: &[u8]) -> Result<Option<String>, Failure> {
        tickets::issue(&self.0, token)
    }

    fn redeem(&self, ticket: &[u8]) -> Option<Principal> {
        tickets::redeem(&self.0, ticket)
    }

    fn open(&self, principal: Principal, outbox: Outbox) -> Box<dyn service::Connection> {
        match Connection::open(Arc::clone(&self.0), principal, outbox.clone()) {
            Ok(connection) => Box::new(connection),
            Err(failure) => {
                outbox.close(CLOSE_OVERLOADED, &failure.message);
                Box::new(Refused)
            }
        }
    }

    fn rpc(self: Arc<Self>, principal: Principal, message: Vec<u8>) -> ServiceFuture<Vec<u8>> {
        Box::pin(async move {
            let prepared = std::str::from_utf8(&message)
                .map_err(|error| request::Rejected {
                    id: None,
                    failure: Failure::new(ErrorKind::InvalidJson, format!("the message is not UTF-8: {error}")),
                })
                .and_then(request::read)
                .and_then(call::prepare);
            let user = principal.user.clone();
            let text = match prepared {
                Ok(prepared) => {
                    let id = prepared.id.clone();
                    match OneRequest::begin(&self.0, principal) {
                        Ok(mut one) => one.answer(prepared).await,
                        Err(failure) => Reply::failure(&id, &failure),
                    }
                    .text
                    .into_string()
                }
                Err(rejected) => {
                    self.0.metrics.failed(rejected.failure.kind);
                    recording::rejected_post(&self.0, &user, &rejected.failure);
                    answer_text::error(rejected.id.as_ref(), &rejected.failure)
                }
            };
            text.into_bytes()
        })
    }

    fn screenshot(self: Arc<Self>, principal: Principal) -> ServiceFuture<Result<Vec<u8>, Failure>> {
        Box::pin(async move {
            let prepared = Prepared {
                id: RequestId::Number(0),
                method: "screenshot",
                call: Call::Act(Action::Screenshot),
                members: Vec::new(),
                meta: Meta::default(),
            };
            let mut one = OneRequest::begin(&self.0, principal)?;
            one.client.0.attach_images();
            let reply = one.execute(prepared).await?;
            let attachment = reply.attachments.into_iter().next();
            let png = attachment.map(|message| message.picture().to_vec());
            png.ok_or_else(|| Failure::new(ErrorKind::Internal, "the screenshot has no picture"))
        })
    }

    fn ready(self: Arc<Self>) -> ServiceFuture<Result<(), Failure>> {
        Box::pin(async move {
            let live = self.0.display().live()?;
            let epoch = live.epoch;
            let round_trip = || async move {
                let answered = live.desktop.observer().round_trip().await;
                answered.map_err(|_| Failure::new(ErrorKind::DisplayLost, "the display was lost"))??;
                Ok(())
            };
            self.0.readiness.ask(Instant::now(), epoch, round_trip).await
        })
    }

    fn metrics(&self) -> String {
        self.0.metrics.audit_lost(self.0.audit.lost());
        self.0.metrics.text()
    }

    fn released(self: Arc<Self>) -> ServiceFuture<()> {
        Box::pin(async move {
            // What whoever has the lease now holds is not ours to release.
            let (_, holder) = self.0.sessions().lease_holder();
            if holder.is_none() {
                self.0.release_and_wait().await;
            }
        })
    }

    fn refused(&self, reason: HttpRefusal) {
        self.0.metrics.refused(reason);
        if matches!(reason, HttpRefusal::Unauthorized | HttpRefusal::Peer) {
            recording::stranger(&self.0);
        }
    }

    fn closed(&self, reason: Closing) {
        self.0.metrics.closed(reason);
    }
}

/// A connection that is closed before it has a session.
struct Refused;

impl service::Connection for Refused {
    fn text(&mut self, _message: &str) {}

    fn binary(&mut self, _message: &[u8]) {}
}

/// A session that is over with its one answer. Dropping it, also because the client has gone, cancels the request and
/// releases what it pressed.
struct OneRequest {
    engine: Arc<Engine>,
    client: Arc<OneClient>,
    /// What is to be recorded should the client go away before it is answered.
    unrecorded: Option<Prepared>,
}

/// Its session.
struct OneClient(Client);

impl Member for OneClient {
    fn evict(&self, why: Eviction) {
        // Nothing waits here: what runs answers for itself.
        self.0.lane.evict(why);
    }

    fn close(&self, _reason: &'static str) {
        // It closes itself with its answer.
    }
}

impl OneRequest {
    fn begin(engine: &Arc<Engine>, principal: Principal) -> Result<Self, Failure> {
        let user = principal.user.clone();
        let opened = engine.sessions().open(Instant::now(), principal, Carrier::OneRequest, engine.display().epoch());
        let id = opened.inspect_err(|failure| engine.metrics.failed(failure.kind))?;
        let client = Arc::new(OneClient(Client::new(id, user)));
        let member: Weak<OneClient> = Arc::downgrade(&client);
        engine.roster.join(id, member);
        Ok(Self { engine: Arc::clone(engine), client, unrecorded: None })
    }

    async fn answer(&mut self, prepared: Prepared) -> Reply {
        let id = prepared.id.clone();
        self.execute(prepared).await.unwrap_or_else(|failure| Reply::failure(&id, &failure))
    }

    async fn execute(&mut self, prepared: Prepared) -> Result<Reply, Failure> {
        let answered = self.carry_out(prepared).await;
        answered.inspect_err(|failure| self.engine.metrics.failed(failure.kind))
    }

    async fn carry_out(&mut self, prepared: Prepared) -> Result<Reply, Failure> {
        let (engine, client) = (Arc::clone(&self.engine), Arc::clone(&self.client));
        let (epoch, client) = (engine.display().epoch(), &client.0);
        let admitted = engine.sessions().admit(Engine::now(), client.id, &prepared, epoch);
        recording::lease(&engine);
        let admitted = admitted.inspect_err(|failure| recording::refused(&engine, client, &prepared, failure))?;
        let turn = match admitted {
            Admitted::Replay(recorded) => {
                recording::replayed(&engine, client, &prepared);
                return Ok(replay::answer(&prepared.id, recorded));
            }
            Admitted::Run(turn) => turn,
        };
        self.unrecorded = Some(prepared.clone());
        let answered = if turn == Turn::Immediate {
            let begun = Instant::now();
            let answered = match control::at_once(&engine, client, &prepared) {
                Some(answered) => answered,
                None => at_once(&engine, client, &prepared).map(Reply::text),
            };
            engine.metrics.answered(ActionKind::of(&prepared.call), Answered::of(&answered), begun.elapsed());
            answered
        } else {
            let job = Job::new(prepared.clone(), turn, epoch, Instant::now());
            client.lane.begin(&job);
            run::run(&engine, client, &job).await.map_err(|failure| job.explain(failure))
        };
        self.unrecorded = None;
        engine.record(client, &prepared.meta, &answered);
        answered
    }
}

fn at_once(engine: &Engine, client: &Client, prepared: &Prepared) -> Result<String, Failure> {
    let id = &prepared.id;
    match &prepared.call {
        Call::Status(asked) => Ok(answer_text::result(id, &information::status(engine, client, asked.as_ref()))),
        Call::Cancel(_) => Ok(answer_text::result(id, &serde_json::json!({ "cancelled": false }))),
        Call::Confirm(answer) => control::consent(engine, client, id, *answer),
        Call::Usage(call) => control::usage(engine, client, id, call),
        _ => Ok(answer_text::result(id, &serde_json::json!({}))),
    }
}

impl Drop for OneRequest {
    fn drop(&mut self) {
        if let Some(prepared) = self.unrecorded.take() {
            let gone = Failure::new(ErrorKind::Cancelled, "the client went away before the request had ended")
                .executed(Executed::Unknown);
            recording::abandoned(&self.engine, &self.client.0, &prepared, &gone);
            self.engine.record(&self.client.0, &prepared.meta, &Err(gone));
        }
        self.engine.end_session(&self.client.0);
    }
}
