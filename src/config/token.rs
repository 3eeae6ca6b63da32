//! Tokens: 256 random bits as 64 lower-case hexadecimal characters. The server needs only their SHA-256.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use rustix::fs::OFlags;

use crate::protocol::{limits::TOKEN_CHARACTERS, token::TokenHash};

/// The permission bits that let anybody but the owner at a file.
const OTHERS: u32 = 0o077;

/// A token in clear. Never printed: it has no `Debug` and no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; TOKEN_CHARACTERS]);

impl Token {
    /// A new one from the operating system's random source.
    pub fn generate() -> Result<Self, TokenError> {
        let mut bits = [0; TOKEN_CHARACTERS / 2];
        getrandom::fill(&mut bits).map_err(|_| TokenError::Random)?;
        let mut text = [0; TOKEN_CHARACTERS];
        HEXLOWER.encode_mut(&bits, &mut text);
        Ok(Self(text))
    }

    /// What the server keeps of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }

    /// Reads a token file: the 64 characters, one newline at most after them. A file that others may read is refused.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let text = read_private(path, TOKEN_CHARACTERS as u64 + 1)?;
        let text = text.strip_suffix('\n').unwrap_or(&text).as_bytes();
        let token = text.try_into().map_err(|_| TokenError::Format { path: path.to_owned() })?;
        if HEXLOWER.decode(text).is_err() {
            return Err(TokenError::Format { path: path.to_owned() });
        }
        Ok(Self(token))
    }

    /// Writes it to a new file that only we may read. An existing file, even a link, is never written over.
    pub fn write_new(&self, path: &Path) -> Result<(), TokenError> {
        let fail = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => TokenError::Exists { path: path.to_owned() },
            _ => TokenError::Write { path: path.to_owned(), error },
        };
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
        file.write_all(&self.0).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all()).map_err(fail)
    }
}

/// Reads a file of at most so many bytes that only its owner can use.
///
/// # Errors
/// Why it is no good.
pub(super) fn read_private(path: &Path, most: u64) -> Result<String, TokenError> {
    read_guarded(path, most, OTHERS)
}

/// Reads a file of at most so many bytes that has none of these permission bits.
///
/// # Errors
/// Why it is no good.
pub(super) fn read_guarded(path: &Path, most: u64, refused: u32) -> Result<String, TokenError> {
    let fail = |error| TokenError::Read { path: path.to_owned(), error };
    // Without NONBLOCK a named pipe in its place would hold the start up for ever.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(TokenError::Format { path: path.to_owned() });
    }
    if metadata.mode() & refused != 0 {
        return Err(TokenError::Readable { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > most {
        return Err(TokenError::Format { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|_| TokenError::Format { path: path.to_owned() })
}

/// Why a token file is no good.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The operating system has no random bits.
    #[error("the operating system gives no random bits, so no token can be made")]
    Random,
    /// It cannot be read.
    #[error("cannot read the token file {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write the token file {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// There is something at the path already.
    #[error("{} exists and a token file is never written over; remove it or name another", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("the token file {} has mode {mode:04o} and others can use it; run chmod 600 on it", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A tokens file does not say what it should.
    #[error("the tokens file {} cannot be used: {problem}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Its content is no token.
    #[error("the token file {} does not hold 64 lower-case hexadecimal characters; make one with `deskhand token new`", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_written_token_reads_back_and_only_the_owner_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let token = Token::generate().unwrap();
        token.write_new(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(Token::read(&path).unwrap().hash(), token.hash());
        assert!(Token::generate().unwrap() != token, "two tokens are never the same");
    }

    #[test]
    fn the_hash_is_over_the_characters_without_a_newline() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let text = "0123456789abcdef".repeat(4);
        fs::write(&path, format!("{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        // From `printf 0123456789abcdef…(four times) | sha256sum`.
        let expected = "a8ae6e6ee929abea3afcfc5258c8ccd6f85273e0d4626d26c7279f3250f77c8e";
        assert_eq!(Token::read(&path).unwrap().hash().to_string(), expected);
    }

    #[test]
    fn an_existing_file_or_link_is_never_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &link).unwrap();
        let token = Token::generate().unwrap();
        for path in [&file, &link] {
            assert!(matches!(token.write_new(path), Err(TokenError::Exists { .. })));
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(!directory.path().join("elsewhere").exists());
    }

    #[test]
    fn a_token_file_that_others_can_use_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        Token::generate().unwrap().write_new(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(Token::read(&path), Err(TokenError::Readable { .. })), "{mode:o}");
        }
    }

    #[test]
    fn anything_but_64_lower_case_hexadecimal_characters_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let good = "a".repeat(64);
        let wrong = [
            String::new(),
            "a".repeat(63),
            "a".repeat(65),
            "A".repeat(64),
            "g".repeat(64),
            format!("{good}\n\n"),
            format!(" {good}"),
        ];
        for text in wrong {
            fs::write(&path, &text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(Token::read(&path), Err(TokenError::Format { .. })), "{text:?}");
        }
        assert!(matches!(Token::read(directory.path()), Err(TokenError::Format { .. } | TokenError::Readable { .. })));
        assert!(matches!(Token::read(&directory.path().join("none")), Err(TokenError::Read { .. })));
    }
}
