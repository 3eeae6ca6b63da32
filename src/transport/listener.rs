//! Where connections come from, and the loops that take them.
//!
//! Listeners and the shutdown are injected: `serve` binds real ones and listens for signals, a test binds port 0 and
//! holds a channel. Everything runs on the caller's one-threaded runtime.

use std::{
    io,
    net::SocketAddr,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_vsock::{VMADDR_CID_ANY, VsockAddr, VsockListener};

use crate::{
    protocol::{address::ListenAddress, carrying::HttpRefusal, dial_url::DialUrl, limits},
    transport::{
        bridge,
        dial::{Dial, Pauses},
        dialler::DialLine,
        guard::{Guard, Scheme, Trust},
        http::{self, Http, HttpSettings},
        service::Service,
        stream::Stream,
        tls::{ClientTls, ServerTls},
        unix_socket::{self, Peers, SocketFile},
        virtio::Port,
    },
};

/// How long accepting pauses when it fails: the usual reason is a lack of descriptors, and trying again at once would
/// only burn the CPU that could free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How many refused connections may wait for their 503 to be read; the ones after that are closed without a word.
const REFUSALS: usize = 16;
/// How long connections have to end by themselves after a shutdown: the contract's second and a margin.
const END_TIME: Duration = Duration::from_millis(1200);

/// A listener could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// Where.
    pub address: ListenAddress,
    /// Why.
    pub source: io::Error,
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    serves: Serves,
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Serves {
    /// The contract, to whoever may.
    Controllers,
    /// How the server is, to anybody.
    Probes,
}

#[derive(Debug)]
enum Kind {
    Tcp { listener: TcpListener, address: SocketAddr, tls: Option<ServerTls> },
    Unix { listener: UnixListener, file: SocketFile, peers: Peers },
    Stdio { read: OwnedFd, write: OwnedFd },
    Vsock { listener: VsockListener, port: u32 },
    Virtio(Port),
    Dial(Dial),
}

impl Listener {
    /// Binds a TCP address. Needs a tokio runtime.
    pub fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        let bind = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Kind::Tcp { listener: TcpListener::from_std(listener)?, address, tls: None })
        };
        let failed = |source| BindError { address: ListenAddress::Tcp(address), source };
        bind().map(|kind| Self { kind, serves: Serves::Controllers }).map_err(failed)
    }

    /// Binds a TCP address whose connections speak TLS. Needs a tokio runtime.
    pub fn tls(address: SocketAddr, secured: ServerTls) -> Result<Self, BindError> {
        let mut listener = Self::tcp(address)?;
        if let Kind::Tcp { tls, .. } = &mut listener.kind {
            *tls = Some(secured);
        }
        Ok(listener)
    }

    /// Binds a TCP address for `/healthz`, `/readyz` and `/metrics` alone. Needs a tokio runtime.
    pub fn probe(address: SocketAddr) -> Result<Self, BindError> {
        Ok(Self { serves: Serves::Probes, ..Self::tcp(address)? })
    }

    /// Binds a Unix socket with mode 0600; its file goes with the listener. Needs a tokio runtime.
    pub fn unix(path: PathBuf) -> Result<Self, BindError> {
        Self::unix_for(path, &[])
    }

    /// The same for processes of these users, if any is named: then the file's mode is 0666, and others are turned away.
    pub fn unix_for(path: PathBuf, users: &[u32]) -> Result<Self, BindError> {
        let peers = Peers::of(users);
        let bind = || {
            let (listener, file) = unix_socket::listen(&path, &peers)?;
            Ok(Kind::Unix { listener: UnixListener::from_std(listener)?, file, peers })
        };
        let kind = bind().map_err(|source| BindError { address: ListenAddress::Unix(path), source })?;
        Ok(Self { kind, serves: Serves::Controllers })
    }

    /// One connection over two descriptors of any kind, which only the host holds.
    pub fn stdio(read: OwnedFd, write: OwnedFd) -> Self {
        Self { kind: Kind::Stdio { read, write }, serves: Serves::Controllers }
    }

    /// Binds a port of vsock(7), to whichever context may be ours. Needs a tokio runtime.
    pub fn vsock(port: u32) -> Result<Self, BindError> {
        let listener = VsockListener::bind(VsockAddr::new(VMADDR_CID_ANY, port));
        let listener = listener.map_err(|source| BindError { address: ListenAddress::Vsock(port), source })?;
        Ok(Self { kind: Kind::Vsock { listener, port }, serves: Serves::Controllers })
    }

    /// Opens a virtio-serial port, over which one host after the other has one connection. Nobody else can open it meanwhile.
    pub fn virtio(path: PathBuf) -> Result<Self, BindError> {
        let port = Port::open(&path).map_err(|source| BindError { address: ListenAddress::Virtio(path), source })?;
        Ok(Self { kind: Kind::Virtio(port), serves: Serves::Controllers })
    }

    /// The same with something that is open already and carries bytes both ways without blocking.
    pub fn port(descriptor: OwnedFd, path: PathBuf) -> Self {
        Self { kind: Kind::Virtio(Port::new(descriptor, path)), serves: Serves::Controllers }
    }

    fn secured(&self) -> Option<ServerTls> {
        match &self.kind {
            Kind::Tcp { tls, .. } => tls.clone(),
            _ => None,
        }
    }

    /// Calls a controller, as often as it takes; `number` is its place in the addresses that the other end of the line knows.
    pub fn dial(url: DialUrl, number: u8, line: Arc<DialLine>, tls: ClientTls) -> Self {
        Self { kind: Kind::Dial(Dial { url, number, line, tls }), serves: Serves::Controllers }
    }

    /// What the ready line names: the real port, not 0.
    pub fn address(&self) -> ListenAddress {
        match &self.kind {
            Kind::Tcp { address, .. } => ListenAddress::Tcp(*address),
            Kind::Unix { file, .. } => ListenAddress::Unix(file.path().to_owned()),
            Kind::Stdio { .. } => ListenAddress::Stdio,
            Kind::Vsock { port, .. } => ListenAddress::Vsock(*port),
            Kind::Virtio(port) => ListenAddress::Virtio(port.path().to_owned()),
            Kind::Dial(dial) => ListenAddress::Dial(dial.url.clone()),
        }
    }
}

