//! Who may still have keys in its queue that mean something by one of our pages, and waiting until nobody has.

use std::collections::BTreeSet;

use x11rb::protocol::xproto::{ConnectionExt as _, Window};

use super::{
    acknowledge::{Acknowledged, Acknowledger, limit_for},
    connection::{LinkError, OPERATION_TIME},
    failure::InputCause,
    focus,
    forwarding::Passage,
    permit::Permit,
    station::Station,
};
use crate::plan::step::Keycode;

/// An application with keys that it may not have looked up yet.
#[derive(Debug)]
struct Reader {
    client: u32,
    window: Window,
    keys: BTreeSet<Keycode>,
    /// How often they were pressed.
    presses: u32,
    /// Whether they go through an input method.
    passage: Passage,
}

/// The applications with unread keys: at most as many as the server has places for clients.
#[derive(Debug)]
pub struct Unread {
    /// Asks them.
    pub acknowledger: Acknowledger,
    readers: Vec<Reader>,
}

impl Unread {
    /// Nobody.
    pub const fn new(acknowledger: Acknowledger) -> Self {
        Self { acknowledger, readers: Vec::new() }
    }

    /// Forgets windows that have gone: what was in their queue is gone with them, and the ids may be other programs' by now.
    pub fn forget_gone(&mut self, station: &Station) {
        self.readers.retain(|reader| station.events.is_watched(reader.window));
    }

    /// Notes that a key has gone to a window.
    pub fn note(&mut self, station: &mut Station, window: Window, keycode: Keycode) -> Result<(), LinkError> {
        if !station.events.is_watched(window) {
            station.events.watch(&station.hands.link, window)?;
        }
        let client = focus::client_of(station.link(), window);
        if let Some(reader) = self.readers.iter_mut().find(|reader| reader.client == client) {
            reader.window = window;
            reader.keys.insert(keycode);
            reader.presses = reader.presses.saturating_add(1);
        } else {
            let passage = Passage::of(station, window)?;
            self.readers.push(Reader { client, window, keys: BTreeSet::from([keycode]), presses: 1, passage });
        }
        Ok(())
    }

    /// Whether the application of a window may have unread keys.
    pub fn has(&self, station: &Station, window: Window) -> bool {
        let client = focus::client_of(station.link(), window);
        self.readers.iter().any(|reader| reader.client == client)
    }

    /// Learns how the application of a window tells that it has looked up its keys, unless some of them may be unread: then
    /// it is too late to see it at rest.
    pub fn learn(&mut self, station: &mut Station, window: Window, permit: &Permit) -> Result<(), InputCause> {
        if self.has(station, window) { Ok(()) } else { self.acknowledger.learn(station, window, permit) }
    }

    /// Waits until an application has looked up its keys. There is no other proof than its own answer or the evidence of its
    /// process, in this call or in a later one: an application with neither never gets a keycode with a second meaning.
    /// `others` are keys that no page is about and that it has to read first: it gets time for them, too.
    pub fn await_one(
        &mut self,
        station: &mut Station,
        window: Window,
        others: u32,
        permit: &Permit,
    ) -> Result<(), InputCause> {
        let client = focus::client_of(station.link(), window);
        if !window_exists(station, window)? {
            // Whatever was in its queue is gone with it.
            self.readers.retain(|reader| reader.client != client);
            return Ok(());
        }
        let unread = self.readers.iter().find(|reader| reader.client == client).map_or(0, |reader| reader.presses);
        let acknowledged = match self.acknowledger.acknowledge(station, window, unread.max(others), permit)? {
            Acknowledged::Yes => self.come_back(station, client, permit)?,
            other => other,
        };
        match acknowledged {
            Acknowledged::Yes => {
                self.readers.retain(|reader| reader.client != client);
                Ok(())
            }
            Acknowledged::Late => Err(InputCause::Unacknowledged),
            Acknowledged::NoQuestion => Err(InputCause::NoSpareKeys),
        }
    }

    /// Whether keys of a window's application may go through an input method. They are looked up later than they are read.
    pub fn takes_detours(&self, station: &Station, window: Window) -> bool {
        let client = focus::client_of(station.link(), window);
        let readers = self.readers.iter().filter(|reader| reader.client == client);
        readers.into_iter().any(|reader| matches!(reader.passage, Passage::Watched(_)))
    }

    /// Waits until an application that has read its keys has also got back those that it sent to an input method, and has
    /// looked them up.
    fn come_back(&mut self, station: &mut Station, client: u32, permit: &Permit) -> Result<Acknowledged, InputCause> {
        let Some(reader) = self.readers.iter_mut().find(|reader| reader.client == client) else {
            return Ok(Acknowledged::Yes);
        };
        let (window, presses) = (reader.window, reader.presses);
        match &mut reader.passage {
            Passage::Direct => Ok(Acknowledged::Yes),
            Passage::Unseen => Ok(Acknowledged::NoQuestion),
            Passage::Watched(forwarding) => {
                let limit = limit_for(presses);
                if !station.ask_until(limit, permit, |station| Ok(forwarding.is_settled(station)?))? {
                    return Ok(Acknowledged::Late);
                }
                if !forwarding.has_forwarded() {
                    return Ok(Acknowledged::Yes);
                }
                // What came back stands before this question.
                self.acknowledger.acknowledge(station, window, presses, permit)
            }
        }
    }

    /// Waits until every application has looked up these keys.
    pub fn await_all_of(
        &mut self,
        station: &mut Station,
        keys: &BTreeSet<Keycode>,
        permit: &Permit,
    ) -> Result<(), InputCause> {
        let has_one = |reader: &&Reader| !keys.is_disjoint(&reader.keys);
        while let Some(window) = self.readers.iter().find(has_one).map(|reader| reader.window) {
            self.await_one(station, window, 0, permit)?;
        }
        Ok(())
    }

    /// Waits until nobody has unread keys, but for applications that cannot be asked: those are taken at their silence.
    pub fn await_everybody(&mut self, station: &mut Station, permit: &Permit) -> Result<(), InputCause> {
        while let Some(window) = self.readers.first().map(|reader| reader.window) {
            match self.await_one(station, window, 0, permit) {
                Err(InputCause::NoSpareKeys) => {
                    let client = focus::client_of(station.link(), window);
                    self.readers.retain(|reader| reader.client != client);
                }
                other => other?,
            }
        }
        Ok(())
    }
}

fn window_exists(station: &Station, window: Window) -> Result<bool, LinkError> {
    let link = station.link();
    let _limit = link.within(OPERATION_TIME);
    let cookie = link.connection.get_window_attributes(window).map_err(|error| link.explain(error))?;
    match cookie.reply_unchecked() {
        Ok(reply) => Ok(reply.is_some()),
        Err(error) => Err(link.explain(error)),
    }
}
