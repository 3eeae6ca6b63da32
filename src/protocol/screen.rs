//! How large the picture is that a session receives, and what its coordinates mean: `screen` and `coordinate_space` of
//! `initialize`, and FIT on the command line.

use std::{borrow::Cow, fmt, num::NonZeroU32, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::units::ScreenSize;

/// The longest edge of a stretched picture, in pixels. It is the longest edge of the largest screen (3840) rounded up to a
/// power of two: more pixels would show nothing more and cost memory without bound.
pub const STRETCHED_EDGE_MAX: u16 = 4096;

/// How native pixels become the picture that a session receives.
///
/// On the wire `"native"`, `{"max_long_edge": N}`, `{"max_pixels": N}` or `{"width": W, "height": H}`; on the command line
/// `native`, `long-edge:N`, `pixels:N` or `WxH`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScreenFit {
    /// Pixel for pixel.
    #[default]
    Native,
    /// Scaled down evenly until the longer edge has at most so many pixels. Never enlarges.
    MaxLongEdge(NonZeroU32),
    /// Scaled down evenly until width × height is at most so many pixels. Never enlarges.
    MaxPixels(NonZeroU32),
    /// Exactly this size, stretched if need be.
    Exact(ExactSize),
}

/// A size to stretch to: each edge has 1 to [`STRETCHED_EDGE_MAX`] pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactSize(ScreenSize);

impl ExactSize {
    /// A size from its edges in pixels; the error is the message for the controller.
    pub fn new(width: u32, height: u32) -> Result<Self, String> {
        Ok(Self(ScreenSize { width: edge("width", width)?, height: edge("height", height)? }))
    }

    /// The size itself.
    pub const fn size(self) -> ScreenSize {
        self.0
    }
}

fn edge(name: &str, pixels: u32) -> Result<u16, String> {
    u16::try_from(pixels)
        .ok()
        .filter(|pixels| (1..=STRETCHED_EDGE_MAX).contains(pixels))
        .ok_or_else(|| format!("{name} = {pixels} is outside 1..={STRETCHED_EDGE_MAX}"))
}

fn positive(name: &str, value: u32) -> Result<NonZeroU32, String> {
    NonZeroU32::new(value).ok_or_else(|| format!("{name} = 0 leaves no picture; give at least 1"))
}

/// What the numbers of a coordinate mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CoordinateSpace {
    /// Pixels of the picture that the session receives.
    #[default]
    Screen,
    /// Pixels of the display.
    Native,
    /// Thousandths of the screen, 0 to 999.
    #[serde(rename = "normalized_1000")]
    Normalized1000,
}

/// The forms of a fit, for messages.
const FORMS: &str = "\"native\", {\"max_long_edge\": N}, {\"max_pixels\": N} or {\"width\": W, \"height\": H}";

impl Serialize for ScreenFit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries: &[(&str, u32)] = match *self {
            Self::Native => return serializer.serialize_str("native"),
            Self::MaxLongEdge(pixels) => &[("max_long_edge", pixels.get())],
            Self::MaxPixels(pixels) => &[("max_pixels", pixels.get())],
            Self::Exact(ExactSize(size)) => &[("width", size.width.into()), ("height", size.height.into())],
        };
        let mut map = serializer.serialize_map(Some(entries.len()))?;
        for (name, value) in entries {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ScreenFit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FitVisitor)
    }
}

/// Takes the string and the objects, nothing else: a derived untagged enum would take arrays too and report every error as
/// "did not match any variant".
struct FitVisitor;

impl<'de> Visitor<'de> for FitVisitor {
    type Value = ScreenFit;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(FORMS)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ScreenFit, E> {
        if text == "native" {
            Ok(ScreenFit::Native)
        } else {
            Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ScreenFit, A::Error> {
        const FIELDS: &[&str] = &["max_long_edge", "max_pixels", "width", "height"];
        let mut values = [None; 4];
        while let Some(name) = map.next_key::<String>()? {
            let Some(index) = FIELDS.iter().position(|field| *field == name) else {
                return Err(A::Error::unknown_field(&name, FIELDS));
            };
            if values[index].replace(map.next_value::<u32>()?).is_some() {
                return Err(A::Error::duplicate_field(FIELDS[index]));
            }
        }
        match values {
            [Some(pixels), None, None, None] => positive(FIELDS[0], pixels).map(ScreenFit::MaxLongEdge),
            [None, Some(pixels), None, None] => positive(FIELDS[1], pixels).map(ScreenFit::MaxPixels),
            [None, None, Some(width), Some(height)] => ExactSize::new(width, height).map(ScreenFit::Exact),
            _ => Err(format!("a screen is one of {FORMS}")),
        }
        .map_err(A::Error::custom)
    }
}

impl JsonSchema for ScreenFit {
    fn schema_name() -> Cow<'static, str> {
        "ScreenFit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let count = json_schema!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
        let edge = json_schema!({ "type": "integer", "minimum": 1, "maximum": STRETCHED_EDGE_MAX });
        json_schema!({
            "description": "How native pixels become the picture that the session receives.",
            "oneOf": [
                { "const": "native" },
                { "type": "object", "properties": { "max_long_edge": count }, "required": ["max_long_edge"],
                  "additionalProperties": false },
                { "type": "object", "properties": { "max_pixels": count }, "required": ["max_pixels"],
                  "additionalProperties": false },
                { "type": "object", "properties": { "width": edge, "height": edge }, "required": ["width", "height"],
                  "additionalProperties": false },
            ],
        })
    }
}

impl fmt::Display for ScreenFit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => formatter.write_str("native"),
            Self::MaxLongEdge(pixels) => write!(formatter, "long-edge:{pixels}"),
            Self::MaxPixels(pixels) => write!(formatter, "pixels:{pixels}"),
            Self::Exact(ExactSize(size)) => write!(formatter, "{}x{}", size.width, size.height),
        }
    }
}

