//! Where pictures are made: the encoders of a capture thread, each with the memory that it uses again.

use std::sync::Arc;

use super::look::View;
use crate::{
    desktop::capture::Frame,
    image::{
        cursor::{CursorImage, CursorPlace},
        jpeg::JpegEncoder,
        pixels::{PixelBuffer, Pixels},
        png::PngEncoder,
        resize::Scaler,
        webp::WebpEncoder,
    },
    plan::fit::Geometry,
    protocol::{
        answer::EncodedImage,
        encoding::{Encoding, Preset},
        error::{ErrorKind, Failure},
        message::{Base64, PictureFile},
        units::ScreenSize,
    },
};

/// The buffers of the capture thread, used again from picture to picture.
#[derive(Default)]
pub(super) struct Studio {
    /// What `file` holds, so that a screen that has not changed is not encoded again.
    encoded: Option<Encoded>,
    file: PictureFile,
    /// The same as text, or an earlier picture's.
    base64: Base64,
    /// Whether somebody has asked for that text.
    has_text: bool,
    fast: PngPair,
    /// Made when somebody first asks for it: it has more memory.
    compact: Option<PngPair>,
    jpeg: JpegEncoder,
    webp: WebpEncoder,
    scaler: Scaler,
    scaled: PixelBuffer,
    drawn: PixelBuffer,
}

/// The PNG encoders of one preset.
#[derive(Default)]
struct PngPair {
    /// Of whole screens in their own size: only what has changed since the last one is encoded.
    screen: PngEncoder,
    /// Of everything else.
    other: PngEncoder,
}

/// What an encoded picture shows, and how. The pointer is not part of a frame's identity, so pictures with it are not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Encoded {
    serial: u64,
    view: View,
    size: ScreenSize,
    encoding: Encoding,
}

impl Studio {
    /// The picture of what a view shows, encoded.
    pub(super) fn encode(
        &mut self,
        frame: &Frame<'_>,
        view: View,
        geometry: &Geometry,
        encoding: Encoding,
    ) -> Result<EncodedImage, Failure> {
        let size = match view {
            View::Screen => geometry.screen,
            View::Part(target) => target.output,
        };
        let shows = Some(Encoded { serial: frame.serial, view, size, encoding }).filter(|_| frame.cursor.is_none());
        if shows.is_none() || self.encoded != shows {
            self.encoded = None;
            self.has_text = false;
            self.fill(frame, view, size, encoding)?;
            self.encoded = shows;
        }
        Ok(EncodedImage { mime: encoding.mime(), size, file: Arc::clone(&self.file) })
    }

    /// The picture that was encoded last, as text.
    pub(super) fn base64(&mut self) -> Base64 {
        if !self.has_text {
            let text = reused(&mut self.base64);
            text.clear();
            base64_simd::STANDARD.encode_append(&*self.file, text);
            self.has_text = true;
        }
        Arc::clone(&self.base64)
    }

    fn fill(&mut self, frame: &Frame<'_>, view: View, size: ScreenSize, encoding: Encoding) -> Result<(), Failure> {
        let file = reused(&mut self.file);
        file.clear();
        let (source, left, top) = match view {
            View::Part(target) => (frame.pixels.region(target.native), target.native.x, target.native.y),
            View::Screen => (Some(frame.pixels), 0, 0),
        };
        let source = source.ok_or_else(|| internal(&"the view lies outside the screen"))?;
        let cursor = frame.cursor.as_ref();
        let cursor = cursor.map(|cursor| (&cursor.image, cursor.place.relative_to(left, top)));
        let is_native = (source.size().width, source.size().height) == (size.width, size.height);
        if is_native && let Encoding::Png(preset) = encoding {
            // A PNG draws the pointer itself, into the rows that it covers.
            let pair = pair(&mut self.fast, &mut self.compact, preset);
            let done = match view {
                View::Screen => pair.screen.update(&source, (frame.serial, frame.tiles), cursor, file),
                View::Part(_) => pair.other.encode(&source, cursor, file),
            };
            return done.map_err(|error| internal(&error));
        }
        let drawn = draw(&mut self.drawn, source, cursor);
        let shown = if is_native {
            drawn
        } else {
            // The pointer is scaled with everything else.
            self.scaler.scale(&drawn, size, &mut self.scaled).map_err(|error| internal(&error))?;
            self.scaled.pixels()
        };
        match encoding {
            Encoding::Png(preset) => {
                let encoder = &mut pair(&mut self.fast, &mut self.compact, preset).other;
                encoder.encode(&shown, None, file).map_err(|error| internal(&error))
            }
            Encoding::Jpeg(quality) => self.jpeg.encode(&shown, quality, file).map_err(|error| internal(&error)),
            Encoding::Webp => self.webp.encode(&shown, file).map_err(|error| internal(&error)),
        }
    }
}

/// The memory of an earlier picture, or new memory while that picture is still being sent.
fn reused<T: Default + Clone>(shared: &mut Arc<T>) -> &mut T {
    if Arc::get_mut(shared).is_none() {
        *shared = Arc::default();
    }
    // Nobody else has it: it is new, or the line above has just found so.
    Arc::make_mut(shared)
}

fn pair<'a>(fast: &'a mut PngPair, compact: &'a mut Option<PngPair>, preset: Preset) -> &'a mut PngPair {
    match preset {
        Preset::Fast => fast,
        Preset::Compact => compact.get_or_insert_with(|| PngPair {
            screen: PngEncoder::new(Preset::Compact),
            other: PngEncoder::new(Preset::Compact),
        }),
    }
}

/// The pixels with the pointer over them.
fn draw<'a>(drawn: &'a mut PixelBuffer, source: Pixels<'a>, cursor: Option<(&CursorImage, CursorPlace)>) -> Pixels<'a> {
    let Some((image, place)) = cursor else { return source };
    drawn.copy_from(&source);
    image.blend(place, drawn);
    drawn.pixels()
}

fn internal(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ErrorKind::Internal, error.to_string())
}
