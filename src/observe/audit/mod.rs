//! The audit: what was asked for, what was refused and what came of the rest, in lines that cannot be changed unseen.
//!
//! ```text
//! engine ─► Audit ─► channel ─► Writer (a thread) ─► Chain ─► Storage (file, standard output, syslog)
//!             ◄────── where it stands, once it does ◄──┘
//! ```
//!
//! An action waits for its intent to be on the disk, and its answer for its outcome to be written; what reads only waits for the
//! intent before it answers. All that come in while the disk is busy share the next synchronisation.
pub mod chain;
pub mod report;
pub mod storage;
pub mod verify;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::oneshot;

use self::{
    chain::{Chain, RootKey},
    storage::{FileStorage, Last, Rotation, StandardOutput, Storage, SystemLog},
    writer::{Entry, Health, Losses, Start, Wants, Writer},
};
use crate::protocol::{
    audit::{ActionType, AuditDetails, AuditMode, AuditPlace, Head, Outcome, Record},
    error::{ErrorKind, Failure},
};

/// How many records may be on their way to the thread: more than all requests that can be in flight.
const CHANNEL: usize = 4096;
/// How long a record is waited for. A disk that takes longer is as good as one that fails.
const RECORD_TIME: Duration = Duration::from_secs(2);
/// What the chain of a file is called that has a key.
pub const KEYED: &str = "hmac-sha256";
/// What it is called without one.
pub const UNKEYED: &str = "unkeyed";

/// Why there can be no audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The system says so.
    #[error("cannot use the audit file {}: {error}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// Others could change it.
    #[error("the audit file {} has mode {mode:04o} and others can write to it; run chmod go-w on it", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another server writes to it.
    #[error("the audit file {} is in use by another server; give each its own", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It ends with something else than a record.
    #[error(
        "the last line of {} is no audit record; look at it with `deskhand audit verify`, or name another file", path.display()
    )]
    NoRecord {
        /// The file.
        path: PathBuf,
    },
    /// The first record cannot be written.
    #[error("cannot write the first audit record: {0}")]
    Begin(io::Error),
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this file.
    File {
        /// Its path.
        path: PathBuf,
        /// When another one is begun.
        rotation: Rotation,
    },
    /// To standard output.
    StandardOutput,
    /// To the system's log.
    SystemLog,
}

/// How a start of the server is recorded.
#[derive(Debug)]
pub struct Opening<'a> {
    /// Where.
    pub target: Target,
    /// Under which key; the plain hash chain without one.
    pub key: Option<RootKey>,
    /// What happens when nothing can be recorded.
    pub mode: AuditMode,
    /// How much a record keeps.
    pub details: AuditDetails,
    /// This start.
    pub boot: &'a str,
    /// What else its first record says.
    pub first: Record,
}

/// Where records go, and what happens when they cannot.
#[derive(Debug, Default)]
pub struct Audit {
    recorder: Option<Recorder>,
}

#[derive(Debug)]
struct Recorder {
    /// `None` once it is closed.
    sender: Mutex<Option<SyncSender<Entry>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    mode: AuditMode,
    details: AuditDetails,
    losses: Losses,
    health: Health,
}

/// An audit whose start is recorded and whose thread has not begun: what confines the process has to come before any thread.
pub struct Opened {
    writer: Writer<Box<dyn Storage>>,
    mode: AuditMode,
    details: AuditDetails,
    losses: Losses,
    health: Health,
}

impl Opened {
    /// Opens it and records the start.
    ///
    /// # Errors
    /// Why it cannot be kept.
    pub fn open(opening: Opening<'_>) -> Result<Self, AuditError> {
        let (storage, previous): (Box<dyn Storage>, Last) = match &opening.target {
            Target::File { path, rotation } => {
                let (file, last) = FileStorage::open(path, *rotation)?;
                (Box::new(file), last)
            }
            Target::StandardOutput => (Box::new(StandardOutput), Last { seq: 0, head: Head::NONE, torn: 0 }),
            Target::SystemLog => (Box::new(SystemLog::open()?), Last { seq: 0, head: Head::NONE, torn: 0 }),
        };
        let Opening { key, mode, details, boot, first, .. } = opening;
        let chain = if key.is_some() { KEYED } else { UNKEYED };
        let mut first = first.with("event", "start").with("boot", boot).with("chain", chain);
        if previous.torn > 0 {
            first = first.with("torn_bytes", previous.torn);
        }
        let place = AuditPlace { seq: previous.seq, head: previous.head };
        if let (true, Ok(place)) = (previous.seq > 0, serde_json::to_value(place)) {
            first = first.with("previous", place);
        }
        let start = Start { boot: boot.to_owned(), seq: previous.seq + 1, chain };
        let chain = Chain::start(&key.unwrap_or(RootKey::none()), boot, previous.seq, previous.head);
        let (losses, health) = (Losses::default(), Health::default());
        let mut writer = Writer::new(storage, chain, start, losses.clone(), health.clone());
        writer.begin(&first).map_err(AuditError::Begin)?;
        Ok(Self { writer, mode, details, losses, health })
    }

