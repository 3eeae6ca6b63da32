//! Opens a connection to the display: our own socket, the server's identity before any cookie, every wait bounded.

use std::{
    io,
    os::unix::net::UnixStream,
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
};
use thiserror::Error;
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    cookie::VoidCookie,
    errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError},
    protocol::{
        Event, bigreq, damage, randr, record, res, shape, shm, xfixes, xinput, xkb,
        xproto::{ImageOrder, Screen, Setup, VisualClass, Window},
        xtest::{self, ConnectionExt as _},
    },
    rust_connection::RustConnection,
};

use super::{
    door::Door,
    incoming::Incoming,
    listener_process::ListenerProcess,
    stream::DeadlineStream,
    target::Target,
    xauthority::{self, XauthorityError},
};
use crate::protocol::{
    limits::{SCREEN_MAX, SCREEN_MIN},
    units::NativeSize,
};

/// How long one X operation may take. A stopped server must cost at most 2 s and a typed error; an answer that took part
/// of that still leaves half a second for the rest of the way.
pub const OPERATION_TIME: Duration = Duration::from_millis(1500);

/// The connection under a [`Link`].
pub type XConnection = RustConnection<DeadlineStream>;

/// Why a display could not be opened. Each says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Nobody listens there (yet).
    #[error("no display answers at {path}: {source}; start it first, or name another with --display")]
    NotThere {
        /// The display's socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The socket belongs to somebody else than the display that was meant. No cookie was sent.
    #[error(
        "the socket {path} belongs to process {pid} of user {uid}, which is not the display server that was expected \
         ({expected}); no cookie was sent; stop that process or use another display number"
    )]
    Untrusted {
        /// The display's socket.
        path: PathBuf,
        /// The listener's process id; 0 where a process namespace hides it.
        pid: u32,
        /// The listener's user id.
        uid: u32,
        /// Who was expected.
        expected: String,
    },
    /// The cookie could not be read.
    #[error(transparent)]
    Cookie(#[from] XauthorityError),
    /// The server does not let us in.
    #[error("the display refused the connection: {reason}; give its cookie file with --xauthority")]
    Refused {
        /// The server's words, shortened to printable ASCII.
        reason: String,
    },
    /// The server did not answer in time.
    #[error("the display did not answer within {} s; is its process stopped?", .0.as_secs_f32())]
    Unresponsive(Duration),
    /// The connection broke, or the server sent what it must not.
    #[error("the connection to the display broke while it was set up: {0}; try again")]
    Broken(String),
    /// The pixels are laid out in another way than the one that is read.
    #[error(
        "the display has {found}; depth 24 TrueColor in little-endian 32-bit pixels is needed; start it with `-screen 0 WxHx24`"
    )]
    Pixels {
        /// What is different.
        found: String,
    },
    /// The screen is too small or too large.
    #[error(
        "the screen is {}×{}; it must be within {}×{} and {}×{}; start the display with such a size",
        .0.width, .0.height, SCREEN_MIN.0, SCREEN_MIN.1, SCREEN_MAX.0, SCREEN_MAX.1
    )]
    Size(NativeSize),
    /// Others get in without the cookie, which is not to be taken.
    #[error(
        "the display {display} lets in {door}: it can be seen and used beside us; start the X server with -auth FILE and without \
         -ac, or close it with `xhost -` and `xhost -local:`"
    )]
    Unguarded {
        /// Its name.
        display: String,
        /// Who gets in.
        door: Door,
    },
    /// An extension is missing.
    #[error("the display lacks the extension {0}; start Xvfb without `-extension {0}`")]
    Extension(&'static str),
}

impl OpenError {
    /// What there is to say of a display that lets others in.
    pub const fn unguarded(display: String, door: Door) -> Self {
        Self::Unguarded { display, door }
    }

    /// Whether a display that is still starting may look like this, so that trying again makes sense.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::NotThere { .. } | Self::Unresponsive(_) | Self::Broken(_))
    }
}

/// A connection that has been set up, with what does not change while it lives. Belongs to one thread at a time.
#[derive(Debug)]
pub struct Link {
    /// Requests go here. Waits end at the stream's deadline.
    pub connection: XConnection,
    /// The root window of the first screen.
    pub root: Window,
    /// The size of the root window when the link was opened.
    pub size: NativeSize,
    /// How it was opened; `None` where a test did that.
    target: Option<Target>,
}

impl Link {
    /// Connects to the display's Unix socket. Checks who listens there before it sends the cookie, and that the screen is
    /// one we can read. The link then works through other clients' server grabs.
    pub fn open(target: &Target, limit: Duration) -> Result<Self, OpenError> {
        let stream = connect_socket(target)?;
        check_listener(target, &stream)?;
        let cookie = match &target.xauthority {
            Some(path) => Some(xauthority::read_cookie(path, target.display)?),
            None => None,
        };
        Ok(Self { target: Some(target.clone()), ..Self::set_up(stream, cookie, limit)? })
    }

