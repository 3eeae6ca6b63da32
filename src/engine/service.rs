//! The engine as transport sees it.

use std::{sync::Arc, time::Instant};

use super::{client::Client, connection::Connection, information, lane::Job, outcome::Reply, run, state::Engine};
use crate::{
    protocol::{
        action::Action,
        answer_text,
        call::{self, Call, Prepared},
        error::{ErrorKind, Failure},
        identity::Principal,
        meta::Meta,
        request::{self, RequestId},
    },
    session::registry::{Carrier, Turn},
    transport::{
        outbox::Outbox,
        service::{self, Service, ServiceFuture},
    },
};

/// Answers requests with an engine.
pub struct EngineService(pub Arc<Engine>);

impl Service for EngineService {
    fn authenticate(&self, token: &[u8]) -> Option<Principal> {
        self.0.principal(token)
    }

    fn open(&self, principal: Principal, outbox: Outbox) -> Box<dyn service::Connection> {
        Box::new(Connection::open(Arc::clone(&self.0), principal, outbox))
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
            let text = match prepared {
                Ok(prepared) => OneRequest::begin(&self.0, principal).answer(prepared).await.text.into_string(),
                Err(rejected) => answer_text::error(rejected.id.as_ref(), &rejected.failure),
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
                meta: Meta::default(),
            };
            let one = OneRequest::begin(&self.0, principal);
            one.client.attach_images();
            let reply = one.execute(prepared).await?;
            let attachment = reply.attachments.into_iter().next();
            let png = attachment.map(|message| message.picture().to_vec());
            png.ok_or_else(|| Failure::new(ErrorKind::Internal, "the screenshot has no picture"))
        })
    }

    fn ready(self: Arc<Self>) -> ServiceFuture<Result<(), Failure>> {
        Box::pin(async move {
            let live = self.0.display().live()?;
            let answered = live.desktop.observer().round_trip().await;
            answered.map_err(|_| Failure::new(ErrorKind::DisplayLost, "the display was lost"))??;
            Ok(())
        })
    }
}

/// A session that is over with its one answer. Dropping it, also because the client has gone, cancels the request and
/// releases what it pressed.
struct OneRequest {
    engine: Arc<Engine>,
    client: Client,
}

impl OneRequest {
    fn begin(engine: &Arc<Engine>, principal: Principal) -> Self {
        let id = engine.sessions().open(principal, Carrier::OneRequest, engine.display().epoch());
        Self { engine: Arc::clone(engine), client: Client::new(id) }
    }

    async fn answer(&self, prepared: Prepared) -> Reply {
        let id = prepared.id.clone();
        self.execute(prepared).await.unwrap_or_else(|failure| Reply::failure(&id, &failure))
    }

    async fn execute(&self, prepared: Prepared) -> Result<Reply, Failure> {
        let epoch = self.engine.display().epoch();
        let turn = self.engine.sessions().admit(self.client.id, &prepared, epoch)?;
        if turn == Turn::Immediate {
            return Ok(Reply::text(self.at_once(&prepared)));
        }
        let job = Job::new(prepared, turn, epoch, Instant::now());
        self.client.lane.begin(&job);
        run::run(&self.engine, &self.client, &job).await
    }

    fn at_once(&self, prepared: &Prepared) -> String {
        let id = &prepared.id;
        match &prepared.call {
            Call::Status => answer_text::result(id, &information::status(&self.engine, &self.client)),
            Call::Cancel(_) => answer_text::result(id, &serde_json::json!({ "cancelled": false })),
            _ => answer_text::result(id, &serde_json::json!({})),
        }
    }
}

impl Drop for OneRequest {
    fn drop(&mut self) {
        self.engine.end_session(&self.client);
    }
}
