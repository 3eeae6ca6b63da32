//! What the server counts, as text of `OpenMetrics`.
//!
//! All series but those of users are there from the start, at zero: a rate over the first event is right, and no peer can make
//! a series. What a request touches is an array's element, found by a number; nothing is looked up by text and nothing is
//! allocated.

mod labels;
mod people;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, time::Duration};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use self::people::People;
pub use self::{
    labels::{ActionKind, Answered},
    people::TaskStatus,
};
use crate::protocol::{
    answer::Timing,
    carrying::{Closing, HttpRefusal},
    egress::{EgressReason, EgressVerdict},
    error::ErrorKind,
    identity::UserName,
};

/// From a click (a quarter of a millisecond) to a long text or a wait.
const REQUEST_BUCKETS: [f64; 5] = [0.001, 0.01, 0.1, 1.0, 10.0];
/// From a part of a click to the longest settling.
const STAGE_BUCKETS: [f64; 5] = [0.000_5, 0.005, 0.05, 0.5, 5.0];
const STAGES: [&str; 5] = ["queue", "act", "settle", "capture", "encode"];

type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];

/// All metrics of a server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    people: People,
    /// By [`ActionKind`] and [`Answered`].
    requests: [[Histogram; Answered::ALL.len()]; ActionKind::ALL.len()],
    /// In the order of [`STAGES`].
    stages: [Histogram; STAGES.len()],
    /// By [`ErrorKind`].
    errors: Box<[Counter]>,
    /// By [`HttpRefusal`].
    refusals: Box<[Counter]>,
    /// By [`Closing`].
    closings: Box<[Counter]>,
    /// Of answers, of streams.
    picture_bytes: [Counter; 2],
    sessions: Gauge,
    display_up: Gauge,
    display_epoch: Gauge,
    displays_lost: Counter,
    audit_lost: Counter,
    /// By [`EgressVerdict`].
    egress: Box<[Counter]>,
    /// By [`EgressReason`].
    egress_denied: Box<[Counter]>,
}