    /// One more connection to the same display, for what needs one of its own; `None` where there is no more to be had.
    pub fn another(&self, limit: Duration) -> Option<Self> {
        let opened = Self::open(self.target.as_ref()?, limit);
        opened.inspect_err(|error| tracing::debug!(%error, "no further connection to the display")).ok()
    }

    /// The display's number; `None` where a test has opened the link.
    pub fn display_number(&self) -> Option<u16> {
        self.target.as_ref().map(|target| target.display.get())
    }

    /// Sets up a connection on a stream that is connected already. This is where tests put a server of their own.
    pub fn set_up(stream: UnixStream, cookie: Option<Vec<u8>>, limit: Duration) -> Result<Self, OpenError> {
        let stream = DeadlineStream::new(stream).map_err(|error| OpenError::Broken(error.to_string()))?;
        stream.set_deadline(Instant::now().checked_add(limit));
        let name = cookie.as_ref().map_or_else(Vec::new, |_| xauthority::COOKIE_NAME.to_vec());
        let connection = RustConnection::connect_to_stream_with_auth_info(stream, 0, name, cookie.unwrap_or_default())
            .map_err(|error| connect_error(error, limit))?;
        connection.stream().expect_packets();
        let screen = connection.setup().roots.first().ok_or_else(|| OpenError::Broken("it has no screen".into()))?;
        let size = NativeSize { width: screen.width_in_pixels, height: screen.height_in_pixels };
        let root = screen.root;
        check_screen(connection.setup(), screen, size)?;
        let failed = |error: ReplyError| request_error(error, limit);
        let is_there = know_extensions(&connection).map_err(|error| failed(error.into()))?;
        if !is_there {
            return Err(OpenError::Extension(xtest::X11_EXTENSION_NAME));
        }
        // A hostile XGrabServer would stop every other client's requests, ours too.
        connection.xtest_grab_control(true).map_err(ReplyError::from).and_then(VoidCookie::check).map_err(failed)?;
        connection.stream().set_deadline(None);
        Ok(Self { connection, root, size, target: None })
    }

    /// Ends every wait on the connection at this time from now on, until the guard goes; then the earlier deadline holds
    /// again. An earlier deadline that is nearer stays in force.
    #[must_use]
    pub fn within(&self, limit: Duration) -> DeadlineGuard<'_> {
        let ours = Instant::now().checked_add(limit);
        let before = self.connection.stream().set_deadline(ours);
        if let (Some(before), Some(ours)) = (before, ours) {
            self.connection.stream().set_deadline(Some(before.min(ours)));
        }
        DeadlineGuard { stream: self.connection.stream(), before }
    }
}

/// The extensions that anything here uses.
const EXTENSIONS: [&str; 11] = [
    bigreq::X11_EXTENSION_NAME,
    damage::X11_EXTENSION_NAME,
    randr::X11_EXTENSION_NAME,
    record::X11_EXTENSION_NAME,
    res::X11_EXTENSION_NAME,
    shape::X11_EXTENSION_NAME,
    shm::X11_EXTENSION_NAME,
    xfixes::X11_EXTENSION_NAME,
    xinput::X11_EXTENSION_NAME,
    xkb::X11_EXTENSION_NAME,
    xtest::X11_EXTENSION_NAME,
];

/// Asks for all of them at once, and says whether the one is there that nothing works without.
///
/// x11rb asks for each at its first use, and holds a lock while it waits that it takes again to read an error: a server that
/// answers with one holds the thread for ever (x11rb 0.14, `RustConnection::extension_information` and `parse_error`; found by
/// `tests/fuzzing`). No request that is on its way here may be answered so, and later there is nothing left to ask.
fn know_extensions(connection: &XConnection) -> Result<bool, ConnectionError> {
    connection.stream().note_incoming(Incoming::refuse_errors);
    for name in EXTENSIONS {
        connection.prefetch_extension_information(name)?;
    }
    for name in EXTENSIONS {
        connection.extension_information(name)?;
    }
    connection.stream().note_incoming(Incoming::take_errors);
    Ok(connection.extension_information(xtest::X11_EXTENSION_NAME)?.is_some())
}

/// Puts the earlier deadline back when it is dropped.
#[derive(Debug)]
pub struct DeadlineGuard<'a> {
    stream: &'a DeadlineStream,
    before: Option<Instant>,
}

impl Drop for DeadlineGuard<'_> {
    fn drop(&mut self) {
        self.stream.set_deadline(self.before);
    }
}

