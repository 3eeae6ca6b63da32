//! The thread that writes: takes what has come meanwhile, makes lines of it, writes them in one piece, synchronises once for
//! all who wait for that.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{
    chain::Chain,
    storage::{Durability, Storage},
};
use crate::protocol::{
    audit::{ActionType, AuditPlace, Outcome, Record},
    error::ErrorKind,
    identity::UserName,
    task::TaskId,
};

/// How soon what was only written is on the disk, and how soon what could not be written is tried again: each attempt makes all
/// lines of the backlog anew, so not with every record that comes meanwhile.
const PATIENCE: Duration = Duration::from_millis(200);
/// How many records wait for a disk that takes none. A record has some 400 bytes.
const BACKLOG: usize = 4096;

/// A record on its way, and who waits for it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) wants: Wants,
}

/// What somebody waits for. `None` is sent where the record could not be kept.
#[derive(Debug)]
pub(super) enum Wants {
    /// Nothing.
    Nothing,
    /// That the record is written.
    Written(oneshot::Sender<Option<AuditPlace>>),
    /// That it is on the disk. What cannot be is not recorded at all.
    Durable(oneshot::Sender<Option<AuditPlace>>),
}

/// The start that the records belong to, for the first line of a file that goes on in the middle of it.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) boot: String,
    /// The number of its first record.
    pub(super) seq: u64,
    /// `hmac-sha256` or `unkeyed`.
    pub(super) chain: &'static str,
}

/// Whether the last attempt to write failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Health(Arc<AtomicBool>);

impl Health {
    pub(super) fn fails(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Records that are gone for good.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses(Arc<[AtomicU64; 2]>);

impl Losses {
    /// So many more.
    pub(super) fn count(&self, records: u64) {
        for count in &*self.0 {
            count.fetch_add(records, Ordering::Relaxed);
        }
    }

    /// All of them.
    pub(super) fn since_start(&self) -> u64 {
        self.0[0].load(Ordering::Relaxed)
    }

    /// Those that no record tells of yet.
    pub(super) fn untold(&self) -> u64 {
        self.0[1].load(Ordering::Relaxed)
    }

    fn told(&self, records: u64) {
        self.0[1].fetch_sub(records, Ordering::Relaxed);
    }
}

/// What writes.
pub(super) struct Writer<S> {
    storage: S,
    chain: Chain,
    start: Start,
    /// What has to stand first in a file that has just been begun.
    heading: Option<Record>,
    /// What could not be written yet.
    backlog: Vec<Record>,
    losses: Losses,
    health: Health,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// All is on the disk.
    Durable,
    /// Something is only written.
    Written,
    /// The last attempt failed, at this time.
    Failing(Instant),
}

/// A record as it stands in the file, without its head.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    timestamp: String,
    user_id: Option<&'a UserName>,
    session_id: Option<&'a str>,
    task_id: Option<TaskId>,
    action_type: ActionType,
    details: &'a Map<String, Value>,
    outcome: Outcome,
    duration_us: Option<u64>,
}

impl<S: Storage> Writer<S> {
    pub(super) const fn new(storage: S, chain: Chain, start: Start, losses: Losses, health: Health) -> Self {
        Self { storage, chain, start, heading: None, backlog: Vec::new(), losses, health, state: State::Durable }
    }

    /// Writes the first record of a start.
    pub(super) fn begin(&mut self, record: &Record) -> io::Result<()> {
        let (mut chain, mut lines) = (self.chain.clone(), String::new());
        append(&mut chain, record, &mut lines);
        self.storage.write(&lines, Durability::Durable)?;
        self.chain = chain;
        Ok(())
    }

    /// Writes until nobody is left to send records.
    pub(super) fn run(mut self, entries: &Receiver<Entry>) {
        loop {
            let first = if self.state == State::Durable && self.backlog.is_empty() {
                entries.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                entries.recv_timeout(PATIENCE)
            };
            let batch = match first {
                Ok(first) => gather(first, entries),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.write(Vec::new());
                    return;
                }
            };
            self.write(batch);
        }
    }

