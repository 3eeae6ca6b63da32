//! The seam between bytes and meaning: transport calls this, the engine implements it, tests replace it.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::{
    protocol::{
        carrying::{Closing, HttpRefusal},
        error::Failure,
        identity::Principal,
    },
    transport::outbox::Outbox,
};

/// A future that does not outlive the server and stays on its one thread.
pub type ServiceFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What answers requests.
pub trait Service: Send + Sync + 'static {
    /// Who presents this token; `None` when nobody does. Takes the same time for every wrong token.
    fn authenticate(&self, token: &[u8]) -> Option<Principal>;

    /// A one-time ticket that stands for this token; `None` when nobody presents the token.
    ///
    /// # Errors
    /// Why there is none to be had.
    fn ticket(&self, token: &[u8]) -> Result<Option<String>, Failure>;

    /// Who presents this ticket, which is used up by that; `None` when nobody does. Takes the same time for every wrong ticket.
    fn redeem(&self, ticket: &[u8]) -> Option<Principal>;

    /// Begins a session on a connection that has been upgraded. Everything that it says goes into `outbox`.
    fn open(&self, principal: Principal, outbox: Outbox) -> Box<dyn Connection>;

    /// Answers one `POST /v1/rpc`: a JSON-RPC object in, one out.
    fn rpc(self: Arc<Self>, principal: Principal, message: Vec<u8>) -> ServiceFuture<Vec<u8>>;

    /// Answers `GET /v1/screenshot.png`.
    fn screenshot(self: Arc<Self>, principal: Principal) -> ServiceFuture<Result<Vec<u8>, Failure>>;

    /// Whether the display answers: a round trip of the last second. The message says why not.
    fn ready(self: Arc<Self>) -> ServiceFuture<Result<(), Failure>>;

    /// Answers `GET /metrics`: text of `OpenMetrics`.
    fn metrics(&self) -> String;

    /// Resolves when nothing is held any more that sessions held which have ended, or the display does not answer.
    fn released(self: Arc<Self>) -> ServiceFuture<()>;

    /// Somebody was refused before there was a request to answer.
    fn refused(&self, reason: HttpRefusal);

    /// A WebSocket has ended.
    fn closed(&self, reason: Closing);
}

/// One WebSocket session. Dropping it ends the session: its requests are cancelled and what it held is released.
pub trait Connection: Send {
    /// Takes one text message. Must not block; answers go to the outbox, later or at once.
    fn text(&mut self, message: &str);

    /// Takes one binary message, which the contract does not have in this direction: answered with an error.
    fn binary(&mut self, message: &[u8]);
}
