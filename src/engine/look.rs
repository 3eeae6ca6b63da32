//! Pictures: from a captured frame to its place in an answer, all on the capture thread, where the pixels are.

use std::{cell::RefCell, time::Instant};

use super::{
    context::{Context, Written, microseconds},
    seen::Seen,
    studio::Studio,
};
use crate::{
    desktop::capture::{CursorOverlay, Frame, FrameRequest},
    plan::fit::{Geometry, ZoomTarget},
    protocol::{
        answer::{ActionResult, Held, ImagePart, Timing},
        answer_text,
        encoding::Encoding,
        error::{ErrorKind, Failure},
        initialize::ImageTransfer,
        meta::CursorDrawing,
        units::FrameId,
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

thread_local! {
    /// One for each capture thread; it goes with the thread, and so with the display.
    static STUDIO: RefCell<Studio> = RefCell::default();
}

/// Everything that the capture thread must know to write a picture's result.
struct Order {
    view: View,
    geometry: Geometry,
    epoch: u32,
    encoding: Encoding,
    seen: Option<Seen>,
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
        encoding: meta.encoding,
        seen: context.seen,
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
        STUDIO.with_borrow_mut(|studio| write(studio, &frame, order))
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

fn write(studio: &mut Studio, frame: &Frame<'_>, order: Order) -> Result<Written, Failure> {
    let id = FrameId { epoch: order.epoch, serial: frame.serial };
    let mut timing =
        Timing { queue_us: order.queue_us, capture_us: microseconds(frame.capture_time), ..Timing::default() };
    let mut written = Written { text: order.text, attachment: None, timing };
    let begun = Instant::now();
    let image = if order.seen.is_some_and(|seen| seen.is_still(id, frame.tiles)) {
        None
    } else {
        Some(studio.encode(frame, order.view, &order.geometry, order.encoding)?)
    };
    timing.encode_us = microseconds(begun.elapsed());
    let part = match (image, order.transfer) {
        (None, _) => ImagePart::Unchanged,
        (Some(image), ImageTransfer::Base64) => ImagePart::Inline(image),
        (Some(image), ImageTransfer::Attachment) => {
            written.attachment = Some(answer_text::attachment(order.attachment, image.bytes));
            ImagePart::Attached(image, order.attachment)
        }
    };
    let cursor = order.geometry.from_native(frame.pointer);
    let result = ActionResult { output: None, notches: None, cursor, frame: id, held: order.held, timing };
    answer_text::push_result(&mut written.text, &result, Some(part));
    written.timing = timing;
    Ok(written)
}
