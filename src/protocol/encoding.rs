//! How a picture is encoded: `_meta.format`, `_meta.quality` and `_meta.preset`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    error::{ErrorKind, Failure},
    limits,
    wire::{Whole, count},
};

/// The kind of file that a picture becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// Lossless, and only what has changed is encoded again.
    #[default]
    Png,
    /// With a quality: small where the screen shows photographs. Text is smaller as PNG.
    Jpeg,
    /// Lossless.
    Webp,
}

/// What PNG encoding prefers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Time.
    #[default]
    Fast,
    /// Bytes, for slow links.
    Compact,
}

/// How much a JPEG keeps, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality(u8);

impl Quality {
    /// # Errors
    /// `out_of_range` outside 1 to 100.
    pub fn new(value: Whole) -> Result<Self, Failure> {
        count("quality", value, limits::QUALITY_MAX).map(Self)
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Quality {
    /// Twelve-pixel text keeps its edges (36 to 40 dB on pages, documents and terminals); 75 costs 4 dB for a fifth of the bytes,
    /// 95 gains 7 for 60 % more.
    fn default() -> Self {
        Self(85)
    }
}

/// How a picture is encoded, checked: each format with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `image/png`.
    Png(Preset),
    /// `image/jpeg`.
    Jpeg(Quality),
    /// `image/webp`.
    Webp,
}

impl Default for Encoding {
    fn default() -> Self {
        Self::Png(Preset::default())
    }
}

impl Encoding {
    /// What the three keys say together.
    ///
    /// # Errors
    /// `invalid_params` for a quality or a preset of another format's, `out_of_range` for a quality outside 1 to 100.
    pub fn new(format: Option<ImageFormat>, quality: Option<Whole>, preset: Option<Preset>) -> Result<Self, Failure> {
        let format = format.unwrap_or_default();
        let name = match format {
            ImageFormat::Png => "png",
            ImageFormat::Jpeg => "jpeg",
            ImageFormat::Webp => "webp",
        };
        let misplaced = |key: &str, of: &str| {
            let message =
                format!("_meta: {key} is for format {of}, and the format is {name}; leave {key} out or ask for {of}");
            Failure::new(ErrorKind::InvalidParams, message)
        };
        match (format, quality, preset) {
            (ImageFormat::Jpeg | ImageFormat::Webp, _, Some(_)) => Err(misplaced("preset", "png")),
            (ImageFormat::Png | ImageFormat::Webp, Some(_), _) => Err(misplaced("quality", "jpeg")),
            (ImageFormat::Png, None, preset) => Ok(Self::Png(preset.unwrap_or_default())),
            (ImageFormat::Jpeg, quality, None) => {
                quality.map(Quality::new).transpose().map(|quality| Self::Jpeg(quality.unwrap_or_default()))
            }
            (ImageFormat::Webp, None, None) => Ok(Self::Webp),
        }
    }

    /// The MIME type of the file.
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Png(_) => "image/png",
            Self::Jpeg(_) => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_takes_what_belongs_to_it() {
        use ImageFormat::{Jpeg, Png, Webp};
        let new = |format, quality: Option<i64>, preset| {
            Encoding::new(format, quality.map(Whole), preset).map_err(|failure| failure.kind)
        };
        assert_eq!(new(None, None, None), Ok(Encoding::Png(Preset::Fast)));
        assert_eq!(new(None, None, Some(Preset::Compact)), Ok(Encoding::Png(Preset::Compact)));
        assert_eq!(new(Some(Webp), None, None), Ok(Encoding::Webp));
        assert_eq!(new(Some(Jpeg), None, None), Ok(Encoding::Jpeg(Quality(85))));
        for quality in [1, 100] {
            let read = new(Some(Jpeg), Some(quality), None);
            assert!(matches!(read, Ok(Encoding::Jpeg(found)) if i64::from(found.get()) == quality), "{read:?}");
        }
        for quality in [0, 101, -1, i64::MAX, i64::MIN] {
            assert_eq!(new(Some(Jpeg), Some(quality), None), Err(ErrorKind::OutOfRange));
        }
        for format in [None, Some(Png), Some(Webp)] {
            assert_eq!(new(format, Some(85), None), Err(ErrorKind::InvalidParams));
        }
        for format in [Jpeg, Webp] {
            assert_eq!(new(Some(format), None, Some(Preset::Fast)), Err(ErrorKind::InvalidParams));
        }
    }

    #[test]
    fn what_is_misplaced_is_named_with_its_remedy() {
        let failure = Encoding::new(None, Some(Whole(85)), None).expect_err("png has no quality");
        assert_eq!(
            failure.message,
            "_meta: quality is for format jpeg, and the format is png; leave quality out or ask for jpeg"
        );
        let failure = Encoding::new(Some(ImageFormat::Jpeg), Some(Whole(0)), None).expect_err("range");
        assert_eq!(failure.message, "quality = 0 is outside 1..=100");
    }
}
