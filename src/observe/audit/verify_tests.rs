//! Every way to change a file of records, at every place of it.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::{
    observe::audit::{Opened, Opening, Target, storage::Rotation},
    protocol::audit::{ActionType, AuditDetails, AuditMode, Outcome, Record},
};

const ALL: Rotation = Rotation { bytes: u64::MAX, keep: None };

fn key(letter: &str) -> RootKey {
    RootKey::read(letter.repeat(64).as_bytes()).expect("a key")
}

fn record(action: ActionType) -> Record {
    Record::new(jiff::Timestamp::UNIX_EPOCH, action, Outcome::Success)
}

/// One start of the server, with so many records between its first and its last.
fn run(path: &Path, key: Option<RootKey>, boot: &str, records: u64, rotation: Rotation) {
    let audit = Opened::open(Opening {
        target: Target::File { path: path.to_owned(), rotation },
        key,
        mode: AuditMode::Strict,
        details: AuditDetails::Redacted,
        boot,
        first: record(ActionType::Config),
    })
    .and_then(Opened::start)
    .unwrap();
    for number in 0..records {
        audit.note(record(ActionType::ToolUse).with("number", number));
        if rotation != ALL {
            // One after the other, so that a file becomes full between them.
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
                audit.conclude(record(ActionType::ToolUse)).await.expect("a place");
            });
        }
    }
    audit.close();
}

/// Two starts of the server, 12 records in all.
fn two_starts(letter: Option<&str>) -> (TempDir, PathBuf, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    for boot in ["one", "two"] {
        run(&path, letter.map(key), boot, 4, ALL);
    }
    let lines: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(|line| format!("{line}\n")).collect();
    assert_eq!(lines.len(), 12);
    (directory, path, lines)
}

/// What is found, and in which line.
fn finding(path: &Path, lines: &[String], head: Option<Head>) -> Option<(u64, Change)> {
    fs::write(path, lines.concat()).unwrap();
    match verify(path, Some(&key("a")), head) {
        Ok(_) => None,
        Err(VerifyError::Changed(finding)) => Some((finding.line, finding.change)),
        Err(error) => panic!("{error}"),
    }
}

fn head_of(line: &str) -> Head {
    chain::split(line.trim_end()).expect("a line").1
}

#[test]
fn what_was_not_changed_is_intact_over_starts_of_the_server() {
    let (_directory, path, lines) = two_starts(Some("a"));
    let intact = verify(&path, Some(&key("a")), Some(head_of(&lines[8]))).unwrap();
    let head = head_of(&lines[11]);
    assert_eq!(intact, Intact { first: 1, last: 12, head, starts: 2, files: 1, keyed: true, after_head: Some(3) });
}

#[test]
fn every_edited_byte_is_found_in_its_line() {
    let (_directory, path, lines) = two_starts(Some("a"));
    for (index, line) in lines.iter().enumerate() {
        // Not the newline: without it two lines are one, which is another change.
        for place in (0..line.len() - 1).step_by(7) {
            let mut bytes = line.clone().into_bytes();
            bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
            let mut changed = lines.clone();
            changed[index] = String::from_utf8(bytes).unwrap();
            let (found, change) = finding(&path, &changed, None).unwrap_or_else(|| panic!("line {index}, {place}"));
            assert_eq!(found, index as u64 + 1, "{change} at {place} of {line}");
        }
    }
}

