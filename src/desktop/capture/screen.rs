//! The screen of one display as the capture thread sees it: the link, the last frame, and whether anything was drawn since.

use std::{sync::Arc, time::Instant};

use x11rb::protocol::{
    Event,
    xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, QueryPointerReply},
};

use super::{CaptureError, CaptureMethod, CursorOverlay, FrameRequest};
use crate::{
    desktop::{
        connection::{Link, LinkError, OPERATION_TIME},
        cursor::{self, CursorSource, PlacedCursor},
        curtain::{Curtain, Standing, View},
        damage::{Damage, Drawn},
        inbox::{Hearing, Inbox, Next},
        last_frame::LastFrame,
        masks::Masks,
        screen_source::ScreenSource,
    },
    protocol::units::{NativePoint, NativeSize},
};

/// How often a picture is taken anew because something more is to be painted over in it. Each time a secret was typed meanwhile.
const ATTEMPTS: usize = 8;

/// What has been agreed on with the server.
pub(super) struct Ready {
    pub(super) source: ScreenSource,
    pub(super) cursor: Option<CursorSource>,
    pub(super) damage: Option<Damage>,
}

/// What comes with a frame.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) pointer: NativePoint,
    pub(super) cursor: Option<PlacedCursor>,
}

pub(super) struct Screen {
    pub(super) link: Link,
    pub(super) frame: LastFrame,
    pub(super) method: CaptureMethod,
    /// What hides windows; `None` where nothing does.
    pub(super) masks: Option<Masks>,
    /// What must not be shown.
    pub(super) curtain: Arc<Curtain>,
    /// How that stood when the masks were made, and while the last frame was captured.
    standing: Standing,
    /// `None` until the first frame is wanted.
    pub(super) ready: Option<Ready>,
    /// The root window's size when it is no longer the link's. Stays, because nothing here fits the new size.
    pub(super) resized: Option<NativeSize>,
}

impl Screen {
    pub(super) fn new(link: Link, method: CaptureMethod, curtain: Arc<Curtain>) -> Self {
        let standing = curtain.standing();
        let masks = curtain.masks().map(|rules| Masks::new(rules, link.size));
        let frame = LastFrame::new(link.size);
        Self { frame, link, method, masks, curtain, standing, ready: None, resized: None }
    }

    /// Whether the last frame may be shown at all.
    pub(super) const fn view(&self) -> View {
        self.standing.view
    }

    /// Whether the last frame must not be shown, and one of this moment may be.
    pub(super) fn has_been_uncovered(&self) -> bool {
        self.view() == View::Closed && self.curtain.standing().view == View::Open
    }

    /// Waits for the next question, and for what is to be looked at without one.
    pub(super) fn wait<T>(&mut self, jobs: &Inbox<T>, until: Option<Instant>) -> Result<Next<T>, LinkError> {
        let Self { link, ready, masks, resized, .. } = self;
        jobs.next(link, until, |event, after| {
            let matters = |ready: &Option<Ready>, masks: &Option<Masks>| {
                (is_drawn(ready.as_ref()), masks.as_ref().is_some_and(Masks::is_changing))
            };
            let before = (matters(ready, masks), resized.is_some());
            note(link, ready, masks, resized, event, after);
            if (matters(ready, masks), resized.is_some()) == before { Hearing::GoOn } else { Hearing::Stop }
        })
    }

    /// Whether something was drawn since the last capture, as far as was told, or is to be painted over or no longer. `None` where
    /// that is never told.
    pub(super) fn is_drawn(&self) -> Option<bool> {
        let drawn = self.ready.as_ref()?.damage.as_ref()?.drawn();
        Some(drawn || self.masks.as_ref().is_some_and(Masks::is_changing))
    }

    /// Whether frames have been captured at all.
    pub(super) const fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// The size of the screen when it is another one than at the beginning.
    pub(super) const fn resized(&self) -> Option<NativeSize> {
        self.resized
    }

    /// Brings the frame up to date.
    pub(super) fn capture(&mut self, request: FrameRequest) -> Result<Captured, CaptureError> {
        for _ in 0..ATTEMPTS {
            self.take_up()?;
            let captured = self.attempt(request);
            // What was drawn meanwhile would have painted something over that is in this one.
            if captured.is_err() || self.curtain.standing() == self.standing {
                return captured;
            }
        }
        Err(CaptureError::Unmaskable("secrets are typed faster than the screen is looked at"))
    }

    /// Makes the masks those of this moment.
    fn take_up(&mut self) -> Result<(), LinkError> {
        let standing = self.curtain.standing();
        if self.standing == standing {
            return Ok(());
        }
        match (&mut self.masks, self.curtain.masks()) {
            (None, None) => {
                self.standing = standing;
                return Ok(());
            }
            (Some(masks), Some(rules)) => masks.replace(rules),
            (None, Some(rules)) => {
                if self.ready.is_some() {
                    let _limit = self.link.within(OPERATION_TIME);
                    hear_of(&self.link, EventMask::SUBSTRUCTURE_NOTIFY)?;
                }
                self.masks = Some(Masks::new(rules, self.link.size));
            }
            (Some(_), None) => self.masks = None,
        }
        if let Some(Ready { damage: Some(damage), .. }) = &mut self.ready {
            damage.not_seen();
        }
        // Last: a server that does not answer here is asked again.
        self.standing = standing;
        Ok(())
    }

    fn attempt(&mut self, request: FrameRequest) -> Result<Captured, CaptureError> {
        let captured = if self.masks.is_some() { self.try_masked(request) } else { self.try_capture(request) };
        if captured.is_err()
            && let Some(Ready { damage: Some(damage), .. }) = &mut self.ready
        {
            damage.not_seen();
        }
        captured
    }

