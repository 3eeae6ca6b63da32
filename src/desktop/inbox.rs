//! What a thread with a connection of its own waits for: questions from other threads and, between them, whatever the
//! server says unasked.
//!
//! Every client is told of each change of the keyboard's map, and nobody can decline (`MappingNotify`). Whoever does not read
//! that has it pile up in the server, and then all at once in his own memory with the next question.

use std::{
    fmt,
    sync::mpsc::{self, TryRecvError},
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use x11rb::protocol::Event;

use super::{
    connection::{Link, LinkError},
    permit::Waker,
    stream::remaining,
};

/// How many events are taken in before questions and the time get their turn: a storm of them can last, and this many take
/// a few milliseconds.
const EVENTS_AT_ONCE: usize = 4096;

/// Wakes the thread when the last question has been asked: nobody is there any more.
#[derive(Debug)]
struct WakeAtTheEnd(Waker);

impl Drop for WakeAtTheEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Where questions go in.
pub(super) struct Slot<T> {
    // Dropped in this order: the thread wakes and finds that no sender is left.
    sender: mpsc::Sender<T>,
    waker: WakeAtTheEnd,
}

/// Without asking the questions for theirs.
impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<T> Slot<T> {
    /// Asks. If the thread is gone, the question is dropped, and whoever waits for an answer notices that.
    pub(super) fn put(&self, question: T) {
        drop(self.sender.send(question));
        self.waker.0.wake();
    }
}

/// Where the thread takes them out.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    receiver: mpsc::Receiver<T>,
    waker: Waker,
}

/// Whether an event ends the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hearing {
    /// It can wait.
    GoOn,
    /// It cannot.
    Stop,
}

/// What came.
#[derive(Debug)]
pub(super) enum Next<T> {
    /// A question.
    Question(T),
    /// Something was heard that is not to wait.
    Heard,
    /// The time is over.
    Timeout,
    /// Nobody can ask any more.
    Closed,
}

impl<T> Inbox<T> {
    /// An inbox and its slot.
    pub(super) fn new() -> std::io::Result<(Slot<T>, Self)> {
        let (sender, receiver) = mpsc::channel();
        let waker = Waker::new()?;
        Ok((Slot { sender, waker: WakeAtTheEnd(waker.clone()) }, Self { receiver, waker }))
    }

    /// Waits for the next question; gives events to `hear` meanwhile, each with the number of the last request of ours that the
    /// server had dealt with before it. What `hear` says of one decides whether the wait goes on.
    ///
    /// # Errors
    /// The connection ended. [`Inbox::refuse_all`] then answers who asks.
    pub(super) fn next(
        &self,
        link: &Link,
        until: Option<Instant>,
        mut hear: impl FnMut(&Event, u64) -> Hearing,
    ) -> Result<Next<T>, LinkError> {
        loop {
            // Cleared before the questions are looked at, so that no wake-up is lost in between.
            self.waker.clear();
            match self.receiver.try_recv() {
                Ok(question) => return Ok(Next::Question(question)),
                Err(TryRecvError::Disconnected) => return Ok(Next::Closed),
                Err(TryRecvError::Empty) => {}
            }
            let (mut hearing, mut heard) = (Hearing::GoOn, 0);
            while heard < EVENTS_AT_ONCE
                && let Some((event, after)) = link.next_event()?
            {
                hearing = hearing.max(hear(&event, after));
                heard += 1;
            }
            if hearing == Hearing::Stop {
                return Ok(Next::Heard);
            }
            let Some(timeout) = remaining(until) else { return Ok(Next::Timeout) };
            if heard == EVENTS_AT_ONCE {
                continue;
            }
            let stream = link.connection.stream();
            let mut descriptors = [PollFd::new(stream, PollFlags::IN), PollFd::new(&self.waker, PollFlags::IN)];
            match poll(&mut descriptors, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(LinkError::Lost(error.to_string())),
            }
        }
    }

    /// The questions that wait already.
    pub(super) fn waiting(&self) -> impl Iterator<Item = T> {
        self.receiver.try_iter()
    }

    /// Gives every question that comes from now on to `refuse`, until nobody can ask any more.
    pub(super) fn refuse_all(&self, refuse: impl FnMut(T)) {
        self.receiver.iter().for_each(refuse);
    }
}
