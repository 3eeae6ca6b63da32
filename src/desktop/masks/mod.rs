//! Windows that are painted over in every picture, because the operator's policy hides them.
//!
//! What is hidden is decided from the windows before and after the pixels were taken, on the same connection: if they are the same
//! and the server has told of nothing in between, they are what the pixels show, and what lies above a hidden window can be seen.
//! Else everything is painted over where a hidden window was or may have been. What a hidden window has left stays painted over for
//! a while: a window below it that has no background shows the old pixels until its program draws again.

mod canvas;
mod look;
mod trail;

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use x11rb::protocol::{Event, xproto::Window};

use self::{
    canvas::{Canvas, Paint},
    look::{Found, Knowledge},
    trail::Trail,
};
use super::{
    capture::CaptureError,
    connection::{Link, LinkError},
    focus,
};
use crate::protocol::{policy::WindowRules, units::NativeSize};

/// For how long, at least, that stays hidden which was: programs draw within a few milliseconds what was uncovered, and on a busy
/// machine within a few hundred.
const LINGER_TIME: Duration = Duration::from_millis(500);
/// How many windows that come are remembered between two pictures; with more, everything is hidden in the next one.
const NEWCOMERS: usize = 256;
/// How many windows and clients are remembered that have been hidden.
const REMEMBERED: usize = 1024;

/// A place that may lie beside the screen in part or altogether, with what a border adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl Place {
    /// Of a window, from what the protocol says of it.
    fn outside(x: i16, y: i16, width: u16, height: u16, border: u16) -> Self {
        let border = 2 * i32::from(border);
        Self { x: x.into(), y: y.into(), width: i32::from(width) + border, height: i32::from(height) + border }
    }
}

/// What a child of the root is to a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is painted over.
    Hidden,
    /// It can be seen, and nothing below it.
    Covering,
    /// It can be seen, and what is below it maybe too.
    Shaped,
}

/// A child of the root that can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Top {
    window: Window,
    place: Place,
    kind: Kind,
}

/// What the server has told since the last look at the windows began.
#[derive(Debug, Default)]
struct Told {
    /// A window has come, gone, moved, or lies higher or lower.
    stirred: bool,
    /// Windows that have come.
    mapped: HashSet<Window>,
    /// More than can be remembered.
    too_many: bool,
}

/// The masks of one display.
#[derive(Debug)]
pub(super) struct Masks {
    rules: Arc<WindowRules>,
    known: Option<Knowledge>,
    /// The windows of the last picture.
    last: Found,
    told: Told,
    /// Where windows have been.
    trail: Trail,
    /// Windows that have been hidden, and the clients of such.
    hidden: HashSet<Window>,
    clients: HashSet<u32>,
    /// What was hidden in the last picture because it was there.
    current: Canvas,
    /// What was hidden lately, and before that.
    lately: [Canvas; 2],
    /// When the first of the two began.
    since: Instant,
    /// Whether the last picture hides what is no longer there.
    lingers: bool,
    /// The pixels of the picture that is being made.
    picture: Vec<u8>,
}

/// The windows before the pixels were taken.
#[derive(Debug)]
pub(super) struct Before(Found);

/// The windows after that.
#[derive(Debug)]
pub(super) struct After(Found);

impl Masks {
    /// None of these rules have been applied yet.
    pub(super) fn new(rules: Arc<WindowRules>, size: NativeSize) -> Self {
        let canvas = || Canvas::new(size);
        Self {
            rules,
            known: None,
            last: Found::default(),
            told: Told::default(),
            trail: Trail::default(),
            hidden: HashSet::new(),
            clients: HashSet::new(),
            current: canvas(),
            lately: [canvas(), canvas()],
            since: Instant::now(),
            lingers: false,
            picture: Vec::new(),
        }
    }

    /// Applies these rules from now on. What has been hidden by the others stays known.
    pub(super) fn replace(&mut self, rules: Arc<WindowRules>) {
        self.rules = rules;
    }

    /// Takes note of what the server tells about a child of the root.
    pub(super) fn note(&mut self, link: &Link, event: &Event) {
        let (told_by, window, place) = match event {
            Event::ConfigureNotify(event) => {
                let place = Place::outside(event.x, event.y, event.width, event.height, event.border_width);
                (event.event, event.window, Some(place))
            }
            Event::CreateNotify(event) => {
                let place = Place::outside(event.x, event.y, event.width, event.height, event.border_width);
                (event.parent, event.window, Some(place))
            }
            Event::MapNotify(event) => (event.event, event.window, None),
            Event::UnmapNotify(event) => (event.event, event.window, None),
            Event::DestroyNotify(event) => (event.event, event.window, None),
            Event::ReparentNotify(event) => (event.event, event.window, None),
            Event::CirculateNotify(event) => (event.event, event.window, None),
            Event::GravityNotify(event) => (event.event, event.window, None),
            _ => return,
        };
        if told_by != link.root || window == link.root {
            return;
        }
        // What was only made, or goes without having been seen, changes nothing on the screen.
        self.told.stirred |= !matches!(event, Event::CreateNotify(_));
        if let Event::MapNotify(_) = event {
            match self.told.mapped.len() {
                0..NEWCOMERS => drop(self.told.mapped.insert(window)),
                _ => self.told.too_many = true,
            }
        }
        self.trail.note(event, window, place);
    }

