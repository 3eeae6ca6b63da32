//! The files that `serve` would use as the environment and the configuration file name them, for whoever looks at who can read
//! them.

use std::path::{Path, PathBuf};

use clap::{
    Args as _, FromArgMatches as _,
    error::{ContextKind, ContextValue},
};

use super::{absolute, arguments::ServeArguments, read_file};
use crate::{exit::Fatal, protocol::address::ListenAddress};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A token in clear.
    Token,
    /// The hashes of tokens, and whose they are.
    Tokens,
    /// The record of what was done.
    Audit,
    /// The key of that record.
    AuditKey,
    /// The private key of our certificate.
    TlsKey,
    /// What may be done.
    Policy,
    /// What survives a restart: a directory.
    State,
    /// The configuration.
    Config,
    /// The cookie of the display.
    Cookie,
    /// The directory in which a socket to control us is made.
    SocketDirectory,
}

/// Everything that is named, without looking whether it is there.
///
/// # Errors
/// What is wrong in the environment or the file. Unlike `serve`, it does not repeat the value: it may be a key in a wrong place.
pub fn named_files() -> Result<Vec<(Content, PathBuf)>, Fatal> {
    let typed = typed_in_the_environment()?;
    let config = typed.config.clone();
    let typed = match &config {
        Some(path) => typed.or(read_file(Path::new(path)).map_err(|_| {
            Fatal::usage(format!("the configuration file {path} cannot be used, and `deskhand serve` says why"))
        })?),
        None => typed,
    };
    list(&typed, config.as_deref())
}

fn typed_in_the_environment() -> Result<ServeArguments, Fatal> {
    let told = |error: &clap::Error| match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => {
            format!("the environment has a wrong value for {flag}, and `deskhand serve` says what is wrong with it")
        }
        _ => "the environment has a wrong value for `deskhand serve`, which says which".to_owned(),
    };
    let command = ServeArguments::augment_args(clap::Command::new("serve"));
    command
        .try_get_matches_from(["serve"])
        .and_then(|matches| ServeArguments::from_arg_matches(&matches))
        .map_err(|error| Fatal::usage(told(&error)))
}

fn list(typed: &ServeArguments, config: Option<&str>) -> Result<Vec<(Content, PathBuf)>, Fatal> {
    let audit = typed.audit.as_deref().filter(|target| !["stdout", "syslog"].contains(target));
    let named = [
        (Content::Token, typed.token_file.as_deref()),
        (Content::Tokens, typed.tokens.as_deref()),
        (Content::Audit, audit),
        (Content::AuditKey, typed.audit_key.as_deref()),
        (Content::TlsKey, typed.tls_key.as_deref()),
        (Content::Policy, typed.policy.as_deref()),
        (Content::State, typed.state.as_deref()),
        (Content::Config, config),
        (Content::Cookie, typed.xauthority.as_deref()),
    ];
    let mut files = Vec::new();
    for (content, path) in named {
        if let Some(path) = path {
            files.push((content, absolute(path)?));
        }
    }
    for address in &typed.listen {
        if let ListenAddress::Unix(path) = address
            && let Some(directory) = std::path::absolute(path).ok().as_deref().and_then(Path::parent)
        {
            files.push((Content::SocketDirectory, directory.to_owned()));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_listed_and_what_is_no_file_is_not() {
        let typed = ServeArguments {
            token_file: Some("/run/token".into()),
            audit: Some("/var/audit.jsonl".into()),
            tls_key: Some("/run/key.pem".into()),
            listen: vec!["unix:/run/control/deskhand.sock".parse().unwrap(), "127.0.0.1:0".parse().unwrap()],
            ..ServeArguments::default()
        };
        let files = list(&typed, Some("/etc/deskhand.toml")).unwrap();
        let expected = [
            (Content::Token, "/run/token"),
            (Content::Audit, "/var/audit.jsonl"),
            (Content::TlsKey, "/run/key.pem"),
            (Content::Config, "/etc/deskhand.toml"),
            (Content::SocketDirectory, "/run/control"),
        ];
        assert_eq!(files, expected.map(|(content, path)| (content, PathBuf::from(path))));
        for nowhere in ["stdout", "syslog"] {
            let typed = ServeArguments { audit: Some(nowhere.into()), ..ServeArguments::default() };
            assert_eq!(list(&typed, None).unwrap(), []);
        }
    }
}
