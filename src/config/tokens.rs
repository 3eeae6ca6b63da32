//! The tokens file: who may connect, with which token, and how much each may do.

use std::{
    collections::HashSet,
    num::{NonZeroU32, NonZeroU64},
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::Deserialize;

use super::token::TokenError;
use crate::protocol::{
    identity::{Principal, Role, UserLimits, UserName, WindowLimit},
    limits,
    secret::{SecretAccess, SecretName},
    token::TokenHash,
    token_table::{Grant, TokenTable},
};

/// The largest tokens file: some four hundred tokens. It goes to the server in one piece, which the socket between takes whole
/// (`net.core.wmem_default` is 208 KiB, of which the kernel's own part is about half).
const TOKENS_FILE_BYTES: u64 = 64 * 1024;
/// The window of `requests` and the others where `window_minutes` is not given.
const WINDOW_MINUTES: NonZeroU32 = NonZeroU32::new(60).unwrap();

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    user: UserName,
    role: Role,
    sha256: TokenHash,
    #[serde(default)]
    secrets: Vec<String>,
    expires: Option<toml::value::Datetime>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    requests: Option<NonZeroU64>,
    typed_characters: Option<NonZeroU64>,
    image_bytes: Option<NonZeroU64>,
    window_minutes: Option<NonZeroU32>,
    sessions: Option<NonZeroU32>,
    monthly_tokens: Option<u64>,
    max_turns: Option<NonZeroU32>,
    max_seconds: Option<NonZeroU32>,
    idle_seconds: Option<NonZeroU32>,
}

/// Reads the text of a tokens file.
///
/// # Errors
/// What is wrong with it and where; the file is used as a whole or not at all.
pub fn parse(text: &str) -> Result<TokenTable, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.token.is_empty() {
        return Err("it has no [[token]], so nobody could connect; add one".to_owned());
    }
    let mut known = HashSet::new();
    let grants = file.token.into_iter().map(|entry| {
        if !known.insert(entry.sha256.to_string()) {
            return Err(format!("the token of {} stands there twice; give each holder one of their own", entry.user));
        }
        entry.grant()
    });
    grants.collect::<Result<_, _>>().map(TokenTable::new)
}

impl Entry {
    fn grant(self) -> Result<Grant, String> {
        let Self { user, role, sha256, secrets, expires, limits } = self;
        let expires = expires.map(|expires| moment(&user, &expires)).transpose()?;
        let secrets = access(&user, secrets)?;
        let principal = Principal { user, role, secrets, limits: limits.check()?, expires };
        Ok(Grant { sha256, principal })
    }
}

/// The secrets of a token: those that are named, or all by `*`.
fn access(user: &UserName, secrets: Vec<String>) -> Result<SecretAccess, String> {
    if secrets == ["*"] {
        return Ok(SecretAccess::All);
    }
    if secrets.is_empty() {
        return Ok(SecretAccess::None);
    }
    let named = secrets.into_iter().map(SecretName::try_from).collect::<Result<_, _>>().map(Arc::new);
    named.map(SecretAccess::Named).map_err(|rule| format!("secrets of {user}: {rule}; or give [\"*\"] for all"))
}

fn moment(user: &UserName, expires: &toml::value::Datetime) -> Result<Timestamp, String> {
    expires.to_string().parse().map_err(|_| {
        format!("expires = {expires} of {user} has no offset; write the moment in UTC, such as 2027-01-31T12:00:00Z")
    })
}

impl Limits {
    fn check(self) -> Result<UserLimits, String> {
        let is_windowed = self.requests.is_some() || self.typed_characters.is_some() || self.image_bytes.is_some();
        if self.window_minutes.is_some() && !is_windowed {
            return Err("window_minutes limits nothing without requests, typed_characters or image_bytes".to_owned());
        }
        let minutes = self.window_minutes.unwrap_or(WINDOW_MINUTES).get();
        let window = Duration::from_secs(60 * u64::from(minutes));
        let limit = |amount: Option<NonZeroU64>| amount.map(|amount| WindowLimit { amount, window });
        let seconds = |seconds: NonZeroU32| Duration::from_secs(seconds.get().into());
        if self.requests.is_some_and(|requests| requests.get() > limits::WINDOW_REQUESTS_MAX) {
            // Each request of a window is remembered, which is what makes the limit exact.
            return Err(format!("requests is above {}; leave it out for no limit", limits::WINDOW_REQUESTS_MAX));
        }
        Ok(UserLimits {
            requests: limit(self.requests),
            typed_characters: limit(self.typed_characters),
            image_bytes: limit(self.image_bytes),
            sessions: self.sessions,
            monthly_tokens: self.monthly_tokens,
            max_turns: self.max_turns,
            max_time: self.max_seconds.map(seconds),
            idle_time: self.idle_seconds.map(seconds),
        })
    }
}