/// Why an operation on an open link failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// No answer before the deadline; the connection goes on when the server does.
    #[error("the display did not answer within {} s", OPERATION_TIME.as_secs_f32())]
    Unresponsive,
    /// The connection ended or can no longer be used.
    #[error("the connection to the display ended: {0}")]
    Lost(String),
    /// The server answered with an X error.
    #[error("the display refused a request: {0}")]
    Refused(String),
}

impl LinkError {
    /// The same, of a display that is being opened.
    pub(super) fn of_open(self) -> OpenError {
        match self {
            Self::Unresponsive => OpenError::Unresponsive(OPERATION_TIME),
            Self::Lost(reason) | Self::Refused(reason) => OpenError::Broken(reason),
        }
    }
}

impl Link {
    /// The next event that has arrived, without waiting. What another client made up is passed over, but for the two kinds
    /// that clients send each other by design (X11 protocol, `SendEvent`): a forged size of the screen would end the desktop,
    /// forged locks would spoil a text.
    ///
    /// With the event comes the number of the last of our requests that the server had dealt with before it.
    pub fn next_event(&self) -> Result<Option<(Event, u64)>, LinkError> {
        loop {
            match self.next_from_anybody()? {
                Some((event, _)) if is_forged(&event) => {}
                found => return Ok(found),
            }
        }
    }

    /// The same, with what other clients made up.
    pub fn next_from_anybody(&self) -> Result<Option<(Event, u64)>, LinkError> {
        let found = self.connection.poll_for_event_with_sequence().map_err(|error| self.explain(error))?;
        let noted: fn(&mut Incoming) = if found.is_some() { Incoming::took_event } else { Incoming::taken_in };
        self.connection.stream().note_incoming(noted);
        Ok(found)
    }

    /// What an x11rb error means for this link.
    pub fn explain(&self, error: impl Into<ReplyOrIdError>) -> LinkError {
        match error.into() {
            ReplyOrIdError::ConnectionError(ConnectionError::IoError(error))
                if error.kind() == io::ErrorKind::TimedOut && !self.connection.stream().is_torn() =>
            {
                LinkError::Unresponsive
            }
            ReplyOrIdError::ConnectionError(error) => LinkError::Lost(error.to_string()),
            ReplyOrIdError::IdsExhausted => LinkError::Lost("no resource ids are left".into()),
            ReplyOrIdError::X11Error(error) => {
                let request = error.request_name.unwrap_or("an unknown request");
                LinkError::Refused(format!("{:?} for {request}", error.error_kind))
            }
        }
    }
}

/// Whether only the server may say so and somebody else did.
fn is_forged(event: &Event) -> bool {
    event.sent_event() && !matches!(event, Event::ClientMessage(_) | Event::SelectionNotify(_))
}

/// Connects without waiting: a stopped server with a full backlog would otherwise hold us for ever.
fn connect_socket(target: &Target) -> Result<UnixStream, OpenError> {
    let path = target.display.socket_path();
    let attempt = || -> Result<UnixStream, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(&path)?)?;
        Ok(UnixStream::from(socket))
    };
    attempt().map_err(|errno| match errno {
        Errno::AGAIN => OpenError::Unresponsive(Duration::ZERO),
        errno => OpenError::NotThere { path: path.clone(), source: errno.into() },
    })
}

/// Compares who listens on the socket (`SO_PEERCRED`: the credentials of `listen(2)`) with who should.
fn check_listener(target: &Target, stream: &UnixStream) -> Result<(), OpenError> {
    let ListenerProcess { pid, user: uid } =
        ListenerProcess::of(stream).map_err(|error| OpenError::Broken(error.to_string()))?;
    let ours = rustix::process::getuid().as_raw();
    let (trusted, expected) = match target.expected_server {
        Some(server) => (pid == Some(server), format!("process {server}")),
        None => (uid == ours || uid == 0, format!("a process of user {ours} or root")),
    };
    // 0 is what the kernel says of a process that we cannot number.
    let pid = pid.unwrap_or_default();
    if trusted { Ok(()) } else { Err(OpenError::Untrusted { path: target.display.socket_path(), pid, uid, expected }) }
}

