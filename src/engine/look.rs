//! Pictures: from a captured frame to its place in an answer, all on the capture thread, where the pixels are.

use std::{cell::RefCell, time::Instant};

use super::{
    context::{Context, Written, microseconds},
    observation::{self, Scope, Since, Wait},
};
use crate::{
    desktop::{
        capture::{CursorOverlay, Frame, FrameRequest},
        settle::settling::SettleRequest,
    },
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
        observe::{ObservedImage, Settled},
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

/// What an action has done before its effect is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acted {
    /// How far it turned the wheel.
    pub notches: Option<[i8; 2]>,
    /// Where its time went.
    pub timing: Timing,
}

/// Everything that the capture thread must know to write a picture's result.
struct Order {
    /// Nothing is shown where only the waiting was asked for.
    view: Option<View>,
    geometry: Geometry,
    epoch: u32,
    if_changed: Option<FrameId>,
    transfer: ImageTransfer,
    attachment: u64,
    held: Held,
    acted: Acted,
    /// When the picture was asked for.
    asked: Instant,
    text: String,
}

/// Takes a picture and writes its result behind `text`, after the session's earlier actions have had their effect.
///
/// # Errors
/// Why there is none.
pub async fn picture(context: &Context<'_>, view: View, scope: Scope, text: String) -> Result<Written, Failure> {
    let wait = observation::before_picture(context, scope)?;
    if let Some((_, Since::Now(_))) = wait {
        context.wait_for(context.live.desktop.capture().before_action()).await?;
    }
    let timing = Timing { queue_us: microseconds(context.waited()), ..Timing::default() };
    let (shown, wait) = match wait {
        Some((wait, since)) if wait.image == ObservedImage::LeftOut => (None, Some((wait, since))),
        wait => (Some(view), wait),
    };
    take(context, shown, wait, Acted { notches: None, timing }, text).await
}

/// Waits for the effect of the action that has just ended and writes the action's result behind `text`, with the picture.
///
/// # Errors
/// Why there is none; the action has been carried out.
pub async fn effect(context: &Context<'_>, wait: Wait, acted: Acted, text: String) -> Result<Written, Failure> {
    let view = (wait.image == ObservedImage::Sent).then_some(View::Screen);
    let since = context.client.unsettled(context.live.epoch).map_or_else(|| Since::Now(Instant::now()), Since::Action);
    take(context, view, Some((wait, since)), acted, text).await
}

async fn take(
    context: &Context<'_>,
    view: Option<View>,
    wait: Option<(Wait, Since)>,
    acted: Acted,
    text: String,
) -> Result<Written, Failure> {
    let meta = &context.job.prepared.meta;
    let options = context.client.options();
    let order = Order {
        view,
        geometry: context.geometry,
        epoch: context.live.epoch.0,
        if_changed: meta.if_changed,
        transfer: options.images,
        attachment: context.client.next_attachment(),
        held: context.live.desktop.input().held(),
        acted,
        asked: Instant::now(),
        text,
    };
    let cursor = match meta.cursor {
        CursorDrawing::Without => CursorOverlay::Without,
        CursorDrawing::With => CursorOverlay::With,
    };
    let (capture, request) = (context.live.desktop.capture(), FrameRequest { cursor });
    let since = wait.as_ref().map(|(_, since)| *since);
    let write =
        |frame: &Frame<'_>, settled, order| STUDIO.with_borrow_mut(|studio| studio.write(frame, settled, order));
    let taken = match wait {
        None => capture.with_frame(request, move |frame| write(&frame?, None, order)),
        Some((Wait { rules, area, .. }, since)) => {
            let settle = SettleRequest { acted: since.moment(), rules, area, frame: request };
            capture.when_settled(settle, move |settled| {
                let (frame, settled) = settled?;
                write(&frame, Some(settled), order)
            })
        }
    };
    let written = context.wait_for(taken).await??;
    if view.is_some() {
        context.engine.sessions().saw_picture(context.client.id, context.live.epoch);
    }
    if let Some(Since::Action(of)) = since {
        context.client.saw_effect(of);
    }
    Ok(written)
}

impl Studio {
    fn write(&mut self, frame: &Frame<'_>, settled: Option<Settled>, order: Order) -> Result<Written, Failure> {
        let id = FrameId { epoch: order.epoch, serial: frame.serial };
        let capture_us = microseconds(frame.capture_time);
        let mut timing = Timing { capture_us, ..order.acted.timing };
        if settled.is_some() {
            timing.settle_us = microseconds(order.asked.elapsed()).saturating_sub(capture_us);
        }
        let mut written = Written { text: order.text, attachment: None, timing };
        let unchanged = order.if_changed == Some(id);
        let begun = Instant::now();
        let size = match order.view {
            Some(view) if !unchanged => self.encode(frame, view, &order.geometry)?,
            _ => order.geometry.screen,
        };
        timing.encode_us = microseconds(begun.elapsed());
        let image = EncodedImage { mime: "image/png", size, bytes: &self.png };
        let part = match (order.view, order.transfer) {
            (None, _) => None,
            _ if unchanged => Some(ImagePart::Unchanged),
            (Some(_), ImageTransfer::Base64) => Some(ImagePart::Inline(image)),
            (Some(_), ImageTransfer::Attachment) => {
                written.attachment = Some(answer_text::attachment(order.attachment, &self.png));
                Some(ImagePart::Attached(image, order.attachment))
            }
        };
        let result = ActionResult {
            output: None,
            notches: order.acted.notches,
            cursor: order.geometry.from_native(frame.pointer),
            frame: id,
            held: order.held,
            timing,
            settled,
        };
        answer_text::push_result(&mut written.text, &result, part);
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
