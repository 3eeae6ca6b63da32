//! `params._meta`: what Deskhand adds to a model's own tool input.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    error::{ErrorKind, Failure},
    limits,
    observe::{ObserveParams, Observing},
    units::{FrameId, Milliseconds},
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

/// How a picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// Lossless.
    Png,
    /// With a quality.
    Jpeg,
    /// Lossless.
    Webp,
}

/// What PNG encoding prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Time.
    Fast,
    /// Bytes.
    Compact,
}

/// What is on the wire. Every key of the contract is here, so that a key of a later version is told apart from a mistake.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "`observe: null` means off, no `observe` means the session's default")]
pub struct MetaParams {
    /// Runs at most once per user.
    request_key: Option<Value>,
    /// The start of the server that the key belongs to.
    boot: Option<Value>,
    /// Wait until the screen has settled; null: do not.
    #[serde(default, deserialize_with = "wire::present")]
    observe: Option<Option<Object<ObserveParams>>>,
    /// 1 to 600,000 milliseconds for the whole request.
    deadline_ms: Option<Whole>,
    /// Send no picture when this is still the frame.
    if_changed: Option<IfChanged>,
    /// `png` when absent.
    format: Option<ImageFormat>,
    /// 1 to 100, for jpeg.
    quality: Option<Whole>,
    /// For png.
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
#[serde(untagged)]
enum IfChanged {
    /// The whole picture.
    Frame(FrameId),
    /// A part of it.
    Region(#[allow(dead_code, reason = "see RegionChanged")] Object<RegionChanged>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read by serde, so that a wrong shape is told apart from what a later version adds")]
struct RegionChanged {
    frame: FrameId,
    region: Corners,
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
    /// No picture is sent when this is still the frame.
    pub if_changed: Option<FrameId>,
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
}

impl Meta {
    /// The keys that this version acts on, for `initialize`.
    pub const SUPPORTED: &'static [&'static str] =
        &["observe", "deadline_ms", "if_changed", "format", "preset", "cursor", "expect_window", "pace_ms", "tool"];

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
        let later = [
            ("request_key", self.request_key.is_some()),
            ("boot", self.boot.is_some()),
            ("if_changed with a region", matches!(self.if_changed, Some(IfChanged::Region(_)))),
            ("format other than png", matches!(self.format, Some(ImageFormat::Jpeg | ImageFormat::Webp))),
            ("quality", self.quality.is_some()),
            ("preset other than fast", self.preset == Some(Preset::Compact)),
        ];
        if let Some((name, _)) = later.into_iter().find(|(_, given)| *given) {
            let message = format!("_meta: {name} is not part of this version; leave it out");
            return Err(Failure::new(ErrorKind::Unsupported, message));
        }
        Ok(Meta {
            deadline: self
                .deadline_ms
                .map(|value| wire::milliseconds("deadline_ms", value, limits::DEADLINE_MS_MAX))
                .transpose()?,
            if_changed: self.if_changed.and_then(|frame| match frame {
                IfChanged::Frame(frame) => Some(frame),
                IfChanged::Region(_) => None,
            }),
            cursor: if self.cursor == Some(true) { CursorDrawing::With } else { CursorDrawing::Without },
            observe: Observing::check(self.observe)?,
            expect_window: self.expect_window.map(|Object(window)| window.check().map(Arc::new)).transpose()?,
            pace: self.pace_ms.map(pace).transpose()?,
            tool: self.tool.unwrap_or_default(),
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
    fn keys_of_later_versions_are_unsupported_and_unknown_ones_are_mistakes() {
        for later in [
            json!({"request_key": "a"}),
            json!({"format": "jpeg"}),
            json!({"preset": "compact"}),
            json!({"if_changed": {"frame": "1-2", "region": [0, 0, 1, 1]}}),
        ] {
            assert_eq!(take(&later).expect_err("later").kind, ErrorKind::Unsupported, "{later}");
        }
        for wrong in [
            json!({"x": 1}),
            json!([]),
            json!("a"),
            json!({"format": "gif"}),
            json!({"if_changed": "1"}),
            json!({"cursor": 1}),
            json!({"observe": true}),
            json!({"observe": {"x": 1}}),
        ] {
            assert_eq!(take(&wrong).expect_err("wrong").kind, ErrorKind::InvalidParams, "{wrong}");
        }
    }
}