fn check_screen(setup: &Setup, screen: &Screen, size: NativeSize) -> Result<(), OpenError> {
    let pixels = |found: String| Err(OpenError::Pixels { found });
    if setup.image_byte_order != ImageOrder::LSB_FIRST {
        return pixels("big-endian pixels".into());
    }
    if screen.root_depth != 24 {
        return pixels(format!("depth {}", screen.root_depth));
    }
    if !setup.pixmap_formats.iter().any(|format| format.depth == 24 && format.bits_per_pixel == 32) {
        return pixels("packed pixels".into());
    }
    let visual = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
    let Some(visual) = visual.into_iter().find(|visual| visual.visual_id == screen.root_visual) else {
        return pixels("a root window without a visual".into());
    };
    let masks = (visual.red_mask, visual.green_mask, visual.blue_mask);
    if visual.class != VisualClass::TRUE_COLOR || masks != (0x00ff_0000, 0x0000_ff00, 0x0000_00ff) {
        return pixels(format!("the visual {:?} with colour masks {masks:x?}", visual.class));
    }
    let inside = |value: u16, least: u16, most: u16| (least..=most).contains(&value);
    if inside(size.width, SCREEN_MIN.0, SCREEN_MAX.0) && inside(size.height, SCREEN_MIN.1, SCREEN_MAX.1) {
        Ok(())
    } else {
        Err(OpenError::Size(size))
    }
}

fn connect_error(error: ConnectError, limit: Duration) -> OpenError {
    match error {
        ConnectError::IoError(error) if error.kind() == io::ErrorKind::TimedOut => OpenError::Unresponsive(limit),
        ConnectError::SetupFailed(refusal) => OpenError::Refused { reason: printable(&refusal.reason) },
        ConnectError::SetupAuthenticate(demand) => OpenError::Refused { reason: printable(&demand.reason) },
        error => OpenError::Broken(error.to_string()),
    }
}

fn request_error(error: ReplyError, limit: Duration) -> OpenError {
    match error {
        ReplyError::ConnectionError(ConnectionError::IoError(error)) if error.kind() == io::ErrorKind::TimedOut => {
            OpenError::Unresponsive(limit)
        }
        ReplyError::ConnectionError(error) => OpenError::Broken(error.to_string()),
        ReplyError::X11Error(error) => OpenError::Broken(format!("{:?}", error.error_kind)),
    }
}

/// A server's words for a message of ours: printable ASCII, at most 200 characters, because a log line needs no more.
fn printable(text: &[u8]) -> String {
    let shown = text.iter().filter(|byte| matches!(byte, 0x20..=0x7e)).take(200);
    shown.map(|&byte| char::from(byte)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desktop::fake_server::{Answers, EXTENSION, FakeServer, setup};

    #[test]
    fn the_first_bytes_are_the_cookie_and_then_the_grab_control() {
        let (server, link) = FakeServer::connect_to(setup(), Answers::default(), Some(vec![7; 16]));
        let link = link.unwrap();
        assert_eq!((link.root, link.size), (0x111, NativeSize { width: 1024, height: 768 }));
        drop(link);
        let requests = server.finish();
        let hello = [b"l\0\x0b\0\0\0\x12\0\x10\0\0\0MIT-MAGIC-COOKIE-1\0\0".as_slice(), &[7; 16]].concat();
        assert_eq!(requests[0], hello);
        assert!(requests.contains(&vec![EXTENSION, 3, 2, 0, 1, 0, 0, 0]), "XTestGrabControl(impervious): {requests:?}");
    }

    #[test]
    fn a_screen_that_cannot_be_read_is_refused_with_the_reason() {
        type Change = fn(&mut Setup);
        let refused = |change: Change| {
            let mut setup = setup();
            change(&mut setup);
            FakeServer::connect_to(setup, Answers::default(), None).1.unwrap_err()
        };
        let changes: [Change; 5] = [
            |setup| setup.image_byte_order = ImageOrder::MSB_FIRST,
            |setup| setup.roots[0].root_depth = 16,
            |setup| setup.pixmap_formats[0].bits_per_pixel = 24,
            |setup| setup.roots[0].allowed_depths[0].visuals[0].class = VisualClass::DIRECT_COLOR,
            |setup| setup.roots[0].allowed_depths[0].visuals[0].red_mask = 0xff,
        ];
        for change in changes {
            assert!(matches!(refused(change), OpenError::Pixels { .. }));
        }
        let sizes: [Change; 4] = [
            |setup| setup.roots[0].width_in_pixels = 319,
            |setup| setup.roots[0].height_in_pixels = 239,
            |setup| setup.roots[0].width_in_pixels = 3841,
            |setup| setup.roots[0].height_in_pixels = 2161,
        ];
        for change in sizes {
            assert!(matches!(refused(change), OpenError::Size(_)));
        }
    }

    #[test]
    fn a_server_that_says_nothing_costs_the_limit_and_one_that_hangs_up_nothing() {
        let limit = Duration::from_millis(20);
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(matches!(Link::set_up(ours, None, limit), Err(OpenError::Unresponsive(_))));
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert!(matches!(Link::set_up(ours, None, limit), Err(OpenError::Broken(_))));
    }
}
