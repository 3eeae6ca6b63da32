//! The cookie of an Xvfb of our own, in the file format of Xauthority.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

use crate::{
    exit::{Exit, Fatal},
    protocol::display::DisplayNumber,
};

/// The name of the protocol that Xvfb and every Xlib know (Xsecurity(7)).
pub(super) const PROTOCOL: &[u8] = b"MIT-MAGIC-COOKIE-1";
/// Entries for connections from this host, by its name (X.h).
const FAMILY_LOCAL: u16 = 256;
/// Entries for any connection (Xauth.h): programs that see another host name, in another container, use it.
const FAMILY_WILD: u16 = 65_535;
/// A file of ours has two short entries; one that is longer is not ours.
const FILE_BYTES_MAX: u64 = 4096;

/// A cookie and the file that tells it to programs. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct Cookie {
    bits: [u8; 16],
    path: PathBuf,
}

impl Cookie {
    /// Makes a new cookie and writes it to `path` for display `number`. A file with entries for other displays is left
    /// alone: it is somebody's.
    pub(super) fn create(path: &Path, number: DisplayNumber) -> Result<Self, Fatal> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).map_err(|_| Fatal::internal("the operating system gives no random bits"))?;
        let fail = |error: io::Error| {
            Fatal::new(Exit::NotAllowed, format!("cannot write the cookie file {}: {error}", path.display()))
        };
        if !may_replace(path, number).map_err(fail)? {
            return Err(Fatal::new(
                Exit::NotAllowed,
                format!(
                    "{} exists and is not a cookie file of ours for display {number}; name another with --xauthority",
                    path.display()
                ),
            ));
        }
        let host = fs::read("/proc/sys/kernel/hostname").unwrap_or_default();
        let content = encode(host.trim_ascii_end(), number, &bits);
        // Renamed into place, so that no program ever reads half of it.
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        write_private(&temporary, &content).and_then(|()| fs::rename(&temporary, path)).map_err(fail)?;
        Ok(Self { bits, path: path.to_owned() })
    }

    pub(super) const fn bits(&self) -> &[u8; 16] {
        &self.bits
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the cookie file");
        }
    }
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let create = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match create() {
        // Only a process with our id can have left it, and that is us now.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create()?
        }
        opened => opened?,
    };
    file.write_all(content)
}

/// The entries in the order of Xau: family, address, number, name, data; each with its length, big-endian (Xau(3)).
fn encode(host: &[u8], number: DisplayNumber, bits: &[u8; 16]) -> Vec<u8> {
    let digits = number.get().to_string();
    let mut file = Vec::new();
    for (family, address) in [(FAMILY_LOCAL, host), (FAMILY_WILD, &[])] {
        file.extend(family.to_be_bytes());
        for part in [address, digits.as_bytes(), PROTOCOL, bits] {
            // Every part is far shorter than 65,535 bytes: the longest is a host name, at most 64 (uname(2)).
            file.extend(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            file.extend(part);
        }
    }
    file
}

/// Whether nothing of somebody else's is lost: no file, an empty one (of `mktemp`), or one left by a predecessor.
fn may_replace(path: &Path, number: DisplayNumber) -> io::Result<bool> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        found => found?,
    };
    if !found.is_file() || found.uid() != geteuid().as_raw() || found.len() > FILE_BYTES_MAX {
        return Ok(false);
    }
    let content = fs::read(path)?;
    let digits = number.get().to_string();
    Ok(entry_numbers(&content).is_some_and(|numbers| numbers.iter().all(|number| *number == digits.as_bytes())))
}

/// The display number of each entry; `None` when this is no Xauthority file.
fn entry_numbers(mut file: &[u8]) -> Option<Vec<&[u8]>> {
    let mut numbers = Vec::new();
    while !file.is_empty() {
        let (_family, mut rest) = file.split_at_checked(2)?;
        for part in 0..4 {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (value, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            if part == 1 {
                numbers.push(value);
            }
            rest = after;
        }
        file = rest;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u16) -> DisplayNumber {
        DisplayNumber::new(number).unwrap()
    }

    #[test]
    fn the_file_has_the_bytes_that_xauth_writes() {
        // `xauth -f f add host/unix:5 MIT-MAGIC-COOKIE-1 000102030405060708090a0b0c0d0e0f` gives the first entry.
        let bits: [u8; 16] = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let mut expected = b"\x01\x00\x00\x04host\x00\x015\x00\x12MIT-MAGIC-COOKIE-1\x00\x10".to_vec();
        expected.extend(bits);
        expected.extend(b"\xff\xff\x00\x00\x00\x015\x00\x12MIT-MAGIC-COOKIE-1\x00\x10");
        expected.extend(bits);
        assert_eq!(encode(b"host", number(5), &bits), expected);
    }

    #[test]
    fn the_file_is_private_and_goes_with_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xauthority");
        let cookie = Cookie::create(&path, number(5)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(entry_numbers(&fs::read(&path).unwrap()).unwrap(), [b"5", b"5"]);
        drop(cookie);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_of_a_predecessor_is_replaced_and_one_of_somebody_else_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xauthority");
        for ours in [Vec::new(), encode(b"old-host", number(5), &[7; 16])] {
            fs::write(&path, ours).unwrap();
            assert!(Cookie::create(&path, number(5)).is_ok());
        }
        for theirs in [encode(b"host", number(0), &[7; 16]), b"not a cookie file".to_vec()] {
            fs::write(&path, &theirs).unwrap();
            assert_eq!(Cookie::create(&path, number(5)).unwrap_err().exit, Exit::NotAllowed);
            assert_eq!(fs::read(&path).unwrap(), theirs);
        }
    }
}
