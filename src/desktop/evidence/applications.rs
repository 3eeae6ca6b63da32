//! Which processes are the applications: the display's clients and what they have started.

use std::{
    collections::{HashMap, HashSet},
    fs,
    time::{Duration, Instant},
};

use x11rb::{
    connection::RequestConnection as _,
    errors::ReplyError,
    protocol::res::{self, ClientIdMask, ClientIdSpec, ConnectionExt as _},
};

use super::process_stat::ProcessStat;
use crate::desktop::{
    connection::{Link, LinkError, OPERATION_TIME},
    listener_process::ListenerProcess,
};

/// How long the list of processes is good for. Making it takes about a millisecond for a hundred processes.
const FRESH: Duration = Duration::from_secs(1);
/// The same while a reaction is waited for, in which processes may be started.
const FRESH_WHILE_WAITING: Duration = Duration::from_millis(100);
/// How many processes are looked at. A desktop has some dozen; one with more is one that wants to keep us busy.
const PROCESSES: usize = 256;
/// How many entries of `/proc` are read: a machine's, where we are in no namespace of our own.
const ENTRIES: usize = 4096;

/// How many generations we are looked for in; a container has three or four.
const GENERATIONS: usize = 32;

/// The processes.
#[derive(Debug, Default)]
pub struct Applications {
    /// The display's clients that can be seen here, as X-Resource tells them.
    clients: Vec<u32>,
    /// They and what they have started, without us and the X server.
    processes: Vec<u32>,
    /// The X server, where it can be seen.
    server: Option<u32>,
    /// We and whoever has started us, to the last: a controller that owns its desktop may be a client of the display, and is none
    /// of its applications.
    lineage: Vec<u32>,
    read: Option<Instant>,
}

impl Applications {
    /// Asks the display.
    pub fn find(link: &Link) -> Result<Self, LinkError> {
        let mut found = Self { server: server(link), lineage: lineage(), ..Self::default() };
        found.ask(link)?;
        found.read(Instant::now());
        Ok(found)
    }

    /// Asks again if that was some time ago; says whether it did.
    pub fn refresh(&mut self, link: &Link, now: Instant) -> Result<bool, LinkError> {
        if self.is_fresh(now, FRESH) {
            return Ok(false);
        }
        self.ask(link)?;
        self.read(now);
        Ok(true)
    }

    /// Looks for processes that the known clients have started; says whether it did.
    pub fn follow(&mut self, now: Instant) -> bool {
        if self.is_fresh(now, FRESH_WHILE_WAITING) || self.clients.is_empty() {
            return false;
        }
        self.read(now);
        true
    }

    /// Whether the clients are in our process namespace.
    pub fn are_visible(&self) -> bool {
        !self.clients.is_empty()
    }

    /// All of them.
    pub fn processes(&self) -> &[u32] {
        &self.processes
    }

    /// The X server, where it can be seen.
    pub const fn server(&self) -> Option<u32> {
        self.server
    }

    /// Whether a process is none of them.
    fn is_other(&self, process: u32) -> bool {
        self.server == Some(process) || self.lineage.contains(&process)
    }

    fn is_fresh(&self, now: Instant, time: Duration) -> bool {
        self.read.is_some_and(|read| now.saturating_duration_since(read) < time)
    }

    /// The clients' process ids. The server knows them by other numbers where it is in another namespace; then it knows us by
    /// another number, too.
    fn ask(&mut self, link: &Link) -> Result<(), LinkError> {
        let _deadline = link.within(OPERATION_TIME);
        let spec = ClientIdSpec { client: x11rb::NONE, mask: ClientIdMask::LOCAL_CLIENT_PID };
        let ask = || -> Result<_, ReplyError> {
            if link.connection.extension_information(res::X11_EXTENSION_NAME)?.is_none() {
                return Ok(Vec::new());
            }
            Ok(link.connection.res_query_client_ids(&[spec])?.reply()?.ids)
        };
        let ids = match ask() {
            Ok(ids) => ids,
            Err(ReplyError::X11Error(_)) => Vec::new(),
            Err(error) => return Err(link.explain(error)),
        };
        let mut clients: Vec<u32> =
            ids.iter().filter_map(|id| id.value.first().copied()).filter(|&id| id != 0).collect();
        clients.sort_unstable();
        clients.dedup();
        let we_are_seen = clients.contains(&std::process::id());
        clients.retain(|client| we_are_seen && !self.is_other(*client));
        clients.truncate(PROCESSES);
        self.clients = clients;
        Ok(())
    }

    /// The clients' descendants.
    fn read(&mut self, now: Instant) {
        self.read = Some(now);
        self.processes.clear();
        if self.clients.is_empty() {
            return;
        }
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for process in entries() {
            if let Some(stat) = ProcessStat::read(process) {
                children.entry(stat.parent).or_default().push(process);
            }
        }
        let mut seen = HashSet::new();
        let mut waiting = self.clients.clone();
        while let Some(process) = waiting.pop() {
            if self.processes.len() == PROCESSES {
                break;
            }
            if !self.is_other(process) && seen.insert(process) {
                self.processes.push(process);
                waiting.extend(children.get(&process).into_iter().flatten());
            }
        }
    }
}

/// We, our parent, its parent, and so on.
fn lineage() -> Vec<u32> {
    let mut lineage = vec![std::process::id()];
    while let Some(stat) = lineage.last().and_then(|&process| ProcessStat::read(process))
        && stat.parent != 0
        && lineage.len() < GENERATIONS
    {
        lineage.push(stat.parent);
    }
    lineage
}

/// The process at the other end of our connection.
fn server(link: &Link) -> Option<u32> {
    ListenerProcess::of(link.connection.stream()).ok()?.pid
}

/// The processes in `/proc`.
fn entries() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok).take(ENTRIES);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_lineage_goes_from_us_to_the_first_process() {
        let lineage = lineage();
        assert_eq!(lineage[..2], [std::process::id(), std::os::unix::process::parent_id()]);
        assert_eq!(ProcessStat::read(lineage[lineage.len() - 1]).map_or(0, |stat| stat.parent), 0);
    }
}