/// Serves until `shutdown` resolves, or until standard input's connection has ended and there is no other listener but one for
/// probes. Then the listeners close, connections are told 1001 and end within a second.
pub async fn serve(
    listeners: Vec<Listener>,
    service: Arc<dyn Service>,
    settings: HttpSettings,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(false);
    let http = Arc::new(Http::new(service));
    let places = || Arc::new(Semaphore::new(limits::CONNECTIONS_UNAUTHENTICATED));
    // Neither probes nor controllers can take the places of the others.
    let (unauthenticated, probing) = (places(), places());
    let (mut loops, mut probes) = (JoinSet::new(), JoinSet::new());
    for listener in listeners {
        let (loops, unauthenticated) = match listener.serves {
            Serves::Controllers => (&mut loops, &unauthenticated),
            Serves::Probes => (&mut probes, &probing),
        };
        let front = Front {
            guard: Arc::new(guard_of(&listener, &settings)),
            http: Arc::clone(&http),
            unauthenticated: Arc::clone(unauthenticated),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
            stopped: stopped.clone(),
            tls: listener.secured(),
        };
        match listener.kind {
            Kind::Tcp { listener, .. } => loops.spawn(front.accept(Acceptor::Tcp(listener))),
            Kind::Unix { listener, file, peers } => {
                loops.spawn(front.accept(Acceptor::Unix { listener, peers, _file: file }))
            }
            Kind::Stdio { read, write } => loops.spawn(front.stdio(read, write)),
            Kind::Vsock { listener, .. } => loops.spawn(front.accept(Acceptor::Vsock(listener))),
            Kind::Virtio(port) => loops.spawn(front.virtio(port)),
            Kind::Dial(dial) => loops.spawn(front.dial(dial)),
        };
    }
    let ended = async { while loops.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => {}
        () = shutdown => {}
    }
    stop.send_replace(true);
    while loops.join_next().await.is_some() {}
    while probes.join_next().await.is_some() {}
}

