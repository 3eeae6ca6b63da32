//! What an action is followed by: how long its effect on the screen is waited for, and whose wish that is.

use std::time::Instant;

use super::{client::Client, context::Context};
use crate::{
    desktop::settle::{area::Area, judge::Rules},
    plan::fit::Geometry,
    protocol::{
        error::Failure,
        observe::{Observe, ObservedImage, Observing},
        units::NativeRegion,
    },
};

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// It is the request.
    Alone,
    /// It is one of a batch, at whose end the request's own wish is fulfilled.
    InBatch,
}

/// A wait that was checked against the screen.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What must be the case.
    pub rules: Rules,
    /// Where changes count.
    pub area: Area,
    /// Whether the answer has the picture.
    pub image: ObservedImage,
}

impl Wait {
    fn new(observe: &Observe, geometry: &Geometry) -> Result<Self, Failure> {
        let native = |region| -> Result<NativeRegion, Failure> { Ok(geometry.zoom_region(region)?.native) };
        let region = observe.region.map(native).transpose()?;
        let ignore = observe.ignore.iter().copied().map(native).collect::<Result<_, _>>()?;
        let Observe { expect, react, quiet, timeout, image, .. } = *observe;
        Ok(Self { rules: Rules { expect, react, quiet, timeout }, area: Area::new(region, ignore), image })
    }
}

/// The wait that the request itself asks for.
///
/// # Errors
/// `out_of_range` for a region outside the screen.
pub fn asked(context: &Context<'_>) -> Result<Option<Wait>, Failure> {
    match &context.job.prepared.meta.observe {
        Observing::On(observe) => Wait::new(observe, &context.geometry).map(Some),
        Observing::Off | Observing::Unsaid => Ok(None),
    }
}

/// The wait of an action at its place in the request.
///
/// # Errors
/// As for [`asked`].
pub fn after_action(context: &Context<'_>, scope: Scope) -> Result<Option<Wait>, Failure> {
    match scope {
        Scope::Alone => asked(context),
        Scope::InBatch => Ok(None),
    }
}

/// The wait before a picture, and the end of the action that it is for: the session's last one that no picture has followed
/// yet. A picture that asks for a wait by itself waits from now on where there is no such action.
///
/// # Errors
/// As for [`asked`].
pub fn before_picture(context: &Context<'_>, scope: Scope) -> Result<Option<(Wait, Since)>, Failure> {
    let unsettled = context.client.unsettled(context.live.epoch).map(Since::Action);
    let defaults = context.client.options().observe;
    let (observe, since) = match (&context.job.prepared.meta.observe, scope) {
        (Observing::Off, _) => return Ok(None),
        (Observing::On(observe), Scope::Alone) => (observe, unsettled.unwrap_or_else(|| Since::Now(Instant::now()))),
        (Observing::On(_), Scope::InBatch) | (Observing::Unsaid, _) => match (&defaults, unsettled) {
            (_, None) | (Observing::Off, _) => return Ok(None),
            (Observing::On(observe), Some(since)) => (observe, since),
            (Observing::Unsaid, Some(since)) => (&Observe::default(), since),
        },
    };
    Ok(Some((Wait::new(observe, &context.geometry)?, since)))
}

/// Since when a wait waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The end of an action.
    Action(Instant),
    /// This moment, because nobody has acted.
    Now(Instant),
}

impl Since {
    /// The moment.
    pub const fn moment(self) -> Instant {
        match self {
            Self::Action(at) | Self::Now(at) => at,
        }
    }
}

/// Whether pictures of this session will want to know when its actions began.
pub fn follows_actions(client: &Client) -> bool {
    client.options().observe != Observing::Off
}
