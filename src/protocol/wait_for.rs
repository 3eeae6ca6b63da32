//! `wait_for`: until something on the screen changes, until nothing does any more, or until a window has come or gone.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::{ErrorKind, Failure},
    limits,
    units::{FrameId, Region},
    window::WindowMatch,
    wire::{self, Corners, Object, Whole},
};

/// The parameters of `wait_for`: exactly one of the three, and how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitForParams {
    /// Until a pixel is different.
    change: Option<Object<ChangeParams>>,
    /// Until no pixel has changed for a while.
    stable: Option<Object<StableParams>>,
    /// Until a window is there, or is there no more.
    window: Option<Object<AwaitedWindowParams>>,
    /// 1 to 300,000 milliseconds from the request on. When they are over, the answer says `met: false`.
    timeout_ms: Whole,
}

/// `change`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeParams {
    /// Only these pixels: `[x0, y0, x1, y1]` in the session's coordinates; the whole screen when absent.
    region: Option<Corners>,
    /// A change since this frame counts, too: when absent only one after the request. What had changed near the region before
    /// the request may count as a change in it; from the request on every single pixel is told apart.
    since: Option<FrameId>,
}

/// `stable`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StableParams {
    /// 1 to 5,000 milliseconds without a change, counted from the request on.
    quiet_ms: Whole,
    /// Only these pixels: `[x0, y0, x1, y1]` in the session's coordinates; the whole screen when absent.
    region: Option<Corners>,
}

/// `window`: a window by what it says of itself. All that is given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AwaitedWindowParams {
    /// The instance or the class of `WM_CLASS`; upper and lower case do not matter.
    class: Option<String>,
    /// A part of the title; upper and lower case do matter.
    title: Option<String>,
    /// Until there is no such window any more that can be seen. One that can is mapped and not all beside the screen; others may
    /// cover it.
    gone: Option<bool>,
}

/// Whether a window is to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// At least one such window can be seen.
    There,
    /// None can.
    Gone,
}

/// What is waited for. Regions are checked later, against the screen of that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A different pixel.
    Change {
        /// Where; everywhere when absent.
        region: Option<Region>,
        /// Different from this frame; when absent from the screen at the request.
        since: Option<FrameId>,
    },
    /// No different pixel.
    Stable {
        /// For so long.
        quiet: Duration,
        /// Where; everywhere when absent.
        region: Option<Region>,
    },
    /// A window.
    Window {
        /// Which.
        window: WindowMatch,
        /// What of it.
        presence: Presence,
    },
}

/// A checked [`WaitForParams`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitFor {
    /// What is waited for.
    pub awaited: Awaited,
    /// How long.
    pub timeout: Duration,
}

impl WaitFor {
    /// The part of the screen that the request names.
    pub const fn region(&self) -> Option<Region> {
        match self.awaited {
            Awaited::Change { region, .. } | Awaited::Stable { region, .. } => region,
            Awaited::Window { .. } => None,
        }
    }
}

impl WaitForParams {
    /// # Errors
    /// `invalid_params` where it is not one of the three or names no window, `out_of_range` for a time outside its range.
    pub(super) fn check(self) -> Result<WaitFor, Failure> {
        let timeout = wire::milliseconds("timeout_ms", self.timeout_ms, limits::WAIT_FOR_MS_MAX)?;
        let awaited = match (self.change, self.stable, self.window) {
            (Some(Object(ChangeParams { region, since })), None, None) => {
                Awaited::Change { region: region.map(Into::into), since }
            }
            (None, Some(Object(StableParams { quiet_ms, region })), None) => Awaited::Stable {
                quiet: wire::milliseconds("stable.quiet_ms", quiet_ms, limits::QUIET_MS_MAX)?,
                region: region.map(Into::into),
            },
            (None, None, Some(Object(AwaitedWindowParams { class, title, gone }))) => Awaited::Window {
                window: WindowMatch::new("window", class, title)?,
                presence: if gone == Some(true) { Presence::Gone } else { Presence::There },
            },
            (change, stable, window) => {
                let given = [change.is_some(), stable.is_some(), window.is_some()];
                let count = given.into_iter().filter(|given| *given).count();
                let message = format!("{count} of change, stable, window are given; give exactly one");
                return Err(Failure::new(ErrorKind::InvalidParams, message));
            }
        };
        Ok(WaitFor { awaited, timeout })
    }
}

