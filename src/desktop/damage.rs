//! Whether and where anything was drawn since the last capture, as the DAMAGE extension tells it.
//!
//! The level is `NonEmpty`: one event when something is drawn after the last `DamageSubtract`, and none until the next (50
//! events where `RawRectangles` sent 13,906). The subtraction goes before the request for the pixels, so what is drawn in between
//! is told anew, and it says where something was drawn: not that it looks different. The pointer causes no damage.

use std::ops::Range;

use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    cookie::Cookie,
    protocol::{
        Event,
        damage::{self, ConnectionExt as _, ReportLevel},
        xfixes::{self, ConnectionExt as _, FetchRegionReply},
        xproto::Rectangle,
    },
};

use super::connection::{Link, LinkError, XConnection};

/// The version whose requests are used; a client must ask for one before anything else (DAMAGE protocol, section 4).
const VERSION: (u32, u32) = (1, 1);
/// How many rectangles are looked at one by one; what is drawn in more places is drawn everywhere.
const RECTANGLES: usize = 64;
/// Rows this near to each other are captured together: a request costs the server more than some rows do.
const NEAR: u16 = 64;
/// Bands begin and end at multiples of this: pairs of pixels are compared, and in a picture of odd width a pair lies across two
/// rows, but never across an even number of them.
const BAND: u16 = 2;

/// Where something was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// Nowhere.
    Nowhere,
    /// In these rows, from top to bottom; they do not touch.
    Rows(Vec<Range<u16>>),
    /// Anywhere.
    Anywhere,
}

/// What is drawn on the root window and all windows in it.
#[derive(Debug)]
pub struct Damage {
    id: damage::Damage,
    /// Where the server puts what it subtracts.
    parts: xfixes::Region,
    /// The server has told that something was drawn.
    drawn: bool,
    /// Something was drawn that no capture has seen, and nobody knows where.
    unseen: bool,
    /// The server has forgotten our wish: any client can tell it to (`DamageDestroy`).
    gone: bool,
    /// The number of the last subtraction: what was drawn before it, its answer tells.
    asked: u64,
}