impl Metrics {
    /// Everything at zero.
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::default();
        let all = &mut registry;
        all.register("deskhand_build", "What runs", Info::new([("version", version)]));
        let people = People::new(all);
        let requests = Family::<Labels<2>, Histogram>::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS));
        let help = "Time of admitted requests from their arrival to their answer; related methods share an action";
        all.register("deskhand_request_duration_seconds", help, requests.clone());
        let stages = Family::<Labels<1>, Histogram>::new_with_constructor(|| Histogram::new(STAGE_BUCKETS));
        let help = "Time of the stages that requests went through, as in `timing` of their answers";
        all.register("deskhand_stage_duration_seconds", help, stages.clone());
        let help = "Errors that requests were answered with, in batches too";
        let errors = counters(all, "deskhand_errors", help, "kind", ErrorKind::ALL.into_iter().map(kind_word));
        let help = "HTTP requests and connections that were refused";
        let words = HttpRefusal::ALL.iter().map(|refusal| refusal.word().into());
        let refusals = counters(all, "deskhand_http_refusals", help, "reason", words);
        let help = "WebSocket connections that have ended";
        let words = Closing::ALL.iter().map(|closing| closing.word().into());
        let closings = counters(all, "deskhand_websocket_closings", help, "reason", words);
        let help = "What applications asked of the network, as the egress proxy's log has it";
        let words = EgressVerdict::ALL.iter().map(|verdict| verdict.word().into());
        let egress = counters(all, "deskhand_egress_attempts", help, "verdict", words);
        let help = "What of that was denied";
        let words = EgressReason::ALL.iter().map(|reason| reason.word().into());
        let egress_denied = counters(all, "deskhand_egress_denied", help, "reason", words);
        let bytes = Family::<Labels<1>, Counter>::default();
        all.register("deskhand_picture_bytes", "Encoded pictures that were made to be sent", bytes.clone());
        Self {
            people,
            requests: ActionKind::ALL.map(|kind| {
                Answered::ALL.map(|answered| {
                    let labels = [("action", kind.word().into()), ("outcome", answered.word().into())];
                    requests.get_or_create_owned(&labels)
                })
            }),
            stages: STAGES.map(|stage| stages.get_or_create_owned(&[("stage", stage.into())])),
            errors,
            refusals,
            closings,
            egress,
            egress_denied,
            picture_bytes: ["answer", "stream"].map(|way| bytes.get_or_create_owned(&[("way", way.into())])),
            sessions: gauge(all, "deskhand_sessions", "Sessions on WebSocket connections"),
            display_up: gauge(all, "deskhand_display_up", "1 while a display is open, else 0"),
            display_epoch: gauge(all, "deskhand_display_epoch", "Displays that were opened; a change of size is one"),
            displays_lost: counter(all, "deskhand_displays_lost", "Displays that went away or changed their size"),
            audit_lost: counter(all, "deskhand_audit_records_lost", "Records of the audit that could not be written"),
            registry,
        }
    }

    /// As text of `OpenMetrics`.
    pub fn text(&self) -> String {
        let mut written = String::new();
        if let Err(error) = text::encode(&mut written, &self.registry) {
            tracing::error!(%error, "the metrics cannot be written");
        }
        written
    }

    /// A request that was admitted has been answered.
    pub fn answered(&self, kind: ActionKind, answered: Answered, took: Duration) {
        self.requests[kind as usize][answered as usize].observe(took.as_secs_f64());
    }

    /// A request, or an action in a batch, has failed.
    pub fn failed(&self, kind: ErrorKind) {
        count(&self.errors, kind as usize);
    }

    /// A request, or an action in a batch, went through these stages. One that took no microsecond was left out.
    pub fn went_through(&self, timing: &Timing) {
        let Timing { queue_us, act_us, settle_us, capture_us, encode_us } = *timing;
        for (stage, microseconds) in self.stages.iter().zip([queue_us, act_us, settle_us, capture_us, encode_us]) {
            if microseconds > 0 {
                stage.observe(Duration::from_micros(microseconds).as_secs_f64());
            }
        }
    }

    /// A picture is about to be sent with an answer.
    pub fn picture(&self, bytes: u64) {
        self.picture_bytes[0].inc_by(bytes);
    }

    /// So much of a stream is about to be sent.
    pub fn streamed(&self, bytes: u64) {
        self.picture_bytes[1].inc_by(bytes);
    }

    /// Somebody was refused before there was a request.
    pub fn refused(&self, reason: HttpRefusal) {
        count(&self.refusals, reason as usize);
    }

    /// A WebSocket has ended.
    pub fn closed(&self, reason: Closing) {
        count(&self.closings, reason as usize);
    }

    /// A session has begun on a WebSocket.
    pub fn session_begins(&self) {
        self.sessions.inc();
    }

    /// It has ended.
    pub fn session_ends(&self) {
        self.sessions.dec();
    }

    /// A display is open.
    pub fn display_opens(&self, epoch: u32) {
        self.display_epoch.set(epoch.into());
        self.display_up.set(1);
    }

    /// It is finished.
    pub fn display_ends(&self) {
        self.display_up.set(0);
        self.displays_lost.inc();
    }

    /// So many records could not be written since the start.
    pub fn audit_lost(&self, records: u64) {
        self.audit_lost.inc_by(records.saturating_sub(self.audit_lost.get()));
    }

    /// An application has asked for something of the network.
    pub fn egress(&self, verdict: EgressVerdict, reason: EgressReason) {
        count(&self.egress, verdict as usize);
        if verdict == EgressVerdict::Denied {
            count(&self.egress_denied, reason as usize);
        }
    }

    /// A task has begun.
    pub fn task_begins(&self) {
        self.people.task_begins();
    }

    /// It has ended.
    pub fn task_ends(&self, user: &UserName, status: TaskStatus, took: Duration) {
        self.people.task_ends(user, status, took);
    }

    /// A user's loop has used tokens.
    pub fn tokens_used(&self, user: &UserName, model: &str, tokens: u64) {
        self.people.tokens_used(user, model, tokens);
    }
}

/// The contract's own word for a kind.
fn kind_word(kind: ErrorKind) -> Cow<'static, str> {
    let quoted = serde_json::to_string(&kind).unwrap_or_default();
    quoted.trim_matches('"').to_owned().into()
}

fn count(counters: &[Counter], number: usize) {
    if let Some(counter) = counters.get(number) {
        counter.inc();
    }
}

fn counters(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    words: impl Iterator<Item = Cow<'static, str>>,
) -> Box<[Counter]> {
    let family = Family::<Labels<1>, Counter>::default();
    registry.register(name, help, family.clone());
    words.map(|word| family.get_or_create_owned(&[(label, word)])).collect()
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}