    fn try_capture(&mut self, request: FrameRequest) -> Result<Captured, CaptureError> {
        let Self { link, ready, frame, masks, resized, method, .. } = self;
        let _deadline = link.within(OPERATION_TIME);
        let Ready { source, cursor, damage } = match &mut *ready {
            Some(ready) => ready,
            new => new.insert(set_up(link, *method, EventMask::NO_EVENT)?),
        };
        // All answers come with one wait: also the pixels, where nothing tells which of them are needed.
        let where_drawn = damage.as_mut().map(|damage| damage.ask(link)).transpose()?;
        let pointer = link.connection.query_pointer(link.root);
        let asked = cursor.filter(|_| request.cursor == CursorOverlay::With).map(|cursor| cursor.ask(link));
        let mut updated = if damage.is_none() { source.update(link, frame, &Drawn::Anywhere) } else { Ok(()) };
        let pointer = link.reply(pointer);
        let where_drawn = where_drawn.map(|sent| link.reply(Ok(sent)));
        let cursor = asked.map(|asked| link.reply(asked));
        let pointer = pointer?;
        hear_all(link, ready, masks, resized)?;
        if let Some(size) = *resized {
            return Err(CaptureError::Resized(size));
        }
        if let (Some(Ready { source, damage: Some(damage), .. }), Some(answer)) = (&mut *ready, where_drawn) {
            let drawn = damage.answer(answer, link.size.height)?;
            if damage.is_gone()
                && let Some(new) = Damage::set_up(link)?
            {
                damage.give_back(link)?;
                *damage = new;
            }
            updated = source.update(link, frame, &drawn);
            if drawn != Drawn::Nowhere {
                hear_all(link, ready, masks, resized)?;
            }
            // Something was drawn between the question and the pixels, maybe across the edge of what was captured: the whole
            // screen at one moment has no edge.
            if matches!(drawn, Drawn::Rows(_)) && updated.is_ok() && is_drawn(ready.as_ref()) {
                updated = capture_whole(link, ready, frame);
                hear_all(link, ready, masks, resized)?;
            }
        }
        if let Some(size) = *resized {
            return Err(CaptureError::Resized(size));
        }
        updated?;
        Ok(Captured { pointer: point(&pointer), cursor: cursor.transpose()?.and_then(cursor::placed) })
    }

    /// Gives memory back that the next capture can do without.
    pub(super) fn release(&self) {
        if let Some(ready) = &self.ready
            && let Err(error) = ready.source.release()
        {
            tracing::debug!(%error, "shared memory was not given back");
        }
    }
}

fn capture_whole(link: &Link, ready: &mut Option<Ready>, frame: &mut LastFrame) -> Result<(), LinkError> {
    let Some(Ready { source, damage: Some(damage), .. }) = ready else { return Ok(()) };
    let answer = damage.ask(link)?;
    let updated = source.update(link, frame, &Drawn::Anywhere);
    damage.answer(link.reply(Ok(answer)), link.size.height)?;
    updated
}

fn is_drawn(ready: Option<&Ready>) -> bool {
    ready.and_then(|ready| ready.damage.as_ref()).is_some_and(Damage::drawn)
}

/// Takes note of all events that have arrived.
pub(super) fn hear_all(
    link: &Link,
    ready: &mut Option<Ready>,
    masks: &mut Option<Masks>,
    resized: &mut Option<NativeSize>,
) -> Result<(), LinkError> {
    while let Some((event, after)) = link.next_event()? {
        note(link, ready, masks, resized, &event, after);
    }
    Ok(())
}

fn note(
    link: &Link,
    ready: &mut Option<Ready>,
    masks: &mut Option<Masks>,
    resized: &mut Option<NativeSize>,
    event: &Event,
    after: u64,
) {
    if let Some(masks) = masks {
        masks.note(link, event);
    }
    if let Some(Ready { damage: Some(damage), .. }) = ready {
        damage.note(event, after);
    }
    if let Event::ConfigureNotify(event) = event
        && event.window == link.root
    {
        let size = NativeSize { width: event.width, height: event.height };
        *resized = Some(size).filter(|&size| size != link.size).or(*resized);
    }
}

/// A display has one screen here, so the pointer is on it and its position is not negative.
pub(super) fn point(pointer: &QueryPointerReply) -> NativePoint {
    NativePoint { x: pointer.root_x.max(0).cast_unsigned(), y: pointer.root_y.max(0).cast_unsigned() }
}

/// Agrees with the server on everything once, and on which further events of the root window it tells.
pub(super) fn set_up(link: &Link, method: CaptureMethod, further: EventMask) -> Result<Ready, LinkError> {
    // A server that does not answer must be noticed by a request whose failure can be repeated: x11rb takes an extension
    // for missing for ever once the question whether it is there has failed.
    hear_of(link, further)?;
    let cursor = CursorSource::set_up(link)?;
    let damage = Damage::set_up(link)?;
    let source = match method {
        CaptureMethod::SharedMemory => ScreenSource::set_up(link)?,
        CaptureMethod::CoreProtocol => ScreenSource::Core,
    };
    Ok(Ready { source, cursor, damage })
}

/// Has the server tell of the screen's size, and of these further events of the root window.
fn hear_of(link: &Link, further: EventMask) -> Result<(), LinkError> {
    let events = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY | further);
    link.done(link.connection.change_window_attributes(link.root, &events))
}