/// Reads a tokens file. One that others can read is refused: hashes are not tokens, but who may do what is nobody else's business,
/// and a file that others can write would let them in.
///
/// # Errors
/// Why it cannot be used.
pub fn read(path: &Path) -> Result<String, TokenError> {
    super::token::read_private(path, TOKENS_FILE_BYTES).map_err(|error| match error {
        TokenError::Format { path } => {
            let problem = format!("it is not a plain file of at most {TOKENS_FILE_BYTES} bytes of UTF-8");
            TokenError::Table { path, problem }
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(letter: char) -> String {
        TokenHash::of(letter.to_string().repeat(64).as_bytes()).to_string()
    }

    fn principal(text: &str, letter: char) -> Principal {
        let table = parse(text).expect("a table");
        let now = "2026-11-27T00:00:00Z".parse().expect("a moment");
        table.principal(now, letter.to_string().repeat(64).as_bytes()).expect("it is in the table")
    }

    #[test]
    fn a_table_says_who_holds_a_token_and_how_much_each_may_do() {
        let text = format!(
            r#"
            [[token]]
            user = "ann@example.org"
            role = "control"
            sha256 = "{}"
            expires = 2027-01-31T12:00:00+01:00
            limits = {{ requests = 100, window_minutes = 60, monthly_tokens = 1000000, max_turns = 80, max_seconds = 1800, idle_seconds = 600 }}
            [[token]]
            user = "watcher"
            role = "observe"
            sha256 = "{}"
            "#,
            hash('a'),
            hash('b')
        );
        let ann = principal(&text, 'a');
        assert_eq!((ann.user.as_str(), ann.role), ("ann@example.org", Role::Control));
        assert_eq!(ann.expires, Some("2027-01-31T11:00:00Z".parse().expect("a moment")));
        let window = Duration::from_secs(3600);
        let requests = WindowLimit { amount: NonZeroU64::new(100).expect("not zero"), window };
        assert_eq!(ann.limits.requests, Some(requests));
        assert_eq!(ann.limits.monthly_tokens, Some(1_000_000));
        assert_eq!(ann.limits.max_turns, NonZeroU32::new(80));
        assert_eq!(ann.limits.max_time, Some(Duration::from_secs(1800)));
        assert_eq!(ann.limits.idle_time, Some(Duration::from_secs(600)));
        assert_eq!(ann.secrets, SecretAccess::None);
        let watcher = principal(&text, 'b');
        assert_eq!((watcher.role, watcher.limits, watcher.expires), (Role::Observe, UserLimits::default(), None));
    }

    #[test]
    fn a_wrong_table_is_refused_as_a_whole_and_says_what_is_wrong() {
        let with =
            |line: &str| format!("[[token]]\nuser = \"u\"\nrole = \"control\"\nsha256 = \"{}\"\n{line}\n", hash('a'));
        for (text, said) in [
            (String::new(), "no [[token]]"),
            (with("") + &with(""), "twice"),
            (with("color = 1"), "color"),
            (with("secrets = [\"a b\"]"), "secrets of u"),
            (with("expires = 2027-01-31T12:00:00"), "UTC"),
            (with("expires = 2027-01-31"), "UTC"),
            (with("limits = { requests = 0 }"), "requests"),
            (with("limits = { window_minutes = 5 }"), "window_minutes"),
            (with("limits = { requests = 1000001 }"), "requests"),
            (with("").replace("\"u\"", "\"a user\""), "user"),
            (with("").replace("control", "root"), "root"),
            (with("").replace(&hash('a'), "abc"), "hexadecimal"),
        ] {
            let error = parse(&text).expect_err(&text);
            assert!(error.contains(said), "{said} in {error}");
        }
    }
}
