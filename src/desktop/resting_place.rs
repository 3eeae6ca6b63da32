//! Evidence that an application has looked up its keys, for one that answers no question: its process is back where it
//! rests. Its threads sleep where they slept when it had nothing to do, nothing waits unread in its connections to the
//! display, and nothing of it has run while the server went around twice.
//!
//! A wait for descriptors with nothing unread is not enough: it may be a pause in the middle of the keys, or a wait for an
//! answer of the display with keys already taken from the socket (measured: 3 of 10 texts were wrong). So the place is
//! learned, at a time when no key can be unread, and confirmed: the process must have left it to read a message that it
//! does not know, and have come back.
//!
//! Cost for each page of 36 keys, as the median of 83 (the test `class_4_costs_this_much_a_page`, a client in Python, two
//! cores at a load of 6 by others): 10.5 ms, and 15.5 ms with two more busy processes; most of it is the client's own work.
//!
//! It says nothing about a program behind a relay (`ssh -X`): the relay rests while the program reads.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use rustix::net::{SocketAddrUnix, getpeername};
use serde::{Deserialize, Serialize};
use x11rb::{
    connection::RequestConnection as _,
    errors::ReplyError,
    protocol::{
        res::{self, ClientIdMask, ClientIdSpec, ConnectionExt as _},
        xproto::Window,
    },
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    failure::InputCause,
    focus,
    permit::Permit,
    station::Station,
    threads::{Sleeper, WaitsFor},
    unix_sockets::{SocketId, SocketTable},
    witness,
};

/// How many open files of a process are looked through for its connections to the display. A desktop's programs have some
/// hundred; a process with more gives no evidence.
const FILES: usize = 4096;
/// How long everything must stand still before a place counts as one of rest, so that a short pause in the middle of
/// something does not.
const STILLNESS: Duration = Duration::from_millis(10);
/// How long a process may take to come to rest while its place is learned. One that draws all the time never does; this is
/// what its first text waits, and it stays without evidence.
pub const REST_TIME: Duration = Duration::from_secs(1);
/// How many places are noted while one is learned; more than that many threads are not looked at.
const WAITS: usize = 1024;

/// A client's process that can be watched.
#[derive(Debug)]
pub struct Watched {
    process: u32,
    table: SocketTable,
    /// Its connections to the display.
    sockets: Vec<SocketId>,
    /// The places where its threads have been seen to wait for something that can come. After a stop the kernel says only
    /// that a call goes on (`restart_syscall`), and no longer which one.
    waits: Vec<Sleeper>,
}

/// Where every thread sleeps while nothing is to be done.
#[derive(Debug)]
pub struct RestingPlace {
    watched: Watched,
    threads: Vec<Sleeper>,
}

impl Watched {
    /// The process of the client that made a window, if it can be watched from here: the server and we count processes
    /// alike, the kernel shows us its threads and its files, and it talks to the display itself.
    pub fn owner_of(station: &Station, window: Window) -> Result<Option<Self>, LinkError> {
        let Some(process) = process_of(station, window)? else { return Ok(None) };
        // Where any of this cannot be read there is no evidence, and that is the ordinary case for a stranger's process.
        let Ok(table) = SocketTable::open() else { return Ok(None) };
        let Some(display) = peer_name(station.link()) else { return Ok(None) };
        let Some(sockets) = witness::sockets(process).ok().filter(|sockets| sockets.all) else { return Ok(None) };
        let sockets: Vec<_> =
            sockets.inodes.into_iter().filter_map(|inode| table.connected_to(inode, &display)).collect();
        Ok((!sockets.is_empty()).then_some(Self { process, table, sockets, waits: Vec::new() }))
    }

    /// Waits until the process rests, and says where.
    pub fn come_to_rest(&mut self, station: &mut Station, permit: &Permit) -> Result<Option<Vec<Sleeper>>, InputCause> {
        let mut found = None;
        station.ask_until(REST_TIME, permit, |station| {
            found = self.rest(station, permit)?;
            Ok(found.is_some() || witness::threads(self.process).is_err())
        })?;
        Ok(found)
    }