/// What a wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was waited for is the case.
    Met,
    /// It was not within the time.
    TimedOut,
}

/// A wait that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// What it came to.
    pub outcome: Outcome,
    /// How long it took.
    pub time: Duration,
}

/// `wait_for` as it is answered; with `change` and `stable` the picture of that moment comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WaitForResult {
    /// Whether what was waited for is the case; `false` when the time was over.
    pub met: bool,
    /// Milliseconds since the request.
    pub waited_ms: u64,
    /// The frame of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<FrameId>,
}

impl WaitForResult {
    /// The answer to a wait.
    pub fn new(waited: Waited, frame: Option<FrameId>) -> Self {
        Self {
            met: waited.outcome == Outcome::Met,
            waited_ms: u64::try_from(waited.time.as_millis()).unwrap_or(u64::MAX),
            frame,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(value: Value) -> Result<WaitFor, ErrorKind> {
        let params: Result<Object<WaitForParams>, Failure> = wire::read(value);
        params.and_then(|Object(params)| params.check()).map_err(|failure| failure.kind)
    }

    #[test]
    fn exactly_one_of_the_three_is_taken() {
        let since = FrameId { epoch: 1, serial: 7 };
        let change = check(json!({"change": {"since": "1-7"}, "stable": null, "timeout_ms": 5})).unwrap();
        assert_eq!(change.awaited, Awaited::Change { region: None, since: Some(since) });
        let stable = check(json!({"stable": {"quiet_ms": 9, "region": [1, 2, 3, 4]}, "timeout_ms": 5.0})).unwrap();
        assert_eq!((stable.timeout, stable.region().map(|region| region.y1)), (Duration::from_millis(5), Some(4)));
        for (gone, presence) in
            [(json!(null), Presence::There), (json!(false), Presence::There), (json!(true), Presence::Gone)]
        {
            let window = check(json!({"window": {"class": "a", "gone": gone}, "timeout_ms": 5})).unwrap();
            assert!(matches!(window.awaited, Awaited::Window { presence: found, .. } if found == presence));
        }
        for wrong in [
            json!({"timeout_ms": 5}),
            json!({"change": {}, "stable": {"quiet_ms": 5}, "timeout_ms": 5}),
            json!({"change": {}, "window": {"class": "a"}, "timeout_ms": 5}),
            json!({"change": {}}),
            json!({"change": [], "timeout_ms": 5}),
            json!({"change": {"since": "x"}, "timeout_ms": 5}),
            json!({"change": {"quiet_ms": 5}, "timeout_ms": 5}),
            json!({"stable": {}, "timeout_ms": 5}),
            json!({"window": {}, "timeout_ms": 5}),
            json!({"window": {"gone": true}, "timeout_ms": 5}),
            json!({"window": {"title": ""}, "timeout_ms": 5}),
            json!({"window": {"id": 5}, "timeout_ms": 5}),
            json!({"change": {}, "timeout_ms": 1.5}),
            json!({"change": {}, "timeout_ms": null}),
        ] {
            assert_eq!(check(wrong.clone()), Err(ErrorKind::InvalidParams), "{wrong}");
        }
    }

    #[test]
    fn times_are_checked_at_their_edges() {
        let timeout = |value: i64| check(json!({"change": {}, "timeout_ms": value}));
        let quiet = |value: i64| check(json!({"stable": {"quiet_ms": value}, "timeout_ms": 1}));
        assert!(timeout(1).is_ok() && timeout(300_000).is_ok());
        assert!(quiet(1).is_ok() && quiet(5_000).is_ok());
        for wrong in [timeout(0), timeout(300_001), timeout(-1), quiet(0), quiet(5_001)] {
            assert_eq!(wrong, Err(ErrorKind::OutOfRange));
        }
    }
}
