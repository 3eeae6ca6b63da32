//! One action, on its own or out of a batch.

use super::{
    act,
    context::{Context, Written},
    information,
    look::{self, View},
    observation::Scope,
};
use crate::{
    plan::resolve::{self, Look, Resolved},
    protocol::{action::Action, error::Failure},
};

/// Carries one action out and writes its result behind `text`.
///
/// # Errors
/// Why it failed; the text is gone then.
pub async fn result(context: &Context<'_>, action: &Action, scope: Scope, text: String) -> Result<Written, Failure> {
    let written = carry_out(context, action, scope, text).await;
    match &written {
        Ok(written) => context.engine.metrics.went_through(&written.timing),
        // Where it is the request, that is counted as one.
        Err(failure) if scope == Scope::InBatch => context.engine.metrics.failed(failure.kind),
        Err(_) => {}
    }
    written
}

async fn carry_out(context: &Context<'_>, action: &Action, scope: Scope, text: String) -> Result<Written, Failure> {
    context.check()?;
    match resolve::resolve(action, &context.geometry, context.engine.notch)? {
        Resolved::Act(gesture) => act::perform(context, gesture, scope, text).await,
        Resolved::Look(Look::CursorPosition) => information::cursor_position(context, text).await,
        Resolved::Look(Look::Screenshot) => look::picture(context, View::Screen, scope, text).await,
        Resolved::Look(Look::Zoom(target)) => look::picture(context, View::Part(target), scope, text).await,
    }
}
