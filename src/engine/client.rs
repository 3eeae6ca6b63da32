//! A session as the engine sees it while it serves its requests.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use super::lane::Lane;
use crate::{
    plan::fit::Geometry,
    protocol::{
        identity::UserName,
        initialize::{ImageTransfer, Initialize},
        observe::Observing,
        screen::{CoordinateSpace, ScreenFit},
        units::NativeSize,
    },
    session::registry::{DisplayEpoch, SessionId},
};

/// What `initialize` has set, or the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How pictures travel.
    pub images: ImageTransfer,
    /// The size of pictures; the server's default when absent.
    pub screen: Option<ScreenFit>,
    /// What coordinates mean.
    pub space: CoordinateSpace,
    /// How pictures wait for actions.
    pub observe: Observing,
}

/// One session.
#[derive(Debug)]
pub struct Client {
    /// Which session.
    pub id: SessionId,
    /// Whose session.
    pub user: UserName,
    /// Its requests.
    pub lane: Lane,
    options: Mutex<Options>,
    /// When its last action ended whose effect no picture has shown yet, and on which display.
    acted: Mutex<Option<(Instant, DisplayEpoch)>>,
    attachments: AttachmentNumbers,
}

/// Numbers the binary messages of a connection, from 1. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct AttachmentNumbers(Arc<AtomicU64>);

impl AttachmentNumbers {
    /// The next one.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Client {
    /// A session that has asked for nothing yet.
    pub fn new(id: SessionId, user: UserName) -> Self {
        Self {
            id,
            user,
            lane: Lane::default(),
            options: Mutex::default(),
            acted: Mutex::default(),
            attachments: AttachmentNumbers::default(),
        }
    }

    /// What the session has asked for.
    pub fn options(&self) -> Options {
        self.options.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what `initialize` asks for.
    pub fn set_up(&self, initialize: &Initialize) {
        *self.options.lock().unwrap_or_else(PoisonError::into_inner) = Options {
            images: initialize.images,
            screen: initialize.screen,
            space: initialize.coordinate_space,
            observe: initialize.observe.clone(),
        };
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

    /// An action has ended.
    pub fn acted(&self, epoch: DisplayEpoch) {
        *self.acted.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), epoch));
    }

    /// When the last action ended whose effect no picture has shown yet.
    pub fn unsettled(&self, epoch: DisplayEpoch) -> Option<Instant> {
        let acted = *self.acted.lock().unwrap_or_else(PoisonError::into_inner);
        acted.filter(|(_, on)| *on == epoch).map(|(at, _)| at)
    }

    /// A picture has shown the effect of the action that ended then.
    pub fn saw_effect(&self, of: Instant) {
        self.acted.lock().unwrap_or_else(PoisonError::into_inner).take_if(|(at, _)| *at == of);
    }

    /// The number of the next binary message, from 1.
    pub fn next_attachment(&self) -> u64 {
        self.attachments.next()
    }

    /// Where streams take theirs from.
    pub fn attachments(&self) -> AttachmentNumbers {
        self.attachments.clone()
    }
}