    /// Where the threads sleep, if everything has been read and nothing runs for a while.
    pub fn rest(&mut self, station: &mut Station, permit: &Permit) -> Result<Option<Vec<Sleeper>>, InputCause> {
        let Ok(Some(threads)) = witness::threads(self.process) else { return Ok(None) };
        self.note_waits(&threads);
        if !self.has_read_everything() {
            return Ok(None);
        }
        station.wait(Instant::now() + STILLNESS, permit, |_| false)?;
        Ok(self.is_still(&threads, station, permit)?.then_some(threads))
    }

    /// Remembers this place. The caller has seen that it [has been returned to](has_returned).
    pub fn resting_at(self, threads: Vec<Sleeper>) -> RestingPlace {
        RestingPlace { watched: self, threads }
    }

    fn note_waits(&mut self, threads: &[Sleeper]) {
        for thread in threads.iter().filter(|thread| thread.waits_for != WaitsFor::Other) {
            if self.wait_of(thread).is_none() && self.waits.len() < WAITS {
                self.waits.push(*thread);
            }
        }
    }

    fn wait_of(&self, thread: &Sleeper) -> Option<WaitsFor> {
        let same = |noted: &&Sleeper| (noted.thread, noted.place) == (thread.thread, thread.place);
        self.waits.iter().find(same).map(|noted| noted.waits_for)
    }

    /// Whether all these threads sleep in waits that something can end, one of them at least in one that a message of the
    /// display can end. Nobody who only pauses rests.
    pub fn waits_for_display(&self, threads: &[Sleeper]) -> bool {
        let waits: Vec<_> = threads.iter().map(|thread| self.wait_of(thread)).collect();
        !waits.contains(&None) && waits.contains(&Some(WaitsFor::Descriptors))
    }

    /// Whether the process stands as it stood, once the server has gone around twice. Events are on their way to the
    /// process when the second answer comes: the server writes them with the answers of each round, and writes what a full
    /// socket did not take before it looks for new requests. So either they can be seen in the socket, or they have woken
    /// the process, or there are none.
    fn is_still(&self, before: &[Sleeper], station: &mut Station, permit: &Permit) -> Result<bool, InputCause> {
        station.answer(permit)?;
        station.answer(permit)?;
        Ok(self.has_read_everything() && witness::threads(self.process).is_ok_and(|now| now.as_deref() == Some(before)))
    }

    /// How many connections to the display the process has.
    pub fn connections(&self) -> usize {
        self.sockets.len()
    }

    /// Those of its connections on which something waits to be read.
    pub fn unread(&self) -> impl Iterator<Item = SocketId> {
        self.sockets.iter().copied().filter(|&socket| self.table.unread(socket).is_some_and(|bytes| bytes > 0))
    }

    fn has_read_everything(&self) -> bool {
        self.sockets.iter().all(|&socket| self.table.unread(socket) == Some(0))
    }
}

impl RestingPlace {
    /// Whether the process is there now, has read everything, and stays so while the server goes around twice.
    pub fn is_there(&self, station: &mut Station, permit: &Permit) -> Result<bool, InputCause> {
        if !self.watched.has_read_everything() {
            return Ok(false);
        }
        // What cannot be read any more has gone, or changed what it is; the wait for it ends in time.
        let Ok(Some(now)) = witness::threads(self.watched.process) else { return Ok(false) };
        // Threads may end while they have nothing to do; a new one may be doing something.
        let is_known = |thread: &Sleeper| {
            self.threads.iter().any(|known| (known.thread, known.place) == (thread.thread, thread.place))
        };
        if !now.iter().all(is_known) {
            return Ok(false);
        }
        self.watched.is_still(&now, station, permit)
    }
}

/// Whether a process has run and sleeps again where it slept before. When it has read a message that came in between, this
/// is where it waits for messages.
pub fn has_returned(before: &[Sleeper], after: &[Sleeper]) -> bool {
    let earlier = |thread: &Sleeper| before.iter().find(|earlier| earlier.thread == thread.thread);
    after.iter().all(|thread| earlier(thread).is_some_and(|earlier| earlier.place == thread.place))
        && after.iter().any(|thread| earlier(thread).is_some_and(|earlier| earlier.switches != thread.switches))
}

