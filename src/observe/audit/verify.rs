//! Whether anything was changed in a file of records, and where.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    KEYED,
    chain::{self, Chain, RootKey},
    storage::earlier_files,
};
use crate::protocol::audit::Head;

/// What was found of a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// A line is none of ours.
    #[error("is no audit record")]
    NoRecord,
    /// The file ends in the middle of a line.
    #[error("is cut off in its middle")]
    Torn,
    /// A line's head does not follow from it and what stands before it.
    #[error(
        "does not carry the head that follows from it and the record before it: one of them was edited, or comes from elsewhere"
    )]
    Edited,
    /// Some are missing.
    #[error("follows on seq {before}, and has seq {seq}: what was between them was deleted")]
    Deleted {
        /// The last that is there.
        before: u64,
        /// The next that is there.
        seq: u64,
    },
    /// It stands here a second time.
    #[error("is a copy of an earlier record, seq {0}")]
    Duplicated(u64),
    /// Its number belongs to another record.
    #[error("was inserted: seq {0} is another record")]
    Inserted(u64),
    /// Its place is elsewhere.
    #[error("stands in another place than it was written: seq {seq} where {expected} should be")]
    Moved {
        /// Its number.
        seq: u64,
        /// The number that belongs here.
        expected: u64,
    },
    /// The file does not begin where a file may begin.
    #[error(
        "is the first line and neither a start of the server nor the continuation of an earlier file: what stood before it was deleted"
    )]
    NoBeginning,
    /// A chain that anybody can make, where a key was expected.
    #[error(
        "begins a chain without a key, and a key was given: it was made anew, or --audit-key was left out when the server started"
    )]
    Unkeyed,
    /// No record has the head that was kept elsewhere.
    #[error("is the last, and no record has the head {0}: the end was cut off, or all of it was made anew")]
    HeadMissing(Head),
}

/// Where, and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}, line {line}: {change}", file.display())]
pub struct Finding {
    /// In which file.
    pub file: PathBuf,
    /// In which line, from 1.
    pub line: u64,
    /// What.
    pub change: Change,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Something was changed.
    #[error(transparent)]
    Changed(Box<Finding>),
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file was kept with a key.
    #[error("the records were kept with a key; give it with --key, or their heads prove nothing")]
    NeedsKey,
    /// There is nothing to look at.
    #[error("there is no record in {}", .0.display())]
    Empty(PathBuf),
}

/// What is proven of files without a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intact {
    /// The first record that is there.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Its head.
    pub head: Head,
    /// How often the server started.
    pub starts: u64,
    /// How many files.
    pub files: usize,
    /// Whether the heads are under a key.
    pub keyed: bool,
    /// How many records came after the one whose head was given.
    pub after_head: Option<u64>,
}

/// The members of a record that the chain is about.
#[derive(Deserialize)]
struct Members<'a> {
    seq: u64,
    action_type: &'a str,
    details: Option<serde_json::Value>,
}

/// The details of a record that begins a chain or a file.
#[derive(Deserialize)]
struct Begins {
    event: String,
    boot: String,
    chain: String,
    start_seq: Option<u64>,
    previous: Option<Previous>,
}

#[derive(Deserialize)]
struct Previous {
    seq: u64,
    head: Head,
}

struct Walk<'a> {
    key: Option<&'a RootKey>,
    /// The number of each line, in order; 0 where it has none.
    numbers: Vec<u64>,
    chain: Option<Chain>,
    heads: Vec<Head>,
    first: u64,
    starts: u64,
    keyed: bool,
}

/// Looks at a file and those that went before it.
///
/// # Errors
/// The first change, or why nothing can be said.
pub fn verify(path: &Path, key: Option<&RootKey>, head: Option<Head>) -> Result<Intact, VerifyError> {
    let mut files = earlier_files(path).map_err(|error| VerifyError::Read { path: path.to_owned(), error })?;
    files.push(path.to_owned());
    let mut walk =
        Walk { key, numbers: Vec::new(), chain: None, heads: Vec::new(), first: 0, starts: 0, keyed: key.is_some() };
    // Twice, because a record in a wrong place and one whose neighbour is gone look the same until all numbers are known.
    for file in &files {
        each_line(file, |_, line| {
            walk.numbers.push(std::str::from_utf8(line).ok().and_then(super::seq_of).unwrap_or(0));
            Ok(())
        })?;
    }
    let (mut index, mut last_line) = (0, 0);
    for file in &files {
        each_line(file, |number, line| {
            let checked = walk.line(index, line);
            (index, last_line) = (index + 1, number);
            checked.map_err(|problem| match problem {
                Problem::Change(change) => changed(file, number, change),
                Problem::NeedsKey => VerifyError::NeedsKey,
            })
        })?;
    }
    let Some(chain) = &walk.chain else { return Err(VerifyError::Empty(path.to_owned())) };
    let after_head = head
        .map(|head| {
            let place = walk.heads.iter().rposition(|known| *known == head);
            place
                .map(|place| (walk.heads.len() - 1 - place) as u64)
                .ok_or_else(|| changed(path, last_line, Change::HeadMissing(head)))
        })
        .transpose()?;
    let (last, head) = (chain.seq(), chain.head());
    Ok(Intact { first: walk.first, last, head, starts: walk.starts, files: files.len(), keyed: walk.keyed, after_head })
}