impl Damage {
    /// Begins to listen. `None` when the server has no DAMAGE: then everything may have been drawn anew at any time. XFIXES must
    /// have been agreed on before.
    pub fn set_up(link: &Link) -> Result<Option<Self>, LinkError> {
        let known = link.connection.extension_information(damage::X11_EXTENSION_NAME);
        if known.map_err(|error| link.explain(error))?.is_none() {
            return Ok(None);
        }
        match link.reply(link.connection.damage_query_version(VERSION.0, VERSION.1)) {
            Ok(_) => {}
            Err(LinkError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        }
        let [id, parts] = [link.connection.generate_id(), link.connection.generate_id()];
        let (id, parts) = (id.map_err(|error| link.explain(error))?, parts.map_err(|error| link.explain(error))?);
        let made = link.done(link.connection.xfixes_create_region(parts, &[]));
        let made = made.and_then(|()| link.done(link.connection.damage_create(id, link.root, ReportLevel::NON_EMPTY)));
        match made {
            Ok(()) => Ok(Some(Self { id, parts, drawn: false, unseen: true, gone: false, asked: 0 })),
            Err(LinkError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes note of an event, which came after the server had dealt with our request of this number.
    pub fn note(&mut self, event: &Event, after: u64) {
        match event {
            Event::DamageNotify(event) if event.damage == self.id => self.drawn |= after >= self.asked,
            // Nobody waits for the subtraction's error; there is one when the server no longer knows what to subtract from, or
            // where to.
            Event::Error(error) if after == self.asked && [self.id, self.parts].contains(&error.bad_value) => {
                self.gone = true;
            }
            _ => {}
        }
    }

    /// Whether the next capture may find something new, as far as was told.
    pub const fn drawn(&self) -> bool {
        self.drawn || self.unseen || self.gone
    }

    /// Whether the server no longer tells anything.
    pub const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Gives back to the server what is left of a wish that it has half forgotten, so that whoever makes it forget cannot fill it.
    pub fn give_back(&self, link: &Link) -> Result<(), LinkError> {
        let explain = |error| link.explain(error);
        link.connection.damage_destroy(self.id).map_err(explain)?.ignore_error();
        link.connection.xfixes_destroy_region(self.parts).map_err(explain)?.ignore_error();
        Ok(())
    }

    /// Sends the question where something was drawn; what is drawn from now on is told anew.
    pub fn ask<'a>(&mut self, link: &'a Link) -> Result<Cookie<'a, XConnection, FetchRegionReply>, LinkError> {
        let sent = link.connection.damage_subtract(self.id, x11rb::NONE, self.parts);
        let sent = sent.map_err(|error| link.explain(error))?;
        self.asked = sent.sequence_number();
        self.drawn = false;
        // Dropping it leaves its error among the events.
        drop(sent);
        link.connection.xfixes_fetch_region(self.parts).map_err(|error| link.explain(error))
    }

    /// What the answer says. From now on the rows count as seen; [`Damage::not_seen`] if they have not been.
    pub fn answer(&mut self, region: Result<FetchRegionReply, LinkError>, height: u16) -> Result<Drawn, LinkError> {
        let region = match region {
            Ok(region) => region,
            // The region is gone.
            Err(LinkError::Refused(_)) => {
                self.gone = true;
                return Ok(Drawn::Anywhere);
            }
            Err(error) => return Err(error),
        };
        if std::mem::take(&mut self.unseen) || self.gone || region.rectangles.len() > RECTANGLES {
            return Ok(Drawn::Anywhere);
        }
        Ok(rows(&region.rectangles, height))
    }

    /// The capture has failed, so nobody has seen what was drawn.
    pub const fn not_seen(&mut self) {
        self.unseen = true;
    }
}

/// The rows of the rectangles inside the screen, those near to each other together.
fn rows(rectangles: &[Rectangle], height: u16) -> Drawn {
    let inside = |row: i32| u16::try_from(row.clamp(0, i32::from(height))).unwrap_or(height);
    let mut spans: Vec<Range<u16>> = rectangles
        .iter()
        .map(|part| inside(part.y.into())..inside(i32::from(part.y) + i32::from(part.height)))
        .filter(|span| !span.is_empty())
        .map(|span| span.start / BAND * BAND..span.end.next_multiple_of(BAND).min(height))
        .collect();
    spans.sort_unstable_by_key(|span| span.start);
    let mut bands: Vec<Range<u16>> = Vec::new();
    for span in spans {
        match bands.last_mut() {
            Some(last) if span.start <= last.end.saturating_add(NEAR) => last.end = last.end.max(span.end),
            _ => bands.push(span),
        }
    }
    if bands.is_empty() { Drawn::Nowhere } else { Drawn::Rows(bands) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(band: Range<u16>) -> Drawn {
        Drawn::Rows([band].into())
    }

    fn of(rectangles: &[(i16, u16)]) -> Drawn {
        let rectangles: Vec<_> =
            rectangles.iter().map(|&(y, height)| Rectangle { x: 3, y, width: 5, height }).collect();
        rows(&rectangles, 501)
    }

    #[test]
    fn rows_are_put_together_where_they_are_near_and_lie_inside() {
        assert_eq!(of(&[]), Drawn::Nowhere);
        assert_eq!(of(&[(10, 5)]), one(10..16));
        assert_eq!(of(&[(301, 5), (11, 5), (70, 1)]), Drawn::Rows(vec![10..72, 300..306]));
        assert_eq!(of(&[(-10, 15), (498, 100)]), Drawn::Rows(vec![0..6, 498..501]));
        assert_eq!(of(&[(-10, 5), (501, 3), (600, 1), (5, 0)]), Drawn::Nowhere);
        assert_eq!(of(&[(10, 400), (20, 3)]), one(10..410));
    }
}
