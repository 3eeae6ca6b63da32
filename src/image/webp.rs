//! Lossless WebP.
//!
//! `image-webp`, which the `image` crate uses as well, is the only such encoder in Rust whose licence suits this program's. It has one
//! setting and takes 3 to 5 ms for a frame of 1024×768 on one core; `png.rs` compares it with PNG. Nothing is kept for a frame that
//! has changed in part.

use image_webp::{ColorType, EncodingError, WebPEncoder};
use thiserror::Error;

use super::pixels::{Pixels, bgrx_to_rgb};

/// A picture could not become a WebP: an edge has more than 16,384 pixels, as no screen has, so this is a defect.
#[derive(Debug, Error)]
#[error("a picture could not be encoded as webp: {0}")]
pub struct WebpError(#[from] EncodingError);

/// Encodes pictures one after the other.
#[derive(Debug, Default)]
pub struct WebpEncoder {
    /// The picture as RGB, which is what the encoder takes.
    rgb: Vec<u8>,
}

impl WebpEncoder {
    /// Appends the picture as a WebP to `output`.
    ///
    /// # Errors
    /// None that a screen can cause.
    pub fn encode(&mut self, pixels: &Pixels<'_>, output: &mut Vec<u8>) -> Result<(), WebpError> {
        let size = pixels.size();
        let row_bytes = usize::from(size.width) * 3;
        self.rgb.resize(row_bytes * usize::from(size.height), 0);
        for (row, target) in pixels.rows().zip(self.rgb.chunks_exact_mut(row_bytes)) {
            bgrx_to_rgb(row, target);
        }
        Ok(WebPEncoder::new(output).encode(&self.rgb, size.width.into(), size.height.into(), ColorType::Rgb8)?)
    }
}
