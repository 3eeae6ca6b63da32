//! Pictures: from a captured frame to its place in an answer, all on the capture thread, where the pixels are.

use std::{cell::RefCell, sync::Arc, time::Instant};

use super::{
    context::{Context, Written, microseconds},
    observation::{self, Scope, Since, Wait},
    secrets,
    seen::Seen,
    studio::Studio,
};
use crate::{
    desktop::{
        capture::{CursorOverlay, Frame, FrameRequest, awaiting::AwaitRequest},
        curtain,
        settle::settling::SettleRequest,
    },
    plan::fit::{Geometry, ZoomTarget},
    protocol::{
        answer::{ActionResult, Held, ImagePart, Timing},
        answer_text,
        encoding::Encoding,
        error::Failure,
        initialize::ImageTransfer,
        message::{BinaryKind, BinaryMessage},
        meta::{CursorDrawing, Meta},
        observe::{ObservedImage, Settled},
        units::FrameId,
        wait_for::{Outcome, WaitForResult, Waited},
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
    /// What `wait_for` came to, whose result is another one than an action's.
    waited: Option<Waited>,
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
    if wait.as_ref().is_none_or(|(wait, _)| wait.image == ObservedImage::Sent) {
        // Nobody waits for what is refused anyway.
        context.engine.secrets.expect_view()?;
    }
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

/// Waits for the screen and writes what that came to behind `text`, with the picture of that moment. Without a wait there is
/// none: what was waited for is the case.
///
/// # Errors
/// Why there is no picture.
pub async fn awaited(
    context: &Context<'_>,
    view: View,
    wait: Option<AwaitRequest>,
    text: String,
) -> Result<Written, Failure> {
    context.engine.secrets.expect_view()?;
    let order = order(context, Some(view), Acted::default(), text);
    let answer = |frame: &Frame<'_>, waited, order| {
        STUDIO.with_borrow_mut(|studio| write(studio, frame, None, Order { waited: Some(waited), ..order }))
    };
    let (capture, asked) = (context.live.desktop.capture(), context.job.received);
    let taken = match wait {
        None => capture.with_frame(frame_request(&context.job.prepared.meta), move |frame| {
            answer(&frame?, Waited { outcome: Outcome::Met, time: asked.elapsed() }, order)
        }),
        Some(wait) => capture.when(wait, move |waited| {
            let (frame, waited) = waited?;
            answer(&frame, waited, order)
        }),
    };
    let written = context.wait_for(taken).await??;
    account(context, &written)?;
    context.engine.sessions().saw_picture(context.client.id, context.live.epoch);
    Ok(written)
}

/// Takes the picture's bytes of what its user may be sent, and counts them.
fn account(context: &Context<'_>, written: &Written) -> Result<(), Failure> {
    context.engine.sessions().take_picture(Instant::now(), context.client.id, written.image_bytes)?;
    context.engine.metrics.picture(written.image_bytes);
    Ok(())
}

/// How a frame must be for the pictures of a request.
pub const fn frame_request(meta: &Meta) -> FrameRequest {
    let cursor = match meta.cursor {
        CursorDrawing::Without => CursorOverlay::Without,
        CursorDrawing::With => CursorOverlay::With,
    };
    FrameRequest { cursor }
}

fn order(context: &Context<'_>, view: Option<View>, acted: Acted, text: String) -> Order {
    Order {
        view,
        geometry: context.geometry,
        epoch: context.live.epoch.0,
        encoding: context.job.prepared.meta.encoding,
        seen: context.seen,
        transfer: context.client.options().images,
        attachment: context.client.next_attachment(),
        held: context.live.desktop.input().held(),
        acted,
        waited: None,
        asked: Instant::now(),
        text,
    }
}

async fn take(
    context: &Context<'_>,
    view: Option<View>,
    wait: Option<(Wait, Since)>,
    acted: Acted,
    text: String,
) -> Result<Written, Failure> {
    let order = order(context, view, acted, text);
    let (capture, request) = (context.live.desktop.capture(), frame_request(&context.job.prepared.meta));
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
    account(context, &written)?;
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
    let mut written = Written { text: order.text.into(), attachment: None, image_bytes: 0, timing };
    let begun = Instant::now();
    let part = match order.view {
        None => None,
        // Told from the frame itself: it may be of before or after this moment.
        Some(_) if frame.view == curtain::View::Closed => return Err(secrets::tainted()),
        Some(_) if order.seen.is_some_and(|seen| seen.is_still(id, frame.tiles)) => Some(ImagePart::Unchanged),
        Some(view) => {
            let image = studio.encode(frame, view, &order.geometry, order.encoding)?;
            written.image_bytes = image.file.len() as u64;
            let part = match order.transfer {
                ImageTransfer::Base64 => ImagePart::Inline(image, studio.base64()),
                ImageTransfer::Attachment => {
                    let file = Arc::clone(&image.file);
                    written.attachment = Some(BinaryMessage::new(BinaryKind::Image, order.attachment, file));
                    ImagePart::Attached(image, order.attachment)
                }
            };
            timing.encode_us = microseconds(begun.elapsed());
            Some(part)
        }
    };
    written.timing = timing;
    if let Some(waited) = order.waited {
        answer_text::push_result(&mut written.text, &WaitForResult::new(waited, Some(id)), part);
        return Ok(written);
    }
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
    Ok(written)
}
