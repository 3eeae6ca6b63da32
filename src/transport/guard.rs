//! Who may ask at all: the checks on a request's head, in the contract's order, before anything that a peer controls
//! is read or allocated.
//!
//! 400 malformed · 403 Host · 403 Origin · 401. The Host check stops DNS rebinding (a web page whose name resolves to
//! our address), the Origin check stops pages in general; neither replaces the token.

use std::net::{IpAddr, SocketAddr};

use hyper::{
    Method, Version,
    header::{
        AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL,
        TRANSFER_ENCODING,
    },
    http::request::Parts,
};

use super::upgrade;
use crate::protocol::{carrying::HttpRefusal, identity::Principal};

/// Answered without a token and whatever the Host says.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// Answered without a token: the page that asks for one.
const VIEWER: &str = "/";
/// Where a ticket does instead of a token.
pub(super) const WEBSOCKET: &str = "/v1/ws";
/// The subprotocol that carries a ticket, which stands behind it.
const TICKET: &str = "deskhand.ticket.";

/// Why a request goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: not one well-formed HTTP/1.1 request. The text says what is wrong.
    Malformed(&'static str),
    /// 403: addressed to a name that is not ours.
    UnknownHost,
    /// 403: sent by a page that is not ours.
    ForeignOrigin,
    /// 401: no token, or a wrong one; the two are not told apart.
    Unauthorized,
}

impl From<Refusal> for HttpRefusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(_) => Self::Malformed,
            Refusal::UnknownHost => Self::Host,
            Refusal::ForeignOrigin => Self::Origin,
            Refusal::Unauthorized => Self::Unauthorized,
        }
    }
}

/// What lets a request in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It showed a token, or came over a transport that only the host holds.
    Authenticated(Principal),
    /// Nobody needs a token for this path.
    Open,
}

/// What a request shows to be let in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// A token, in `Authorization`.
    Token(&'a [u8]),
    /// A one-time ticket, in the place of a subprotocol.
    Ticket(&'a [u8]),
}

/// Whose connections a listener takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's: a token decides.
    Token,
    /// Only the host's, which holds the other end: no token needed.
    Host,
    /// Anybody's, who may ask how the server is and nothing else: no token needed.
    Probe,
}

/// What a listener speaks below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Nothing.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The port that a browser leaves out of Host and Origin.
    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The checks of one listener.
#[derive(Clone, Debug)]
pub struct Guard {
    hosts: Option<KnownHosts>,
    allowed_origins: Vec<String>,
    trust: Trust,
}

/// The names by which a TCP listener may be addressed.
#[derive(Clone, Debug)]
struct KnownHosts {
    /// `name:port`, lower case.
    exact: Vec<String>,
    /// Names that are known with every port: allowed ones given without a port, as behind a forwarded port.
    any_port: Vec<String>,
}

impl Guard {
    /// For a TCP listener at `address`. A wildcard address counts as the loopback addresses too.
    pub fn tcp(scheme: Scheme, address: SocketAddr, allowed_hosts: &[String], allowed_origins: &[String]) -> Self {
        let mut names = vec!["localhost".to_owned(), name_of(address.ip())];
        if address.ip().is_unspecified() {
            names.extend(["127.0.0.1".to_owned(), "[::1]".to_owned()]);
        }
        let mut exact: Vec<String> = names.iter().map(|name| format!("{name}:{}", address.port())).collect();
        if address.port() == scheme.default_port() {
            exact.extend(names);
        }
        let mut any_port = Vec::new();
        for host in allowed_hosts.iter().map(|host| host.to_ascii_lowercase()) {
            if has_port(&host) { exact.push(host) } else { any_port.push(host) }
        }
        Self {
            hosts: Some(KnownHosts { exact, any_port }),
            allowed_origins: lower(allowed_origins),
            trust: Trust::Token,
        }
    }

