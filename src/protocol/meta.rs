//! `params._meta`: what Deskhand adds to a model's own tool input.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    encoding::{Encoding, ImageFormat, Preset},
    error::{ErrorKind, Failure},
    limits,
    observe::{ObserveParams, Observing},
    request_key::{Fingerprint, RequestKey},
    units::{FrameId, Milliseconds, Region},
    window::{WindowMatch, WindowParams},
    wire::{self, Corners, Object, Whole},
};

/// The older single tools whose action lists and fields `computer` follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ToolVersion {
    /// Ten actions; clicks at the pointer's place only.
    #[serde(rename = "computer_20241022")]
    Computer20241022,
    /// Adds scrolling, holding, waiting, triple clicks and places for clicks.
    #[serde(rename = "computer_20250124")]
    Computer20250124,
    /// Adds zoom.
    #[default]
    #[serde(rename = "computer_20251124")]
    Computer20251124,
}

/// What is on the wire. Every key of the contract is here, so that a key of a later version is told apart from a mistake.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "`observe: null` means off, no `observe` means the session's default")]
pub struct MetaParams {
    /// Runs at most once per user.
    request_key: Option<RequestKey>,
    /// The start of the server that the key belongs to.
    boot: Option<String>,
    /// Wait until the screen has settled; null: do not.
    #[serde(default, deserialize_with = "wire::present")]
    observe: Option<Option<Object<ObserveParams>>>,
    /// 1 to 600,000 milliseconds for the whole request.
    deadline_ms: Option<Whole>,
    /// Send no picture when this is still the frame, or when the region still looks as it did then.
    if_changed: Option<IfChangedParams>,
    /// `png` when absent.
    format: Option<ImageFormat>,
    /// 1 to 100, for jpeg; 85 when absent.
    quality: Option<Whole>,
    /// For png; `fast` when absent.
    preset: Option<Preset>,
    /// Draw the pointer into the picture.
    cursor: Option<bool>,
    /// The window that must get the input. It is looked at before each action that sends any, also in a batch: for the
    /// pointer the window at the action's place (of a drag, where it begins; without a place, where the pointer is), for keys
    /// and text the one with the focus. Another one is `target_mismatch`, and nothing of that action is sent. Methods that
    /// send no input refuse it; the waiting and looking actions of a batch are not checked.
    expect_window: Option<Object<WindowParams>>,
    /// 1 to 1,000 milliseconds between the characters of a text, for applications that cannot keep up; none when absent.
    pace_ms: Option<Whole>,
    /// The older tool that `computer` follows.
    tool: Option<ToolVersion>,
}

/// `if_changed`: a frame, or a frame and a region.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a frame such as `1-42`, or an object with a frame and a region [x0, y0, x1, y1]"
)]
enum IfChangedParams {
    /// The whole picture.
    Frame(FrameId),
    /// A part of it: pixels nearby that have changed may count as well, never fewer than those of the region.
    Region(Object<RegionChanged>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RegionChanged {
    /// The frame that the client has.
    frame: FrameId,
    /// In the session's coordinates, as for `zoom`.
    region: Corners,
}

/// Which picture the client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfChanged {
    /// Its frame.
    pub frame: FrameId,
    /// The part of it that matters, not yet checked against a screen; `None`: all of it.
    pub region: Option<Region>,
}

impl From<IfChangedParams> for IfChanged {
    fn from(params: IfChangedParams) -> Self {
        match params {
            IfChangedParams::Frame(frame) => Self { frame, region: None },
            IfChangedParams::Region(Object(RegionChanged { frame, region })) => {
                Self { frame, region: Some(region.into()) }
            }
        }
    }
}

/// Whether the pointer is drawn into a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CursorDrawing {
    /// Left out.
    #[default]
    Without,
    /// Drawn where it is.
    With,
}

/// What a request says about itself, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The request is cancelled when it takes longer.
    pub deadline: Option<Duration>,
    /// No picture is sent when the client has it.
    pub if_changed: Option<IfChanged>,
    /// How pictures are encoded.
    pub encoding: Encoding,
    /// Whether the pointer is drawn.
    pub cursor: CursorDrawing,
    /// How to wait for what the action does, or has done.
    pub observe: Observing,
    /// The window that must get the input; shared, because every action of a batch carries it.
    pub expect_window: Option<Arc<WindowMatch>>,
    /// A pause after each character but the last.
    pub pace: Option<Milliseconds>,
    /// The older tool that `computer` follows.
    pub tool: ToolVersion,
    /// What makes the request run at most once.
    pub request_key: Option<Keyed>,
}

/// A request that runs at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// Its key.
    pub key: RequestKey,
    /// The start of the server that the client knows.
    pub boot: Option<String>,
    /// What was asked for under the key.
    pub fingerprint: Fingerprint,
}

impl Meta {
    /// The keys that this version acts on, for `initialize`.
    pub const SUPPORTED: &'static [&'static str] = &[
        "request_key",
        "boot",
        "observe",
        "deadline_ms",
        "if_changed",
        "format",
        "quality",
        "preset",
        "cursor",
        "expect_window",
        "pace_ms",
        "tool",
    ];

    /// Takes `_meta` out of a request's parameters.
    ///
    /// # Errors
    /// `invalid_params` for a wrong shape or an unknown key, `out_of_range` for a wrong number, `unsupported` for a key or
    /// value of the contract that this version does not have yet.
    pub fn take(params: &mut Map<String, Value>) -> Result<Self, Failure> {
        let Some(value) = params.remove("_meta").filter(|value| !value.is_null()) else {
            return Ok(Self::default());
        };
        let read: Result<Object<MetaParams>, Failure> = wire::read(value);
        let Object(meta) = read.map_err(|mut failure| {
            failure.message.insert_str(0, "_meta: ");
            failure
        })?;
        meta.check()
    }
}

