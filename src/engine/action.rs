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
    context.check()?;
    match resolve::resolve(action, &context.geometry, context.engine.notch)? {
        Resolved::Act(gesture) => act::perform(context, gesture, scope, text).await,
        Resolved::Look(Look::CursorPosition) => information::cursor_position(context, text).await,
        Resolved::Look(Look::Screenshot) => look::picture(context, View::Screen, scope, text).await,
        Resolved::Look(Look::Zoom(target)) => look::picture(context, View::Part(target), scope, text).await,
    }
}
