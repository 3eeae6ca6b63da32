//! People with tokens of their own: the tokens file that knows them, and controllers that are theirs.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use deskhand::protocol::token::TokenHash;
use tempfile::TempDir;

use super::support::{Controller, Deskhand, Refused};

/// Somebody's token: 64 times the same digit.
pub fn token(letter: char) -> String {
    letter.to_string().repeat(64)
}

/// A tokens file.
pub struct People {
    directory: TempDir,
}

impl People {
    /// Of rows `(user, role, letter, limits)`; the letter makes the token, the limits are TOML.
    pub fn new(rows: &[(&str, &str, char, &str)]) -> Self {
        let people = Self { directory: tempfile::tempdir().unwrap() };
        people.write(&Self::text(rows));
        people
    }

    pub fn text(rows: &[(&str, &str, char, &str)]) -> String {
        let row = |(user, role, letter, limits): &(&str, &str, char, &str)| {
            let hash = TokenHash::of(token(*letter).as_bytes());
            format!("[[token]]\nuser = \"{user}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n{limits}\n")
        };
        rows.iter().map(row).collect()
    }

    /// Puts another text in its place, as an administrator does.
    pub fn write(&self, text: &str) {
        let next = self.directory.path().join("next");
        fs::write(&next, text).unwrap();
        fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(next, self.path()).unwrap();
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("tokens.toml")
    }

    /// A server that lets them in.
    pub fn server(&self, arguments: &[&str]) -> Deskhand {
        let path = self.path();
        Deskhand::owned_with("640x480", &[&["--tokens", path.to_str().unwrap()], arguments].concat())
    }
}

/// Connects as whoever has the token of this letter.
pub fn connect(server: &Deskhand, letter: char) -> Controller {
    try_connect(server, letter).expect("a WebSocket")
}

pub fn try_connect(server: &Deskhand, letter: char) -> Result<Controller, Refused> {
    let authorization = format!("Bearer {}", token(letter));
    Controller::connect_with(server, &[("authorization", &authorization)])
}
