//! The transport in the test's own process, with a service that echoes: what a controller can do to it, and what the
//! service is told.

use std::{
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, atomic::AtomicUsize},
    task::{Context, Poll},
};

use deskhand::{
    protocol::{
        address::ListenAddress,
        error::{ErrorKind, Failure},
    },
    transport::{
        http::HttpSettings,
        listener::{Listener, serve},
        outbox::Outbox,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream, unix::pipe},
    sync::{mpsc, watch},
    task::JoinHandle,
};

pub mod called;
pub mod certificates;
pub mod client;
pub mod echo;

use certificates::Authority;
use client::Duplex;
pub use client::{Client, Received, frame, within};
use echo::EchoService;
pub use echo::{Counted, Echo, Event, SCREENSHOT};

/// The token of every test server.
pub const TOKEN: &str = "5a0c1f7be29d4836af0153c6d8e97b204fc3a1d65e8b7092c4d3f1a6b5e80912";

/// A pipe's writing end that ends at shutdown as a socket's does; tokio's own stays open until it is dropped.
struct ClosingPipe(Option<pipe::Sender>);

impl AsyncWrite for ClosingPipe {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(pipe) => Pin::new(pipe).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}

/// What carries the connections of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Tcp,
    Unix,
    Stdio,
    Tls,
    Virtio,
}

impl Carrier {
    /// Whether only the host holds the other end.
    pub const fn is_the_hosts(self) -> bool {
        matches!(self, Self::Stdio | Self::Virtio)
    }
}

/// A running server on the test's own runtime.
pub struct Server {
    pub carrier: Carrier,
    pub address: Option<ListenAddress>,
    pub echo: Arc<Echo>,
    pub events: mpsc::UnboundedReceiver<Event>,
    pub counted: mpsc::UnboundedReceiver<Counted>,
    pub outboxes: mpsc::UnboundedReceiver<Outbox>,
    pub directory: tempfile::TempDir,
    /// Who signs the certificates with TLS.
    pub authority: Authority,
    settings: HttpSettings,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(carrier: Carrier) -> Self {
        Self::start_with(carrier, Ok(()), HttpSettings::default())
    }

    pub fn unready(message: &str) -> Self {
        let failure = Failure::new(ErrorKind::DisplayLost, message);
        Self::start_with(Carrier::Tcp, Err(failure), HttpSettings::default())
    }

    pub fn start_with(carrier: Carrier, ready: Result<(), Failure>, settings: HttpSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (events_in, events) = mpsc::unbounded_channel();
        let (outboxes_in, outboxes) = mpsc::unbounded_channel();
        let (counted_in, counted) = mpsc::unbounded_channel();
        let texts = AtomicUsize::new(0);
        let echo = Arc::new(Echo { texts, ready, events: events_in, counted: counted_in, outboxes: outboxes_in });
        let authority = Authority::new();
        let listener = match carrier {
            Carrier::Tcp => Some(Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap()),
            Carrier::Unix => Some(Listener::unix(directory.path().join("socket")).unwrap()),
            Carrier::Tls => {
                Some(Listener::tls("127.0.0.1:0".parse().unwrap(), authority.server("localhost", None)).unwrap())
            }
            // Carries one connection, so each `connect` starts a server of its own.
            Carrier::Stdio | Carrier::Virtio => None,
        };
        let mut server = Self {
            carrier,
            address: listener.as_ref().map(Listener::address),
            echo,
            events,
            counted,
            outboxes,
            directory,
            authority,
            settings,
            stop: watch::channel(false).0,
            task: None,
        };
        if let Some(listener) = listener {
            server.task = Some(server.serve(listener));
        }
        server
    }

    /// What answers here, for another listener.
    pub fn service(&self) -> Arc<EchoService> {
        Arc::new(EchoService(Arc::clone(&self.echo)))
    }

    fn serve(&self, listener: Listener) -> JoinHandle<()> {
        let service = self.service();
        let mut stop = self.stop.subscribe();
        let settings = self.settings.clone();
        tokio::spawn(async move {
            serve(vec![listener], service, settings, async move {
                stop.wait_for(|stop| *stop).await.ok();
            })
            .await;
        })
    }

    /// What a client writes into Host.
    pub fn host(&self) -> String {
        match &self.address {
            Some(ListenAddress::Tcp(address)) => address.to_string(),
            _ => "localhost".to_owned(),
        }
    }

    pub fn socket_path(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    pub async fn connect(&self) -> Client {
        let stream: Box<dyn Duplex> = match self.carrier {
            Carrier::Tcp => Box::new(self.connect_tcp().await),
            Carrier::Unix => Box::new(UnixStream::connect(self.socket_path()).await.unwrap()),
            Carrier::Tls => Box::new(self.authority.connect(self.connect_tcp().await, "localhost").await.unwrap()),
            Carrier::Virtio => {
                let (mut host, guest) = UnixStream::pair().unwrap();
                let guest = OwnedFd::from(guest.into_std().unwrap());
                self.serve(Listener::port(guest, PathBuf::from("/dev/virtio-ports/test")));
                greet(&mut host).await;
                Box::new(host)
            }
            Carrier::Stdio => {
                let (their_read, our_write) = io::pipe().unwrap();
                let (our_read, their_write) = io::pipe().unwrap();
                self.serve(Listener::stdio(OwnedFd::from(their_read), OwnedFd::from(their_write)));
                let read = pipe::Receiver::from_owned_fd(OwnedFd::from(our_read)).unwrap();
                let write = pipe::Sender::from_owned_fd(OwnedFd::from(our_write)).unwrap();
                Box::new(tokio::io::join(read, ClosingPipe(Some(write))))
            }
        };
        Client::new(stream)
    }

    pub async fn connect_tcp(&self) -> TcpStream {
        let Some(ListenAddress::Tcp(address)) = &self.address else { panic!("not a TCP server") };
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The head of a request that becomes a WebSocket.
    pub fn handshake(&self) -> String {
        format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Authorization: Bearer {TOKEN}\r\n\r\n",
            self.host()
        )
    }

    /// A WebSocket that is open.
    pub async fn open(&self) -> Client {
        let mut client = self.connect().await;
        client.send(self.handshake().as_bytes()).await;
        assert_eq!(client.head().await.unwrap().status, 101);
        client
    }

    /// Tells the server to stop and waits until it has.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            within(task).await.unwrap();
        }
    }

    pub fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    pub async fn event(&mut self) -> Event {
        within(self.events.recv()).await.unwrap()
    }

    pub async fn counted(&mut self) -> Counted {
        within(self.counted.recv()).await.unwrap()
    }

    pub async fn outbox(&mut self) -> Outbox {
        within(self.outboxes.recv()).await.unwrap()
    }
}

/// What a host does first on a virtio-serial port, as the contract has it.
pub async fn greet(port: &mut UnixStream) {
    let line = format!("DESKHAND-SYNC {:032x}\n", std::process::id());
    port.write_all(line.as_bytes()).await.unwrap();
    let mut echo = vec![0; line.len()];
    within(port.read_exact(&mut echo)).await.unwrap();
    assert_eq!(echo, line.as_bytes());
}

/// The process's resident memory in bytes.
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