    /// For a transport that is not TCP: no page can address it, so Host is not checked.
    pub fn local(trust: Trust, allowed_origins: &[String]) -> Self {
        Self { hosts: None, allowed_origins: lower(allowed_origins), trust }
    }

    /// For `--probe-listen`: known by every name, and to no web page.
    pub fn probe() -> Self {
        Self::local(Trust::Probe, &[])
    }

    /// Whose connections these are.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// Runs the checks. `authenticate` is asked only when everything before it passed.
    pub fn admit(
        &self,
        parts: &Parts,
        authenticate: impl FnOnce(Credential<'_>) -> Option<Principal>,
    ) -> Result<Admission, Refusal> {
        let host = well_formed(parts)?;
        let path = parts.uri.path();
        if !PROBES.contains(&path) {
            let target = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
            if !self.knows_host(host.as_bytes()) || target.is_some_and(|target| !self.knows_host(target)) {
                return Err(Refusal::UnknownHost);
            }
        }
        if let Some(origin) = parts.headers.get(ORIGIN)
            && !self.knows_origin(origin)
        {
            return Err(Refusal::ForeignOrigin);
        }
        match self.trust {
            Trust::Host => return Ok(Admission::Authenticated(Principal::host())),
            Trust::Probe => return Ok(Admission::Open),
            Trust::Token => {}
        }
        if path == VIEWER || PROBES.contains(&path) {
            return Ok(Admission::Open);
        }
        let credential = credential(parts).ok_or(Refusal::Unauthorized)?;
        authenticate(credential).map(Admission::Authenticated).ok_or(Refusal::Unauthorized)
    }

    fn knows_host(&self, host: &[u8]) -> bool {
        let Some(hosts) = &self.hosts else { return true };
        let Ok(host) = std::str::from_utf8(host) else { return false };
        let host = host.to_ascii_lowercase();
        hosts.exact.contains(&host)
            || hosts.any_port.iter().any(|name| {
                host.strip_prefix(name.as_str()).is_some_and(|rest| {
                    rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
                })
            })
    }

    fn knows_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let origin = origin.to_ascii_lowercase();
        let ours = self.hosts.is_some()
            && ["http://", "https://"]
                .iter()
                .any(|scheme| origin.strip_prefix(scheme).is_some_and(|host| self.knows_host(host.as_bytes())));
        ours || self.allowed_origins.contains(&origin)
    }
}

/// The one Host of a request that can mean only one thing.
fn well_formed(parts: &Parts) -> Result<&HeaderValue, Refusal> {
    if parts.version != Version::HTTP_11 {
        return Err(Refusal::Malformed("HTTP/1.1 is required"));
    }
    if parts.headers.contains_key(CONTENT_LENGTH) && parts.headers.contains_key(TRANSFER_ENCODING) {
        return Err(Refusal::Malformed("Content-Length and Transfer-Encoding exclude each other"));
    }
    at_most_one(&parts.headers, &AUTHORIZATION, "more than one Authorization header")?;
    if tickets(&parts.headers).nth(1).is_some() {
        return Err(Refusal::Malformed("more than one ticket"));
    }
    at_most_one(&parts.headers, &ORIGIN, "more than one Origin header")?;
    at_most_one(&parts.headers, &HOST, "more than one Host header")?
        .ok_or(Refusal::Malformed("the Host header is missing"))
}

fn at_most_one<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    message: &'static str,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Refusal::Malformed(message)) } else { Ok(first) }
}

/// A token goes before a ticket, which is then not used up: who can set the header needs none.
fn credential(parts: &Parts) -> Option<Credential<'_>> {
    if parts.headers.contains_key(AUTHORIZATION) {
        return shown_token(&parts.headers).map(Credential::Token);
    }
    let websocket = parts.method == Method::GET && parts.uri.path() == WEBSOCKET;
    tickets(&parts.headers).next().filter(|_| websocket).map(Credential::Ticket)
}

