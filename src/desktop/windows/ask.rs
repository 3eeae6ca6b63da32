//! Questions about many windows at once. Everything here was written by other clients: bounded lengths, sanitised text, and a
//! window that vanishes meanwhile is no error.

use std::io::IoSlice;

use x11rb::{
    connection::RequestConnection as _,
    cookie::Cookie,
    errors::{ConnectionError, ParseError},
    protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, GetPropertyReply, QUERY_TREE_REQUEST, Window},
    x11_utils::TryParse,
};

use crate::desktop::{
    connection::{Link, LinkError, XConnection},
    sanitize::sanitize,
};

/// The longest class or title that is read, in bytes. A title may be 300 MiB long and still costs no more than this; as much as
/// `expect_window` looks at.
const TEXT_BYTES: u32 = 1024;

/// The atoms that tell about windows.
#[derive(Clone, Copy, Debug)]
pub(in crate::desktop) struct Names {
    /// Set by a window manager on what it manages (ICCCM, 4.1.3.1).
    pub(in crate::desktop) wm_state: Atom,
    /// The title in UTF-8 (EWMH).
    pub(in crate::desktop) net_wm_name: Atom,
}

impl Names {
    /// Asks for them; makes those that no client has used yet, so that they are known when one does.
    pub(in crate::desktop) fn ask(link: &Link) -> Result<Self, LinkError> {
        let sent = [b"WM_STATE".as_slice(), b"_NET_WM_NAME"].map(|name| link.connection.intern_atom(false, name));
        let [wm_state, net_wm_name] = sent.map(|sent| link.reply(sent).map(|reply| reply.atom));
        Ok(Self { wm_state: wm_state?, net_wm_name: net_wm_name? })
    }

    /// Whether a change of this property may change what a window is taken for.
    pub(in crate::desktop) fn contain(self, atom: Atom) -> bool {
        let names = [self.wm_state, self.net_wm_name, AtomEnum::WM_CLASS.into(), AtomEnum::WM_NAME.into()];
        names.contains(&atom)
    }
}

/// The children of a window, the lowest first. The protocol counts them with 16 bits and the server sends them all; x11rb
/// believes the count, and of 70,000 windows would give the 4,464 lowest.
struct AllChildren(Vec<Window>);

/// What of the reply stands before the children (X11 protocol, `QueryTree`).
const TREE_HEADER: usize = 32;

impl TryParse for AllChildren {
    fn try_parse(value: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let length = value.get(4..8).and_then(|bytes| bytes.first_chunk()).ok_or(ParseError::InsufficientData)?;
        let count = usize::try_from(u32::from_ne_bytes(*length)).map_err(|_| ParseError::ConversionFailed)?;
        let rest = value.get(TREE_HEADER..).ok_or(ParseError::InsufficientData)?;
        let (children, rest) = rest.split_at_checked(count * 4).ok_or(ParseError::InsufficientData)?;
        let windows = children.as_chunks().0.iter().map(|bytes| u32::from_ne_bytes(*bytes));
        Ok((Self(windows.collect()), rest))
    }
}

/// All children of a window, the lowest first; none where it is gone.
pub(in crate::desktop) fn children(link: &Link, window: Window) -> Result<Vec<Window>, LinkError> {
    let [first, second] = 2_u16.to_ne_bytes();
    let (header, window) = ([QUERY_TREE_REQUEST, 0, first, second], window.to_ne_bytes());
    let request = [IoSlice::new(&header), IoSlice::new(&window)];
    let sent = link.connection.send_request_with_reply::<AllChildren>(&request, Vec::new());
    Ok(optional(link.reply(sent))?.map(|AllChildren(children)| children).unwrap_or_default())
}

/// A request that was sent.
pub(in crate::desktop) type Sent<'a, R> = Result<Cookie<'a, XConnection, R>, ConnectionError>;

/// The answers, `None` where the window is gone.
pub(in crate::desktop) fn answers<R: TryParse>(
    link: &Link,
    sent: Vec<Sent<'_, R>>,
) -> Result<Vec<Option<R>>, LinkError> {
    sent.into_iter().map(|sent| optional(link.reply(sent))).collect()
}

/// Asks whether a window has a property, and for nothing of it.
pub(in crate::desktop) fn presence(link: &Link, window: Window, property: Atom) -> Sent<'_, GetPropertyReply> {
    link.connection.get_property(false, window, property, AtomEnum::ANY, 0, 0)
}

/// Whether it has.
pub(in crate::desktop) fn is_present(reply: Option<&GetPropertyReply>) -> bool {
    reply.is_some_and(|reply| reply.type_ != x11rb::NONE)
}

/// Asks for the beginning of a text.
pub(in crate::desktop) fn text(link: &Link, window: Window, property: Atom) -> Sent<'_, GetPropertyReply> {
    link.connection.get_property(false, window, property, AtomEnum::ANY, 0, TEXT_BYTES / 4)
}

/// A title, where the property is one.
pub(in crate::desktop) fn title(reply: Option<GetPropertyReply>) -> Option<String> {
    bytes(reply).map(|bytes| sanitize(&bytes, TEXT_BYTES as usize))
}

/// Instance and class, each ended by a zero byte (ICCCM, 4.1.2.5).
pub(in crate::desktop) fn class(reply: Option<GetPropertyReply>) -> [String; 2] {
    let bytes = bytes(reply).unwrap_or_default();
    let mut names = bytes.split(|&byte| byte == 0).map(|name| sanitize(name, TEXT_BYTES as usize));
    std::array::from_fn(|_| names.next().unwrap_or_default())
}

fn bytes(reply: Option<GetPropertyReply>) -> Option<Vec<u8>> {
    reply.filter(|reply| reply.format == 8).map(|reply| reply.value)
}

/// An X error means that the window vanished between two looks; only the connection's own troubles are errors here.
fn optional<T>(reply: Result<T, LinkError>) -> Result<Option<T>, LinkError> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(LinkError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_children_than_the_count_can_say_are_all_read() {
        let mut reply = vec![0; TREE_HEADER];
        reply[4..8].copy_from_slice(&70_000_u32.to_ne_bytes());
        reply[16..18].copy_from_slice(&4_464_u16.to_ne_bytes());
        (0..70_000_u32).for_each(|window| reply.extend(window.to_ne_bytes()));
        let (AllChildren(children), rest) = AllChildren::try_parse(&reply).unwrap();
        assert_eq!((children.len(), children.last(), rest.len()), (70_000, Some(&69_999), 0));
        for length in [0, 7, 31, 32, reply.len() - 1] {
            assert!(AllChildren::try_parse(&reply[..length]).is_err(), "{length}");
        }
    }
}
