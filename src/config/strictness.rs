//! What becomes of a risk in the surroundings that is seen at the start.

use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Fatal};

/// Whether what would be warned about is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// It is warned about.
    #[default]
    Warns,
    /// It ends the start.
    Refuses,
}

impl Strictness {
    /// Warns about a risk, in words that name the remedy, or refuses it.
    ///
    /// # Errors
    /// The refusal.
    pub fn judge(self, risk: &str) -> Result<(), Fatal> {
        match self {
            Self::Warns => {
                tracing::warn!("{risk}");
                Ok(())
            }
            Self::Refuses => {
                Err(Fatal::new(Exit::NotAllowed, format!("{risk} (--strict makes a refusal of this warning)")))
            }
        }
    }
}