/// The token in the header that is for it.
pub(super) fn shown_token(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(AUTHORIZATION).and_then(bearer_token)
}

fn tickets(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    upgrade::words(headers, &SEC_WEBSOCKET_PROTOCOL).filter_map(|word| word.strip_prefix(TICKET)).map(str::as_bytes)
}

/// The token of `Bearer TOKEN`: the scheme in any case, exactly one space, one word (RFC 6750, 2.1).
fn bearer_token(value: &HeaderValue) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer";
    let (scheme, rest) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let token = rest.strip_prefix(b" ")?;
    let one_word = !token.is_empty() && token.iter().all(u8::is_ascii_graphic);
    (scheme.eq_ignore_ascii_case(SCHEME) && one_word).then_some(token)
}

fn name_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(name, port)| !name.is_empty() && !host.ends_with(']') && port.parse::<u16>().is_ok())
}

fn lower(values: &[String]) -> Vec<String> {
    values.iter().map(|value| value.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;
    use crate::protocol::identity::Role;

    fn guard() -> Guard {
        let allowed = ["Box.example".to_owned(), "other:8080".to_owned()];
        Guard::tcp(
            Scheme::Http,
            SocketAddr::from(([127, 0, 0, 1], 7010)),
            &allowed,
            &["https://Viewer.example".to_owned()],
        )
    }

    fn parts(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn right(shown: Credential<'_>) -> Option<Principal> {
        (shown == Credential::Token(b"right") || shown == Credential::Ticket(b"once"))
            .then(|| Principal { role: Role::Control, ..Principal::single_token() })
    }

    #[test]
    fn hosts_are_the_listen_address_localhost_and_the_allowed_ones() {
        for (host, known) in [
            ("127.0.0.1:7010", true),
            ("LOCALHOST:7010", true),
            ("localhost", false),
            ("localhost.:7010", false),
            ("127.0.0.1", false),
            ("127.0.0.1:7011", false),
            ("127.0.0.1:7010@evil.example", false),
            ("box.example", true),
            ("box.example:1", true),
            ("box.example.evil", false),
            ("box.example:1:2", false),
            ("other", false),
            ("other:8080", true),
            ("", false),
        ] {
            let outcome = guard().admit(&parts("/v1/rpc", &[("host", host)]), right);
            let expected = if known { Refusal::Unauthorized } else { Refusal::UnknownHost };
            assert_eq!(outcome, Err(expected), "{host}");
        }
    }

    #[test]
    fn a_wildcard_listener_is_known_by_the_loopback_addresses() {
        let guard = Guard::tcp(Scheme::Http, SocketAddr::from(([0, 0, 0, 0], 80)), &[], &[]);
        for host in ["127.0.0.1:80", "[::1]:80", "localhost", "0.0.0.0:80"] {
            assert_eq!(guard.admit(&parts("/x", &[("host", host)]), right), Err(Refusal::Unauthorized), "{host}");
        }
    }

    #[test]
    fn the_probes_answer_under_every_name_and_nothing_else_does() {
        for (path, outcome) in [
            ("/healthz", Ok(Admission::Open)),
            ("/readyz", Ok(Admission::Open)),
            ("/", Err(Refusal::UnknownHost)),
            ("/v1/ws", Err(Refusal::UnknownHost)),
        ] {
            assert_eq!(guard().admit(&parts(path, &[("host", "evil.example")]), right), outcome, "{path}");
        }
    }

    #[test]
    fn origins_are_our_own_pages_and_the_allowed_ones() {
        let host = ("host", "127.0.0.1:7010");
        for (origin, known) in [
            ("http://127.0.0.1:7010", true),
            ("https://localhost:7010", true),
            ("https://viewer.example", true),
            ("http://viewer.example", false),
            ("http://localhost:7010/", false),
            ("http://localhost", false),
            ("null", false),
            ("", false),
        ] {
            let outcome = guard().admit(&parts("/v1/rpc", &[host, ("origin", origin)]), right);
            let expected = if known { Refusal::Unauthorized } else { Refusal::ForeignOrigin };
            assert_eq!(outcome, Err(expected), "{origin}");
        }
    }

    #[test]
    fn the_checks_come_in_the_order_of_the_contract() {
        let wrong = ("authorization", "Bearer wrong");
        let (host, origin) = (("host", "evil.example"), ("origin", "https://evil.example"));
        let ours = ("host", "localhost:7010");
        for (headers, refusal) in [
            (vec![host, host, origin, wrong], Refusal::Malformed("more than one Host header")),
            (vec![host, origin, wrong], Refusal::UnknownHost),
            (vec![ours, origin, wrong], Refusal::ForeignOrigin),
            (vec![ours, wrong], Refusal::Unauthorized),
        ] {
            assert_eq!(guard().admit(&parts("/nowhere", &headers), right), Err(refusal));
        }
    }

    #[test]
    fn a_ticket_does_for_a_websocket_and_for_nothing_else() {
        let host = ("host", "localhost:7010");
        let offers = |words: &'static str| ("sec-websocket-protocol", words);
        let both = offers("deskhand.v1, deskhand.ticket.once");
        let admitted = |target, headers: &[(&str, &str)]| guard().admit(&parts(target, headers), right);
        assert!(admitted("/v1/ws", &[host, both]).is_ok());
        assert!(admitted("/v1/ws", &[host, offers("deskhand.v1"), offers("deskhand.ticket.once")]).is_ok());
        for (target, headers, refusal) in [
            ("/v1/screenshot.png", vec![host, both], Refusal::Unauthorized),
            ("/v1/ws/", vec![host, both], Refusal::Unauthorized),
            ("/v1/ws", vec![host, offers("deskhand.v1, deskhand.ticket.twice")], Refusal::Unauthorized),
            ("/v1/ws", vec![host, offers("deskhand.v1, deskhand.ticket.")], Refusal::Unauthorized),
            ("/v1/ws", vec![host, offers("deskhand.v1, deskhand.ticket.right")], Refusal::Unauthorized),
            ("/v1/ws", vec![host, ("authorization", "Bearer once")], Refusal::Unauthorized),
            ("/v1/ws", vec![host, both, ("authorization", "Bearer wrong")], Refusal::Unauthorized),
            ("/v1/ws", vec![host, both, ("origin", "https://evil.example")], Refusal::ForeignOrigin),
            ("/v1/ws", vec![("host", "evil.example"), both], Refusal::UnknownHost),
            (
                "/v1/ws",
                vec![host, offers("deskhand.ticket.once"), offers("deskhand.ticket.once")],
                Refusal::Malformed("more than one ticket"),
            ),
        ] {
            assert_eq!(admitted(target, &headers), Err(refusal), "{target} {headers:?}");
        }
        let mut posted = parts("/v1/ws", &[host, both]);
        posted.method = Method::POST;
        assert_eq!(guard().admit(&posted, right), Err(Refusal::Unauthorized));
    }

    #[test]
    fn a_probe_needs_no_token_and_no_name_but_a_page_is_no_probe() {
        let guard = Guard::probe();
        assert_eq!(guard.admit(&parts("/metrics", &[("host", "10.0.0.7:9")]), |_| None), Ok(Admission::Open));
        let page = [("host", "10.0.0.7:9"), ("origin", "http://10.0.0.7:9")];
        assert_eq!(guard.admit(&parts("/metrics", &page), |_| None), Err(Refusal::ForeignOrigin));
    }

    #[test]
    fn the_host_needs_no_token_on_a_transport_that_it_alone_holds() {
        let guard = Guard::local(Trust::Host, &[]);
        let admitted = guard.admit(&parts("/v1/ws", &[("host", "whatever")]), |_| None);
        let host = Principal::host();
        assert_eq!(admitted, Ok(Admission::Authenticated(host)));
    }
}