fn guard_of(listener: &Listener, settings: &HttpSettings) -> Guard {
    if listener.serves == Serves::Probes {
        return Guard::probe();
    }
    match &listener.kind {
        Kind::Tcp { address, tls, .. } => {
            let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
            Guard::tcp(scheme, *address, &settings.allowed_hosts, &settings.allowed_origins)
        }
        Kind::Unix { .. } | Kind::Vsock { .. } => Guard::local(Trust::Token, &settings.allowed_origins),
        // Nobody sends us a request there.
        Kind::Stdio { .. } | Kind::Virtio(_) | Kind::Dial(_) => Guard::local(Trust::Host, &settings.allowed_origins),
    }
}

enum Acceptor {
    Tcp(TcpListener),
    /// With the file, which goes when accepting ends.
    Unix {
        listener: UnixListener,
        peers: Peers,
        _file: SocketFile,
    },
    Vsock(VsockListener),
}

/// Who has come.
enum Arrival {
    /// Somebody who may try.
    Peer(Stream),
    /// A process of a user who is not named; its connection is closed already.
    Stranger,
}

impl Acceptor {
    async fn accept(&self) -> io::Result<Arrival> {
        match self {
            Self::Tcp(listener) => Stream::tcp(listener.accept().await?.0).map(Arrival::Peer),
            Self::Vsock(listener) => Ok(Arrival::Peer(Stream::vsock(listener.accept().await?.0))),
            Self::Unix { listener, peers: Peers::ByFile, .. } => {
                Ok(Arrival::Peer(Stream::unix(listener.accept().await?.0)))
            }
            Self::Unix { listener, peers, .. } => {
                let stream = listener.accept().await?.0;
                // A peer of whom the kernel says nothing is nobody who is named.
                let user = stream.peer_cred().ok().map(|credentials| credentials.uid());
                if user.is_some_and(|user| peers.admit(user)) {
                    return Ok(Arrival::Peer(Stream::unix(stream)));
                }
                tracing::warn!(user, "a process of a user whom allow-uid does not name was turned away");
                Ok(Arrival::Stranger)
            }
        }
    }
}

/// What the connections of one listener share.
struct Front {
    guard: Arc<Guard>,
    http: Arc<Http>,
    unauthenticated: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
    /// What connections begin with before anything else.
    tls: Option<ServerTls>,
}