/// The id of the process that the window's client is, as the server knows it (X-Resource 1.2); none where it does not know,
/// or counts processes in another namespace than we: then it knows us by another number, too.
fn process_of(station: &Station, window: Window) -> Result<Option<u32>, LinkError> {
    let link = station.link();
    let _limit = link.within(OPERATION_TIME);
    let us = station.events.requestor;
    let specs = [window, us].map(|client| ClientIdSpec { client, mask: ClientIdMask::LOCAL_CLIENT_PID });
    let ask = || -> Result<_, ReplyError> {
        if link.connection.extension_information(res::X11_EXTENSION_NAME)?.is_none() {
            return Ok(None);
        }
        link.connection.res_query_client_ids(&specs)?.reply().map(Some)
    };
    let ids = match ask() {
        Ok(Some(reply)) => reply.ids,
        // The window may have gone meanwhile.
        Ok(None) | Err(ReplyError::X11Error(_)) => return Ok(None),
        Err(error) => return Err(link.explain(error)),
    };
    let id_of = |window: Window| {
        let client = focus::client_of(link, window);
        let found = ids.iter().find(|id| focus::client_of(link, id.spec.client) == client)?;
        found.value.first().copied().filter(|&process| process != 0)
    };
    let ourselves = std::process::id();
    Ok(id_of(window).filter(|&process| id_of(us) == Some(ourselves) && process != ourselves))
}

/// The address that the display listens at, as its ends of all connections carry it.
fn peer_name(link: &Link) -> Option<Vec<u8>> {
    let address = getpeername(link.connection.stream()).ok()??;
    let address = SocketAddrUnix::try_from(address).ok()?;
    address.path_bytes().map(<[u8]>::to_vec)
}

/// The sockets among a process's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sockets {
    /// Their numbers in the file system of sockets.
    pub inodes: Vec<u32>,
    /// Whether these are all: a process may have more files than are looked through.
    pub all: bool,
}

impl Sockets {
    /// Those of a process.
    ///
    /// # Errors
    /// Its files cannot be listed.
    pub fn of(process: u32) -> io::Result<Self> {
        let mut inodes = Vec::new();
        for (count, file) in fs::read_dir(format!("/proc/{process}/fd"))?.enumerate() {
            if count == FILES {
                return Ok(Self { inodes, all: false });
            }
            // A file that was closed meanwhile is none of those that stay.
            let Ok(target) = fs::read_link(file?.path()) else { continue };
            let inode: Option<u32> =
                target.to_str().and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            inodes.extend(inode);
        }
        Ok(Self { inodes, all: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desktop::threads;

    fn thread(number: u32, stack: u64, waits_for: WaitsFor, switches: u64) -> Sleeper {
        Sleeper { thread: number, place: threads::Place { stack, instruction: 1 }, waits_for, switches: [switches, 0] }
    }

    #[test]
    fn a_place_counts_once_the_process_has_left_it_for_a_message_and_come_back() {
        use WaitsFor::{Descriptors, Thread};
        let before = [thread(1, 10, Descriptors, 5), thread(2, 20, Thread, 7)];
        assert!(has_returned(&before, &[thread(1, 10, Descriptors, 6), thread(2, 20, Thread, 7)]));
        assert!(has_returned(&before, &[thread(1, 10, Descriptors, 6)]), "a thread has ended");
        assert!(!has_returned(&before, &before), "it has not run");
        assert!(!has_returned(&before, &[thread(1, 11, Descriptors, 6), before[1]]), "it sleeps elsewhere");
        let with_a_new_one = [thread(1, 10, Descriptors, 6), before[1], thread(3, 30, Thread, 1)];
        assert!(!has_returned(&before, &with_a_new_one), "a thread is new");
        assert!(!has_returned(&[], &[]));
    }

    #[test]
    fn a_pause_is_no_rest_and_an_interrupted_wait_is_known_by_its_place() {
        use WaitsFor::{Descriptors, Other, Thread};
        let table = SocketTable::open().unwrap();
        let mut watched = Watched { process: 1, table, sockets: Vec::new(), waits: Vec::new() };
        watched.note_waits(&[thread(1, 10, Descriptors, 5), thread(2, 20, Thread, 5), thread(3, 30, Other, 5)]);
        assert!(watched.waits_for_display(&[thread(1, 10, Other, 6), thread(2, 20, Other, 6)]));
        assert!(!watched.waits_for_display(&[thread(1, 11, Other, 6)]), "it was never seen to wait there");
        assert!(!watched.waits_for_display(&[thread(1, 10, Other, 6), thread(3, 30, Other, 6)]), "one only pauses");
        assert!(!watched.waits_for_display(&[thread(2, 20, Thread, 6)]), "nobody waits for the display");
    }
}
