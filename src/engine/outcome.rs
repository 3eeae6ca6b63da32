//! What a request comes to, on its way to the outbox.

use crate::protocol::{error::Failure, request::RequestId};

/// An answer ready to be sent: the pictures that its text names go first, nothing between.
#[derive(Debug, Default)]
pub struct Reply {
    /// Binary messages.
    pub attachments: Vec<Vec<u8>>,
    /// The JSON-RPC answer.
    pub text: String,
}

impl Reply {
    /// An answer without pictures beside it.
    pub fn text(text: String) -> Self {
        Self { attachments: Vec::new(), text }
    }

    /// An error.
    pub fn failure(id: &RequestId, failure: &Failure) -> Self {
        Self::text(crate::protocol::answer_text::error(Some(id), failure))
    }
}
