//! A request ready to be admitted: its method known, its parameters typed, its limits checked.

use serde_json::{Map, Value};

use super::{
    action::Action,
    computer,
    confirm::{ConfirmAnswer, ConfirmAnswerParams},
    control::{ControlCall, LeaseAcquireParams, LeaseCall},
    control_params::{BatchEntry, BatchParams, CancelParams, StatusParams},
    error::{ErrorKind, Failure},
    initialize::{Initialize, InitializeParams},
    json, limits,
    meta::{Meta, ToolVersion},
    method::{self, Kind},
    observe::{self, Observing},
    params::NoParams,
    request::{Rejected, Request, RequestId},
    request_key::{Fingerprint, RequestKey},
    secret::SecretCall,
    secret_params::{self, SecretForgetParams},
    subscription::{AcknowledgeParams, StreamCall, SubscribeParams, UnsubscribeParams},
    task::{TaskBegin, TaskBeginParams, TaskEnd, TaskEndParams},
    usage::{UsageCall, UsageCheckParams, UsageReportParams},
    wait_for::{WaitFor, WaitForParams},
    wire::{self, Object},
};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Sets the session up.
    Initialize(Box<Initialize>),
    /// Nothing; answers at once.
    Ping,
    /// Ends a request of this connection.
    Cancel(RequestId),
    /// Tells about session and lease, and what became of a request.
    Status(Option<RequestKey>),
    /// Asks for the lease or gives it back.
    Lease(LeaseCall),
    /// Stops or starts everybody.
    Control(ControlCall),
    /// Begins a task.
    TaskBegin(Box<TaskBegin>),
    /// Ends it.
    TaskEnd(TaskEnd),
    /// Tells about the tokens of this month.
    Usage(UsageCall),
    /// Keeps, forgets or lists secrets.
    Secret(SecretCall),
    /// Consents to somebody's request, or does not.
    Confirm(ConfirmAnswer),
    /// Tells about the display.
    DisplayInfo,
    /// Begins, ends or paces a subscription.
    Stream(StreamCall),
    /// Tells which windows there are.
    WindowsList,
    /// Waits for something on the display.
    WaitFor(WaitFor),
    /// One action.
    Act(Action),
    /// Several actions; at least one.
    Batch(Vec<Action>),
}

impl Call {
    /// Whether anything of it sends keys or moves the pointer.
    pub fn sends_input(&self) -> bool {
        match self {
            Self::Act(action) => action.is_input(),
            Self::Batch(actions) => actions.iter().any(Action::is_input),
            _ => false,
        }
    }

    /// Whether a key makes it run at most once: not what belongs to its connection or changes nothing, and no secret, of which
    /// nothing is to stay behind.
    fn can_have_a_key(&self) -> bool {
        !matches!(
            self,
            Self::Initialize(_) | Self::Ping | Self::Cancel(_) | Self::Status(_) | Self::Stream(_) | Self::Secret(_)
        )
    }

    /// Whether the screen's settling can be waited for: after what acts, and before a picture.
    fn can_be_observed(&self) -> bool {
        match self {
            Self::Act(action) => !matches!(action, Action::CursorPosition),
            Self::Batch(_) => true,
            _ => false,
        }
    }
}

/// A request with its method known and its parameters typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Comes back with the answer.
    pub id: RequestId,
    /// The method as the table spells it.
    pub method: &'static str,
    /// What to do.
    pub call: Call,
    /// The members of the toolset that `call` is made of, where `method` does not say: of `computer` its action, of `batch` each of
    /// its actions. Several names can mean one action, and a policy lists names.
    pub members: Vec<&'static str>,
    /// What it says about itself.
    pub meta: Meta,
}

