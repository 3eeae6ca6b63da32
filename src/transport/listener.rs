//! Where connections come from, and the loops that take them.
//!
//! Listeners and the shutdown are injected: `serve` binds real ones and listens for signals, a test binds port 0 and
//! holds a channel. Everything runs on the caller's one-threaded runtime.

use std::{io, net::SocketAddr, os::fd::OwnedFd, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch},
    task::JoinSet,
};

use crate::{
    protocol::{address::ListenAddress, carrying::HttpRefusal, limits},
    transport::{
        bridge,
        guard::{Guard, Trust},
        http::{self, Http, HttpSettings},
        service::Service,
        stream::Stream,
        unix_socket::{self, Peers, SocketFile},
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
    Tcp { listener: TcpListener, address: SocketAddr },
    Unix { listener: UnixListener, file: SocketFile, peers: Peers },
    Stdio { read: OwnedFd, write: OwnedFd },
}

impl Listener {
    /// Binds a TCP address. Needs a tokio runtime.
    pub fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        let bind = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Kind::Tcp { listener: TcpListener::from_std(listener)?, address })
        };
        let failed = |source| BindError { address: ListenAddress::Tcp(address), source };
        bind().map(|kind| Self { kind, serves: Serves::Controllers }).map_err(failed)
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

    /// What the ready line names: the real port, not 0.
    pub fn address(&self) -> ListenAddress {
        match &self.kind {
            Kind::Tcp { address, .. } => ListenAddress::Tcp(*address),
            Kind::Unix { file, .. } => ListenAddress::Unix(file.path().to_owned()),
            Kind::Stdio { .. } => ListenAddress::Stdio,
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
        };
        match listener.kind {
            Kind::Tcp { listener, .. } => loops.spawn(front.accept(Acceptor::Tcp(listener))),
            Kind::Unix { listener, file, peers } => {
                loops.spawn(front.accept(Acceptor::Unix { listener, peers, _file: file }))
            }
            Kind::Stdio { read, write } => loops.spawn(front.stdio(read, write)),
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
        Kind::Tcp { address, .. } => Guard::tcp(*address, &settings.allowed_hosts, &settings.allowed_origins),
        Kind::Unix { .. } => Guard::local(Trust::Token, &settings.allowed_origins),
        Kind::Stdio { .. } => Guard::local(Trust::Host, &settings.allowed_origins),
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
        http::serve_connection(stream, http, guard, slot, stopped)
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
