//! Input: from a gesture to its result.

use std::time::Instant;

use super::context::{Context, Written, microseconds};
use crate::{
    desktop::{
        failure::{InputCause, InputError},
        permit::Permit,
    },
    plan::{fit::Geometry, gesture::Gesture},
    protocol::{
        answer::{ActionResult, Timing},
        answer_text,
        error::{ErrorKind, Executed, Failure},
    },
};

/// Carries a gesture out, waits until the X server has it, and writes the result behind `text`.
///
/// # Errors
/// Why it failed and how far it got; what it pressed is released.
pub async fn perform(context: &Context<'_>, gesture: Gesture, mut text: String) -> Result<Written, Failure> {
    let meta = &context.job.prepared.meta;
    let permit = Permit {
        cancellation: context.job.cancellation.clone(),
        deadline: context.job.deadline(),
        expect_window: meta.expect_window.clone(),
        pace: meta.pace,
    };
    let waited = context.waited();
    let notches = match &gesture {
        Gesture::ScrollBy { notches, .. } => Some([notches.right, notches.down]),
        _ => None,
    };
    let handed = Instant::now();
    let performed = context.live.desktop.input().perform(gesture, permit).await;
    let performed = performed.map_err(|_| lost_thread())?.map_err(|error| failure(error, &context.geometry))?;
    let timing = Timing {
        queue_us: microseconds(waited + performed.queued),
        act_us: microseconds(handed.elapsed().saturating_sub(performed.queued)),
        ..Timing::default()
    };
    let result = ActionResult {
        output: None,
        notches,
        cursor: context.geometry.from_native(performed.pointer),
        frame: context.live.frame(),
        held: performed.held,
        timing,
    };
    answer_text::push_result(&mut text, &result, None);
    Ok(Written { text, attachment: None, timing })
}

/// A failure with the pointer's place in the session's coordinates.
fn failure(error: InputError, geometry: &Geometry) -> Failure {
    let pointer = match &error.cause {
        InputCause::PointerBlocked { at } => Some(geometry.from_native(*at)),
        _ => None,
    };
    let failure = Failure::from(error);
    match pointer {
        Some(at) => failure.with(|detail| detail.pointer = Some(at)),
        None => failure,
    }
}

/// The thread has ended with the request in its queue: the display went away meanwhile.
fn lost_thread() -> Failure {
    Failure::new(
        ErrorKind::DisplayLost,
        "the display was lost before the action ended; take a screenshot when it is back",
    )
    .executed(Executed::Unknown)
}
