//! Keys that a program has handed to the server of an input method (XIM) and not got back yet.
//!
//! A program on plain Xlib sends each key event on to the method's server, goes on to its next event, and looks the key up
//! only when the server has sent it back. Meanwhile it answers every question: its answer says that it has read its keys, not
//! what they mean to it. Without this, terminals under ibus and fcitx lost most of a text that changed the keymap (measured:
//! of 5,000 different characters in st and xterm all but a few hundred).
//!
//! The keys travel both ways as packets of the XIM protocol in properties (`XIM_FORWARD_EVENT`), which RECORD shows us: who
//! has sent away as many as came back, and answers another question after that, has looked all of them up.

use std::collections::VecDeque;

use x11rb::{
    connection::{ReplyOrError, RequestConnection as _},
    errors::{ConnectionError, ReplyError, ReplyOrIdError},
    protocol::{
        record::{self, ConnectionExt as _, EnableContextReply},
        xproto::{
            Atom, AtomEnum, CHANGE_PROPERTY_REQUEST, CLIENT_MESSAGE_EVENT, ConnectionExt as _, KEY_PRESS_EVENT,
            KEY_RELEASE_EVENT, PropMode, SEND_EVENT_REQUEST, Window,
        },
    },
    wrapper::ConnectionExt as _,
    x11_utils::TryParse as _,
};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    focus,
    incoming::Incoming,
    station::Station,
};

/// How many servers of input methods are looked at: a desktop has one.
const SERVERS: u32 = 16;
/// The packet with a key event in it (XIM protocol, 4.8).
const XIM_FORWARD_EVENT: u8 = 60;
/// Where the event begins in that packet, and how long it is.
const EVENT_AT: usize = 12;
const EVENT_BYTES: usize = 32;
/// What a `ChangeProperty` request has before its data.
const PROPERTY_AT: usize = 24;
/// What a `SendEvent` request has before its event.
const EVENT_SENT_AT: usize = 12;
/// RECORD's word for data that is a client's request.
const FROM_CLIENT: u8 = 1;

/// How a program gets its keys.
#[derive(Debug)]
pub enum Passage {
    /// From the X server alone: no input method has a server here.
    Direct,
    /// Perhaps by way of an input method, which is watched.
    Watched(Box<Forwarding>),
    /// Perhaps by way of an input method, and the display lacks what would show it.
    Unseen,
}

impl Passage {
    /// Finds out how the program of a window gets its keys. They are watched from here on.
    pub fn of(station: &Station, window: Window) -> Result<Self, LinkError> {
        let servers = servers(station.link())?;
        if servers.is_empty() {
            return Ok(Self::Direct);
        }
        Ok(Forwarding::watch(station, window, &servers)?.map_or(Self::Unseen, |watch| Self::Watched(Box::new(watch))))
    }
}

