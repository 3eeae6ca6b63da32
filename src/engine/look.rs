//! Pictures: from a captured frame to its place in an answer, all on the capture thread, where the pixels are.

use std::{cell::RefCell, time::Instant};

use super::context::{Context, Written, microseconds};
use crate::{
    desktop::capture::{CursorOverlay, Frame, FrameRequest},
    image::{
        cursor::{CursorImage, CursorPlace},
        pixels::{PixelBuffer, Pixels},
        png::PngEncoder,
        resize::Scaler,
    },
    plan::fit::{Geometry, ZoomTarget},
    protocol::{
        answer::{ActionResult, EncodedImage, Held, ImagePart, Timing},
        answer_text,
        error::{ErrorKind, Failure},
        initialize::ImageTransfer,
        meta::CursorDrawing,
        units::{FrameId, ScreenSize},
    },
};

/// What to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The whole screen in the session's size.
    Screen,
    /// A part of it, as large as the session's screen allows.
    Part(ZoomTarget),
}

/// The buffers of the capture thread, reused from picture to picture.
#[derive(Default)]
struct Studio {
    /// What `png` holds, so that a screen that has not changed is not encoded again.
    encoded: Option<Encoded>,
    /// Of whole screens in their own size: only what has changed since the last one is encoded.
    screen: PngEncoder,
    /// Of everything else.
    encoder: PngEncoder,
    scaler: Scaler,
    scaled: PixelBuffer,
    drawn: PixelBuffer,
    png: Vec<u8>,
}

thread_local! {
    /// One for each capture thread; it goes with the thread, and so with the display.
    static STUDIO: RefCell<Studio> = RefCell::default();
}

/// What an encoded picture shows. The pointer is not part of a frame's identity, so pictures with it are not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Encoded {
    serial: u64,
    view: View,
    size: ScreenSize,
}

/// Everything that the capture thread must know to write a picture's result.
struct Order {
    view: View,
    geometry: Geometry,
    epoch: u32,
    if_changed: Option<FrameId>,
    transfer: ImageTransfer,
    attachment: u64,
    held: Held,
    queue_us: u64,
    text: String,
}

/// Takes a picture and writes its result behind `text`.
///
/// # Errors
/// Why there is none.
pub async fn picture(context: &Context<'_>, view: View, text: String) -> Result<Written, Failure> {
    let meta = &context.job.prepared.meta;
    let order = Order {
        view,
        geometry: context.geometry,
        epoch: context.live.epoch.0,
        if_changed: meta.if_changed,
        transfer: context.client.options().images,
        attachment: context.client.next_attachment(),
        held: context.live.desktop.input().held(),
        queue_us: microseconds(context.waited()),
        text,
    };
    let cursor = match meta.cursor {
        CursorDrawing::Without => CursorOverlay::Without,
        CursorDrawing::With => CursorOverlay::With,
    };
    let taken = context.live.desktop.capture().with_frame(FrameRequest { cursor }, move |frame| {
        let frame = frame?;
        STUDIO.with_borrow_mut(|studio| studio.write(&frame, order))
    });
    let taken = match context.job.deadline() {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), taken).await.map_err(|_| {
            Failure::new(
                ErrorKind::DeadlineExceeded,
                "the picture was not ready before the deadline; give it more time",
            )
        })?,
        None => taken.await,
    };
    let written = taken
        .map_err(|_| Failure::new(ErrorKind::DisplayLost, "the display was lost before the picture was taken"))??;
    context.engine.sessions().saw_picture(context.client.id, context.live.epoch);
    Ok(written)
}

impl Studio {
    fn write(&mut self, frame: &Frame<'_>, order: Order) -> Result<Written, Failure> {
        let id = FrameId { epoch: order.epoch, serial: frame.serial };
        let mut timing =
            Timing { queue_us: order.queue_us, capture_us: microseconds(frame.capture_time), ..Timing::default() };
        let mut written = Written { text: order.text, attachment: None, timing };
        let unchanged = order.if_changed == Some(id);
        let begun = Instant::now();
        let size = if unchanged { order.geometry.screen } else { self.encode(frame, order.view, &order.geometry)? };
        timing.encode_us = microseconds(begun.elapsed());
        let image = EncodedImage { mime: "image/png", size, bytes: &self.png };
        let part = match order.transfer {
            _ if unchanged => ImagePart::Unchanged,
            ImageTransfer::Base64 => ImagePart::Inline(image),
            ImageTransfer::Attachment => {
                written.attachment = Some(answer_text::attachment(order.attachment, &self.png));
                ImagePart::Attached(image, order.attachment)
            }
        };
        let cursor = order.geometry.from_native(frame.pointer);
        let result = ActionResult { output: None, notches: None, cursor, frame: id, held: order.held, timing };
        answer_text::push_result(&mut written.text, &result, Some(part));
        written.timing = timing;
        Ok(written)
    }

    /// Brings `self.png` up to date with what a view shows and says how large that is.
    fn encode(&mut self, frame: &Frame<'_>, view: View, geometry: &Geometry) -> Result<ScreenSize, Failure> {
        let (region, size) = match view {
            View::Screen => (None, geometry.screen),
            View::Part(target) => (Some(target.native), target.output),
        };
        let shows = frame.cursor.is_none().then_some(Encoded { serial: frame.serial, view, size });
        if shows.is_some() && self.encoded == shows {
            return Ok(size);
        }
        self.encoded = None;
        let (source, left, top) = match region {
            Some(region) => (frame.pixels.region(region), region.x, region.y),
            None => (Some(frame.pixels), 0, 0),
        };
        let source = source.ok_or_else(|| internal(&"the view lies outside the screen"))?;
        let cursor = frame.cursor.as_ref();
        let cursor = cursor.map(|cursor| (&cursor.image, cursor.place.relative_to(left, top)));
        self.png.clear();
        if region.is_none() && (source.size().width, source.size().height) == (size.width, size.height) {
            let changes = (frame.serial, frame.tiles);
            self.screen.update(&source, changes, cursor, &mut self.png).map_err(|error| internal(&error))?;
        } else {
            self.draw(source, cursor, size)?;
        }
        self.encoded = shows;
        Ok(size)
    }

    fn draw(
        &mut self,
        source: Pixels<'_>,
        cursor: Option<(&CursorImage, CursorPlace)>,
        size: ScreenSize,
    ) -> Result<(), Failure> {
        if (source.size().width, source.size().height) == (size.width, size.height) {
            return self.encoder.encode(&source, cursor, &mut self.png).map_err(|error| internal(&error));
        }
        // The pointer is scaled with everything else, so it is drawn before.
        let source = match cursor {
            Some((image, place)) => {
                self.drawn.copy_from(&source);
                image.blend(place, &mut self.drawn);
                self.drawn.pixels()
            }
            None => source,
        };
        self.scaler.scale(&source, size, &mut self.scaled).map_err(|error| internal(&error))?;
        self.encoder.encode(&self.scaled.pixels(), None, &mut self.png).map_err(|error| internal(&error))
    }
}

fn internal(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ErrorKind::Internal, error.to_string())
}
