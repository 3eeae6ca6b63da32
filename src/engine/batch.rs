//! Several actions in one request: all validated before the first runs, in order, stopping at the first failure.

use serde::Serialize;

use super::{
    act,
    action::{self, Named},
    context::{Context, Written},
    look::{self, Acted},
    observation::{self, Scope},
    outcome::Reply,
};
use crate::protocol::{
    action::Action,
    answer::{Held, Timing},
    answer_text, call,
    error::{ErrorKind, Failure},
    units::FrameId,
};

/// What the actions after a failed one are answered with, word for word by the contract.
const NOT_EXECUTED: &str = "Not executed: an earlier computer action in this turn failed.";

/// The members of a batch's result that follow `results`.
#[derive(Serialize)]
struct BatchResult {
    frame: FrameId,
    held: Held,
    timing: Timing,
}

/// Runs a batch.
///
/// # Errors
/// What is wrong with one of the actions, with `data.index`: nothing ran then.
pub async fn run(context: &Context<'_>, actions: &[Action]) -> Result<Reply, Failure> {
    for (action, index) in actions.iter().zip(0..) {
        action::resolve(context, action).map_err(|failure| call::indexed(failure, "its input", index))?;
    }
    let wait = observation::asked(context)?;
    act::announce(context, wait.is_some(), false).await?;
    let mut reply = Reply::text(answer_text::begin_result(&context.job.prepared.id));
    reply.text.end().push_str(r#"{"results":["#);
    let mut total = Timing::default();
    let mut failed = false;
    let named = actions.iter().zip(&context.job.prepared.members).map(|(action, name)| Named { name, action });
    for (index, named) in named.enumerate() {
        if index > 0 {
            reply.text.end().push(',');
        }
        let outcome = if failed {
            Err(Failure::new(ErrorKind::NotExecuted, NOT_EXECUTED))
        } else {
            action::result(context, named, Scope::InBatch, r#"{"result":"#.to_owned()).await
        };
        match outcome {
            Ok(Written { text, attachment, timing, .. }) => {
                reply.text.append(text);
                reply.attachments.extend(attachment);
                add(&mut total, timing);
            }
            Err(failure) => {
                failed = true;
                reply.text.end().push_str(r#"{"error":"#);
                answer_text::push_error(reply.text.end(), &failure);
            }
        }
        reply.text.end().push('}');
    }
    reply.text.end().push(']');
    if let Some(wait) = wait {
        reply.text.end().push_str(r#","observation":"#);
        // What the actions did stays done, whatever becomes of the look at it.
        match look::effect(context, wait, Acted::default(), String::new()).await {
            Ok(Written { text, attachment, timing, .. }) => {
                context.engine.metrics.went_through(&timing);
                reply.text.append(text);
                reply.attachments.extend(attachment);
                add(&mut total, timing);
            }
            Err(failure) => {
                context.engine.metrics.failed(failure.kind);
                reply.text.end().push_str(r#"{"error":"#);
                answer_text::push_error(reply.text.end(), &failure);
                reply.text.end().push('}');
            }
        }
    }
    let held = context.live.desktop.input().held();
    answer_text::extend_object(reply.text.end(), &BatchResult { frame: context.live.frame(), held, timing: total });
    reply.text.end().push('}');
    Ok(reply)
}

fn add(total: &mut Timing, one: Timing) {
    total.queue_us += one.queue_us;
    total.act_us += one.act_us;
    total.settle_us += one.settle_us;
    total.capture_us += one.capture_us;
    total.encode_us += one.encode_us;
}