#[test]
fn every_deleted_inserted_copied_and_moved_line_is_found_and_called_that() {
    let (_directory, path, lines) = two_starts(Some("a"));
    for index in 1..lines.len() - 1 {
        let seq = index as u64 + 1;
        let mut deleted = lines.clone();
        deleted.remove(index);
        assert_eq!(
            finding(&path, &deleted, None),
            Some((seq, Change::Deleted { before: seq - 1, seq: seq + 1 })),
            "{index}"
        );

        let mut copied = lines.clone();
        copied.insert(index + 1, lines[index].clone());
        assert_eq!(finding(&path, &copied, None), Some((seq + 1, Change::Duplicated(seq))), "{index}");

        let mut swapped = lines.clone();
        swapped.swap(index, index + 1);
        let moved = Change::Moved { seq: seq + 1, expected: seq };
        assert_eq!(finding(&path, &swapped, None), Some((seq, moved)), "{index}");

        let forged = lines[index].replacen("\"number\":", "\"numbre\":", 1).replacen("\"event\":", "\"evnet\":", 1);
        let mut inserted = lines.clone();
        inserted.insert(index, forged);
        let (line, change) = finding(&path, &inserted, None).expect("a forged line");
        assert!(line == seq && change == Change::Inserted(seq), "{index}: {line} {change}");
    }
    let mut beheaded = lines.clone();
    beheaded.remove(0);
    assert_eq!(finding(&path, &beheaded, None), Some((1, Change::NoBeginning)));
}

#[test]
fn what_was_cut_off_is_found_by_a_head_that_was_kept() {
    let (_directory, path, lines) = two_starts(Some("a"));
    let last = head_of(&lines[11]);
    for left in 1..lines.len() {
        assert_eq!(finding(&path, &lines[..left], None), None, "nothing else tells");
        let found = finding(&path, &lines[..left], Some(last));
        assert_eq!(found, Some((left as u64, Change::HeadMissing(last))));
    }
    let mut torn = lines.clone();
    torn[11].truncate(20);
    assert_eq!(finding(&path, &torn, None), Some((12, Change::Torn)));
}

#[test]
fn a_chain_that_was_made_anew_or_put_together_of_two_does_not_hold() {
    let (_directory, path, lines) = two_starts(Some("a"));
    let (_other_directory, _, others) = two_starts(Some("b"));
    let (_third_directory, _, unkeyed) = two_starts(None);
    assert_eq!(finding(&path, &others, None), Some((1, Change::Edited)), "under another key");
    assert_eq!(finding(&path, &unkeyed, None), Some((1, Change::Unkeyed)), "under none");
    for at in 1..lines.len() {
        let spliced = [&lines[..at], &others[at..]].concat();
        let (line, _) = finding(&path, &spliced, None).expect("a splice");
        assert_eq!(line, at as u64 + 1);
    }
}

#[test]
fn without_a_key_only_a_head_tells_and_with_one_it_must_be_given() {
    let (_directory, path, lines) = two_starts(None);
    assert!(!verify(&path, None, None).unwrap().keyed);
    let mut edited = lines.clone();
    edited[3] = edited[3].replacen("\"number\":2", "\"number\":3", 1);
    fs::write(&path, edited.concat()).unwrap();
    assert!(matches!(verify(&path, None, None), Err(VerifyError::Changed(_))), "an edit alone is found");
    let (_directory, path, _) = two_starts(Some("a"));
    assert!(matches!(verify(&path, None, None), Err(VerifyError::NeedsKey)));
}

#[test]
fn the_chain_goes_on_through_files_and_a_missing_one_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    let rotation = Rotation { bytes: 1500, keep: None };
    for boot in ["one", "two"] {
        run(&path, Some(key("a")), boot, 8, rotation);
    }
    let intact = verify(&path, Some(&key("a")), None).unwrap();
    assert!(intact.files > 4 && intact.starts == 2 && intact.first == 1, "{intact:?}");
    let earlier = earlier_files(&path).unwrap();
    // What retention does: the oldest are gone, and the rest proves itself.
    fs::remove_file(&earlier[0]).unwrap();
    let rest = verify(&path, Some(&key("a")), None).unwrap();
    assert!(rest.first > 1 && rest.last == intact.last && rest.head == intact.head, "{rest:?}");
    // One out of the middle is no retention.
    fs::remove_file(&earlier[2]).unwrap();
    let found = verify(&path, Some(&key("a")), None);
    assert!(
        matches!(&found, Err(VerifyError::Changed(finding)) if matches!(finding.change, Change::Deleted { .. })),
        "{found:?}"
    );
}
