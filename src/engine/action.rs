//! One action, on its own or out of a batch.

use super::{
    act::{self, Conditions},
    confirm,
    context::{Context, Written},
    information,
    look::{self, View},
    observation::Scope,
    secrets,
};
use crate::{
    plan::resolve::{self, Look, Resolved},
    protocol::{action::Action, error::Failure},
    session::policy,
};

/// What an action means on this screen, which the policy must allow there.
///
/// # Errors
/// What is wrong with it, or `forbidden`.
pub fn resolve(context: &Context<'_>, action: &Action) -> Result<Resolved, Failure> {
    let resolved = resolve::resolve(action, &context.geometry, context.engine.notch)?;
    if let (Resolved::Act(gesture), Some(bounds)) =
        (&resolved, context.engine.policy.as_ref().and_then(|policy| policy.bounds()))
    {
        bounds.places(gesture).map_err(policy::out_of_bounds)?;
    }
    if let Resolved::Secret(name) = &resolved {
        secrets::check(context, name)?;
    }
    Ok(resolved)
}

/// An action with the name of the method that asks for it, of which several mean the same.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The method, of a batch or an older tool the member of the toolset.
    pub name: &'static str,
    /// What it asks for.
    pub action: &'a Action,
}

/// Carries one action out and writes its result behind `text`.
///
/// # Errors
/// Why it failed; the text is gone then.
pub async fn result(context: &Context<'_>, named: Named<'_>, scope: Scope, text: String) -> Result<Written, Failure> {
    let written = carry_out(context, named, scope, text).await;
    match &written {
        Ok(written) => context.engine.metrics.went_through(&written.timing),
        // Where it is the request, that is counted as one.
        Err(failure) if scope == Scope::InBatch => context.engine.metrics.failed(failure.kind),
        Err(_) => {}
    }
    written
}

async fn carry_out(context: &Context<'_>, named: Named<'_>, scope: Scope, text: String) -> Result<Written, Failure> {
    context.check()?;
    let resolved = resolve(context, named.action)?;
    let windows = confirm::action(context, named, &resolved).await?;
    match resolved {
        Resolved::Act(gesture) => {
            act::perform(context, gesture, Conditions { windows, secret: None }, scope, text).await
        }
        Resolved::Secret(name) => secrets::perform(context, &name, windows, scope, text).await,
        Resolved::Look(Look::CursorPosition) => information::cursor_position(context, text).await,
        Resolved::Look(Look::Screenshot) => look::picture(context, View::Screen, scope, text).await,
        Resolved::Look(Look::Zoom(target)) => look::picture(context, View::Part(target), scope, text).await,
    }
}
