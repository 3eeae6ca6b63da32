//! Who a request comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// An authenticated user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user's name as the tokens file gives it; `default` where there is one token only.
    pub user: String,
    /// What the token allows.
    pub role: Role,
}

impl Principal {
    /// Who holds the one token of a server without a tokens file.
    pub fn single_token() -> Self {
        Self { user: "default".to_owned(), role: Role::Admin }
    }
}