impl Front {
    async fn accept(self, acceptor: Acceptor) {
        let mut connections = JoinSet::new();
        let mut stopped = self.stopped.clone();
        loop {
            let accepted = tokio::select! {
                accepted = acceptor.accept() => accepted,
                Some(outcome) = connections.join_next(), if !connections.is_empty() => {
                    report(outcome);
                    continue;
                }
                () = http::until_stopped(&mut stopped) => break,
            };
            match accepted {
                Ok(Arrival::Peer(stream)) => {
                    self.admit(stream, &mut connections);
                    // Who comes in crowds does not keep those waiting who are here: a click beside 10,000 that close at once took
                    // 1.8 ms in the middle and takes 0.45.
                    tokio::task::yield_now().await;
                }
                Ok(Arrival::Stranger) => self.http.refused(HttpRefusal::Peer),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(acceptor);
        let all = async {
            while let Some(outcome) = connections.join_next().await {
                report(outcome);
            }
        };
        // Past the limit the set is dropped, which ends what is left.
        if tokio::time::timeout(END_TIME, all).await.is_err() {
            tracing::warn!("connections were cut off at shutdown");
        }
    }

    fn admit(&self, stream: Stream, connections: &mut JoinSet<()>) {
        if let Ok(slot) = Arc::clone(&self.unauthenticated).try_acquire_owned() {
            connections.spawn(self.connection(stream, Some(slot)));
            return;
        }
        self.http.refused(HttpRefusal::TooManyConnections);
        if let Ok(slot) = Arc::clone(&self.refusals).try_acquire_owned() {
            connections.spawn(refuse(stream, slot));
        }
    }

    fn connection(&self, stream: Stream, slot: Option<OwnedSemaphorePermit>) -> impl Future<Output = ()> + use<> {
        let (http, guard, stopped) = (Arc::clone(&self.http), Arc::clone(&self.guard), self.stopped.clone());
        let tls = self.tls.as_ref().map(ServerTls::config);
        async move {
            let stream = match tls {
                None => stream,
                Some(config) => match handshake(stream, config, &http).await {
                    Some(stream) => stream,
                    None => return,
                },
            };
            http::serve_connection(stream, http, guard, slot, stopped).await;
        }
    }

    async fn stdio(self, read: OwnedFd, write: OwnedFd) {
        let connect = || -> io::Result<(Stream, oneshot::Receiver<()>)> {
            let (socket, written) = bridge::join(read, write)?;
            socket.set_nonblocking(true)?;
            Ok((Stream::unix(tokio::net::UnixStream::from_std(socket)?), written))
        };
        match connect() {
            Ok((stream, written)) => {
                self.connection(stream, None).await;
                // The last bytes are still on their way through the thread that writes them.
                if tokio::time::timeout(END_TIME, written).await.is_err() {
                    tracing::warn!("standard output is stuck: the last bytes may be lost");
                }
            }
            Err(error) => tracing::error!(%error, "standard input and output cannot be served"),
        }
    }

    async fn dial(self, dial: Dial) {
        let mut stopped = self.stopped.clone();
        let mut pauses = Pauses::new();
        // What is wrong is said once, not every half minute.
        let mut said = String::new();
        loop {
            let begun = Instant::now();
            let connected = tokio::select! {
                connected = dial.connect() => connected,
                () = http::until_stopped(&mut stopped) => return,
            };
            match connected {
                Ok((stream, early)) => {
                    tracing::info!(controller = %dial.url, "connected to the controller");
                    said.clear();
                    let serving = http::serve_dialled(stream, early, Arc::clone(&self.http), self.stopped.clone());
                    let too_late = async {
                        http::until_stopped(&mut stopped).await;
                        tokio::time::sleep(END_TIME).await;
                    };
                    tokio::select! {
                        () = serving => tracing::info!(controller = %dial.url, "the controller's connection has ended"),
                        () = too_late => return tracing::warn!("the controller's connection was cut off at shutdown"),
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    if error != said {
                        tracing::warn!(controller = %dial.url, error, "the controller cannot be called; trying again");
                        said = error;
                    }
                }
            }
            let pause = pauses.after(Instant::now().saturating_duration_since(begun));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = http::until_stopped(&mut stopped) => return,
            }
        }
    }

    async fn virtio(self, port: Port) {
        let mut stopped = self.stopped.clone();
        let begin = |socket: OwnedFd| {
            let stream = tokio::net::UnixStream::from_std(UnixStream::from(socket))?;
            Ok(tokio::spawn(self.connection(Stream::unix(stream), None)))
        };
        let too_late = async {
            http::until_stopped(&mut stopped).await;
            tokio::time::sleep(END_TIME).await;
        };
        tokio::select! {
            served = port.serve(self.stopped.clone(), begin, || self.http.released()) => if let Err(error) = served {
                tracing::error!(%error, "the virtio port cannot be served any more");
            },
            () = too_late => tracing::warn!("the virtio port is stuck: the last bytes may be lost"),
        }
    }
}

/// The connection with TLS on it, if its peer speaks it in time.
async fn handshake(stream: Stream, config: Arc<ServerConfig>, http: &Http) -> Option<Stream> {
    // Boxed: what a handshake needs, some kilobytes, is not kept for as long as the connection lasts.
    match tokio::time::timeout(limits::HANDSHAKE_TIME, Box::pin(stream.accept_tls(config))).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => {
            http.refused(HttpRefusal::Tls);
            tracing::debug!(%error, "a peer could not agree with us about TLS");
        }
        Err(_) => http.refused(HttpRefusal::TimedOut),
    }
    None
}

/// Tells one connection too many so.
async fn refuse(mut stream: Stream, slot: OwnedSemaphorePermit) {
    let answer = http::too_many_connections();
    // A peer that does not even take these bytes has nothing to hear.
    if stream.write_all(answer.as_bytes()).await.is_ok() {
        stream.shutdown().await.ok();
    }
    drop(slot);
}

fn report(outcome: Result<(), tokio::task::JoinError>) {
    if let Err(error) = outcome
        && error.is_panic()
    {
        tracing::error!(%error, "a connection ended by a panic");
    }
}
