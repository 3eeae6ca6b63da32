//! A capture with windows painted over: apart from the other one, so that nothing is added to that, and nothing forgotten here.

use x11rb::protocol::xproto::{ConnectionExt as _, EventMask};

use super::{
    CaptureError, CursorOverlay, FrameRequest,
    screen::{Captured, Ready, Screen, hear_all, point, set_up},
};
use crate::desktop::{
    connection::OPERATION_TIME,
    cursor,
    damage::{Damage, Drawn},
    last_frame::WORD_BYTES,
};

impl Screen {
    /// Brings the frame up to date with what may be seen: always the whole screen, because what must be painted over depends on
    /// all windows at the moment of all pixels.
    ///
    /// # Errors
    /// Also when it is not certain what may be seen; the frame stays as it was.
    pub(super) fn try_masked(&mut self, request: FrameRequest) -> Result<Captured, CaptureError> {
        let Self { link, ready, frame, masks, resized, method, .. } = self;
        let _deadline = link.within(OPERATION_TIME);
        if ready.is_none() {
            *ready = Some(set_up(link, *method, EventMask::SUBSTRUCTURE_NOTIFY)?);
        }
        // What is told after this answer belongs to the look that follows.
        link.round_trip()?;
        hear_all(link, ready, masks, resized)?;
        let Some(before) = masks.as_mut().map(|masks| masks.before(link)).transpose()? else {
            return Err(CaptureError::Unmaskable("there are no masks"));
        };
        let Some(Ready { cursor, damage, .. }) = ready else {
            return Err(CaptureError::Unmaskable("nothing is set up"));
        };
        let where_drawn = damage.as_mut().map(|damage| damage.ask(link)).transpose()?;
        let pointer = link.connection.query_pointer(link.root);
        let asked = cursor.filter(|_| request.cursor == CursorOverlay::With).map(|cursor| cursor.ask(link));
        let pointer = link.reply(pointer);
        let where_drawn = where_drawn.map(|sent| link.reply(Ok(sent)));
        let cursor = asked.map(|asked| link.reply(asked));
        let captured = Captured { pointer: point(&pointer?), cursor: cursor.transpose()?.and_then(cursor::placed) };
        hear_all(link, ready, masks, resized)?;
        if let Some(size) = *resized {
            return Err(CaptureError::Resized(size));
        }
        let (Some(Ready { source, damage, .. }), Some(masks)) = (&mut *ready, &mut *masks) else {
            return Err(CaptureError::Unmaskable("nothing is set up"));
        };
        let drawn = match (damage.as_mut(), where_drawn) {
            (Some(damage), Some(answer)) => damage.answer(answer, link.size.height)?,
            _ => Drawn::Anywhere,
        };
        if let Some(gone) = damage.as_mut().filter(|damage| damage.is_gone())
            && let Some(new) = Damage::set_up(link)?
        {
            gone.give_back(link)?;
            *gone = new;
        }
        if drawn == Drawn::Nowhere && !frame.is_new() && masks.hides_the_same(&before) {
            return Ok(captured);
        }
        source.read(link, masks.picture())?;
        let after = masks.after(link)?;
        hear_all(link, ready, &mut self.masks, resized)?;
        if let Some(size) = *resized {
            return Err(CaptureError::Resized(size));
        }
        let Some(masks) = &mut self.masks else { return Err(CaptureError::Unmaskable("there are no masks")) };
        frame.update(masks.cover(link, before, after).as_chunks::<WORD_BYTES>().0, 0..link.size.height);
        Ok(captured)
    }
}
