//! What a request comes to, on its way to the outbox.

use crate::protocol::{
    error::Failure,
    message::{BinaryMessage, MessageText},
    request::RequestId,
};

/// An answer ready to be sent: the pictures that its text names go first, nothing between.
#[derive(Debug, Default)]
pub struct Reply {
    /// Binary messages.
    pub attachments: Vec<BinaryMessage>,
    /// The JSON-RPC answer.
    pub text: MessageText,
}

impl Reply {
    /// An answer without pictures beside it.
    pub fn text(text: String) -> Self {
        Self { attachments: Vec::new(), text: text.into() }
    }

    /// An error.
    pub fn failure(id: &RequestId, failure: &Failure) -> Self {
        Self::text(crate::protocol::answer_text::error(Some(id), failure))
    }
}
