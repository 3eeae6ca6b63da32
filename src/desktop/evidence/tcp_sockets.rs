//! Whether an application has sent something and waits for the answer: when data last went through each TCP socket of our network
//! namespace (`sock_diag(7)`, `tcp_info`).
//!
//! Left out are the accepting ends of connections, which look as if they waited once they have answered; and our own, with their
//! other ends where these are here, too.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NlaBuffer, NlasIterator};
use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with},
};

use crate::desktop::{resting_place::Sockets, witness};

/// `SOCK_DIAG_BY_FAMILY` (`linux/sock_diag.h`), the type of question and answer.
const BY_FAMILY: u16 = 20;
/// `TCP_ESTABLISHED`, `TCP_SYN_SENT`, `TCP_LISTEN` (`net/tcp_states.h`).
const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const LISTEN: u8 = 10;
/// `INET_DIAG_INFO` (`linux/inet_diag.h`), the attribute with a `tcp_info`; as a question, the bit below it.
const INFO: u16 = 2;
/// A netlink header of 16 bytes and an `inet_diag_req_v2` of 56.
const REQUEST: usize = 72;
/// An `inet_diag_msg`.
const ANSWER: usize = 72;
/// A dump comes in parts of at most 32 KiB.
const PART: usize = 32 * 1024;
/// How many sockets are looked at; a machine with more serves others, and gives no evidence.
const SOCKETS: usize = 512;
/// How late a reading may be: the kernel's clock for it ticks every 4 ms, and the action began before it ended.
const TICK: Duration = Duration::from_millis(8);
/// Sent and received in the same tick: an answer, or a question that followed on one. It counts as a question for this long.
const SAME_TICK: Duration = Duration::from_millis(50);
/// The same where an answer was being waited for: then what was received was that, and what was sent is the next question, but
/// for one that was answered in that tick, too. A page that asked for one thing after the other was called settled without this.
const NEXT_QUESTION: Duration = Duration::from_millis(600);

/// One TCP socket at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpSocket {
    local: End,
    remote: End,
    inode: u32,
    state: u8,
    /// How long ago data last went out and came in.
    sent: Duration,
    received: Duration,
    received_bytes: u64,
}

/// Address and port as they stand in the answer: 16 bytes, of which IPv4 uses four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct End {
    address: [u8; 16],
    port: u16,
}

/// The kernel's ear for questions about TCP sockets.
#[derive(Debug)]
pub struct TcpSockets {
    netlink: OwnedFd,
    buffer: Vec<u8>,
}

impl TcpSockets {
    /// Fails where the kernel or a filter has no `sock_diag`.
    pub fn open() -> Result<Self, Errno> {
        Ok(Self { netlink: open()?, buffer: vec![0; PART] })
    }

    /// Those that are connected or try to be, without accepting ends and our own; none where there are too many.
    fn others(&mut self) -> Vec<TcpSocket> {
        let mut all = Vec::new();
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            if self.dump(family, &mut all).is_none() {
                // The rest of a dump that was given up would be taken for the next one's.
                if let Ok(netlink) = open() {
                    self.netlink = netlink;
                }
                return Vec::new();
            }
        }
        only_others(all, &our_inodes())
    }

    fn dump(&mut self, family: AddressFamily, sockets: &mut Vec<TcpSocket>) -> Option<()> {
        send(&self.netlink, &request(family), SendFlags::empty()).ok()?;
        loop {
            let (length, _) = recv(&self.netlink, self.buffer.as_mut_slice(), RecvFlags::empty()).ok()?;
            let mut part = self.buffer.get(..length)?;
            while !part.is_empty() {
                let message = NetlinkBuffer::new_checked(part).ok()?;
                if message.message_type() != BY_FAMILY {
                    // The end of the dump, or an error.
                    return Some(());
                }
                sockets.extend(read(message.payload()));
                if sockets.len() > SOCKETS {
                    return None;
                }
                let step = usize::try_from(message.length()).ok()?.next_multiple_of(4);
                part = part.get(step..).unwrap_or_default();
            }
        }
    }
}

fn open() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG))
}

/// An `inet_diag_req_v2` in its netlink header: every socket of the family in the three states.
fn request(family: AddressFamily) -> [u8; REQUEST] {
    /// `IPPROTO_TCP`.
    const TCP: u8 = 6;
    let mut bytes = [0; REQUEST];
    let mut message = NetlinkBuffer::new(&mut bytes);
    // The length of the message is that of the array.
    message.set_length(72);
    message.set_message_type(BY_FAMILY);
    message.set_flags(NLM_F_REQUEST | NLM_F_DUMP);
    let payload = message.payload_mut();
    payload[0] = u8::try_from(family.as_raw()).unwrap_or_default();
    payload[1] = TCP;
    payload[2] = 1 << (INFO - 1);
    let states: u32 = 1 << ESTABLISHED | 1 << SYN_SENT | 1 << LISTEN;
    payload[4..8].copy_from_slice(&states.to_ne_bytes());
    bytes
}

