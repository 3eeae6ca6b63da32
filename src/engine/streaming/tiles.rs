//! Encodes what has changed on a display, once for all streams that send the same.

use std::{
    cell::RefCell,
    io::Error,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use crate::{
    desktop::last_frame::LastFrame,
    image::{pixels::Pixels, png::PngEncoder, rectangles},
    protocol::{message::PictureFile, units::NativeRegion},
};

/// A rectangle of the screen as a PNG.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) region: NativeRegion,
    pub(super) png: PictureFile,
}

thread_local! {
    /// The one of this capture thread, while it has a stream.
    static WORKSHOP: RefCell<Weak<Workshop>> = const { RefCell::new(Weak::new()) };
}

/// What the streams of a display share. It is used on one thread, so nobody ever waits for the lock; its memory goes with the last
/// stream.
#[derive(Debug, Default)]
pub(super) struct Workshop(Mutex<Last>);

/// What was encoded last. Readers who keep up all get the same.
#[derive(Debug, Default)]
struct Last {
    encoder: PngEncoder,
    /// From which frame to which; from none where it is the whole screen. `None` before the first and after a failure.
    step: Option<(Option<u64>, u64)>,
    encoded: Vec<Encoded>,
}

impl Workshop {
    /// The one that the streams of this thread share.
    pub(super) fn of_this_thread() -> Arc<Self> {
        WORKSHOP.with_borrow_mut(|shared| {
            shared.upgrade().unwrap_or_else(|| {
                let new = Arc::default();
                *shared = Arc::downgrade(&new);
                new
            })
        })
    }

    /// Does `work` with what is different from an earlier frame, or with all of it.
    ///
    /// # Errors
    /// The compressor has failed.
    pub(super) fn with<R>(
        &self,
        frame: &LastFrame,
        pixels: &Pixels<'_>,
        since: Option<u64>,
        work: impl FnOnce(&[Encoded]) -> R,
    ) -> Result<R, Error> {
        // A panic leaves it without a step.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Last { encoder, step, encoded } = &mut *last;
        let wanted = Some((since, frame.serial()));
        if *step != wanted {
            *step = None;
            encoded.clear();
            for region in regions(frame, pixels, since) {
                let Some(part) = pixels.region(region) else { continue };
                let mut png = Vec::new();
                encoder.encode(&part, None, &mut png)?;
                encoded.push(Encoded { region, png: Arc::new(png) });
            }
            *step = wanted;
        }
        Ok(work(encoded))
    }
}

fn regions(frame: &LastFrame, pixels: &Pixels<'_>, since: Option<u64>) -> Vec<NativeRegion> {
    let size = pixels.size();
    match since {
        Some(serial) => rectangles::cover(frame.tiles().changed_since(serial), size),
        None => vec![NativeRegion { x: 0, y: 0, width: size.width, height: size.height }],
    }
}