    /// Writes what waits and what has come; with nothing new, it also synchronises.
    pub(super) fn write(&mut self, batch: Vec<Entry>) {
        if let State::Failing(since) = self.state
            && !batch.is_empty()
            && since.elapsed() < PATIENCE
        {
            return self.keep(batch);
        }
        self.rotate();
        let is_durable = batch.is_empty() || batch.iter().any(|entry| matches!(entry.wants, Wants::Durable(_)));
        let (mut chain, mut lines, mut places) = (self.chain.clone(), String::new(), Vec::new());
        let lost = self.losses.untold();
        if let Some(heading) = &self.heading {
            append(&mut chain, heading, &mut lines);
        }
        if lost > 0 {
            append(&mut chain, &loss(lost), &mut lines);
        }
        for record in &self.backlog {
            append(&mut chain, record, &mut lines);
        }
        for entry in &batch {
            append(&mut chain, &entry.record, &mut lines);
            places.push(AuditPlace { seq: chain.seq(), head: chain.head() });
        }
        let written = match (lines.is_empty(), is_durable) {
            (true, _) => self.storage.sync(),
            (false, true) => self.storage.write(&lines, Durability::Durable),
            (false, false) => self.storage.write(&lines, Durability::Written),
        };
        match written {
            Ok(()) => {
                if matches!(self.state, State::Failing(_)) {
                    tracing::info!(records = self.backlog.len(), lost, "the audit is written again");
                }
                self.chain = chain;
                self.heading = None;
                self.backlog.clear();
                self.losses.told(lost);
                self.state = if is_durable { State::Durable } else { State::Written };
                for (entry, place) in batch.into_iter().zip(places) {
                    answer(entry.wants, Some(place));
                }
            }
            Err(error) => {
                if !matches!(self.state, State::Failing(_)) {
                    tracing::error!(%error, "the audit cannot be written");
                }
                self.state = State::Failing(Instant::now());
                self.keep(batch);
            }
        }
        self.health.0.store(matches!(self.state, State::Failing(_)), Ordering::Relaxed);
    }

    /// Keeps what has happened; what was about to happen does not.
    fn keep(&mut self, batch: Vec<Entry>) {
        for entry in batch {
            match entry.wants {
                wants @ Wants::Durable(_) => answer(wants, None),
                wants => {
                    answer(wants, None);
                    if self.backlog.len() < BACKLOG {
                        self.backlog.push(entry.record);
                    } else {
                        self.losses.count(1);
                    }
                }
            }
        }
    }

    /// Goes on in another file when this one is full. What fails is tried again with the next records.
    fn rotate(&mut self) {
        match self.storage.rotate(self.chain.seq()) {
            Ok(false) => {}
            Ok(true) => {
                let Start { boot, seq, chain } = self.start.clone();
                let previous = AuditPlace { seq: self.chain.seq(), head: self.chain.head() };
                let continues = Record::new(Timestamp::now(), ActionType::Config, Outcome::Success)
                    .with("event", "continues")
                    .with("boot", boot)
                    .with("start_seq", seq)
                    .with("chain", chain)
                    .with("previous", serde_json::to_value(previous).unwrap_or_default());
                self.heading = Some(continues);
            }
            Err(error) => tracing::error!(%error, "another audit file cannot be begun; the full one goes on"),
        }
    }
}

/// All that has come by now.
fn gather(first: Entry, entries: &Receiver<Entry>) -> Vec<Entry> {
    let mut batch = vec![first];
    loop {
        match entries.try_recv() {
            Ok(entry) if batch.len() < BACKLOG => batch.push(entry),
            // The one in hand is written with the others; the rest comes next.
            Ok(entry) => {
                batch.push(entry);
                return batch;
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return batch,
        }
    }
}

fn answer(wants: Wants, place: Option<AuditPlace>) {
    match wants {
        Wants::Nothing => {}
        // Whoever waited may have been cancelled.
        Wants::Written(sender) | Wants::Durable(sender) => drop(sender.send(place)),
    }
}

fn loss(count: u64) -> Record {
    Record::new(Timestamp::now(), ActionType::Error, Outcome::Failed(ErrorKind::AuditUnavailable))
        .with("event", "records_lost")
        .with("count", count)
}

fn append(chain: &mut Chain, record: &Record, lines: &mut String) {
    let line = Line {
        seq: chain.next(),
        // To the microsecond: as fine as what is measured beside it.
        timestamp: format!("{:.6}", record.timestamp),
        user_id: record.user.as_ref(),
        session_id: record.session.as_deref(),
        task_id: record.task,
        action_type: record.action,
        details: &record.details,
        outcome: record.outcome,
        duration_us: record.duration.map(|duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)),
    };
    // Our own types have string keys and finite numbers, which is all that serde_json can refuse.
    let json =
        serde_json::to_string(&line).unwrap_or_else(|error| format!(r#"{{"seq":{},"fault":"{error}"}}"#, line.seq));
    chain.append(&json, lines);
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
