//! What the pointer looks like, from XFIXES.

use x11rb::{
    connection::RequestConnection as _,
    cookie::Cookie,
    errors::ConnectionError,
    protocol::xfixes::{self, ConnectionExt as _, GetCursorImageReply},
};

use super::connection::{Link, LinkError, XConnection};
use crate::image::cursor::{CursorImage, CursorPlace};

/// The version that has what is used here; a client must ask for one before anything else, or is refused (XFIXES protocol,
/// section 4).
const VERSION: (u32, u32) = (2, 0);

/// A cursor at its place on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedCursor {
    /// What to draw.
    pub image: CursorImage,
    /// Where.
    pub place: CursorPlace,
}

/// The right to ask for cursors on a link: XFIXES is there and its version is agreed on.
#[derive(Clone, Copy, Debug)]
pub struct CursorSource(());

impl CursorSource {
    /// Agrees on the version. `None` when the server has no XFIXES.
    pub fn set_up(link: &Link) -> Result<Option<Self>, LinkError> {
        let known = link.connection.extension_information(xfixes::X11_EXTENSION_NAME);
        if known.map_err(|error| link.explain(error))?.is_none() {
            return Ok(None);
        }
        match link.reply(link.connection.xfixes_query_version(VERSION.0, VERSION.1)) {
            Ok(_) => Ok(Some(Self(()))),
            Err(LinkError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends the question, so that it travels together with others.
    pub fn ask(self, link: &Link) -> Result<Cookie<'_, XConnection, GetCursorImageReply>, ConnectionError> {
        link.connection.xfixes_get_cursor_image()
    }
}

/// Reads the server's answer; `None` when it is inconsistent.
pub fn placed(reply: GetCursorImageReply) -> Option<PlacedCursor> {
    let place = CursorPlace {
        left: i32::from(reply.x) - i32::from(reply.xhot),
        top: i32::from(reply.y) - i32::from(reply.yhot),
    };
    Some(PlacedCursor { image: CursorImage::new(reply.width, reply.cursor_image)?, place })
}
