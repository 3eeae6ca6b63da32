//! Which display to open, how to be let in, and who must answer there.

use std::path::PathBuf;

use crate::protocol::display::DisplayNumber;

/// A display, how to be let in, and who must answer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which display.
    pub display: DisplayNumber,
    /// The file with the display's cookie; without one no cookie is sent.
    pub xauthority: Option<PathBuf>,
    /// The process id of the server that we started ourselves; nobody else gets the cookie. `None` for a display that
    /// somebody else started: then its owner must be our user or root.
    pub expected_server: Option<u32>,
}