/// An `inet_diag_msg` and its attributes.
fn read(payload: &[u8]) -> Option<TcpSocket> {
    let (answer, attributes) = payload.split_at_checked(ANSWER)?;
    let end = |port: usize, address: usize| {
        Some(End {
            address: answer.get(address..address + 16)?.try_into().ok()?,
            port: u16::from_be_bytes(answer.get(port..port + 2)?.try_into().ok()?),
        })
    };
    let mut attributes = NlasIterator::new(attributes).filter_map(Result::ok);
    let info = attributes.find(|attribute| attribute.kind() == INFO);
    let info = info.as_ref().map(NlaBuffer::value).unwrap_or_default();
    // `tcp_info` (`linux/tcp.h`): tcpi_last_data_sent, tcpi_last_data_recv, tcpi_bytes_received. Older kernels have less of it.
    let milliseconds = |at: usize| {
        let bytes = info.get(at..at + 4)?.try_into().ok()?;
        Some(Duration::from_millis(u64::from(u32::from_ne_bytes(bytes))))
    };
    let bytes = info.get(128..136).and_then(|bytes| bytes.try_into().ok()).map(u64::from_ne_bytes);
    Some(TcpSocket {
        local: end(4, 8)?,
        remote: end(6, 24)?,
        inode: u32::from_ne_bytes(answer.get(68..72)?.try_into().ok()?),
        state: *answer.get(1)?,
        sent: milliseconds(44).unwrap_or(Duration::MAX),
        received: milliseconds(52).unwrap_or(Duration::MAX),
        received_bytes: bytes.unwrap_or_default(),
    })
}

fn only_others(all: Vec<TcpSocket>, ours: &HashSet<u32>) -> Vec<TcpSocket> {
    let listening: HashSet<u16> =
        all.iter().filter(|socket| socket.state == LISTEN).map(|socket| socket.local.port).collect();
    let our_ends: HashSet<(End, End)> = all
        .iter()
        .filter(|socket| ours.contains(&socket.inode))
        .flat_map(|socket| [(socket.local, socket.remote), (socket.remote, socket.local)])
        .collect();
    let is_other = |socket: &TcpSocket| {
        socket.state != LISTEN
            && !listening.contains(&socket.local.port)
            && !our_ends.contains(&(socket.local, socket.remote))
    };
    all.into_iter().filter(is_other).collect()
}

/// The sockets among our own files.
fn our_inodes() -> HashSet<u32> {
    // Whoever looks at itself needs nobody else for it.
    Sockets::of(std::process::id()).unwrap_or_default().inodes.into_iter().collect()
}

/// Whose sockets are whose, among those that were asked about.
#[derive(Debug, Default)]
struct Owners {
    applications: HashSet<u32>,
    others: HashSet<u32>,
}

impl Owners {
    /// Whether a socket is an application's. All are where no application can be seen. Reading the files of a browser's processes
    /// takes about a millisecond, and is done for a socket that is new.
    fn is_application(&mut self, inode: u32, processes: &[u32]) -> bool {
        if processes.is_empty() {
            return true;
        }
        if !self.applications.contains(&inode) && !self.others.contains(&inode) {
            self.applications =
                processes.iter().flat_map(|process| witness::sockets(*process).unwrap_or_default().inodes).collect();
            if !self.applications.contains(&inode) {
                self.others.insert(inode);
            }
        }
        self.applications.contains(&inode)
    }
}

/// What the sockets have done since an action.
#[derive(Debug, Default)]
pub struct TcpWatch {
    /// When the action was about to begin.
    begun: Option<Instant>,
    /// How much each had received by then.
    before: HashMap<(End, End), u64>,
    owners: Owners,
    /// Those that waited for an answer when that could last be told.
    waiting: HashSet<(End, End)>,
    pending: bool,
    received: Option<Instant>,
}

impl TcpWatch {
    /// Remembers how much each socket has received.
    pub fn before_action(&mut self, sockets: &mut TcpSockets, now: Instant) {
        let all = sockets.others();
        self.before = all.iter().map(|socket| ((socket.local, socket.remote), socket.received_bytes)).collect();
        self.owners = Owners::default();
        self.waiting.clear();
        (self.begun, self.pending, self.received) = (Some(now), false, None);
    }

    /// Looks at all of them again.
    pub fn sample(&mut self, sockets: &mut TcpSockets, processes: &[u32], acted: Instant, now: Instant) {
        let begun = self.begun.unwrap_or(acted);
        self.note(&sockets.others(), processes, begun, now);
    }

    fn note(&mut self, sockets: &[TcpSocket], processes: &[u32], begun: Instant, now: Instant) {
        let since = now.saturating_duration_since(begun) + TICK;
        self.pending = false;
        for socket in sockets {
            let ends = (socket.local, socket.remote);
            if socket.state == SYN_SENT {
                self.pending |= !self.before.contains_key(&ends) && self.owners.is_application(socket.inode, processes);
                continue;
            }
            let asked = match socket.sent.cmp(&socket.received) {
                Ordering::Less => true,
                Ordering::Greater => false,
                Ordering::Equal if self.waiting.contains(&ends) => socket.sent < NEXT_QUESTION,
                Ordering::Equal => socket.sent < SAME_TICK,
            };
            let has_moved = socket.sent < since || socket.received < since;
            if !has_moved || !self.owners.is_application(socket.inode, processes) {
                continue;
            }
            match socket.sent.cmp(&socket.received) {
                Ordering::Less => self.waiting.insert(ends),
                Ordering::Greater => self.waiting.remove(&ends),
                Ordering::Equal => false,
            };
            self.pending |= socket.sent < since && asked;
            let before = self.before.entry(ends).or_insert(0);
            if socket.received_bytes > *before && socket.received < since {
                *before = socket.received_bytes;
                self.received = self.received.max(now.checked_sub(socket.received));
            }
        }
    }

