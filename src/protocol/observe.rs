//! `observe`: waiting by evidence until the screen has settled. What can be asked for, and what it came to.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::{ErrorKind, Failure},
    limits,
    units::Region,
    wire::{self, Corners, Object, Whole},
};

/// What must happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Anything or nothing.
    #[default]
    #[serde(skip)]
    Anything,
    /// A first change, up to the time-out: for reactions that leave no trace before they show, such as a timer's.
    Change,
}

/// `observe` on the wire.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObserveParams {
    /// `change`: waits for a first change up to the time-out.
    expect: Option<Expect>,
    /// 0 to 10,000 milliseconds without any sign of a reaction after which nothing will come; 250 when absent.
    react_ms: Option<Whole>,
    /// 0 to 5,000 milliseconds without a change after which a reaction is over; when absent 64, and 100 where an application
    /// has received data from the network.
    quiet_ms: Option<Whole>,
    /// 1 to 60,000 milliseconds for all of it; 3,000 when absent.
    timeout_ms: Option<Whole>,
    /// Only what changes here counts: `[x0, y0, x1, y1]` in the session's coordinates.
    region: Option<Corners>,
    /// What changes here does not count: at most 64 regions.
    ignore: Option<Vec<Corners>>,
    /// Whether the answer has the picture; it has when absent.
    image: Option<bool>,
}

/// Whether the answer has the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObservedImage {
    /// It has.
    #[default]
    Sent,
    /// It only says how the screen settled.
    LeftOut,
}

/// How to wait, checked. Regions are checked later, against the screen of that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observe {
    /// What must happen.
    pub expect: Expect,
    /// How long nothing may happen before nothing will.
    pub react: Duration,
    /// How long nothing more may happen before the reaction is over; `None` leaves that to the evidence.
    pub quiet: Option<Duration>,
    /// How long all of it may take.
    pub timeout: Duration,
    /// The part of the screen that counts; all of it when absent.
    pub region: Option<Region>,
    /// Parts that do not count.
    pub ignore: Vec<Region>,
    /// Whether the answer has the picture.
    pub image: ObservedImage,
}

/// 98 % of the reactions that leave evidence show it within this time (1,415 trials; DESIGN, "Settle").
const REACT: Duration = Duration::from_millis(250);
/// Longer than the work of a slow page, shorter than the patience of whoever waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);

impl Default for Observe {
    fn default() -> Self {
        Self {
            expect: Expect::Anything,
            react: REACT,
            quiet: None,
            timeout: TIMEOUT,
            region: None,
            ignore: Vec::new(),
            image: ObservedImage::Sent,
        }
    }
}

impl ObserveParams {
    /// # Errors
    /// `out_of_range` for a time or a number of regions outside its range.
    pub(super) fn check(self) -> Result<Observe, Failure> {
        let within = |name: &str, value: Option<Whole>, range: std::ops::RangeInclusive<u32>| {
            value.map(|value| wire::milliseconds_in(&format!("observe.{name}"), value, range)).transpose()
        };
        let defaults = Observe::default();
        let ignore = self.ignore.unwrap_or_default();
        if ignore.len() > limits::OBSERVE_IGNORED_REGIONS {
            let range = format!("0..={}", limits::OBSERVE_IGNORED_REGIONS);
            return Err(wire::out_of_range("regions in observe.ignore", ignore.len(), &range));
        }
        Ok(Observe {
            expect: self.expect.unwrap_or_default(),
            react: within("react_ms", self.react_ms, 0..=limits::REACT_MS_MAX)?.unwrap_or(defaults.react),
            quiet: within("quiet_ms", self.quiet_ms, 0..=limits::QUIET_MS_MAX)?,
            timeout: within("timeout_ms", self.timeout_ms, 1..=limits::SETTLE_MS_MAX)?.unwrap_or(defaults.timeout),
            region: self.region.map(Into::into),
            ignore: ignore.into_iter().map(Into::into).collect(),
            image: if self.image == Some(false) { ObservedImage::LeftOut } else { ObservedImage::Sent },
        })
    }
}

/// What a request or a session says about waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Observing {
    /// Nothing: what holds otherwise.
    #[default]
    Unsaid,
    /// `null`: do not wait.
    Off,
    /// Wait like this.
    On(Observe),
}

impl Observing {
    /// Reads a member whose `null` is not the same as its absence.
    ///
    /// # Errors
    /// As for [`ObserveParams::check`].
    #[allow(
        clippy::option_option,
        reason = "the outer one is whether the member is there, the inner one whether it is null"
    )]
    pub(super) fn check(member: Option<Option<Object<ObserveParams>>>) -> Result<Self, Failure> {
        Ok(match member {
            None => Self::Unsaid,
            Some(None) => Self::Off,
            Some(Some(Object(params))) => Self::On(params.check()?),
        })
    }
}

/// Why the wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettleReason {
    /// Something changed, and then nothing more.
    Quiet,
    /// Nothing changed.
    Unchanged,
    /// The screen had not settled within the time.
    Timeout,
}

/// `settled` in a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Settled {
    /// Why the wait is over.
    pub reason: SettleReason,
    /// Milliseconds since the action that was waited for.
    pub waited_ms: u64,
}

/// The failure of a method that has nothing to observe.
pub(super) fn not_observable(method: &str) -> Failure {
    let message = format!(
        "_meta: observe waits until the screen has settled, which {method} has nothing to do with; leave it out"
    );
    Failure::new(ErrorKind::InvalidParams, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(value: Value) -> Result<Observe, ErrorKind> {
        let params: Result<Object<ObserveParams>, Failure> = wire::read(value);
        params.and_then(|Object(params)| params.check()).map_err(|failure| failure.kind)
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        assert_eq!(check(json!({})), Ok(Observe::default()));
        assert_eq!(check(json!({"expect": null, "react_ms": null, "image": true})), Ok(Observe::default()));
    }

    #[test]
    fn times_are_checked_at_their_edges() {
        for (name, least, most) in [("react_ms", 0, 10_000), ("quiet_ms", 0, 5_000), ("timeout_ms", 1, 60_000)] {
            assert!(check(json!({ name: least })).is_ok(), "{name}");
            assert!(check(json!({ name: most })).is_ok(), "{name}");
            assert_eq!(check(json!({ name: least - 1 })), Err(ErrorKind::OutOfRange), "{name}");
            assert_eq!(check(json!({ name: most + 1 })), Err(ErrorKind::OutOfRange), "{name}");
        }
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for wrong in [
            json!({"expect": "anything"}),
            json!({"expect": "nothing"}),
            json!({"quiet": 1}),
            json!({"quiet_ms": 1.5}),
            json!({"region": [1, 2, 3]}),
            json!({"ignore": [1, 2, 3, 4]}),
            json!({"image": 1}),
            json!([]),
        ] {
            assert_eq!(check(wrong.clone()), Err(ErrorKind::InvalidParams), "{wrong}");
        }
        let many = |count: usize| check(json!({ "ignore": vec![[0, 0, 1, 1]; count] }));
        assert!(many(64).is_ok());
        assert_eq!(many(65), Err(ErrorKind::OutOfRange));
    }
}