/// Types a request.
///
/// # Errors
/// The failure to answer with, under the request's id: `unknown_method`, `unsupported`, `invalid_params`, `out_of_range`.
pub fn prepare(request: Request) -> Result<Prepared, Rejected> {
    let Request { id, method, mut params } = request;
    let typed = || {
        let method = method::find(&method)?;
        let mut meta = Meta::take(&mut params)?;
        // Which has none: the hash of a secret is one that can be guessed at.
        if let Some(keyed) = meta.request_key.as_mut().filter(|_| method.name != "secret.put") {
            keyed.fingerprint = Fingerprint::of(method.name, &params);
        }
        let mut members = Vec::new();
        let call = match (method.name, &method.kind) {
            (_, Kind::Action(read)) => Call::Act(read(params)?),
            ("initialize", _) => Call::Initialize(Box::new(method::read::<InitializeParams>(params)?.check()?)),
            ("lease.acquire", _) => Call::Lease(method::read::<LeaseAcquireParams>(params)?.into()),
            ("lease.release", _) => nothing(params, Call::Lease(LeaseCall::Release))?,
            ("session.pause", _) => nothing(params, Call::Control(ControlCall::Pause))?,
            ("session.resume", _) => nothing(params, Call::Control(ControlCall::Resume))?,
            ("session.halt", _) => nothing(params, Call::Control(ControlCall::Halt))?,
            ("task.begin", _) => Call::TaskBegin(Box::new(method::read::<TaskBeginParams>(params)?.check()?)),
            ("task.end", _) => Call::TaskEnd(method::read::<TaskEndParams>(params)?.check()?),
            ("usage.check", _) => Call::Usage(UsageCall::Check(method::read::<UsageCheckParams>(params)?.check()?)),
            ("usage.report", _) => Call::Usage(UsageCall::Report(method::read::<UsageReportParams>(params)?.check()?)),
            ("usage.get", _) => nothing(params, Call::Usage(UsageCall::Get))?,
            ("secret.put", _) => Call::Secret(secret_params::read_put(params)?),
            ("secret.forget", _) => Call::Secret(method::read::<SecretForgetParams>(params)?.check()?),
            ("secret.list", _) => nothing(params, Call::Secret(SecretCall::List))?,
            ("confirm.answer", _) => Call::Confirm(method::read::<ConfirmAnswerParams>(params)?.into()),
            ("cancel", _) => Call::Cancel(cancel(params)?),
            ("status", _) => status(params)?,
            ("display.info", _) => nothing(params, Call::DisplayInfo)?,
            ("subscribe", _) => Call::Stream(method::read::<SubscribeParams>(params)?.check()?),
            ("unsubscribe", _) => Call::Stream(method::read::<UnsubscribeParams>(params)?.into()),
            ("frames.ack", _) => Call::Stream(method::read::<AcknowledgeParams>(params)?.into()),
            ("windows.list", _) => nothing(params, Call::WindowsList)?,
            ("wait_for", _) => Call::WaitFor(method::read::<WaitForParams>(params)?.check()?),
            ("computer", _) => {
                let (member, action) = computer::read(params, meta.tool)?;
                members.push(member);
                Call::Act(action)
            }
            ("batch", _) => {
                let actions;
                (members, actions) = batch(params, meta.tool)?;
                Call::Batch(actions)
            }
            _ => nothing(params, Call::Ping)?,
        };
        if meta.expect_window.is_some() && !call.sends_input() {
            let message = "_meta: expect_window is looked at before input, and this sends none; leave it out";
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        if meta.request_key.is_some() && !call.can_have_a_key() {
            let message = "_meta: request_key is for what is done, and this may simply be asked again; leave it out";
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        if matches!(meta.observe, Observing::On(_)) && !call.can_be_observed() {
            return Err(observe::not_observable(method.name));
        }
        Ok((method.name, call, members, meta))
    };
    match typed() {
        Ok((method, call, members, meta)) => Ok(Prepared { id, method, call, members, meta }),
        Err(failure) => Err(Rejected { id: Some(id), failure: named(&method, failure) }),
    }
}

/// Puts the method's name before what serde says about its parameters.
fn named(method: &str, mut failure: Failure) -> Failure {
    if failure.kind == ErrorKind::InvalidParams {
        failure.message = format!("{method}: {}", failure.message);
    }
    failure
}

fn nothing(params: Map<String, Value>, call: Call) -> Result<Call, Failure> {
    method::read::<NoParams>(params).map(|NoParams {}| call)
}

fn cancel(params: Map<String, Value>) -> Result<RequestId, Failure> {
    let CancelParams { id } = method::read(params)?;
    RequestId::read(&id).ok_or_else(|| {
        Failure::new(ErrorKind::InvalidParams, "id must be the integer or string id of a request of this connection")
    })
}

fn status(params: Map<String, Value>) -> Result<Call, Failure> {
    let StatusParams { request_key } = method::read(params)?;
    Ok(Call::Status(request_key))
}

fn batch(params: Map<String, Value>, tool: ToolVersion) -> Result<(Vec<&'static str>, Vec<Action>), Failure> {
    let BatchParams { actions } = method::read(params)?;
    if !(1..=limits::BATCH_ACTIONS).contains(&actions.len()) {
        return Err(wire::out_of_range("actions in a batch", actions.len(), &format!("1..={}", limits::BATCH_ACTIONS)));
    }
    let typed = actions.into_iter().zip(0..).map(|(Object(BatchEntry { name, input }), index)| {
        batch_entry(&name, input, tool).map_err(|failure| indexed(failure, &name, index))
    });
    typed.collect()
}

/// Tells which action of a batch failed its validation.
pub fn indexed(failure: Failure, name: &str, index: u32) -> Failure {
    let mut failure = failure.with(|detail| detail.index = Some(index));
    failure.message = format!("action {index} of the batch, {}: {}", json::clipped(name), failure.message);
    failure
}

fn batch_entry(name: &str, input: Map<String, Value>, tool: ToolVersion) -> Result<(&'static str, Action), Failure> {
    if input.contains_key("_meta") {
        return Err(Failure::new(ErrorKind::InvalidParams, "an input in a batch has no `_meta`; give it to the batch"));
    }
    let method = method::find(name)?;
    match method.kind {
        Kind::Action(read) => Ok((method.name, read(input)?)),
        _ if name == "computer" => computer::read(input, tool),
        _ => Err(Failure::new(ErrorKind::InvalidParams, "only actions can stand in a batch")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::request;

    fn call(text: &str) -> Result<Call, Failure> {
        let request = request::read(text).map_err(|rejected| rejected.failure)?;
        prepare(request).map(|prepared| prepared.call).map_err(|rejected| rejected.failure)
    }

    fn with(method: &str, params: &str) -> Result<Call, Failure> {
        call(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#))
    }

    #[test]
    fn the_whole_batch_is_validated_and_the_failure_names_its_place() {
        let failure =
            with("batch", r#"{"actions":[{"name":"screenshot"},{"name":"key","input":{"text":"a","repeat":0}}]}"#)
                .expect_err("the second is wrong");
        assert_eq!(failure.kind, ErrorKind::OutOfRange);
        assert_eq!(failure.detail.expect("index").index, Some(1));
    }

    #[test]
    fn a_batch_holds_actions_only_and_no_meta_inside() {
        for entry in [
            r#"{"name":"batch","input":{"actions":[]}}"#,
            r#"{"name":"ping","input":{}}"#,
            r#"{"name":"screenshot","input":{"_meta":{}}}"#,
            r#"["screenshot",{}]"#,
        ] {
            let failure = with("batch", &format!(r#"{{"actions":[{entry}]}}"#)).expect_err(entry);
            assert_eq!(failure.kind, ErrorKind::InvalidParams, "{entry}");
        }
    }

    #[test]
    fn batches_are_counted_at_their_edges() {
        let of = |count: usize| {
            let entries = vec![r#"{"name":"screenshot","input":{}}"#; count].join(",");
            with("batch", &format!(r#"{{"actions":[{entries}]}}"#)).map_err(|failure| failure.kind)
        };
        assert_eq!(of(0), Err(ErrorKind::OutOfRange));
        assert!(matches!(of(1), Ok(Call::Batch(actions)) if actions.len() == 1));
        assert!(matches!(of(100), Ok(Call::Batch(actions)) if actions.len() == 100));
        assert_eq!(of(101), Err(ErrorKind::OutOfRange));
    }

    #[test]
    fn an_error_in_parameters_names_method_and_field() {
        let failure = with("left_click", r#"{"coordinat":[1,1]}"#).expect_err("misspelt");
        assert!(failure.message.contains("left_click") && failure.message.contains("coordinat"), "{}", failure.message);
    }

    #[test]
    fn only_input_expects_a_window() {
        let meta = r#""_meta":{"expect_window":{"title":"a"}}"#;
        for (method, params, accepted) in [
            ("type", r#""text":"a","#, true),
            ("mouse_move", r#""coordinate":[1,1],"#, true),
            ("batch", r#""actions":[{"name":"screenshot"},{"name":"key","input":{"text":"a"}}],"#, true),
            ("batch", r#""actions":[{"name":"screenshot"}],"#, false),
            ("screenshot", "", false),
            ("wait", r#""duration":0,"#, false),
            ("ping", "", false),
        ] {
            let called = with(method, &format!("{{{params}{meta}}}")).map_err(|failure| failure.kind);
            assert_eq!(called.err(), (!accepted).then_some(ErrorKind::InvalidParams), "{method}");
        }
    }

    #[test]
    fn a_key_is_for_what_is_done() {
        let meta = r#""_meta":{"request_key":"k"}"#;
        for (method, params, accepted) in [
            ("left_click", "", true),
            ("batch", r#""actions":[{"name":"key","input":{"text":"a"}}],"#, true),
            ("screenshot", "", true),
            ("task.begin", "", true),
            ("usage.report", r#""model":"m","input_tokens":1,"output_tokens":1,"#, true),
            ("lease.acquire", "", true),
            ("ping", "", false),
            ("status", "", false),
            ("subscribe", r#""events":["frames"],"#, false),
            ("cancel", r#""id":1,"#, false),
        ] {
            let called = with(method, &format!("{{{params}{meta}}}")).map_err(|failure| failure.kind);
            assert_eq!(called.err(), (!accepted).then_some(ErrorKind::InvalidParams), "{method}");
        }
    }

    #[test]
    fn text_is_counted_in_characters_at_its_edge() {
        let of = |count: usize| with("type", &format!(r#"{{"text":"{}"}}"#, "漢".repeat(count)));
        assert!(of(16_384).is_ok());
        assert_eq!(of(16_385).expect_err("long").kind, ErrorKind::OutOfRange);
    }
}