fn pace(value: Whole) -> Result<Milliseconds, Failure> {
    let pace = wire::milliseconds("pace_ms", value, limits::PACE_MS_MAX)?;
    Ok(Milliseconds(u32::try_from(pace.as_millis()).unwrap_or(limits::PACE_MS_MAX)))
}

impl MetaParams {
    fn check(self) -> Result<Meta, Failure> {
        if self.boot.is_some() && self.request_key.is_none() {
            let message = "_meta: boot belongs to a request_key; give both or none";
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        Ok(Meta {
            deadline: self
                .deadline_ms
                .map(|value| wire::milliseconds("deadline_ms", value, limits::DEADLINE_MS_MAX))
                .transpose()?,
            if_changed: self.if_changed.map(IfChanged::from),
            encoding: Encoding::new(self.format, self.quality, self.preset)?,
            cursor: if self.cursor == Some(true) { CursorDrawing::With } else { CursorDrawing::Without },
            observe: Observing::check(self.observe)?,
            expect_window: self.expect_window.map(|Object(window)| window.check().map(Arc::new)).transpose()?,
            pace: self.pace_ms.map(pace).transpose()?,
            tool: self.tool.unwrap_or_default(),
            request_key: self.request_key.map(|key| Keyed {
                key,
                boot: self.boot,
                fingerprint: Fingerprint::default(),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn take(meta: &Value) -> Result<Meta, Failure> {
        let Value::Object(mut params) = json!({ "_meta": meta, "kept": 1 }) else { unreachable!("an object") };
        let taken = Meta::take(&mut params);
        assert_eq!(Value::Object(params), json!({"kept": 1}), "_meta is taken out and nothing else");
        taken
    }

    #[test]
    fn null_is_absent_except_for_observe() {
        assert_eq!(take(&json!(null)), Ok(Meta::default()));
        assert_eq!(take(&json!({"deadline_ms": null, "cursor": null, "tool": null})), Ok(Meta::default()));
        assert_eq!(take(&json!({"observe": null})).map(|meta| meta.observe), Ok(Observing::Off));
    }

    #[test]
    fn deadlines_are_checked_at_their_edges() {
        let deadline = |value: i64| take(&json!({ "deadline_ms": value })).map(|meta| meta.deadline);
        assert_eq!(deadline(1), Ok(Some(Duration::from_millis(1))));
        assert_eq!(deadline(600_000), Ok(Some(Duration::from_secs(600))));
        for wrong in [0, 600_001, -1] {
            assert_eq!(deadline(wrong).expect_err("range").kind, ErrorKind::OutOfRange);
        }
    }

    #[test]
    fn a_pace_is_checked_at_its_edges() {
        let pace = |value: i64| take(&json!({ "pace_ms": value })).map(|meta| meta.pace);
        assert_eq!(pace(1), Ok(Some(Milliseconds(1))));
        assert_eq!(pace(1000), Ok(Some(Milliseconds(1000))));
        for wrong in [0, 1001, -1] {
            assert_eq!(pace(wrong).expect_err("range").kind, ErrorKind::OutOfRange);
        }
        assert_eq!(take(&json!({"pace_ms": null, "expect_window": null})), Ok(Meta::default()));
    }

    #[test]
    fn formats_and_regions_are_read() {
        let read = |meta: Value| take(&meta).expect("right");
        assert_eq!(read(json!({"format": "webp"})).encoding, Encoding::Webp);
        assert_eq!(read(json!({"format": "png", "preset": "compact"})).encoding, Encoding::Png(Preset::Compact));
        assert_eq!(read(json!({"format": null, "quality": null, "preset": null})), Meta::default());
        let frame = FrameId { epoch: 1, serial: 2 };
        assert_eq!(read(json!({"if_changed": "1-2"})).if_changed, Some(IfChanged { frame, region: None }));
        let region = Region { x0: 0, y0: 1, x1: 2, y1: 3 };
        let given = json!({"if_changed": {"frame": "1-2", "region": [0, 1, 2, 3]}});
        assert_eq!(read(given).if_changed, Some(IfChanged { frame, region: Some(region) }));
        for wrong in [0, 101] {
            let kind = take(&json!({"format": "jpeg", "quality": wrong})).expect_err("range").kind;
            assert_eq!(kind, ErrorKind::OutOfRange);
        }
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_mistakes() {
        for wrong in [
            json!({"x": 1}),
            json!({"boot": "b"}),
            json!({"request_key": ""}),
            json!({"request_key": 1}),
            json!([]),
            json!("a"),
            json!({"format": "gif"}),
            json!({"format": "JPEG"}),
            json!({"quality": 85}),
            json!({"format": "jpeg", "quality": 85.5}),
            json!({"format": "jpeg", "preset": "fast"}),
            json!({"preset": "small"}),
            json!({"if_changed": "1"}),
            json!({"if_changed": {"frame": "1-2"}}),
            json!({"if_changed": {"region": [0, 0, 1, 1]}}),
            json!({"if_changed": {"frame": "1-2", "region": [0, 0, 1]}}),
            json!({"cursor": 1}),
            json!({"observe": true}),
            json!({"observe": {"x": 1}}),
        ] {
            assert_eq!(take(&wrong).expect_err("wrong").kind, ErrorKind::InvalidParams, "{wrong}");
        }
    }
}
