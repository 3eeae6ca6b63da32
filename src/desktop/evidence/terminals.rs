//! Whether a command works in the foreground of a terminal.
//!
//! A shell puts what it runs into a process group of its own and makes that the terminal's foreground group; when it is done,
//! the shell is in the foreground again. Commands that wait for the terminal (`cat`, an editor, a pager) have nothing more to
//! show: the kernel tells where a process sleeps (`/proc/PID/wchan`).

use super::{applications::Applications, process_stat::ProcessStat};
use crate::desktop::witness;

/// Where the kernel sleeps for a process that waits for its terminal, or for anything among several.
const WAITS: [&str; 6] = ["wait_woken", "n_tty_read", "poll_schedule_timeout", "do_select", "do_poll", "ep_poll"];
/// How many shells are looked at; each look is two small files.
const SHELLS: usize = 16;

/// The shells, and what they had in the foreground before the action.
#[derive(Debug, Default)]
pub struct Terminals {
    shells: Vec<u32>,
    /// Shells that had a command in the foreground before: it says nothing about the action.
    had_command: Vec<u32>,
}

impl Terminals {
    /// The leaders of sessions on terminals among the applications.
    pub fn new(applications: &Applications) -> Self {
        let leads = |process: &&u32| ProcessStat::read(**process).is_some_and(|stat| stat.leads_terminal(**process));
        let shells = applications.processes().iter().filter(leads).take(SHELLS).copied().collect();
        Self { shells, had_command: Vec::new() }
    }

    /// Remembers which of them run a command already.
    pub fn before_action(&mut self) {
        self.had_command = self.shells.iter().copied().filter(|&shell| has_command(shell)).collect();
    }

    /// Whether one of them works at a command that it did not before.
    pub fn has_new_command(&self) -> bool {
        self.shells.iter().any(|shell| !self.had_command.contains(shell) && has_command(*shell))
    }
}

/// Whether a command works in the foreground of this shell's terminal.
fn has_command(shell: u32) -> bool {
    let Some(stat) = ProcessStat::read(shell) else { return false };
    let Ok(group) = u32::try_from(stat.foreground) else { return false };
    stat.foreground != stat.group && group != 0 && !waits(group)
}

/// Whether the leader of a group waits for its terminal or for something among several. One that is gone has left others of its
/// group behind, which may work.
fn waits(leader: u32) -> bool {
    witness::place(leader).is_some_and(|place| WAITS.iter().any(|known| place.starts_with(known)))
}
