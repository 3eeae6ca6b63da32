//! Saves what a selection's owner holds before we take the selection. The owner may be hostile: what it says is bounded in
//! number, bytes and time.

use std::{sync::Arc, time::Instant};

use x11rb::{
    errors::ConnectionError,
    protocol::{
        Event,
        xproto::{Atom, AtomEnum, ConnectionExt as _, Property, Timestamp},
    },
};

use super::{
    Selection,
    content::{Content, Flavour, Value},
    listener::{Listener, is_of_server},
};
use crate::desktop::connection::LinkError;

/// How many targets of an owner are looked at; browsers and office programs offer some thirty.
const TARGETS: usize = 256;
/// How much of a property is read at once, in units of four bytes: small beside the budget, so that little lies about
/// twice.
const PIECE: u32 = 64 * 1024;

/// What is left to save with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) bytes: usize,
    pub(super) until: Instant,
}

/// Saves the content of a selection as far as the budget goes: nothing where nobody else owns it, and where the owner does
/// not answer.
pub(super) fn save(
    listener: &mut Listener,
    selection: Selection,
    time: Timestamp,
    budget: &mut Budget,
) -> Result<Content, LinkError> {
    let atoms = listener.atoms;
    let selection = selection.atom(&atoms);
    let owner = listener.link.reply(listener.link.connection.get_selection_owner(selection))?.owner;
    let mut content = Content::default();
    if owner == x11rb::NONE || listener.is_ours(owner) {
        return Ok(content);
    }
    // An owner that once took too long or sent too much is not asked again.
    let mut given_up = false;
    let mut fetch = |target: Atom| {
        if given_up {
            return Ok(None);
        }
        Ok(match fetch(listener, selection, target, time, budget)? {
            Fetched::Value(value) => Some(value),
            Fetched::Refused => None,
            Fetched::TooMuch => {
                given_up = true;
                None
            }
        })
    };
    let string = Atom::from(AtomEnum::STRING);
    // An owner that cannot list its targets has a text, if anything (ICCCM demands the list).
    let offered: Vec<Atom> = match fetch(atoms.TARGETS)? {
        Some(list) => {
            list.bytes.chunks_exact(4).filter_map(|atom| atom.try_into().ok()).map(u32::from_ne_bytes).collect()
        }
        None => vec![atoms.UTF8_STRING, string],
    };
    let offers = |target: Atom| offered.iter().take(TARGETS).any(|offered| *offered == target);
    for target in [atoms.UTF8_STRING, atoms.TEXT_PLAIN_UTF_8, string] {
        if content.text.is_none() && offers(target) {
            content.text = fetch(target)?.and_then(|value| text_of(&value, string));
        }
    }
    for target in [atoms.COPIED_FILES, atoms.TEXT_URI_LIST, atoms.TEXT_HTML, atoms.IMAGE_PNG] {
        if offers(target)
            && let Some(value) = fetch(target)?
        {
            content.flavours.push(Flavour { target, value });
        }
    }
    Ok(content)
}

fn text_of(value: &Value, string: Atom) -> Option<Arc<str>> {
    if value.format != 8 {
        return None;
    }
    if value.kind == string {
        return Some(value.bytes.iter().copied().map(char::from).collect::<String>().into());
    }
    std::str::from_utf8(&value.bytes).ok().map(Arc::from)
}

/// What asking for one target came to.
enum Fetched {
    Value(Value),
    Refused,
    /// More bytes or more time than the budget has.
    TooMuch,
}

/// Asks the owner for one target.
fn fetch(
    listener: &mut Listener,
    selection: Atom,
    target: Atom,
    time: Timestamp,
    budget: &mut Budget,
) -> Result<Fetched, LinkError> {
    let (window, property) = (listener.window, listener.atoms._DESKHAND_SELECTION);
    let connection = &listener.link.connection;
    let explain = |error: ConnectionError| listener.link.explain(error);
    // What an owner wrote after we had stopped waiting for it would be taken for this answer.
    connection.delete_property(window, property).map_err(explain)?.ignore_error();
    connection.convert_selection(window, selection, target, property, time).map_err(explain)?.ignore_error();
    let answered = listener.wait_for(budget.until, |event| match event {
        Event::SelectionNotify(event)
            if (event.requestor, event.selection, event.target) == (window, selection, target) =>
        {
            Some(event.property)
        }
        _ => None,
    })?;
    match answered {
        Some(answered) if answered == property => {}
        Some(_) => return Ok(Fetched::Refused),
        None => return Ok(Fetched::TooMuch),
    }
    let value = match take(listener, budget)? {
        Some(value) if value.kind == listener.atoms.INCR => in_pieces(listener, budget)?,
        value => value,
    };
    Ok(value.map_or(Fetched::TooMuch, Fetched::Value))
}

/// A value that comes in pieces (ICCCM, section 2.7.2): each time that the property is deleted, the next one is written; an
/// empty one is the end.
fn in_pieces(listener: &mut Listener, budget: &mut Budget) -> Result<Option<Value>, LinkError> {
    let (window, property) = (listener.window, listener.atoms._DESKHAND_SELECTION);
    let mut whole = Vec::new();
    loop {
        let written = listener.wait_for(budget.until, |event| match event {
            Event::PropertyNotify(event)
                if event.window == window
                    && event.atom == property
                    && event.state == Property::NEW_VALUE
                    && is_of_server(event.response_type) =>
            {
                Some(())
            }
            _ => None,
        })?;
        if written.is_none() {
            return Ok(None);
        }
        let Some(piece) = take(listener, budget)? else { return Ok(None) };
        if piece.bytes.is_empty() {
            return Ok(Some(Value { bytes: whole.into(), ..piece }));
        }
        whole.extend_from_slice(&piece.bytes);
    }
}

/// Reads the property that the owner wrote, and deletes it. `None` where it is larger than what is left of the budget.
fn take(listener: &Listener, budget: &mut Budget) -> Result<Option<Value>, LinkError> {
    let (window, property) = (listener.window, listener.atoms._DESKHAND_SELECTION);
    let link = &listener.link;
    let any = AtomEnum::ANY;
    // The length first: a property can be as large as the X server's memory.
    let head = link.reply(link.connection.get_property(false, window, property, any, 0, 0))?;
    let length = usize::try_from(head.bytes_after).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    let fits = length <= budget.bytes && Instant::now() < budget.until;
    if fits {
        budget.bytes -= length;
        bytes.reserve_exact(length);
        let mut offset = 0;
        while bytes.len() < length {
            let piece = link.reply(link.connection.get_property(false, window, property, any, offset, PIECE))?;
            if piece.value.is_empty() {
                break;
            }
            // The owner may change the property between two looks.
            bytes.extend(piece.value.iter().take(length - bytes.len()));
            offset += PIECE;
        }
    }
    link.connection.delete_property(window, property).map_err(|error| link.explain(error))?.ignore_error();
    Ok(fits.then(|| Value { kind: head.type_, format: head.format, bytes: bytes.into() }))
}