impl FromStr for ScreenFit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("a fit is `native`, `long-edge:N`, `pixels:N` or `WxH`; got `{text}`");
        // `u32::from_str` alone would take `+5`.
        let number = |digits: &str| {
            digits.parse::<u32>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit())).ok_or_else(wrong)
        };
        if text == "native" {
            Ok(Self::Native)
        } else if let Some(pixels) = text.strip_prefix("long-edge:") {
            positive("long-edge", number(pixels)?).map(Self::MaxLongEdge)
        } else if let Some(pixels) = text.strip_prefix("pixels:") {
            positive("pixels", number(pixels)?).map(Self::MaxPixels)
        } else {
            let (width, height) = text.split_once('x').ok_or_else(wrong)?;
            ExactSize::new(number(width)?, number(height)?).map(Self::Exact)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_FORM: [(&str, &str); 5] = [
        (r#""native""#, "native"),
        (r#"{"max_long_edge":1568}"#, "long-edge:1568"),
        (r#"{"max_pixels":1150000}"#, "pixels:1150000"),
        (r#"{"width":1280,"height":800}"#, "1280x800"),
        (r#"{"width":1,"height":4096}"#, "1x4096"),
    ];

    #[test]
    fn every_form_reads_back_what_it_prints_on_the_wire_and_on_the_command_line() {
        for (json, text) in EVERY_FORM {
            let fit: ScreenFit = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&fit).unwrap(), json);
            assert_eq!(fit.to_string(), text);
            assert_eq!(text.parse(), Ok(fit));
        }
    }

    #[test]
    fn anything_else_on_the_wire_is_refused() {
        for json in [
            "null",
            "true",
            "1024",
            "[]",
            "[1024]",
            "[1280,800]",
            "{}",
            r#""Native""#,
            r#""1280x800""#,
            r#"{"max_long_edge":0}"#,
            r#"{"max_long_edge":-1}"#,
            r#"{"max_long_edge":4294967296}"#,
            r#"{"max_long_edge":null}"#,
            r#"{"max_long_edge":"1568"}"#,
            r#"{"max_long_edge":1568,"max_pixels":1000000}"#,
            r#"{"max_long_edge":1568,"max_long_edge":1568}"#,
            r#"{"max_pixels":0}"#,
            r#"{"width":1280}"#,
            r#"{"height":800}"#,
            r#"{"width":0,"height":800}"#,
            r#"{"width":4097,"height":800}"#,
            r#"{"width":1280,"height":800,"max_pixels":5}"#,
            r#"{"width":1280,"height":800,"depth":24}"#,
            r#"{"width":1280.5,"height":800}"#,
        ] {
            assert!(serde_json::from_str::<ScreenFit>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn anything_else_on_the_command_line_is_refused() {
        for text in [
            "",
            "NATIVE",
            "long-edge:",
            "long-edge:0",
            "long-edge:+5",
            "pixels:-1",
            "pixels:0",
            "0x600",
            "800x",
            "x600",
            "800X600",
            "800x600x24",
            "4097x600",
            "+800x600",
            " 800x600",
        ] {
            assert!(text.parse::<ScreenFit>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn messages_name_the_field_and_its_bounds() {
        let error = serde_json::from_str::<ScreenFit>(r#"{"width":9999,"height":800}"#).unwrap_err().to_string();
        assert!(error.starts_with("width = 9999 is outside 1..=4096"), "{error}");
    }

    #[test]
    fn coordinate_spaces_have_the_names_of_the_contract() {
        for (space, json) in [
            (CoordinateSpace::Screen, r#""screen""#),
            (CoordinateSpace::Native, r#""native""#),
            (CoordinateSpace::Normalized1000, r#""normalized_1000""#),
        ] {
            assert_eq!(serde_json::to_string(&space).unwrap(), json);
            assert_eq!(serde_json::from_str::<CoordinateSpace>(json).unwrap(), space);
        }
        for wrong in [r#""Screen""#, r#""normalized1000""#, "0", "null", r#"["screen"]"#, r#"{"screen":null}x"#] {
            assert!(serde_json::from_str::<CoordinateSpace>(wrong).is_err(), "{wrong}");
        }
    }
}