    /// Begins to take records.
    ///
    /// # Errors
    /// The system's, about the thread.
    pub fn start(self) -> Result<Audit, AuditError> {
        let Self { writer, mode, details, losses, health } = self;
        let (sender, entries) = sync_channel(CHANNEL);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&entries))
            .map_err(AuditError::Begin)?;
        let (sender, thread) = (Mutex::new(Some(sender)), Mutex::new(Some(thread)));
        Ok(Audit { recorder: Some(Recorder { sender, thread, mode, details, losses, health }) })
    }
}

impl Audit {
    /// The word of the ready line.
    pub fn mode(&self) -> &'static str {
        match self.recorder.as_ref().map(|recorder| recorder.mode) {
            None => "off",
            Some(AuditMode::Strict) => "strict",
            Some(AuditMode::Available) => "available",
        }
    }

    /// How much a record keeps; `None` where there are no records.
    pub fn details(&self) -> Option<AuditDetails> {
        self.recorder.as_ref().map(|recorder| recorder.details)
    }

    /// How many records could not be kept since the start.
    pub fn lost(&self) -> u64 {
        self.recorder.as_ref().map_or(0, |recorder| recorder.losses.since_start())
    }

    /// Records what is about to be done. When this returns, the record is on the disk; its number.
    ///
    /// # Errors
    /// `audit_unavailable` when it cannot be recorded and must not be done then.
    pub async fn intend(&self, record: Record) -> Result<Option<u64>, Failure> {
        let Some(recorder) = &self.recorder else { return Ok(None) };
        let (sender, place) = oneshot::channel();
        let sent = recorder.send(Entry { record, wants: Wants::Durable(sender) });
        let written = match sent {
            Sent::Yes => tokio::time::timeout(RECORD_TIME, place).await.ok().and_then(|place| place.ok().flatten()),
            Sent::No => None,
        };
        match (written, recorder.mode) {
            (Some(place), _) => Ok(Some(place.seq)),
            (None, AuditMode::Strict) => Err(unavailable()),
            (None, AuditMode::Available) => {
                recorder.losses.count(1);
                Ok(None)
            }
        }
    }

    /// Whether what is only sent on its way will be recorded, as far as anybody knows.
    ///
    /// # Errors
    /// `audit_unavailable` when it will not be, and nothing may be done without a record.
    pub fn permits(&self) -> Result<(), Failure> {
        match &self.recorder {
            Some(recorder) if recorder.mode == AuditMode::Strict && recorder.health.fails() => Err(unavailable()),
            _ => Ok(()),
        }
    }

    /// Records what came of it. Where the record stands, if it does.
    pub async fn conclude(&self, record: Record) -> Option<AuditPlace> {
        let recorder = self.recorder.as_ref()?;
        let (sender, place) = oneshot::channel();
        match recorder.send_or_count(Entry { record, wants: Wants::Written(sender) }) {
            Sent::Yes => tokio::time::timeout(RECORD_TIME, place).await.ok()?.ok()?,
            Sent::No => None,
        }
    }

    /// Records what nobody waits for.
    pub fn note(&self, record: Record) {
        if let Some(recorder) = &self.recorder {
            recorder.send_or_count(Entry { record, wants: Wants::Nothing });
        }
    }

    /// Records the end and writes all that is still on its way.
    pub fn close(&self) {
        let Some(recorder) = &self.recorder else { return };
        self.note(Record::new(Timestamp::now(), ActionType::Config, Outcome::Success).with("event", "stop"));
        recorder.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = recorder.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the audit has ended badly");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Yes,
    No,
}

impl Recorder {
    fn send(&self, entry: Entry) -> Sent {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        match &*sender {
            Some(sender) if sender.try_send(entry).is_ok() => Sent::Yes,
            _ => Sent::No,
        }
    }

    fn send_or_count(&self, entry: Entry) -> Sent {
        let sent = self.send(entry);
        if sent == Sent::No {
            self.losses.count(1);
        }
        sent
    }
}

/// What an action is answered with that cannot be recorded.
fn unavailable() -> Failure {
    Failure::new(ErrorKind::AuditUnavailable, "the audit cannot be written, and without a record nothing is done")
        .hint("make room on the disk of the audit file; the server goes on by itself then")
}

/// Reads a root key that only its owner may read.
///
/// # Errors
/// Why it cannot be used.
pub fn read_key(path: &Path) -> Result<RootKey, String> {
    use std::os::unix::fs::PermissionsExt as _;

    let shown = path.display();
    let failed = |error: io::Error| format!("cannot read the audit key {shown}: {error}");
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(format!("the audit key {shown} has mode {mode:04o} and others can use it; run chmod 600 on it"));
    }
    let text = zeroize::Zeroizing::new(std::fs::read(path).map_err(failed)?);
    RootKey::read(&text).ok_or_else(|| {
        format!("the audit key {shown} does not hold 64 lower-case hexadecimal characters; `deskhand token new` makes such a file")
    })
}

/// The number of a record, given without its head and closing brace.
fn seq_of(open: &str) -> Option<u64> {
    open.strip_prefix(r#"{"seq":"#)?.split([',', '}']).next()?.parse().ok()
}
