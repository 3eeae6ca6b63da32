//! The input thread's place at the display: its hands, what it is told, and every wait that a cancel can end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

use super::{
    clipboard::{Clipboard, Offer, Selection},
    connection::{Link, LinkError},
    events::Events,
    failure::InputCause,
    hands::Hands,
    permit::{Permit, Waker},
    stream::remaining,
};

/// The first pause before the server is asked again; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
/// The longest pause: not felt, and a negligible load.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// The display as the input thread holds it.
#[derive(Debug)]
pub struct Station {
    /// Sends.
    pub hands: Hands,
    /// Receives.
    pub events: Events,
    clipboard: Clipboard,
    waker: Waker,
    closing: Arc<AtomicBool>,
}

impl Station {
    /// Takes over a link: subscribes to events and releases whatever is down.
    pub(super) fn take(
        link: Link,
        clipboard: Clipboard,
        waker: Waker,
        closing: Arc<AtomicBool>,
    ) -> Result<Self, LinkError> {
        let events = Events::subscribe(&link)?;
        Ok(Self { hands: Hands::take(link)?, events, clipboard, waker, closing })
    }

    /// Tells the clipboard that input follows.
    pub(super) fn input_follows(&self) {
        self.clipboard.input_follows();
    }

    /// Begins to offer a text to a client. Waits of this thread end when the offer's phase changes.
    pub(super) fn offer(&mut self, text: &str, client: u32, selections: Vec<Selection>) -> std::io::Result<Offer> {
        self.clipboard.offer(text, client, selections, self.waker.clone())
    }

    /// From here on nothing ends because the desktop is being closed: what is left to do belongs to closing it.
    pub fn outlast_closing(&mut self) {
        self.closing = Arc::default();
    }

    /// The link under the hands.
    pub fn link(&self) -> &Link {
        &self.hands.link
    }

    /// Whether a command may go on. Asked before anything is sent.
    pub fn check(&self, permit: &Permit) -> Result<(), InputCause> {
        if permit.cancellation.is_cancelled() {
            Err(InputCause::Cancelled)
        } else if self.closing.load(Ordering::Acquire) {
            Err(InputCause::ShuttingDown)
        } else if permit.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            Err(InputCause::DeadlineExceeded)
        } else {
            Ok(())
        }
    }

    /// Waits until the server has carried out everything that was sent, then whether the command may go on.
    pub fn answer(&mut self, permit: &Permit) -> Result<(), InputCause> {
        self.hands.answer()?;
        self.check(permit)
    }

    /// Waits until `done` or the given time, whichever comes first, and says whether it was `done`. Ends at once when the
    /// command may not go on, and tells.
    pub fn wait(
        &mut self,
        until: Instant,
        permit: &Permit,
        mut done: impl FnMut(&Events) -> bool,
    ) -> Result<bool, InputCause> {
        loop {
            let more = self.events.drain(&self.hands.link)?;
            if done(&self.events) {
                return Ok(true);
            }
            self.check(permit)?;
            if Instant::now() >= until {
                return Ok(false);
            }
            if !more {
                let until = permit.deadline.map_or(until, |deadline| deadline.min(until));
                self.sleep(Some(until))?;
                self.waker.clear();
            }
        }
    }

    /// Asks the server again and again until `done` says yes or the time is over, and says which. Asks at least once.
    pub fn ask_until(
        &mut self,
        limit: Duration,
        permit: &Permit,
        mut done: impl FnMut(&mut Self) -> Result<bool, InputCause>,
    ) -> Result<bool, InputCause> {
        let end = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        while !done(self)? {
            self.check(permit)?;
            let now = Instant::now();
            if now >= end {
                return Ok(false);
            }
            self.wait((now + pause).min(end), permit, |_| false)?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(true)
    }

    /// Takes the events that have arrived, without waiting. Says whether there may be more.
    pub fn listen(&mut self) -> Result<bool, LinkError> {
        self.events.drain(&self.hands.link)
    }

    /// Sleeps until the server or another thread has something, or until the given time.
    pub fn sleep(&self, until: Option<Instant>) -> Result<(), LinkError> {
        let Some(timeout) = remaining(until) else { return Ok(()) };
        let stream = self.hands.link.connection.stream();
        let mut descriptors = [PollFd::new(stream, PollFlags::IN), PollFd::new(&self.waker, PollFlags::IN)];
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(LinkError::Lost(error.to_string())),
        }
    }

    /// Takes the wake-ups so far; what they were for must be looked at afterwards.
    pub fn clear_wakes(&self) {
        self.waker.clear();
    }
}
