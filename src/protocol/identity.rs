//! Who a request comes from, and what that user may use up.

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::SecretAccess;

/// What a token allows, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees, does not act.
    Observe,
    /// Sees and acts.
    Control,
    /// May also take over, halt and configure.
    Admin,
}

/// A name that stands in records, metrics and errors: 1 to 64 of `A-Z a-z 0-9 . _ @ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(Arc<str>);

impl UserName {
    /// The user of a server with one token.
    pub fn only() -> Self {
        Self("default".into())
    }

    /// Whoever holds the other end of standard input or of a virtio port.
    pub fn host() -> Self {
        Self("host".into())
    }

    /// The controller that we have called.
    pub fn dialled() -> Self {
        Self("controller".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        /// As long as a label of a metric should be.
        const LONGEST: usize = 64;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        if (1..=LONGEST).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        Err(format!("user = {text:?} is not 1 to {LONGEST} of A-Z a-z 0-9 . _ @ -"))
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::fmt::Display for UserName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// So much in so long, in every window of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimit {
    /// The most in any window.
    pub amount: NonZeroU64,
    /// The length of the window.
    pub window: Duration,
}

/// What a user may use up. What is absent is not limited, but for the turns and the time of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// Requests that act or look, and tasks begun.
    pub requests: Option<WindowLimit>,
    /// Characters typed and pasted.
    pub typed_characters: Option<WindowLimit>,
    /// Bytes of pictures sent.
    pub image_bytes: Option<WindowLimit>,
    /// Sessions at the same time.
    pub sessions: Option<NonZeroU32>,
    /// Tokens of language models in a month.
    pub monthly_tokens: Option<u64>,
    /// Acting requests of a task.
    pub max_turns: Option<NonZeroU32>,
    /// Time of a task.
    pub max_time: Option<Duration>,
    /// How long a session may do nothing before it is ended.
    pub idle_time: Option<Duration>,
}

/// An authenticated user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who; `default` where there is one token only.
    pub user: UserName,
    /// What the token allows.
    pub role: Role,
    /// Which secrets may be typed.
    pub secrets: SecretAccess,
    /// What the user may use up.
    pub limits: UserLimits,
    /// From when on the token is no longer accepted.
    pub expires: Option<Timestamp>,
}

impl Principal {
    /// Who holds the one token of a server without a tokens file.
    pub fn single_token() -> Self {
        Self::unlimited(UserName::only())
    }

    /// Whoever only the host can be.
    pub fn host() -> Self {
        Self::unlimited(UserName::host())
    }

    /// The controller that we have called, which has shown a certificate.
    pub fn dialled() -> Self {
        Self::unlimited(UserName::dialled())
    }

    /// Whether the token is still accepted.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    fn unlimited(user: UserName) -> Self {
        Self { user, role: Role::Admin, secrets: SecretAccess::All, limits: UserLimits::default(), expires: None }
    }
}
