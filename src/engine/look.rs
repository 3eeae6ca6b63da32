//! Pictures: from a captured frame to its place in an answer, all on the capture thread, where the pixels are.

use std::{cell::RefCell, time::Instant};

use super::{
    context::{Context, Written, microseconds},
    observation::{self, Scope, Since, Wait},
    seen::Seen,
    studio::Studio,
};
use crate::{
    desktop::{
        capture::{CursorOverlay, Frame, FrameRequest},
        settle::settling::SettleRequest,
    },
    plan::fit::{Geometry, ZoomTarget},
    protocol::{
        answer::{ActionResult, Held, ImagePart, Timing},
        answer_text,
        encoding::Encoding,
        error::Failure,
        initialize::ImageTransfer,
        meta::CursorDrawing,
        observe::{ObservedImage, Settled},
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
    encoding: Encoding,
    seen: Option<Seen>,
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
        encoding: meta.encoding,
        seen: context.seen,
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
    let answer =
        |frame: &Frame<'_>, settled, order| STUDIO.with_borrow_mut(|studio| write(studio, frame, settled, order));
    let taken = match wait {
        None => capture.with_frame(request, move |frame| answer(&frame?, None, order)),
        Some((Wait { rules, area, .. }, since)) => {
            let settle = SettleRequest { acted: since.moment(), rules, area, frame: request };
            capture.when_settled(settle, move |settled| {
                let (frame, settled) = settled?;
                answer(&frame, Some(settled), order)
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

fn write(studio: &mut Studio, frame: &Frame<'_>, settled: Option<Settled>, order: Order) -> Result<Written, Failure> {
    let id = FrameId { epoch: order.epoch, serial: frame.serial };
    let capture_us = microseconds(frame.capture_time);
    let mut timing = Timing { capture_us, ..order.acted.timing };
    if settled.is_some() {
        timing.settle_us = microseconds(order.asked.elapsed()).saturating_sub(capture_us);
    }
    let mut written = Written { text: order.text, attachment: None, timing };
    let begun = Instant::now();
    let part = match order.view {
        None => None,
        Some(_) if order.seen.is_some_and(|seen| seen.is_still(id, frame.tiles)) => Some(ImagePart::Unchanged),
        Some(view) => {
            let image = studio.encode(frame, view, &order.geometry, order.encoding)?;
            timing.encode_us = microseconds(begun.elapsed());
            Some(match order.transfer {
                ImageTransfer::Base64 => ImagePart::Inline(image),
                ImageTransfer::Attachment => {
                    written.attachment = Some(answer_text::attachment(order.attachment, image.bytes));
                    ImagePart::Attached(image, order.attachment)
                }
            })
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
