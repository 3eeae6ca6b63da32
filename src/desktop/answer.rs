//! Waiting for one X reply. x11rb keeps what arrives after a wait has failed; here it is thrown away instead.

use x11rb::{
    connection::{DiscardMode, RequestConnection as _, RequestKind},
    cookie::{Cookie, VoidCookie},
    errors::{ConnectionError, ReplyError},
    protocol::xproto::ConnectionExt as _,
    x11_utils::TryParse,
};

use super::{
    connection::{Link, LinkError, XConnection},
    incoming::Incoming,
};

impl Link {
    /// The reply to a request that was sent. After a failed wait the late reply is dropped when it comes (x11rb would hold
    /// it for ever: `Cookie::reply` gives the sequence number up before it waits).
    pub fn reply<R: TryParse>(
        &self,
        sent: Result<Cookie<'_, XConnection, R>, ConnectionError>,
    ) -> Result<R, LinkError> {
        let cookie = sent.map_err(|error| self.explain(error))?;
        let sequence = cookie.sequence_number();
        let reply = cookie.reply().map_err(|error| self.give_up(sequence, RequestKind::HasResponse, error))?;
        self.connection.stream().note_incoming(Incoming::caught_up);
        Ok(reply)
    }

    /// Waits until the server has carried out a request that has no reply, with a round trip. The same for late answers.
    pub fn done(&self, sent: Result<VoidCookie<'_, XConnection>, ConnectionError>) -> Result<(), LinkError> {
        let cookie = sent.map_err(|error| self.explain(error))?;
        let sequence = cookie.sequence_number();
        cookie.check().map_err(|error| self.give_up(sequence, RequestKind::IsVoid, error))
    }

    /// Asks something harmless and waits for the answer: everything sent before has been carried out by then.
    pub fn round_trip(&self) -> Result<(), LinkError> {
        self.reply(self.connection.get_input_focus()).map(drop)
    }

    fn give_up(&self, sequence: u64, kind: RequestKind, error: ReplyError) -> LinkError {
        self.connection.stream().note_incoming(Incoming::expect_late);
        self.connection.discard_reply(sequence, kind, DiscardMode::DiscardReplyAndError);
        self.explain(error)
    }
}
