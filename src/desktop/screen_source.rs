//! The two ways in which the root window's pixels reach us.

use std::{io, num::NonZeroUsize};

use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    protocol::{
        shm::{self, ConnectionExt as _},
        xproto::{ConnectionExt as _, ImageFormat},
    },
};

use super::{
    connection::{Link, LinkError},
    last_frame::{LastFrame, padded_bytes},
    shm::SharedSegment,
};

/// All planes.
const PLANES: u32 = u32::MAX;
/// The version of MIT-SHM that takes descriptors instead of System V identifiers.
const DESCRIPTOR_VERSION: (u16, u16) = (1, 2);

/// Where pixels come from.
#[derive(Debug)]
pub enum ScreenSource {
    /// Through memory that the server has mapped as well.
    Shared {
        /// The memory.
        segment: SharedSegment,
        /// Its name in the protocol.
        id: shm::Seg,
    },
    /// Through the socket.
    Core,
}

impl ScreenSource {
    /// Shares memory with the server; [`ScreenSource::Core`] where there is no MIT-SHM 1.2 or it refuses (a server under
    /// another user or in another container may).
    pub fn set_up(link: &Link) -> Result<Self, LinkError> {
        match Self::share(link) {
            Ok(source) => Ok(source),
            Err(ShareError::Impossible(reason)) => {
                tracing::info!(reason, "no shared memory with the display; screenshots come through its socket");
                Ok(Self::Core)
            }
            Err(ShareError::Link(error)) => Err(error),
        }
    }

    fn share(link: &Link) -> Result<Self, ShareError> {
        let impossible = |reason: &str| Err(ShareError::Impossible(reason.to_owned()));
        let known = link.connection.extension_information(shm::X11_EXTENSION_NAME);
        if known.map_err(|error| link.explain(error))?.is_none() {
            return impossible("the display has no MIT-SHM");
        }
        let version = link.reply(link.connection.shm_query_version())?;
        if (version.major_version, version.minor_version) < DESCRIPTOR_VERSION {
            return impossible("the display's MIT-SHM is older than 1.2");
        }
        let Some(bytes) = NonZeroUsize::new(padded_bytes(link.size)) else { return impossible("the screen is empty") };
        let segment = SharedSegment::new(bytes)?;
        let id = link.connection.generate_id().map_err(|error| link.explain(error))?;
        // Not read-only: the server writes it.
        link.done(link.connection.shm_attach_fd(id, segment.descriptor()?, false))?;
        Ok(Self::Shared { segment, id })
    }

    /// Captures the root window into the frame.
    ///
    /// After a wait that timed out the server may still write the segment, late. That cannot reach a later frame: the server
    /// carries out our requests in order, so when the next reply is here, the late write is over and overwritten.
    pub fn update(&self, link: &Link, frame: &mut LastFrame) -> Result<(), LinkError> {
        let (width, height) = (link.size.width, link.size.height);
        match self {
            Self::Shared { segment, id } => {
                let format = ImageFormat::Z_PIXMAP.into();
                let get = link.connection.shm_get_image(link.root, 0, 0, width, height, PLANES, format, *id, 0);
                link.reply(get)?;
                frame.update(segment.words());
            }
            Self::Core => {
                link.connection.stream().note_incoming(|incoming| incoming.allow(padded_bytes(link.size)));
                let get = link.connection.get_image(ImageFormat::Z_PIXMAP, link.root, 0, 0, width, height, PLANES);
                let mut bytes = link.reply(get)?.data;
                bytes.resize(padded_bytes(link.size), 0);
                frame.update(bytes.as_chunks().0);
            }
        }
        Ok(())
    }

    /// Gives memory back that the next capture can do without.
    pub fn release(&self) -> io::Result<()> {
        match self {
            Self::Shared { segment, .. } => segment.release(),
            Self::Core => Ok(()),
        }
    }
}

/// Why no memory is shared.
enum ShareError {
    /// It does not work with this server; the socket does.
    Impossible(String),
    /// The connection failed.
    Link(LinkError),
}

impl From<io::Error> for ShareError {
    fn from(error: io::Error) -> Self {
        Self::Impossible(format!("shared memory could not be made: {error}"))
    }
}

impl From<LinkError> for ShareError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Refused(reason) => Self::Impossible(reason),
            error => Self::Link(error),
        }
    }
}
