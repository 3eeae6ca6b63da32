//! A session as the engine sees it while it serves its requests.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::lane::Lane;
use crate::{
    plan::fit::Geometry,
    protocol::{
        initialize::{ImageTransfer, Initialize},
        screen::{CoordinateSpace, ScreenFit},
        units::NativeSize,
    },
    session::registry::SessionId,
};

/// What `initialize` has set, or the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How pictures travel.
    pub images: ImageTransfer,
    /// The size of pictures; the server's default when absent.
    pub screen: Option<ScreenFit>,
    /// What coordinates mean.
    pub space: CoordinateSpace,
}

/// One session.
#[derive(Debug)]
pub struct Client {
    /// Which session.
    pub id: SessionId,
    /// Its requests.
    pub lane: Lane,
    options: Mutex<Options>,
    attachments: AtomicU64,
}

impl Client {
    /// A session that has asked for nothing yet.
    pub fn new(id: SessionId) -> Self {
        Self { id, lane: Lane::default(), options: Mutex::default(), attachments: AtomicU64::new(0) }
    }

    /// What the session has asked for.
    pub fn options(&self) -> Options {
        *self.options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what `initialize` asks for.
    pub fn set_up(&self, initialize: &Initialize) {
        *self.options.lock().unwrap_or_else(PoisonError::into_inner) =
            Options { images: initialize.images, screen: initialize.screen, space: initialize.coordinate_space };
    }

    /// Sends pictures as binary messages.
    pub fn attach_images(&self) {
        self.options.lock().unwrap_or_else(PoisonError::into_inner).images = ImageTransfer::Attachment;
    }

    /// The session's coordinates on a screen of this size.
    pub fn geometry(&self, default: ScreenFit, native: NativeSize) -> Geometry {
        let options = self.options();
        Geometry::new(native, options.screen.unwrap_or(default), options.space)
    }

    /// The number of the next binary message, from 1.
    pub fn next_attachment(&self) -> u64 {
        self.attachments.fetch_add(1, Ordering::Relaxed) + 1
    }
}
