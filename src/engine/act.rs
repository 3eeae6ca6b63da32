//! Input: from a gesture to its result.

use std::{sync::Arc, time::Instant};

use super::{
    context::{Context, Written, microseconds},
    look::{self, Acted},
    observation::{self, Scope},
    secrets,
};
use crate::{
    desktop::{
        failure::{InputCause, InputError},
        permit::{Permit, SecretPermit},
    },
    plan::{fit::Geometry, gesture::Gesture},
    protocol::{
        answer::{ActionResult, Timing},
        answer_text,
        error::{ErrorKind, Executed, Failure},
        message::MessageText,
        observe::ObservedImage,
        policy::WindowRules,
    },
    session::policy::Rulebook,
};

/// What an action depends on beside its request.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The policy's rules about windows.
    pub windows: Option<Arc<WindowRules>>,
    /// What a secret needs.
    pub secret: Option<SecretPermit>,
}

/// Carries a gesture out, waits until the X server has it and, where that was asked for, until the screen has settled, and writes
/// the result behind `text`.
///
/// # Errors
/// Why it failed and how far it got; what it pressed is released.
pub async fn perform(
    context: &Context<'_>,
    gesture: Gesture,
    conditions: Conditions,
    scope: Scope,
    text: String,
) -> Result<Written, Failure> {
    let wait = observation::after_action(context, scope)?;
    if wait.as_ref().is_some_and(|wait| wait.image == ObservedImage::Sent) {
        secrets::expect_picture(context.engine, conditions.secret.as_ref())?;
    }
    let is_action = !matches!(gesture, Gesture::Wait(_));
    let notches = match &gesture {
        Gesture::ScrollBy { notches, .. } => Some([notches.right, notches.down]),
        _ => None,
    };
    announce(context, wait.is_some(), is_action).await?;
    let waited = context.waited();
    let handed = Instant::now();
    let performed = context.live.desktop.input().perform(gesture, permit(context, conditions)).await;
    let performed = performed.map_err(|_| lost_thread())?.map_err(|error| failure(error, &context.geometry));
    if is_action && !matches!(&performed, Err(failure) if failure.executed == Executed::No) {
        context.client.acted(context.live.epoch);
    }
    let performed = performed?;
    let timing = Timing {
        queue_us: microseconds(waited + performed.queued),
        act_us: microseconds(handed.elapsed().saturating_sub(performed.queued)),
        ..Timing::default()
    };
    if let Some(wait) = wait {
        let observed = look::effect(context, wait, Acted { notches, timing }, text).await;
        return observed.map_err(|failure| failure.executed(Executed::Yes));
    }
    let result = ActionResult {
        output: None,
        notches,
        cursor: context.geometry.from_native(performed.pointer),
        frame: context.live.frame(),
        held: performed.held,
        timing,
        settled: None,
    };
    let mut text = MessageText::from(text);
    answer_text::push_result(&mut text, &result, None);
    Ok(Written { text, attachment: None, image_bytes: 0, timing })
}

/// Says that an action begins, so that its effect on the screen can be told from what is there. Where the effect is waited for,
/// everything is looked at first; else the action does not wait for that.
pub async fn announce(context: &Context<'_>, is_observed: bool, is_action: bool) -> Result<(), Failure> {
    let capture = context.live.desktop.capture();
    if is_observed {
        return context.wait_for(capture.before_action()).await;
    }
    if is_action && observation::follows_actions(context.client) {
        capture.action_begins();
    }
    Ok(())
}

fn permit(context: &Context<'_>, Conditions { windows, secret }: Conditions) -> Permit {
    let (meta, policy) = (&context.job.prepared.meta, context.engine.policy.as_deref());
    Permit {
        cancellation: context.job.cancellation.clone(),
        deadline: context.job.deadline(),
        expect_window: meta.expect_window.clone(),
        windows,
        secret,
        view: context.engine.secrets.curtain.standing().view,
        bounds: policy.and_then(Rulebook::bounds).cloned(),
        pace: meta.pace,
    }
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
