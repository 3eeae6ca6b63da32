//! HTTP/1.1 on one connection: the guard, then the routes, then perhaps a WebSocket.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
    routing::{get, post},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    Method, StatusCode,
    body::Incoming,
    header::{
        ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
    server::conn::http1,
    upgrade::OnUpgrade,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

use crate::{
    protocol::{
        carrying::HttpRefusal,
        error::{ErrorKind, Failure},
        identity::Principal,
        limits,
    },
    transport::{
        guard::{self, Admission, Credential, Guard, Refusal, Trust},
        service::{Service, ServiceFuture},
        stream::Stream,
        upgrade::{self, UpgradeRefusal},
        websocket::{self, End},
    },
};

/// The type of `/metrics`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long requests in flight may go on after a shutdown began, within its second.
const FINISH_TIME: Duration = Duration::from_millis(900);

/// What the user says about who may ask.
#[derive(Clone, Debug, Default)]
pub struct HttpSettings {
    /// `--allow-host`: names beside the listen address and localhost. Without a port: with every port.
    pub allowed_hosts: Vec<String>,
    /// `--allow-origin`: origins beside our own pages.
    pub allowed_origins: Vec<String>,
}

/// What all connections share.
pub(super) struct Http {
    service: Arc<dyn Service>,
    router: Router,
    /// What `--probe-listen` serves.
    probes: Router,
}

/// What the requests of one connection share with it.
struct Link {
    /// The place among the connections that have not shown a token.
    slot: Mutex<Option<OwnedSemaphorePermit>>,
    trusted: bool,
    upgrade: Mutex<Option<Upgrade>>,
}

/// A handshake that was answered with 101.
struct Upgrade {
    on: OnUpgrade,
    principal: Principal,
    /// The place among the WebSocket connections.
    place: OwnedSemaphorePermit,
}

impl Http {
    pub(super) fn new(service: Arc<dyn Service>) -> Self {
        let websockets = Arc::new(Semaphore::new(limits::CONNECTIONS_AUTHENTICATED));
        let shared = Shared { service: Arc::clone(&service), websockets };
        let probes = Router::new()
            .route("/healthz", get(|| async { text(StatusCode::OK, "ok\n") }))
            .route("/readyz", get(ready))
            // Every role may read it: the guard has asked for a token where one is needed.
            .route("/metrics", get(metrics))
            .fallback(|| async { text(StatusCode::NOT_FOUND, "there is nothing at this path\n") });
        let router = probes
            .clone()
            .route(guard::WEBSOCKET, get(handshake))
            .route("/v1/ticket", post(ticket))
            .route("/v1/rpc", post(rpc))
            .route("/v1/screenshot.png", get(screenshot))
            .with_state(shared.clone());
        Self { service, router, probes: probes.with_state(shared) }
    }

    /// Waits until what ended sessions held is released.
    pub(super) fn released(&self) -> ServiceFuture<()> {
        Arc::clone(&self.service).released()
    }

    /// Counts somebody who was refused.
    pub(super) fn refused(&self, reason: HttpRefusal) {
        self.service.refused(reason);
    }

    async fn answer(&self, guard: &Guard, link: &Arc<Link>, request: hyper::Request<Incoming>) -> Response {
        let (mut parts, body) = request.into_parts();
        let authenticate = |shown: Credential<'_>| match shown {
            Credential::Token(token) => self.service.authenticate(token),
            Credential::Ticket(ticket) => self.service.redeem(ticket),
        };
        let mut response = match guard.admit(&parts, authenticate) {
            Ok(admission) => {
                if let Admission::Authenticated(principal) = admission {
                    lock(&link.slot).take();
                    parts.extensions.insert(principal);
                }
                parts.extensions.insert(Arc::clone(link));
                let request = Request::from_parts(parts, Body::new(body));
                let router = if guard.trust() == Trust::Probe { &self.probes } else { &self.router };
                let answered: Result<Response, Infallible> = router.clone().oneshot(request).await;
                answered.unwrap_or_else(|never| match never {})
            }
            Err(refusal) => {
                self.refused(refusal.into());
                refused(refusal)
            }
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // Who has shown no token keeps no connection, or eight of them could shut everybody else out.
        if !link.trusted && lock(&link.slot).is_some() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Serves one connection to its end.
pub(super) async fn serve_connection(
    stream: Stream,
    http: Arc<Http>,
    guard: Arc<Guard>,
    slot: Option<OwnedSemaphorePermit>,
    mut stopped: watch::Receiver<bool>,
) {
    let trusted = guard.trust() == Trust::Host;
    let link = Arc::new(Link { slot: Mutex::new(slot), trusted, upgrade: Mutex::new(None) });
    let service = hyper::service::service_fn(|request| {
        let (http, guard, link) = (Arc::clone(&http), Arc::clone(&guard), Arc::clone(&link));
        async move { Ok::<_, Infallible>(http.answer(&guard, &link, request).await) }
    });
    {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits::HANDSHAKE_TIME)
            .max_headers(limits::HEADER_LINES)
            .max_buf_size(limits::HEADER_BYTES)
            .auto_date_header(false)
            // A client that goes away ends what it asked for. On a socket one that only stops sending looks the same and
            // would have to be told apart by waiting, with keys down. The host's pipe may end after the request.
            .half_close(trusted)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = until_stopped(&mut stopped) => {
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(FINISH_TIME, connection).await {
                    Ok(outcome) => outcome,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = outcome {
            // What is no HTTP never comes to the guard.
            if error.is_parse() {
                http.refused(HttpRefusal::Malformed);
            } else if error.is_timeout() {
                http.refused(HttpRefusal::TimedOut);
            }
            tracing::debug!(%error, "a connection ended early");
        }
    }
    let Some(Upgrade { on, principal, place }) = lock(&link.upgrade).take() else { return };
    let Ok(upgraded) = on.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Stream>>() else { return };
    let open = |outbox| http.service.open(principal, outbox);
    let stopped = until_stopped(&mut stopped);
    let why = websocket::run(End::Server, parts.io.into_inner(), parts.read_buf.to_vec(), open, stopped).await;
    http.service.closed(why);
    drop(place);
}

/// Serves a controller that we have called, to the connection's end. It has shown a certificate: no token is needed.
pub(super) async fn serve_dialled(stream: Stream, early: Vec<u8>, http: Arc<Http>, mut stopped: watch::Receiver<bool>) {
    let open = |outbox| http.service.open(Principal::dialled(), outbox);
    let why = websocket::run(End::Client, stream, early, open, until_stopped(&mut stopped)).await;
    http.service.closed(why);
}

/// Resolves when the server is to stop.
pub(super) async fn until_stopped(stopped: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is a stop too.
    stopped.wait_for(|stopped| *stopped).await.ok();
}

/// The answer to a connection past the limit, whose request is never read.
pub(super) fn too_many_connections() -> String {
    let body = "too many connections that have not authenticated; try again in some seconds\n";
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[derive(Clone)]
struct Shared {
    service: Arc<dyn Service>,
    websockets: Arc<Semaphore>,
}

async fn handshake(State(shared): State<Shared>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    // The router answers HEAD by GET's handler; there is no HEAD of a WebSocket.
    if parts.method != Method::GET {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket begins with GET\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return response;
    }
    let accepted = upgrade::accept(&parts);
    if accepted.is_err() {
        shared.service.refused(HttpRefusal::Upgrade);
    }
    let accepted = match accepted {
        Ok(accepted) => accepted,
        Err(UpgradeRefusal::Malformed(rule)) => return text(StatusCode::BAD_REQUEST, &format!("{rule}\n")),
        Err(UpgradeRefusal::Required) => {
            let message = "this path speaks WebSocket, version 13\n";
            let mut response = text(StatusCode::UPGRADE_REQUIRED, message);
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
            response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(upgrade::VERSION));
            return response;
        }
    };
    let Ok(key) = HeaderValue::from_str(&accepted.key) else { return internal() };
    let (Some(principal), Some(link), Some(on)) = (
        parts.extensions.remove::<Principal>(),
        parts.extensions.remove::<Arc<Link>>(),
        parts.extensions.remove::<OnUpgrade>(),
    ) else {
        return internal();
    };
    let Ok(place) = Arc::clone(&shared.websockets).try_acquire_owned() else {
        shared.service.refused(HttpRefusal::TooManyWebSockets);
        return text(StatusCode::SERVICE_UNAVAILABLE, "all 16 places for WebSocket connections are taken\n");
    };
    *lock(&link.upgrade) = Some(Upgrade { on, principal, place });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    if accepted.offered {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(upgrade::SUBPROTOCOL));
    }
    response
}

async fn rpc(State(shared): State<Shared>, mut request: Request) -> Response {
    let Some(principal) = request.extensions_mut().remove::<Principal>() else { return internal() };
    let refused = |status, message| {
        shared.service.refused(HttpRefusal::Body);
        text(status, message)
    };
    let too_large = || refused(StatusCode::PAYLOAD_TOO_LARGE, "a message may have 262144 bytes\n");
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > limits::MESSAGE_BYTES as u64) {
        return too_large();
    }
    let body = Limited::new(request.into_body(), limits::MESSAGE_BYTES).collect();
    let message = match tokio::time::timeout(limits::MESSAGE_TIME, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return too_large(),
        Ok(Err(_)) => return refused(StatusCode::BAD_REQUEST, "the body does not end as its headers say\n"),
        Err(_) => return refused(StatusCode::REQUEST_TIMEOUT, "a message must be complete within 10 s\n"),
    };
    let answer = shared.service.rpc(principal, message.into()).await;
    content(StatusCode::OK, "application/json", answer)
}

/// The answer to a page that shows its token.
#[derive(Serialize)]
struct TicketResult {
    ticket: String,
}

async fn ticket(State(shared): State<Shared>, request: Request) -> Response {
    // Whoever was let in without a token has none to exchange.
    let token = guard::shown_token(request.headers());
    match token.map_or(Ok(None), |token| shared.service.ticket(token)) {
        Ok(Some(ticket)) => match serde_json::to_vec(&TicketResult { ticket }) {
            Ok(answer) => content(StatusCode::OK, "application/json", answer),
            Err(_) => internal(),
        },
        Ok(None) => {
            shared.service.refused(HttpRefusal::Unauthorized);
            refused(Refusal::Unauthorized)
        }
        Err(failure) => failed(&failure),
    }
}

async fn screenshot(State(shared): State<Shared>, mut request: Request) -> Response {
    let Some(principal) = request.extensions_mut().remove::<Principal>() else { return internal() };
    match shared.service.screenshot(principal).await {
        Ok(png) => content(StatusCode::OK, "image/png", png),
        Err(failure) => failed(&failure),
    }
}

async fn ready(State(shared): State<Shared>) -> Response {
    match shared.service.ready().await {
        Ok(()) => text(StatusCode::OK, "ready\n"),
        Err(failure) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{}\n", failure.message)),
    }
}

async fn metrics(State(shared): State<Shared>) -> Response {
    content(StatusCode::OK, OPEN_METRICS, shared.service.metrics())
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Malformed(rule) => text(StatusCode::BAD_REQUEST, &format!("{rule}\n")),
        Refusal::UnknownHost => {
            text(StatusCode::FORBIDDEN, "this Host is not known here; `serve --allow-host` adds one\n")
        }
        Refusal::ForeignOrigin => {
            text(StatusCode::FORBIDDEN, "this Origin is not allowed here; `serve --allow-origin` adds one\n")
        }
        Refusal::Unauthorized => {
            let mut response =
                text(StatusCode::UNAUTHORIZED, "a valid token is required: Authorization: Bearer TOKEN\n");
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    }
}

fn failed(failure: &Failure) -> Response {
    let status = match failure.kind {
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::RateLimited | ErrorKind::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    text(status, &format!("{}\n", failure.message))
}

/// For what the code above rules out; an answer all the same, because a panic would be worse.
fn internal() -> Response {
    text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
}

fn text(status: StatusCode, message: &str) -> Response {
    content(status, "text/plain; charset=utf-8", message.to_owned())
}

fn content(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What these hold is set in one assignment, so a panic elsewhere leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
