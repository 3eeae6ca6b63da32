//! Reads one cookie from an Xauthority file. The format is libXau's (`XauReadAuth`): entries of a big-endian family and
//! four strings, each with a big-endian 16-bit length: address, display number, name, data.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::witness;
use crate::protocol::display::DisplayNumber;

/// The only authorization that is sent: the server compares the cookie, no other data leaves this machine.
pub const COOKIE_NAME: &[u8] = b"MIT-MAGIC-COOKIE-1";
/// The most bytes of a file that are read. A real file has some hundred bytes; a display manager's thousands.
const FILE_BYTES: u64 = 1024 * 1024;
/// `FamilyLocal` (Xauth.h): the entry is for this machine's Unix sockets.
const FAMILY_LOCAL: u16 = 256;
/// `FamilyWild` (Xauth.h): the entry is for every address.
const FAMILY_WILD: u16 = 65535;

/// Why no cookie could be read.
#[derive(Debug, Error)]
pub enum XauthorityError {
    /// The file cannot be opened or read.
    #[error("cannot read the cookie file {path}: {source}; name the right file with --xauthority or XAUTHORITY")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not a regular file or far too large.
    #[error("the cookie file {path} is not a regular file of at most {FILE_BYTES} bytes; make one with xauth")]
    NotACookieFile {
        /// The file.
        path: String,
    },
    /// An entry ends before its length says.
    #[error("the cookie file {path} is damaged: an entry is cut short at byte {offset}; make it again with xauth")]
    Damaged {
        /// The file.
        path: String,
        /// Where the entry begins.
        offset: usize,
    },
    /// No entry is for the display.
    #[error("the cookie file {path} has no MIT-MAGIC-COOKIE-1 entry for display {display}; add one with xauth")]
    NoEntry {
        /// The file.
        path: String,
        /// Which display.
        display: DisplayNumber,
    },
}

/// Why the contents of a cookie file are not there, as one process can tell it another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// It is not a regular file or far too large.
    NotACookieFile,
    /// The system's reason (errno(3)).
    System(i32),
}

impl From<&io::Error> for Unread {
    fn from(error: &io::Error) -> Self {
        Self::System(error.raw_os_error().unwrap_or(Errno::IO.raw_os_error()))
    }
}

/// What is in a cookie file.
///
/// # Errors
/// Why it cannot be read.
pub fn contents(path: &Path) -> Result<Vec<u8>, Unread> {
    let unreadable = |error: io::Error| Unread::from(&error);
    // Looked at before opening: opening a FIFO waits for a writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Unread::NotACookieFile);
    }
    let mut contents = Vec::new();
    File::open(path).map_err(unreadable)?.take(FILE_BYTES + 1).read_to_end(&mut contents).map_err(unreadable)?;
    if contents.len() as u64 > FILE_BYTES { Err(Unread::NotACookieFile) } else { Ok(contents) }
}

/// Reads the cookie for a display of this machine.
pub fn read_cookie(path: &Path, display: DisplayNumber) -> Result<Vec<u8>, XauthorityError> {
    let name = || path.display().to_string();
    let contents = witness::cookie_file(path).map_err(|unread| match unread {
        Unread::NotACookieFile => XauthorityError::NotACookieFile { path: name() },
        Unread::System(number) => {
            XauthorityError::Unreadable { path: name(), source: io::Error::from_raw_os_error(number) }
        }
    })?;
    match find_cookie(&contents, display) {
        Ok(Some(cookie)) => Ok(cookie.to_vec()),
        Ok(None) => Err(XauthorityError::NoEntry { path: name(), display }),
        Err(CutShort { offset }) => Err(XauthorityError::Damaged { path: name(), offset }),
    }
}

/// An entry that ends before its length says.
#[derive(Debug, PartialEq, Eq)]
struct CutShort {
    offset: usize,
}

/// The first cookie for the display; an entry without a number is for every display, as in `XauGetBestAuthByAddr`.
fn find_cookie(contents: &[u8], display: DisplayNumber) -> Result<Option<&[u8]>, CutShort> {
    let number = display.get().to_string();
    let mut rest = contents;
    while !rest.is_empty() {
        let cut_short = CutShort { offset: contents.len() - rest.len() };
        let Some((entry, after)) = read_entry(rest) else { return Err(cut_short) };
        // The address of a local entry is a host name, which says nothing about a socket that was opened by its path;
        // containers change host names freely.
        if matches!(entry.family, FAMILY_LOCAL | FAMILY_WILD)
            && (entry.number.is_empty() || entry.number == number.as_bytes())
            && entry.name == COOKIE_NAME
        {
            return Ok(Some(entry.data));
        }
        rest = after;
    }
    Ok(None)
}

struct Entry<'a> {
    family: u16,
    number: &'a [u8],
    name: &'a [u8],
    data: &'a [u8],
}

fn read_entry(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let (_address, rest) = read_string(rest)?;
    let (number, rest) = read_string(rest)?;
    let (name, rest) = read_string(rest)?;
    let (data, rest) = read_string(rest)?;
    Some((Entry { family: u16::from_be_bytes(*family), number, name, data }, rest))
}

fn read_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u16) -> DisplayNumber {
        DisplayNumber::new(number).unwrap()
    }

    fn entry(family: u16, number: &str, name: &[u8], data: &[u8]) -> Vec<u8> {
        let mut bytes = family.to_be_bytes().to_vec();
        for part in [b"host", number.as_bytes(), name, data] {
            bytes.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
            bytes.extend(part);
        }
        bytes
    }

    #[test]
    fn the_first_cookie_for_the_display_is_taken() {
        let file = [
            entry(FAMILY_LOCAL, "1", COOKIE_NAME, b"other display"),
            entry(0, "99", COOKIE_NAME, b"for TCP"),
            entry(FAMILY_LOCAL, "99", b"XDM-AUTHORIZATION-1", b"other kind"),
            entry(FAMILY_LOCAL, "99", COOKIE_NAME, b"right"),
            entry(FAMILY_WILD, "", COOKIE_NAME, b"for all"),
        ]
        .concat();
        assert_eq!(find_cookie(&file, number(99)), Ok(Some(&b"right"[..])));
        assert_eq!(find_cookie(&file, number(9)), Ok(Some(&b"for all"[..])));
        assert_eq!(find_cookie(&[], number(9)), Ok(None));
    }

    #[test]
    fn every_cut_of_an_entry_is_an_error_that_says_where() {
        let first = entry(FAMILY_LOCAL, "1", COOKIE_NAME, b"cookie");
        let second = entry(FAMILY_LOCAL, "2", COOKIE_NAME, b"cookie");
        for cut in 1..second.len() {
            let file = [&first[..], &second[..cut]].concat();
            assert_eq!(find_cookie(&file, number(2)), Err(CutShort { offset: first.len() }), "cut at {cut}");
        }
        assert_eq!(find_cookie(&[0xff; 64], number(2)), Err(CutShort { offset: 0 }));
    }

    #[test]
    fn devices_directories_and_endless_files_are_refused() {
        for path in ["/dev/zero", "/proc", "/tmp"] {
            let error = read_cookie(Path::new(path), number(1)).unwrap_err();
            assert!(matches!(error, XauthorityError::NotACookieFile { .. }), "{path}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large");
        File::create(&large).unwrap().set_len(FILE_BYTES + 1).unwrap();
        assert!(matches!(read_cookie(&large, number(1)), Err(XauthorityError::NotACookieFile { .. })));
        let missing = folder.path().join("missing");
        assert!(matches!(read_cookie(&missing, number(1)), Err(XauthorityError::Unreadable { .. })));
    }
}
