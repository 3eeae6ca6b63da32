//! Whether a request may become a WebSocket (RFC 6455, 4.2.1), and under which subprotocol.

use hyper::{
    header::{
        CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
    },
    http::request::Parts,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The one subprotocol that there is.
pub(super) const SUBPROTOCOL: &str = "deskhand.v1";
/// The one version of the WebSocket protocol that there is.
pub(super) const VERSION: &str = "13";
/// A key is 16 random bytes in base64.
const KEY_BYTES: usize = 16;

/// Why a request does not become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpgradeRefusal {
    /// 426: not asked for, or in a version that is not spoken.
    Required,
    /// 400: asked for wrongly.
    Malformed(&'static str),
}

/// What the 101 answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The value of `Sec-WebSocket-Accept`.
    pub(super) key: String,
    /// Whether the client offered the subprotocol, which is then echoed.
    pub(super) offered: bool,
}

/// Checks the head of a `GET`.
pub(super) fn accept(parts: &Parts) -> Result<Accepted, UpgradeRefusal> {
    let headers = &parts.headers;
    let connection = words(headers, &CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade"));
    let upgrade = words(headers, &UPGRADE).any(|word| word.eq_ignore_ascii_case("websocket"));
    match (connection, upgrade) {
        (true, true) => {}
        (false, false) if !headers.contains_key(UPGRADE) => return Err(UpgradeRefusal::Required),
        _ => return Err(UpgradeRefusal::Malformed("Connection: Upgrade and Upgrade: websocket go together")),
    }
    match one(headers, &SEC_WEBSOCKET_VERSION) {
        Some(VERSION) => {}
        Some(_) => return Err(UpgradeRefusal::Required),
        None => return Err(UpgradeRefusal::Malformed("one Sec-WebSocket-Version header is required")),
    }
    let key = one(headers, &SEC_WEBSOCKET_KEY)
        .filter(|key| data_encoding::BASE64.decode(key.as_bytes()).is_ok_and(|decoded| decoded.len() == KEY_BYTES))
        .ok_or(UpgradeRefusal::Malformed("one Sec-WebSocket-Key header with 16 bytes in base64 is required"))?;
    // A body would be read as the first frames.
    let no_body = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    if !no_body || headers.contains_key(TRANSFER_ENCODING) {
        return Err(UpgradeRefusal::Malformed("a WebSocket request has no body"));
    }
    let offered = words(headers, &SEC_WEBSOCKET_PROTOCOL).any(|word| word == SUBPROTOCOL);
    if !offered && words(headers, &SEC_WEBSOCKET_PROTOCOL).next().is_some() {
        return Err(UpgradeRefusal::Malformed("the only subprotocol is deskhand.v1"));
    }
    Ok(Accepted { key: derive_accept_key(key.as_bytes()), offered })
}

/// The words of a comma-separated header, over all its lines.
pub(super) fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

/// The value of a header that must stand there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn accepted(changes: &[(&str, Option<&str>)]) -> Result<Accepted, UpgradeRefusal> {
        let valid = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let mut request = Request::builder().uri("/v1/ws");
        for (name, value) in valid {
            if !changes.iter().any(|(changed, _)| *changed == name) {
                request = request.header(name, value);
            }
        }
        for (name, value) in changes {
            if let Some(value) = value {
                request = request.header(*name, *value);
            }
        }
        accept(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_key_is_answered_as_in_the_rfc() {
        let answer = Accepted { key: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(), offered: false };
        assert_eq!(accepted(&[]), Ok(answer));
    }

    #[test]
    fn ours_among_other_subprotocols_is_taken_and_only_others_are_refused() {
        assert!(accepted(&[("sec-websocket-protocol", Some("other, deskhand.v1"))]).unwrap().offered);
        let refused = Err(UpgradeRefusal::Malformed("the only subprotocol is deskhand.v1"));
        assert_eq!(accepted(&[("sec-websocket-protocol", Some("deskhand.v9"))]), refused);
    }

    #[test]
    fn a_plain_get_and_another_version_are_told_to_upgrade() {
        assert_eq!(accepted(&[("connection", None), ("upgrade", None)]), Err(UpgradeRefusal::Required));
        assert_eq!(accepted(&[("sec-websocket-version", Some("8"))]), Err(UpgradeRefusal::Required));
    }

    #[test]
    fn what_is_asked_for_wrongly_is_malformed() {
        for change in [
            ("connection", None),
            ("upgrade", None),
            ("sec-websocket-version", None),
            ("sec-websocket-key", None),
            ("sec-websocket-key", Some("AAAA")),
            ("sec-websocket-key", Some("dGhlIHNhbXBsZSBub25jZQ")),
            ("content-length", Some("5")),
            ("transfer-encoding", Some("chunked")),
        ] {
            assert!(matches!(accepted(&[change]), Err(UpgradeRefusal::Malformed(_))), "{change:?}");
        }
    }
}