fn changed(file: &Path, line: u64, change: Change) -> VerifyError {
    VerifyError::Changed(Box::new(Finding { file: file.to_owned(), line, change }))
}

/// Gives each line of a file with its number from 1, with its newline where it has one.
fn each_line(path: &Path, mut look: impl FnMut(u64, &[u8]) -> Result<(), VerifyError>) -> Result<(), VerifyError> {
    let failed = |error| VerifyError::Read { path: path.to_owned(), error };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        look(number, &line)?;
    }
    Ok(())
}

enum Problem {
    Change(Change),
    NeedsKey,
}

impl From<Change> for Problem {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

impl Walk<'_> {
    fn line(&mut self, index: usize, bytes: &[u8]) -> Result<(), Problem> {
        let line = bytes.strip_suffix(b"\n").ok_or(Change::Torn)?;
        let line = std::str::from_utf8(line).map_err(|_| Change::NoRecord)?;
        let (open, head) = chain::split(line).ok_or(Change::NoRecord)?;
        let members: Members<'_> = serde_json::from_str(line).map_err(|_| Change::NoRecord)?;
        let begins = members
            .details
            .filter(|_| members.action_type == "config")
            .and_then(|details| Begins::deserialize(details).ok());
        self.in_place(index, members.seq, head)?;
        match begins {
            Some(begins) if begins.event == "start" => {
                self.starts += 1;
                let (seq, before) = self.before(members.seq, begins.previous)?;
                let root = self.root(&begins.chain)?;
                self.chain = Some(Chain::start(&root, &begins.boot, seq, before));
            }
            Some(Begins { event, boot, chain, start_seq: Some(start), previous: Some(previous) })
                if event == "continues" && self.chain.is_none() =>
            {
                let root = self.root(&chain)?;
                let mut chain = Chain::start(&root, &boot, start.saturating_sub(1), Head::NONE);
                // A number that is far away would only keep us busy; it is no successor then.
                if previous.seq + 1 != members.seq || previous.seq < start {
                    return Err(Change::Edited.into());
                }
                chain.skip_to(previous.seq, previous.head);
                self.chain = Some(chain);
            }
            _ => {}
        }
        let chain = self.chain.as_mut().ok_or(Change::NoBeginning)?;
        if self.heads.is_empty() {
            self.first = members.seq;
        }
        if chain.advance(open.as_bytes()) != head {
            let again = self.numbers.iter().filter(|number| **number == members.seq).count() > 1;
            return Err(if again { Change::Inserted(members.seq) } else { Change::Edited }.into());
        }
        self.heads.push(head);
        Ok(())
    }

    /// What stands before a start: the record before it or, in the first line of all that are left, what it says itself.
    fn before(&self, seq: u64, said: Option<Previous>) -> Result<(u64, Head), Change> {
        match (&self.chain, said) {
            (Some(chain), _) => Ok((chain.seq(), chain.head())),
            (None, Some(previous)) if previous.seq + 1 == seq => Ok((previous.seq, previous.head)),
            (None, None) if seq == 1 => Ok((0, Head::NONE)),
            (None, _) => Err(Change::NoBeginning),
        }
    }

    fn root(&mut self, chain: &str) -> Result<RootKey, Problem> {
        match (self.key, chain == KEYED) {
            (Some(key), true) => Ok(key.clone()),
            (Some(_), false) => Err(Change::Unkeyed.into()),
            (None, true) => Err(Problem::NeedsKey),
            (None, false) => Ok(RootKey::none()),
        }
    }

    /// Whether a record has the number that belongs to its place.
    fn in_place(&self, index: usize, seq: u64, head: Head) -> Result<(), Change> {
        let Some(chain) = &self.chain else { return Ok(()) };
        let expected = chain.next();
        if seq == expected {
            return Ok(());
        }
        if seq < expected {
            let known = seq.checked_sub(self.first).and_then(|place| self.heads.get(usize::try_from(place).ok()?));
            return Err(if known == Some(&head) { Change::Duplicated(seq) } else { Change::Inserted(seq) });
        }
        let comes_later = self.numbers.iter().skip(index + 1).any(|number| *number == expected);
        Err(if comes_later { Change::Moved { seq, expected } } else { Change::Deleted { before: expected - 1, seq } })
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
