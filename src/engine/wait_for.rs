//! `wait_for`: a read that may take minutes. It holds nothing up: the display's own threads tell when it is over.

use tokio::sync::oneshot;

use super::{
    context::Context,
    look::{self, View},
    outcome::Reply,
};
use crate::{
    desktop::{
        capture::awaiting::{AwaitRequest, Condition},
        settle::area::Area,
        windows::wait::WindowWait,
    },
    protocol::{
        answer_text,
        error::{ErrorKind, Failure},
        units::{FrameId, NativeRegion, Region},
        wait_for::{Awaited, WaitFor, WaitForResult},
        wire,
    },
};

/// Waits.
///
/// # Errors
/// `out_of_range` for a region outside the screen or a frame that was never captured; `cancelled`, `deadline_exceeded`,
/// `display_lost`. That the time is over is none.
pub async fn run(context: &Context<'_>, wait: &WaitFor) -> Result<Reply, Failure> {
    context.check()?;
    let condition = match &wait.awaited {
        Awaited::Change { since, .. } => match since.map(|since| serial(context, since)).transpose()? {
            Some(Since::OtherDisplay) => return screen(context, wait, None).await,
            Some(Since::Serial(serial)) => Condition::Changed { since: Some(serial) },
            None => Condition::Changed { since: None },
        },
        Awaited::Stable { quiet, .. } => Condition::Still { quiet: *quiet },
        Awaited::Window { window, presence } => {
            let (sender, receiver) = oneshot::channel();
            let until = context.job.received + wait.timeout;
            let asked = context.job.received;
            let wait = WindowWait { window: window.clone(), presence: *presence, asked, until, sender };
            context.live.desktop.windows().wait_for(wait);
            let waited = context.wait_for(receiver).await??;
            return Ok(Reply::text(answer_text::result(&context.job.prepared.id, &WaitForResult::new(waited, None))));
        }
    };
    screen(context, wait, Some(condition)).await
}

/// Waits for the screen; without a condition only for its picture.
async fn screen(context: &Context<'_>, wait: &WaitFor, condition: Option<Condition>) -> Result<Reply, Failure> {
    let native = |region: Region| -> Result<NativeRegion, Failure> { Ok(context.geometry.zoom_region(region)?.native) };
    let area = Area::new(wait.region().map(native).transpose()?, Vec::new());
    let asked = context.job.received;
    let frame = look::frame_request(&context.job.prepared.meta);
    let wait = condition.map(|condition| AwaitRequest { condition, area, asked, timeout: wait.timeout, frame });
    let begun = answer_text::begin_result(&context.job.prepared.id);
    let mut written = look::awaited(context, View::Screen, wait, begun).await?;
    written.text.end().push('}');
    Ok(Reply { attachments: written.attachment.into_iter().collect(), text: written.text })
}

/// What a frame is to the display of this moment.
enum Since {
    /// One of its own.
    Serial(u64),
    /// One of a display that is gone: everything has changed since.
    OtherDisplay,
}

fn serial(context: &Context<'_>, since: FrameId) -> Result<Since, Failure> {
    let now = context.live.frame();
    // Epochs are counted from 1. A frame with serial 0 is what answers name before the first picture.
    let was_captured = since.epoch > 0 && (since.epoch, since.serial) <= (now.epoch, now.serial);
    if !was_captured {
        let failure = wire::out_of_range("change.since", since, &format!("the frames up to {now}"));
        return Err(Failure::new(ErrorKind::OutOfRange, format!("{}; give the `frame` of an answer", failure.message)));
    }
    Ok(if since.epoch == now.epoch { Since::Serial(since.serial) } else { Since::OtherDisplay })
}
