//! `deskhand token new`: makes a token.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use crate::{
    config::{DEFAULT_TOKEN_FILE, token::Token},
    exit::{Exit, Fatal},
};

/// The verbs about tokens.
#[derive(Debug, clap::Subcommand)]
pub(super) enum TokenCommand {
    /// Write a new token to FILE, which only you can read, and print its SHA-256.
    ///
    /// The controller keeps the file; the guest needs only the hash: `deskhand serve --token-sha256 HASH`. An existing
    /// file is never written over.
    New {
        /// Where the token goes.
        #[arg(default_value = DEFAULT_TOKEN_FILE)]
        file: PathBuf,
    },
}

/// Runs the verb.
pub(super) fn run(command: &TokenCommand) -> Result<Exit, Fatal> {
    let TokenCommand::New { file } = command;
    let token = Token::generate()?;
    token.write_new(file)?;
    writeln!(io::stdout(), "{}", token.hash())
        .map_err(|error| Fatal::new(Exit::Failed, format!("cannot print the hash: {error}")))?;
    Ok(Exit::Fine)
}
