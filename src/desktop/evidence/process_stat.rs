//! `/proc/PID/stat` (proc(5)): whose child a process is, and its terminal.

use std::{fs::File, io::Read as _};

/// How much of the file is read: a name of 64 bytes and 52 numbers are far below.
const FILE: u64 = 2048;

/// The fields that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// Its parent.
    pub parent: u32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// The device of its controlling terminal; 0 without one.
    pub terminal: i32,
    /// The group in the foreground of that terminal; −1 without one.
    pub foreground: i32,
}

impl ProcessStat {
    /// `None` when the process is gone or hidden.
    pub fn read(process: u32) -> Option<Self> {
        let mut text = Vec::with_capacity(512);
        File::open(format!("/proc/{process}/stat")).ok()?.take(FILE).read_to_end(&mut text).ok()?;
        // A process chooses its own name, which need not be UTF-8.
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// The name stands in parentheses and may contain any of its own, so the last one ends it.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(1);
        let parent = fields.next()?.parse().ok()?;
        let mut number = || fields.next()?.parse().ok();
        Some(Self { parent, group: number()?, session: number()?, terminal: number()?, foreground: number()? })
    }

    /// Whether the process is the leader of a session on a terminal: a shell, as a rule.
    pub fn leads_terminal(&self, process: u32) -> bool {
        self.terminal != 0 && i32::try_from(process) == Ok(self.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pretend_to_be_fields() {
        let text = "77 (a) S 1 2 3 (b) S 5 77 77 34816 90 4194304 1 2";
        let stat = ProcessStat::parse(text).unwrap();
        assert_eq!((stat.parent, stat.group, stat.session, stat.terminal, stat.foreground), (5, 77, 77, 34816, 90));
        assert!(stat.leads_terminal(77) && !stat.leads_terminal(78));
        for broken in ["", "77 (a) S 1", "77 (a) S x 77 77 0 -1", "77 a S 5 77 77 0 -1"] {
            assert_eq!(ProcessStat::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn our_own_parent_is_known_and_a_process_that_is_not_there_is_none() {
        let parent = ProcessStat::read(std::process::id()).unwrap().parent;
        assert_eq!(parent, std::os::unix::process::parent_id());
        // Process ids end at 2²² (proc(5), pid_max).
        assert_eq!(ProcessStat::read(1 << 23), None);
    }
}
