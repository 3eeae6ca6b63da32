//! What waits unread in other processes' Unix sockets, and who is at the other end: the kernel tells it to everybody in the
//! same network namespace (`sock_diag(7)`). It never blocks: the kernel answers within the request.

use std::os::fd::OwnedFd;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkBuffer, NlasIterator};
use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with},
};

/// `SOCK_DIAG_BY_FAMILY` (`linux/sock_diag.h`).
const BY_FAMILY: u16 = 20;
/// `UDIAG_SHOW_NAME`, `UDIAG_SHOW_PEER`, `UDIAG_SHOW_RQLEN` (`linux/unix_diag.h`).
const SHOW_NAME: u32 = 0x01;
const SHOW_PEER: u32 = 0x04;
const SHOW_QUEUES: u32 = 0x10;
/// The attributes that carry the answers: `UNIX_DIAG_NAME`, `UNIX_DIAG_PEER`, `UNIX_DIAG_RQLEN`.
const NAME: u16 = 0;
const PEER: u16 = 2;
const QUEUES: u16 = 4;
/// A netlink header of 16 bytes and a `unix_diag_req` of 24.
const REQUEST: usize = 40;
/// `unix_diag_msg`: family, kind, state and padding of a byte each, the inode, a cookie of 8 bytes.
const ANSWER: usize = 16;
/// Header, answer and a name of at most 108 bytes with the other attributes are far below.
const LONGEST_ANSWER: usize = 1024;

/// A socket that is known by its inode and, because inodes are used again, by the kernel's own mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketId {
    inode: u32,
    cookie: [u8; 8],
}

/// The kernel's ear for questions about Unix sockets.
#[derive(Debug)]
pub struct SocketTable {
    netlink: OwnedFd,
}

impl SocketTable {
    /// Fails where the kernel or a filter has no `sock_diag`.
    pub fn open() -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let netlink = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG))?;
        Ok(Self { netlink })
    }

    /// The socket with this inode, if the socket at its other end is bound to `address`, be it a path or an abstract name.
    pub fn connected_to(&self, inode: u32, address: &[u8]) -> Option<SocketId> {
        // All bits set: whatever the mark is (`INET_DIAG_NOCOOKIE`).
        let any = [0xff; 8];
        let (cookie, peer) = self.ask(SocketId { inode, cookie: any }, SHOW_PEER, PEER)?;
        let peer = u32::from_ne_bytes(peer.try_into().ok()?);
        let (_, name) = self.ask(SocketId { inode: peer, cookie: any }, SHOW_NAME, NAME)?;
        // A path may end in a zero byte; an abstract name begins with one.
        let name = name.strip_prefix(&[0]).or(name.strip_suffix(&[0])).unwrap_or(&name);
        (name == address).then_some(SocketId { inode, cookie })
    }

    /// How many bytes wait to be read; none when the socket is gone.
    pub fn unread(&self, socket: SocketId) -> Option<u32> {
        let (_, queues) = self.ask(socket, SHOW_QUEUES, QUEUES)?;
        Some(u32::from_ne_bytes(*queues.first_chunk()?))
    }

    /// One question about one socket: its mark and the attribute that was asked for.
    fn ask(&self, socket: SocketId, show: u32, wanted: u16) -> Option<([u8; 8], Vec<u8>)> {
        send(&self.netlink, &request(socket, show), SendFlags::empty()).ok()?;
        let mut buffer = [0_u8; LONGEST_ANSWER];
        let (length, _) = recv(&self.netlink, &mut buffer, RecvFlags::empty()).ok()?;
        let message = NetlinkBuffer::new_checked(buffer.get(..length)?).ok()?;
        if message.message_type() != BY_FAMILY {
            return None;
        }
        let (answer, attributes) = message.payload().split_at_checked(ANSWER)?;
        let cookie = *answer.last_chunk()?;
        let mut attributes = NlasIterator::new(attributes).filter_map(Result::ok);
        attributes.find(|attribute| attribute.kind() == wanted).map(|attribute| (cookie, attribute.value().to_vec()))
    }
}

/// A `unix_diag_req` in its netlink header.
fn request(socket: SocketId, show: u32) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    let family = u8::try_from(AddressFamily::UNIX.as_raw()).unwrap_or_default();
    let fields: [&[u8]; 5] =
        [&[family, 0, 0, 0], &u32::MAX.to_ne_bytes(), &socket.inode.to_ne_bytes(), &show.to_ne_bytes(), &socket.cookie];
    let mut message = NetlinkBuffer::new(&mut bytes);
    // The length of the message is that of the array.
    message.set_length(40);
    message.set_message_type(BY_FAMILY);
    message.set_flags(NLM_F_REQUEST);
    message.payload_mut().copy_from_slice(&fields.concat());
    bytes
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        os::{
            fd::AsFd,
            unix::net::{UnixListener, UnixStream},
        },
    };

    use rustix::fs::fstat;

    use super::*;

    fn inode(socket: impl AsFd) -> u32 {
        u32::try_from(fstat(socket).unwrap().st_ino).unwrap()
    }

    #[test]
    fn a_socket_is_known_by_its_peer_and_its_unread_bytes_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let table = SocketTable::open().unwrap();
        let name = path.as_os_str().as_encoded_bytes();
        assert_eq!(table.connected_to(inode(&client), b"/another/name"), None);
        let socket = table.connected_to(inode(&client), name).unwrap();
        assert_eq!(table.unread(socket), Some(0));
        server.write_all(b"keys").unwrap();
        assert_eq!(table.unread(socket), Some(4));
        client.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(table.unread(socket), Some(1));
        // The same inode with another mark is another socket.
        assert_eq!(table.unread(SocketId { cookie: [1; 8], ..socket }), None);
        drop(client);
        assert_eq!(table.unread(socket), None);
    }

    #[test]
    fn an_abstract_name_counts_as_the_path_that_it_spells() {
        use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
        let name = format!("/deskhand/test/{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let client = UnixStream::connect_addr(&address).unwrap();
        // The other end has no inode before.
        let _server = listener.accept().unwrap();
        let table = SocketTable::open().unwrap();
        assert!(table.connected_to(inode(&client), name.as_bytes()).is_some());
        let (alone, _other) = UnixStream::pair().unwrap();
        assert_eq!(table.connected_to(inode(&alone), name.as_bytes()), None, "it has no name");
    }
}