    /// Whether one has sent something after the action and received nothing since.
    pub const fn pending(&self) -> bool {
        self.pending
    }

    /// When one last received data after the action.
    pub const fn received(&self) -> Option<Instant> {
        self.received
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    fn socket(port: u16, sent: u64, received: u64, received_bytes: u64) -> TcpSocket {
        let end = |port| End { address: [0; 16], port };
        TcpSocket {
            local: end(port),
            remote: end(80),
            inode: 1,
            state: ESTABLISHED,
            sent: Duration::from_millis(sent),
            received: Duration::from_millis(received),
            received_bytes,
        }
    }

    #[test]
    fn who_has_asked_after_the_action_waits_until_he_has_received() {
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let mut watch = TcpWatch { begun: Some(begun), ..TcpWatch::default() };
        watch.note(&[socket(1, 5000, 4000, 10)], &[], begun, at(100));
        assert!(!watch.pending() && watch.received().is_none(), "all of it was long before");
        watch.note(&[socket(1, 20, 4150, 10)], &[], begun, at(150));
        assert!(watch.pending());
        watch.note(&[socket(1, 120, 40, 30)], &[], begun, at(250));
        assert!(!watch.pending());
        assert_eq!(watch.received(), Some(at(210)));
        watch.note(&[socket(1, 4020, 4000, 10), socket(2, 3, 3, 0)], &[], begun, at(300));
        assert!(watch.pending(), "a question in the tick of the last answer");
        watch.note(&[socket(2, 60, 60, 0)], &[], begun, at(357));
        assert!(!watch.pending(), "an answer in the tick of its question");
    }

    #[test]
    fn the_next_question_follows_on_an_answer_in_the_same_tick() {
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let mut watch = TcpWatch { begun: Some(begun), ..TcpWatch::default() };
        watch.note(&[socket(1, 100, 4000, 10)], &[], begun, at(150));
        assert!(watch.pending());
        watch.note(&[socket(1, 90, 90, 20)], &[], begun, at(300));
        assert!(watch.pending(), "answered, and asked again");
        watch.note(&[socket(1, 190, 1, 30)], &[], begun, at(400));
        assert!(!watch.pending());
        watch.note(&[socket(1, 60, 60, 40)], &[], begun, at(600));
        assert!(!watch.pending(), "asked, and answered");
    }

    #[test]
    fn a_connection_that_is_being_made_is_waited_for() {
        let begun = Instant::now();
        let connecting = TcpSocket { state: SYN_SENT, ..socket(3, 100_000, 100_000, 0) };
        let mut watch = TcpWatch { begun: Some(begun), ..TcpWatch::default() };
        watch.note(std::slice::from_ref(&connecting), &[], begun, begun);
        assert!(watch.pending());
        watch.before.insert((connecting.local, connecting.remote), 0);
        watch.note(&[connecting], &[], begun, begun);
        assert!(!watch.pending(), "it was so before the action");
    }

    #[test]
    fn a_socket_is_an_applications_or_somebody_elses() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = u32::try_from(rustix::fs::fstat(&socket).unwrap().st_ino).unwrap();
        let mut owners = Owners::default();
        assert!(owners.is_application(inode, &[std::process::id()]));
        assert!(!owners.is_application(u32::MAX, &[std::process::id()]));
        assert!(Owners::default().is_application(inode, &[]), "where no application can be seen, every socket counts");
        assert!(!Owners::default().is_application(inode, &[1 << 23]));
    }

    #[test]
    fn the_kernel_tells_of_our_sockets_and_they_are_left_out() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        client.write_all(b"question").unwrap();
        accepted.read_exact(&mut [0; 8]).unwrap();
        let mut sockets = TcpSockets::open().unwrap();
        let mut all = Vec::new();
        sockets.dump(AddressFamily::INET, &mut all).unwrap();
        let port = client.local_addr().unwrap().port();
        let found = all.iter().find(|socket| socket.local.port == port).unwrap();
        assert_eq!((found.state, found.remote.port), (ESTABLISHED, server.local_addr().unwrap().port()));
        assert!(found.sent <= found.received && found.sent < Duration::from_secs(10), "{found:?}");
        let seen = only_others(all.clone(), &HashSet::new());
        assert!(seen.iter().any(|socket| socket.local.port == port), "as another process would be seen");
        assert!(!seen.iter().any(|socket| socket.remote.port == port), "the accepting end is left out");
        assert!(!only_others(all, &our_inodes()).iter().any(|socket| socket.local.port == port));
    }
}