/// The windows of the servers that input methods have announced (XIM protocol, "Preconnection": the atoms in `XIM_SERVERS`
/// are selections, and the servers own them).
fn servers(link: &Link) -> Result<Vec<Window>, LinkError> {
    let _limit = link.within(OPERATION_TIME);
    let find = || -> Result<Vec<Window>, ReplyError> {
        let connection = &link.connection;
        let name = connection.intern_atom(true, b"XIM_SERVERS")?.reply()?.atom;
        if name == x11rb::NONE {
            return Ok(Vec::new());
        }
        let listed = connection.get_property(false, link.root, name, AtomEnum::ATOM, 0, SERVERS)?.reply()?;
        let selections: Vec<Atom> = listed.value32().map(Iterator::collect).unwrap_or_default();
        let asked = selections.into_iter().map(|selection| connection.get_selection_owner(selection));
        let asked: Vec<_> = asked.collect::<Result<_, _>>()?;
        let mut owners = Vec::new();
        for cookie in asked {
            match cookie.reply() {
                Ok(reply) if reply.owner != x11rb::NONE => owners.push(reply.owner),
                // A stale atom, or an error that only says that it was never one.
                Ok(_) | Err(ReplyError::X11Error(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(owners)
    };
    find().map_err(|error| link.explain(error))
}

/// A key event as both sides write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyEvent {
    kind: u8,
    keycode: u8,
    time: u32,
}

/// The watch over one program's keys.
#[derive(Debug)]
pub struct Forwarding {
    /// RECORD sends what it sees here. Its end ends the recording.
    data: Link,
    /// The request whose replies the records are.
    recording: u64,
    seen: Seen,
}

/// What the records have told.
#[derive(Debug)]
struct Seen {
    client: u32,
    /// Events that were sent to the method and have not come back, in order.
    away: VecDeque<KeyEvent>,
    /// Events that the method has laid down for the program, and not told it of yet.
    announced: Vec<KeyEvent>,
    has_forwarded: bool,
}

impl Forwarding {
    fn watch(station: &Station, window: Window, servers: &[Window]) -> Result<Option<Self>, LinkError> {
        let link = station.link();
        let Some(data) = link.another(OPERATION_TIME) else { return Ok(None) };
        let everybody: Vec<u32> = servers.iter().copied().chain([window, station.events.requestor]).collect();
        let client = focus::client_of(link, window);
        match Self::record(&data, &everybody) {
            Ok(recording) => {
                let seen = Seen { client, away: VecDeque::new(), announced: Vec::new(), has_forwarded: false };
                Ok(Some(Self { data, recording, seen }))
            }
            Err(error) => match data.explain(error) {
                LinkError::Unresponsive => Err(LinkError::Unresponsive),
                // A display without RECORD, or one whose client has just gone.
                LinkError::Lost(_) | LinkError::Refused(_) => Ok(None),
            },
        }
    }

    fn record(data: &Link, clients: &[u32]) -> Result<u64, ReplyOrIdError> {
        use x11rb::connection::Connection as _;
        let connection = &data.connection;
        let _limit = data.within(OPERATION_TIME);
        connection.record_query_version(1, 13)?.reply()?;
        let context = connection.generate_id()?;
        // One interval, although only its ends matter: of two apart the server records the first alone (measured).
        let core_requests = record::Range8 { first: CHANGE_PROPERTY_REQUEST, last: SEND_EVENT_REQUEST };
        let ranges = [record::Range { core_requests, ..record::Range::default() }];
        connection.record_create_context(context, 0, clients, &ranges)?.check()?;
        let cookie = connection.record_enable_context(context)?;
        let recording = cookie.sequence_number().ok_or(ConnectionError::UnknownError)?;
        // Dropping the cookie would throw the records away; it owns nothing else.
        std::mem::forget(cookie);
        connection.flush()?;
        // The first record says that it has begun.
        connection.wait_for_reply_or_raw_error(recording)?;
        Ok(recording)
    }

    /// Whether the program has used an input method since it is watched.
    pub const fn has_forwarded(&self) -> bool {
        self.seen.has_forwarded
    }

    /// Whether every key that the program has sent to the method so far has come back. Where that can no longer be seen it
    /// has not.
    pub fn is_settled(&mut self, station: &Station) -> Result<bool, LinkError> {
        let mark = Self::put_mark(station)?;
        let _limit = self.data.within(OPERATION_TIME);
        loop {
            let record = self.data.connection.wait_for_reply_or_raw_error(self.recording);
            let Ok(ReplyOrError::Reply(reply)) = record else { return Ok(false) };
            self.data.connection.stream().note_incoming(Incoming::caught_up);
            let Ok((record, _)) = EnableContextReply::try_parse(reply.as_ref()) else { return Ok(false) };
            if self.seen.take(&record, station.events.requestor, mark) {
                return Ok(self.seen.away.is_empty());
            }
        }
    }

    /// Makes a request that will be seen among the records: whatever was sent before it stands before it there.
    fn put_mark(station: &Station) -> Result<u32, LinkError> {
        let link = station.link();
        let mark = getrandom::u32().unwrap_or_default();
        let (window, property) = (station.events.requestor, station.events.atoms.acknowledgement);
        let put = link.connection.change_property32(PropMode::REPLACE, window, property, AtomEnum::CARDINAL, &[mark]);
        put.map_err(|error| link.explain(error))?.ignore_error();
        // The server passes records on when it has something to send to anybody: an answer to us is that.
        let _limit = link.within(OPERATION_TIME);
        let cookie = link.connection.get_input_focus().map_err(|error| link.explain(error))?;
        cookie.reply().map_err(|error| link.explain(error))?;
        Ok(mark)
    }
}

impl Seen {
    /// Takes in a record. Says whether it has the mark.
    fn take(&mut self, record: &EnableContextReply, requestor: Window, mark: u32) -> bool {
        if record.category != FROM_CLIENT || record.client_swapped {
            return false;
        }
        let mut has_mark = false;
        for request in Requests(&record.data) {
            match request {
                Request::Property { window, data } if window == requestor => has_mark |= data == mark.to_ne_bytes(),
                Request::Property { data, .. } => match forwarded_event(data) {
                    Some(event) if record.xid_base == self.client => {
                        self.has_forwarded = true;
                        self.away.push_back(event);
                    }
                    Some(event) => self.announced.push(event),
                    None => {}
                },
                // The program reads the property when it is told of it.
                Request::Message if record.xid_base != self.client => {
                    for event in self.announced.drain(..) {
                        if let Some(at) = self.away.iter().position(|away| *away == event) {
                            self.away.remove(at);
                        }
                    }
                }
                Request::Message | Request::Other => {}
            }
        }
        has_mark
    }
}

/// The key event in a packet, if it has one.
fn forwarded_event(packet: &[u8]) -> Option<KeyEvent> {
    let event = packet.get(EVENT_AT..EVENT_AT + EVENT_BYTES).filter(|_| packet[0] == XIM_FORWARD_EVENT)?;
    let &[kind, keycode, _, _, a, b, c, d, ..] = event else { return None };
    let kind = kind & 0x7f;
    let is_key = kind == KEY_PRESS_EVENT || kind == KEY_RELEASE_EVENT;
    is_key.then_some(KeyEvent { kind, keycode, time: u32::from_ne_bytes([a, b, c, d]) })
}

/// A request that was recorded.
#[derive(Debug, PartialEq, Eq)]
enum Request<'a> {
    /// Something was written on a window.
    Property { window: Window, data: &'a [u8] },
    /// A client message in units of 32 bits was sent: in units of 8 it is a packet itself.
    Message,
    /// Something else.
    Other,
}

/// Requests one behind the other.
struct Requests<'a>(&'a [u8]);

impl<'a> Iterator for Requests<'a> {
    type Item = Request<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = |at: usize| Some(u32::from_ne_bytes(*self.0.get(at..)?.first_chunk()?));
        let short = u16::from_ne_bytes(*self.0.get(2..)?.first_chunk()?);
        // With a length of 0 the real one follows (BIG-REQUESTS).
        let (units, more) = if short == 0 { (number(4)?, 4) } else { (u32::from(short), 0) };
        let length = usize::try_from(units).ok()?.checked_mul(4)?.max(4);
        let request = self.0.get(..length)?;
        let found = match request[0] {
            CHANGE_PROPERTY_REQUEST => {
                let (window, format, elements) = (number(4 + more)?, *request.get(16 + more)?, number(20 + more)?);
                let bytes = usize::try_from(elements).ok()?.checked_mul(usize::from(format / 8))?;
                let data = request.get(PROPERTY_AT + more..)?;
                Request::Property { window, data: data.get(..bytes).unwrap_or(data) }
            }
            SEND_EVENT_REQUEST if request.get(EVENT_SENT_AT..)?.starts_with(&[CLIENT_MESSAGE_EVENT, 32]) => {
                Request::Message
            }
            _ => Request::Other,
        };
        self.0 = &self.0[length..];
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(window: u32, data: &[u8]) -> Vec<u8> {
        let units = u16::try_from((PROPERTY_AT + data.len()).div_ceil(4)).unwrap();
        let mut bytes = vec![CHANGE_PROPERTY_REQUEST, 0];
        bytes.extend(units.to_ne_bytes());
        for number in [window, 1, 2] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend([8, 0, 0, 0]);
        bytes.extend(u32::try_from(data.len()).unwrap().to_ne_bytes());
        bytes.extend(data);
        bytes.resize(usize::from(units) * 4, 0);
        bytes
    }

    fn packet(kind: u8, keycode: u8, time: u32) -> Vec<u8> {
        let mut bytes = vec![0; EVENT_AT + EVENT_BYTES];
        bytes[0] = XIM_FORWARD_EVENT;
        bytes[EVENT_AT..EVENT_AT + 2].copy_from_slice(&[kind, keycode]);
        bytes[EVENT_AT + 4..EVENT_AT + 8].copy_from_slice(&time.to_ne_bytes());
        bytes
    }

    #[test]
    fn requests_are_taken_apart_and_what_is_cut_off_is_left() {
        let sent =
            [&[SEND_EVENT_REQUEST, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, CLIENT_MESSAGE_EVENT, 32][..], &[0; 30]].concat();
        let all = [request(7, b"abcde"), sent, vec![19, 0, 1, 0], request(8, &packet(2, 38, 99))].concat();
        let found: Vec<_> = Requests(&all).collect();
        assert_eq!(found[0], Request::Property { window: 7, data: b"abcde" });
        assert_eq!(found[1..3], [Request::Message, Request::Other]);
        let Request::Property { window: 8, data } = found[3] else { panic!("{found:?}") };
        assert_eq!(forwarded_event(data), Some(KeyEvent { kind: 2, keycode: 38, time: 99 }));
        assert_eq!(found.len(), 4);
        for length in 0..all.len() {
            assert!(Requests(&all[..length]).count() < 4);
        }
    }

    #[test]
    fn only_key_events_count() {
        assert_eq!(forwarded_event(&packet(4, 1, 5)), None);
        assert_eq!(forwarded_event(&packet(2, 1, 5)[..40]), None);
        assert_eq!(forwarded_event(&[]), None);
        let mut other = packet(2, 1, 5);
        other[0] = 62;
        assert_eq!(forwarded_event(&other), None);
    }
}
