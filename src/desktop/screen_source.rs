//! The two ways in which the root window's pixels reach us.

use std::{io, num::NonZeroUsize, ops::Range};

use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    cookie::Cookie,
    errors::ConnectionError,
    protocol::{
        shm::{self, ConnectionExt as _},
        xproto::{ConnectionExt as _, ImageFormat},
    },
};

use super::{
    connection::{Link, LinkError, XConnection},
    damage::Drawn,
    last_frame::{LastFrame, WORD_BYTES, Word as _, padded_bytes},
    shm::SharedSegment,
};
use crate::{image::pixels::PIXEL_BYTES, protocol::units::NativeSize};

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

    /// Captures the rows of the root window in which something was drawn into the frame, and compares them there.
    ///
    /// After a wait that timed out the server may still write the segment, late. That cannot reach a later frame: the server
    /// carries out our requests in order, so when the next reply is here, the late write is over and overwritten.
    pub fn update(&self, link: &Link, frame: &mut LastFrame, drawn: &Drawn) -> Result<(), LinkError> {
        let whole = 0..link.size.height;
        let bands = match drawn {
            Drawn::Nowhere => return Ok(()),
            Drawn::Rows(bands) if !frame.is_new() => bands.as_slice(),
            Drawn::Rows(_) | Drawn::Anywhere => std::slice::from_ref(&whole),
        };
        match self {
            Self::Shared { segment, id } => {
                let sent: Vec<_> = bands.iter().map(|band| Self::ask_shared(link, *id, band)).collect();
                // Every answer is taken, also after one that is an error: what they write must be over.
                let answers: Vec<_> = sent.into_iter().map(|sent| link.reply(sent)).collect();
                answers.into_iter().collect::<Result<Vec<_>, _>>()?;
                let words = segment.words();
                for band in bands {
                    let first = first_byte(link, band.start) / WORD_BYTES;
                    frame.update(words.get(first..).unwrap_or_default(), band.clone());
                }
            }
            Self::Core => {
                for band in bands {
                    let bytes = padded_bytes(NativeSize { width: link.size.width, height: band.end - band.start });
                    link.connection.stream().note_incoming(|incoming| incoming.allow(bytes));
                    let (y, height) = (band.start.cast_signed(), band.end - band.start);
                    let (format, width) = (ImageFormat::Z_PIXMAP, link.size.width);
                    let mut data =
                        link.reply(link.connection.get_image(format, link.root, 0, y, width, height, PLANES))?.data;
                    data.resize(bytes, 0);
                    frame.update(data.as_chunks::<WORD_BYTES>().0, band.clone());
                }
            }
        }
        Ok(())
    }

    /// Captures the whole root window, to be painted over before it becomes a frame.
    pub fn read(&self, link: &Link, into: &mut Vec<u8>) -> Result<(), LinkError> {
        let bytes = padded_bytes(link.size);
        match self {
            Self::Shared { segment, id } => {
                link.reply(Self::ask_shared(link, *id, &(0..link.size.height)))?;
                into.clear();
                into.extend(segment.words().iter().flat_map(|word| word.load().to_ne_bytes()));
            }
            Self::Core => {
                link.connection.stream().note_incoming(|incoming| incoming.allow(bytes));
                let (format, NativeSize { width, height }) = (ImageFormat::Z_PIXMAP, link.size);
                *into = link.reply(link.connection.get_image(format, link.root, 0, 0, width, height, PLANES))?.data;
            }
        }
        into.resize(bytes, 0);
        Ok(())
    }

    /// Asks for some rows, to be written where they stand in the whole picture.
    fn ask_shared<'a>(
        link: &'a Link,
        id: shm::Seg,
        band: &Range<u16>,
    ) -> Result<Cookie<'a, XConnection, shm::GetImageReply>, ConnectionError> {
        let (format, width, height) = (ImageFormat::Z_PIXMAP.into(), link.size.width, band.end - band.start);
        // Screens are at most 2,160 rows high, and their pictures 32 MiB long.
        let (y, offset) = (band.start.cast_signed(), u32::try_from(first_byte(link, band.start)).unwrap_or_default());
        link.connection.shm_get_image(link.root, 0, y, width, height, PLANES, format, id, offset)
    }

    /// Gives memory back that the next capture can do without.
    pub fn release(&self) -> io::Result<()> {
        match self {
            Self::Shared { segment, .. } => segment.release(),
            Self::Core => Ok(()),
        }
    }
}

/// Where a row begins.
fn first_byte(link: &Link, row: u16) -> usize {
    usize::from(link.size.width) * usize::from(row) * PIXEL_BYTES
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
