//! The writer beside a disk that fails in every way.

use std::sync::{Mutex, PoisonError, mpsc::sync_channel};

use super::*;
use crate::{
    observe::audit::{
        chain::{RootKey, split},
        seq_of,
    },
    protocol::audit::Head,
};

/// A disk that can be told to fail.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<DiskState>>);

#[derive(Default)]
struct DiskState {
    lines: String,
    durable: usize,
    broken: bool,
    syncs: usize,
    rotates: bool,
}

impl Disk {
    fn with<T>(&self, look: impl FnOnce(&mut DiskState) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fails(&self, broken: bool) {
        self.with(|state| state.broken = broken);
    }

    fn lines(&self) -> Vec<Value> {
        self.with(|state| state.lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

impl Storage for Disk {
    fn write(&mut self, lines: &str, durability: Durability) -> io::Result<()> {
        self.with(|state| {
            if state.broken {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.lines.push_str(lines);
            if durability == Durability::Durable {
                (state.durable, state.syncs) = (state.lines.len(), state.syncs + 1);
            }
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|state| {
            if state.broken {
                return Err(io::ErrorKind::StorageFull.into());
            }
            (state.durable, state.syncs) = (state.lines.len(), state.syncs + 1);
            Ok(())
        })
    }

    fn rotate(&mut self, _last: u64) -> io::Result<bool> {
        Ok(self.with(|state| std::mem::take(&mut state.rotates)))
    }
}

fn writer(disk: &Disk) -> Writer<Disk> {
    let chain = Chain::start(&RootKey::none(), "boot", 0, Head::NONE);
    let start = Start { boot: "boot".to_owned(), seq: 1, chain: "unkeyed" };
    Writer::new(disk.clone(), chain, start, Losses::default(), Health::default())
}

fn record(name: &str) -> Record {
    Record::new(Timestamp::UNIX_EPOCH, ActionType::ToolUse, Outcome::Started).with("name", name)
}

fn durable(name: &str) -> (Entry, oneshot::Receiver<Option<AuditPlace>>) {
    let (sender, receiver) = oneshot::channel();
    (Entry { record: record(name), wants: Wants::Durable(sender) }, receiver)
}

fn written(name: &str) -> (Entry, oneshot::Receiver<Option<AuditPlace>>) {
    let (sender, receiver) = oneshot::channel();
    (Entry { record: record(name), wants: Wants::Written(sender) }, receiver)
}

fn names(disk: &Disk) -> Vec<String> {
    let name = |line: &Value| {
        let details = &line["details"];
        details["name"].as_str().or(details["event"].as_str()).unwrap_or_default().to_owned()
    };
    disk.lines().iter().map(name).collect()
}

#[test]
fn everything_that_has_come_shares_one_synchronisation_and_each_is_told_its_place() {
    let disk = Disk::default();
    let (sender, entries) = sync_channel(16);
    let (mut waiting, mut places) = (Vec::new(), Vec::new());
    for number in 0..10 {
        let (entry, place) = durable(&number.to_string());
        sender.send(entry).unwrap();
        waiting.push(place);
    }
    drop(sender);
    writer(&disk).run(&entries);
    for place in &mut waiting {
        places.push(place.try_recv().unwrap().expect("a place"));
    }
    assert_eq!(places.iter().map(|place| place.seq).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    let lines: Vec<String> = disk.with(|state| state.lines.lines().map(str::to_owned).collect());
    for (line, place) in lines.iter().zip(places) {
        let (open, head) = split(line).unwrap();
        assert_eq!((seq_of(open), head), (Some(place.seq), place.head));
    }
    assert!(disk.with(|state| state.syncs) <= 2, "one for all, and one at the end");
}

#[test]
fn what_was_only_written_is_on_the_disk_soon() {
    let disk = Disk::default();
    let mut writer = writer(&disk);
    let (entry, mut place) = written("a");
    writer.write(vec![entry]);
    assert!(place.try_recv().unwrap().is_some());
    assert_eq!(disk.with(|state| state.durable), 0);
    writer.write(Vec::new());
    assert_eq!(disk.with(|state| state.durable), disk.with(|state| state.lines.len()));
}

#[test]
fn while_the_disk_takes_nothing_no_intent_is_kept_and_what_happened_comes_later() {
    let disk = Disk::default();
    let mut writer = writer(&disk);
    disk.fails(true);
    let ((intent, mut refused), (outcome, mut unplaced)) = (durable("intent"), written("outcome"));
    writer.write(vec![intent]);
    writer.write(vec![outcome, Entry { record: record("note"), wants: Wants::Nothing }]);
    assert_eq!(refused.try_recv().unwrap(), None);
    assert_eq!(unplaced.try_recv().unwrap(), None);
    assert!(disk.lines().is_empty());
    disk.fails(false);
    writer.write(Vec::new());
    let (intent, mut place) = durable("next");
    writer.write(vec![intent]);
    assert_eq!(names(&disk), ["outcome", "note", "next"]);
    assert_eq!(place.try_recv().unwrap().expect("a place").seq, 3, "nothing of what failed is counted");
    assert_eq!(writer.state, State::Durable);
}

#[test]
fn what_cannot_be_kept_any_more_is_counted_and_the_count_recorded() {
    let disk = Disk::default();
    let mut writer = writer(&disk);
    disk.fails(true);
    for number in 0..BACKLOG + 7 {
        writer.write(vec![Entry { record: record(&number.to_string()), wants: Wants::Nothing }]);
    }
    assert_eq!(writer.losses.untold(), 7);
    disk.fails(false);
    writer.write(Vec::new());
    assert_eq!(disk.lines().len(), BACKLOG + 1);
    assert_eq!(disk.lines()[0]["details"], serde_json::json!({"event": "records_lost", "count": 7}));
    assert_eq!(writer.losses.untold(), 0);
}

#[test]
fn another_file_begins_by_saying_what_it_continues() {
    let disk = Disk::default();
    let mut writer = writer(&disk);
    writer.write(vec![durable("a").0]);
    let head = writer.chain.head();
    disk.with(|state| (state.rotates, state.broken) = (true, true));
    writer.write(vec![written("b").0]);
    disk.fails(false);
    writer.write(Vec::new());
    writer.write(vec![durable("c").0]);
    assert_eq!(names(&disk), ["a", "continues", "b", "c"], "also when its first line could not be written at once");
    assert_eq!(disk.lines()[1]["details"]["previous"], serde_json::json!({"seq": 1, "head": head}));
}
