//! The thread that looks at the windows: when somebody asks, and while somebody waits or follows, when something was told.

use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::{
    WindowList,
    known::Known,
    look::{self, Look},
    refuse,
    wait::WindowWait,
};
use crate::{
    desktop::{
        connection::{Link, LinkError},
        ended::{EndSignal, Ended},
        inbox::{Inbox, Next},
    },
    protocol::wait_for::Outcome,
};

/// The least time between two looks that events ask for: one window that appears causes some ten of them within this time.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// And the most, however long a look takes.
const LOOK_INTERVAL_MOST: Duration = Duration::from_secs(1);
/// How many times longer than a look the pause after it is: a storm of events then costs a tenth of a processor.
const PAUSES: u32 = 9;
/// How many bytes the children of a window may take beyond the longest reply: there may be a million.
const TREE_BYTES: usize = 4 * 1024 * 1024;

/// What somebody wants to know.
#[derive(Debug)]
pub(super) enum Question {
    /// The windows of this moment.
    List(oneshot::Sender<Result<WindowList, LinkError>>),
    /// When there is one, or none any more.
    Wait(WindowWait),
    /// Each list that is different; somebody has just begun to listen.
    Follow,
}

/// The thread's state.
pub(super) struct Tracker {
    link: Link,
    known: Known,
    waits: Vec<WindowWait>,
    lists: watch::Sender<Option<WindowList>>,
    /// When events may ask for the next look.
    next_look: Instant,
}

impl Tracker {
    pub(super) fn new(link: Link, lists: watch::Sender<Option<WindowList>>) -> Self {
        link.connection.stream().note_incoming(|incoming| incoming.allow(TREE_BYTES));
        let known = Known::new(link.root);
        Self { link, known, waits: Vec::new(), lists, next_look: Instant::now() }
    }

    pub(super) fn run(mut self, questions: &Inbox<Question>, ended: &EndSignal) {
        let lost = loop {
            let until = self.wakes_at();
            let known = &mut self.known;
            let served = match questions.next(&self.link, until, |event, _| known.note(event)) {
                Ok(Next::Question(question)) => self.serve(question, questions),
                Ok(Next::Heard | Next::Timeout) => self.turn(questions),
                Ok(Next::Closed) => return,
                Err(error) => Err(error),
            };
            match served {
                Err(LinkError::Lost(reason)) => break reason,
                Err(error @ (LinkError::Unresponsive | LinkError::Refused(_))) => self.pause_after(&error),
                Ok(()) => {}
            }
        };
        ended.end(Ended::Lost { reason: lost.clone() });
        let error = LinkError::Lost(lost);
        self.refuse_waits(&error);
        questions.refuse_all(|question| refuse(question, &error));
    }

    /// When there is something to do though nobody asks.
    fn wakes_at(&self) -> Option<Instant> {
        let look = (self.known.is_changed && self.is_followed()).then_some(self.next_look);
        self.waits.iter().map(|wait| wait.until).chain(look).min()
    }

    /// Whether anybody wants to hear of changes.
    fn is_followed(&self) -> bool {
        !self.waits.is_empty() || !self.lists.is_closed()
    }

    /// Answers a question, and with the same look all others that wait already.
    fn serve(&mut self, first: Question, questions: &Inbox<Question>) -> Result<(), LinkError> {
        let mut asked = Vec::new();
        for question in std::iter::once(first).chain(questions.waiting()) {
            match question {
                Question::List(sender) => asked.push(sender),
                Question::Wait(wait) => self.waits.push(wait),
                Question::Follow => {}
            }
        }
        let outcome = self.look(questions);
        for sender in asked {
            // That the one who asked has gone is no error.
            drop(sender.send(outcome.as_ref().map(|look| WindowList::clone(&look.windows)).map_err(Clone::clone)));
        }
        outcome.map(drop)
    }

    /// Does what is due.
    fn turn(&mut self, questions: &Inbox<Question>) -> Result<(), LinkError> {
        self.waits.retain(|wait| !wait.sender.is_closed());
        let now = Instant::now();
        // Whose time is over is told what is, not what was.
        let is_due = self.next_look <= now || self.waits.iter().any(|wait| wait.until <= now);
        if self.known.is_changed && is_due && self.is_followed() {
            return self.look(questions).map(drop);
        }
        self.expire(now);
        self.rest()
    }

    /// Has the server tell nothing any more, if nobody wants to hear of it.
    fn rest(&mut self) -> Result<(), LinkError> {
        if self.is_followed() {
            return Ok(());
        }
        // Whoever listens next must not take it for the present.
        self.lists.send_replace(None);
        self.known.forget(&self.link)
    }

    /// Looks, and tells everybody for whom it matters.
    fn look(&mut self, questions: &Inbox<Question>) -> Result<Look, LinkError> {
        self.waits.retain(|wait| !wait.sender.is_closed());
        let begun = Instant::now();
        let looked = if self.is_followed() { self.known.follow(&self.link) } else { Ok(()) };
        let looked = looked.and_then(|()| look::look(&self.link, &mut self.known));
        let look = match looked {
            Ok(look) => look,
            Err(error) => {
                self.known.mapped = None;
                self.refuse_waits(&error);
                // Whoever asked meanwhile has waited long enough: nobody is to wait for several deadlines.
                questions.waiting().for_each(|question| refuse(question, &error));
                return Err(error);
            }
        };
        let now = Instant::now();
        self.next_look = now + (PAUSES * (now - begun)).clamp(LOOK_INTERVAL, LOOK_INTERVAL_MOST);
        // Before anybody is answered, who may begin to follow then and must not find an earlier list.
        self.publish(&look);
        for wait in self.waits.extract_if(.., |wait| wait.is_met(&look)) {
            wait.answer(Outcome::Met);
        }
        self.expire(now);
        self.rest()?;
        Ok(look)
    }

    fn publish(&self, look: &Look) {
        if self.lists.is_closed() {
            self.lists.send_replace(None);
            return;
        }
        self.lists.send_if_modified(|list| {
            let is_new = list.as_ref() != Some(&look.windows);
            if is_new {
                *list = Some(WindowList::clone(&look.windows));
            }
            is_new
        });
    }

    /// Answers the waits whose time is over.
    fn expire(&mut self, now: Instant) {
        for wait in self.waits.extract_if(.., |wait| wait.until <= now) {
            wait.answer(Outcome::TimedOut);
        }
    }

    fn refuse_waits(&mut self, error: &LinkError) {
        for wait in self.waits.drain(..) {
            wait.refuse(error);
        }
    }

    /// A display that does not answer is left alone for a while; those who follow hear of it again when it does.
    fn pause_after(&mut self, error: &LinkError) {
        tracing::debug!(%error, "the windows could not be looked at");
        self.known.is_changed = true;
        self.next_look = Instant::now() + LOOK_INTERVAL_MOST;
    }
}
