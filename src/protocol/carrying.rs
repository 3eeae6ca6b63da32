//! How what carries requests goes wrong or ends: closed lists, so that whoever counts them needs no words from a peer.

/// Makes an enumeration whose members are all known, each with the word that stands in metrics.
macro_rules! closed_list {
    ($(#[$documentation:meta])* $name:ident { $($(#[$member_documentation:meta])* $member:ident = $word:literal,)+ }) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$member_documentation])* $member,)+
        }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$member,)+];

            /// The word for it.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$member => $word,)+
                }
            }
        }
    };
}

closed_list! {
    /// Why an HTTP request, or a connection before its first, goes no further.
    HttpRefusal {
        /// Not one well-formed HTTP/1.1 request.
        Malformed = "malformed",
        /// Its head was not complete in time.
        TimedOut = "timed_out",
        /// Its TLS handshake failed: another version, or a certificate that does not do.
        Tls = "tls",
        /// Addressed to a name that is not ours.
        Host = "host",
        /// Sent by a page that is not ours.
        Origin = "origin",
        /// No token, or a wrong one.
        Unauthorized = "unauthorized",
        /// Its process runs as a user who is not named.
        Peer = "peer_user",
        /// The places for connections that have shown no token are taken.
        TooManyConnections = "too_many_connections",
        /// The places for WebSocket connections are taken.
        TooManyWebSockets = "too_many_websockets",
        /// It should have become a WebSocket and cannot.
        Upgrade = "upgrade",
        /// Its body is too large, broken off or late.
        Body = "body",
    }
}

closed_list! {
    /// Why a WebSocket has ended.
    Closing {
        /// The peer has closed it.
        ByPeer = "peer",
        /// The peer went away without a word.
        Gone = "gone",
        /// The peer was silent for too long.
        Silent = "silent",
        /// The server stops.
        GoingAway = "going_away",
        /// Frames that RFC 6455 does not allow.
        Protocol = "protocol",
        /// Text that is not UTF-8.
        NotText = "not_text",
        /// A message over the limit.
        TooBig = "too_big",
        /// A rule: a message that was not complete in time, a token's end, a successor.
        Policy = "policy",
        /// A reader that is too slow, or a session too many.
        Overloaded = "overloaded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_numbered_in_the_order_of_the_list_and_no_word_stands_twice() {
        let mut words: Vec<&str> = Vec::new();
        for (number, refusal) in HttpRefusal::ALL.iter().enumerate() {
            assert_eq!(*refusal as usize, number);
            words.push(refusal.word());
        }
        for (number, closing) in Closing::ALL.iter().enumerate() {
            assert_eq!(*closing as usize, number);
            words.push(closing.word());
        }
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }
}
