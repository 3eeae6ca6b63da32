//! What isolates this process from its machine, and what dangers it can reach.
//!
//! Each part looks (at `/proc`, at files, at what the kernel answers) and judges what it saw by what is [expected](expectation).
//! What cannot be seen is not good.

mod custody;
pub(super) mod expectation;
mod files;
mod limits;
mod network;
mod own_sandbox;
mod privileges;
mod reach;
pub(super) mod report;

use std::fs;

use super::finding::Finding;
use crate::sandbox::around::{
    mounts::{self, Mount},
    status::{self, Status},
};
use expectation::Expected;

/// So many of a list are told; a person reads no more of one.
const TOLD: usize = 6;
/// A name from outside is cut here.
const NAME: usize = 100;

/// What several parts need. `None` where there is no `/proc`.
struct Process {
    status: Option<Status>,
    mounts: Option<Vec<Mount>>,
}

/// Everything that was looked at, group by group.
pub(super) fn findings(expected: &Expected<'_>) -> Vec<Finding> {
    let process = Process {
        status: read("/proc/self/status").map(|text| status::parse(&text)),
        mounts: read("/proc/self/mountinfo").map(|text| mounts::parse(&text)),
    };
    let groups: [(&'static str, Vec<Finding>); 6] = [
        ("privileges", privileges::findings(expected, process.status.as_ref())),
        ("files", [files::findings(expected, process.mounts.as_deref()), custody::findings(expected)].concat()),
        ("network", network::findings(expected)),
        ("limits", limits::findings(expected, process.mounts.as_deref())),
        ("within reach", reach::findings(expected, process.mounts.as_deref())),
        ("the server's own sandbox", own_sandbox::findings()),
    ];
    let in_group = |(group, findings): (&'static str, Vec<Finding>)| {
        findings.into_iter().map(move |finding| Finding { group: Some(group), ..finding })
    };
    groups.into_iter().flat_map(in_group).collect()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The first few of a list, and how many more there are. They are shown to a person: what others chose to name so has no control
/// characters here, and an end.
fn listed<T: AsRef<str>>(items: &[T]) -> String {
    let shown = |item: &T| -> String {
        let plain = |character: char| if character.is_control() { '?' } else { character };
        item.as_ref().chars().take(NAME).map(plain).collect()
    };
    let mut text = items.iter().take(TOLD).map(shown).collect::<Vec<_>>().join(", ");
    if let Some(more) = items.len().checked_sub(TOLD).filter(|more| *more > 0) {
        text = format!("{text} and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_short_and_plain() {
        assert_eq!(listed(&["a", "b"]), "a, b");
        assert_eq!(listed(&["1", "2", "3", "4", "5", "6", "7", "8"]), "1, 2, 3, 4, 5, 6 and 2 more");
        assert_eq!(listed(&["a\u{1b}[31m\n"]), "a?[31m?");
        assert_eq!(listed(&["x".repeat(1000)]).len(), NAME);
        assert_eq!(listed::<&str>(&[]), "");
    }
}
