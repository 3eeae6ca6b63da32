//! A service that answers each text with itself, and tells what it was told.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use deskhand::{
    protocol::{
        carrying::{Closing, HttpRefusal},
        error::Failure,
        identity::{Principal, Role},
        message::{BinaryKind, BinaryMessage},
    },
    transport::{
        outbox::{Outbox, Outgoing},
        service::{Connection, Service, ServiceFuture},
    },
};
use tokio::sync::mpsc;

use super::TOKEN;

/// What a request called `screenshot` is answered with.
pub const SCREENSHOT: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"image":{"mime":"image/png","data":"cGl4ZWxz"},"frame":"1-1"}}"#;

/// The ticket that this service gives and takes again and again.
pub const TICKET: &str = "0000000000000000000000000000000000000000000000000000000000000007";

/// What the service was told, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Opened(Principal),
    Dropped,
}

/// What the service was told to count, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Counted {
    Refused(HttpRefusal),
    Closed(Closing),
}

/// Answers each text with itself. `big N` is answered with N bytes, `attach N` with a binary message of N bytes and
/// a text, `flood N` with N answers of a MiB.
pub struct Echo {
    pub texts: AtomicUsize,
    pub ready: Result<(), Failure>,
    pub events: mpsc::UnboundedSender<Event>,
    pub counted: mpsc::UnboundedSender<Counted>,
    pub outboxes: mpsc::UnboundedSender<Outbox>,
}

struct EchoConnection {
    service: mpsc::UnboundedSender<Event>,
    texts: Arc<Echo>,
    outbox: Outbox,
}

/// The trait wants `&self` for `open`, so the service is shared inside.
pub struct EchoService(pub Arc<Echo>);

impl Service for EchoService {
    fn authenticate(&self, token: &[u8]) -> Option<Principal> {
        (token == TOKEN.as_bytes()).then(|| Principal { role: Role::Control, ..Principal::single_token() })
    }

    fn ticket(&self, token: &[u8]) -> Result<Option<String>, Failure> {
        Ok((token == TOKEN.as_bytes()).then(|| TICKET.to_owned()))
    }

    fn redeem(&self, ticket: &[u8]) -> Option<Principal> {
        (ticket == TICKET.as_bytes()).then(Principal::single_token)
    }

    fn open(&self, principal: Principal, outbox: Outbox) -> Box<dyn Connection> {
        self.0.events.send(Event::Opened(principal)).ok();
        self.0.outboxes.send(outbox.clone()).ok();
        Box::new(EchoConnection { service: self.0.events.clone(), texts: Arc::clone(&self.0), outbox })
    }

    fn rpc(self: Arc<Self>, _principal: Principal, message: Vec<u8>) -> ServiceFuture<Vec<u8>> {
        Box::pin(async move { message })
    }

    fn screenshot(self: Arc<Self>, _principal: Principal) -> ServiceFuture<Result<Vec<u8>, Failure>> {
        let ready = self.0.ready.clone();
        Box::pin(async move { ready.map(|()| b"png".to_vec()) })
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn released(self: Arc<Self>) -> ServiceFuture<()> {
        Box::pin(async {})
    }

    fn refused(&self, reason: HttpRefusal) {
        self.0.counted.send(Counted::Refused(reason)).ok();
    }

    fn closed(&self, reason: Closing) {
        self.0.counted.send(Counted::Closed(reason)).ok();
    }

    fn ready(self: Arc<Self>) -> ServiceFuture<Result<(), Failure>> {
        let ready = self.0.ready.clone();
        Box::pin(async move { ready })
    }
}

impl Connection for EchoConnection {
    fn text(&mut self, message: &str) {
        self.texts.texts.fetch_add(1, Ordering::Relaxed);
        let outgoing = match message.split_once(' ') {
            Some(("big", size)) => Outgoing::text("x".repeat(size.parse().unwrap())),
            Some(("attach", size)) => {
                let picture = Arc::new(vec![7; size.parse().unwrap()]);
                let attachments = vec![BinaryMessage::new(BinaryKind::Image, 7, picture)];
                Outgoing { attachments, text: "attached".to_owned().into() }
            }
            Some(("flood", count)) => {
                for _ in 0..count.parse::<usize>().unwrap() {
                    if self.outbox.send(Outgoing::text("x".repeat(1 << 20))).is_err() {
                        break;
                    }
                }
                return;
            }
            _ if message.contains(r#""method":"screenshot""#) => Outgoing::text(SCREENSHOT.to_owned()),
            _ => Outgoing::text(message.to_owned()),
        };
        self.outbox.send(outgoing).ok();
    }

    fn binary(&mut self, _message: &[u8]) {
        self.outbox.send(Outgoing::text("error: a binary message".to_owned())).ok();
    }
}

impl Drop for EchoConnection {
    fn drop(&mut self) {
        self.service.send(Event::Dropped).ok();
    }
}