    /// Whether the next picture may hide something else than the last one.
    pub(super) fn is_changing(&self) -> bool {
        self.told.stirred || self.lingers
    }

    /// Looks at the windows before the pixels are taken. What has been told until now belongs to what is found.
    pub(super) fn before(&mut self, link: &Link) -> Result<Before, CaptureError> {
        let known = match self.known {
            Some(known) => known,
            None => *self.known.insert(Knowledge::ask(link)?),
        };
        self.told = Told::default();
        Ok(Before(look::look(link, &known, &self.rules)?))
    }

    /// Whether the last picture hides just what one of this moment would.
    pub(super) fn hides_the_same(&mut self, before: &Before) -> bool {
        self.grow_older(Instant::now());
        !self.lingers && self.last == before.0
    }

    /// Where the pixels are to be put.
    pub(super) fn picture(&mut self) -> &mut Vec<u8> {
        &mut self.picture
    }

    /// Looks at the windows after the pixels were taken.
    pub(super) fn after(&self, link: &Link) -> Result<After, CaptureError> {
        let known = self.known.as_ref().ok_or_else(|| LinkError::Lost("the windows were not looked at".to_owned()))?;
        look::look(link, known, &self.rules).map(After)
    }

    /// Paints over what is to be hidden and gives the picture. All events that came before the answers have been noted.
    pub(super) fn cover(&mut self, link: &Link, before: Before, after: After) -> &[u8] {
        let now = Instant::now();
        self.grow_older(now);
        let (Before(before), After(after)) = (before, after);
        if before != self.last {
            let [lately, _] = &mut self.lately;
            lately.merge(&self.current);
        }
        self.follow_trail(link, &before, &after, now);
        let is_calm = !self.told.stirred && before == after;
        self.current.clear();
        if is_calm {
            for top in &before.tops {
                match top.kind {
                    Kind::Hidden => self.current.paint(top.place, Paint::Hide),
                    Kind::Covering => self.current.paint(top.place, Paint::Show),
                    Kind::Shaped => {}
                }
            }
        } else {
            for top in before.tops.iter().chain(&after.tops).filter(|top| top.kind == Kind::Hidden) {
                self.current.paint(top.place, Paint::Hide);
            }
            let [lately, _] = &mut self.lately;
            lately.merge(&self.current);
        }
        let is_known = |window: &Window| before.tops.iter().chain(&after.tops).any(|top| top.window == *window);
        // Something has been there that nobody has looked at.
        let all = self.told.too_many || !self.told.mapped.iter().all(is_known);
        let mut hidden = self.current.clone();
        for lately in &self.lately {
            hidden.merge(lately);
        }
        if all {
            hidden.fill();
        }
        self.lingers = all || hidden != self.current;
        self.last = after;
        hidden.cover(&mut self.picture);
        &self.picture
    }

    /// Hides where hidden windows have been since the last picture, also those that nobody has looked at there.
    fn follow_trail(&mut self, link: &Link, before: &Found, after: &Found, now: Instant) {
        if self.clients.len() > REMEMBERED || self.hidden.len() > REMEMBERED {
            self.clients.clear();
            self.hidden.clear();
        }
        for found in [before, after] {
            self.clients.extend(&found.clients);
            self.hidden.extend(found.tops.iter().filter(|top| top.kind == Kind::Hidden).map(|top| top.window));
        }
        let [lately, _] = &mut self.lately;
        let Some(places) = self.trail.lately(now) else { return lately.fill() };
        for (window, place) in places {
            if self.hidden.contains(&window) || self.clients.contains(&focus::client_of(link, window)) {
                lately.paint(place, Paint::Hide);
            }
        }
    }

    /// Forgets what was hidden long enough ago.
    fn grow_older(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age < LINGER_TIME {
            return;
        }
        self.lately.swap(0, 1);
        self.lately[0].clear();
        if age >= 2 * LINGER_TIME {
            self.lately[1].clear();
        }
        self.since = now;
    }
}
