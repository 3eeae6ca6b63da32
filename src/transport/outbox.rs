//! What waits to be sent on one connection: a queue bounded by bytes, filled from any thread, emptied by one writer.
//!
//! A slow reader must cost neither memory nor anybody else's time, so [`Outbox::send`] never waits: it queues, or it
//! ends the connection with 1013.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use tokio::sync::Notify;

use crate::protocol::{
    limits,
    message::{BinaryMessage, MessageText},
};

/// "Try again later" (IANA WebSocket close code registry): what a reader that is too slow is told.
pub const CLOSE_OVERLOADED: u16 = 1013;

/// "Policy violation" (RFC 6455, 7.4.1): what a session is told that is ended by rule.
pub const CLOSE_POLICY: u16 = 1008;

/// The connection takes nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed")]
pub struct Closed;

/// What became of a message of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is queued.
    Queued,
    /// The reader is behind; it was not queued. Later there is something newer to offer.
    Busy,
}

/// One answer to send. Its parts follow each other on the wire with no other message between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Binary messages, with their own headers; they go first.
    pub attachments: Vec<BinaryMessage>,
    /// The JSON, which names them.
    pub text: MessageText,
}

impl Outgoing {
    /// An answer without binary messages.
    pub fn text(text: String) -> Self {
        Self { attachments: Vec::new(), text: text.into() }
    }

    /// How many bytes the answer occupies while it waits.
    pub fn bytes(&self) -> usize {
        self.attachments.iter().map(BinaryMessage::bytes).sum::<usize>() + self.text.bytes()
    }
}

/// How a connection is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The WebSocket close code.
    pub code: u16,
    /// The close reason, at most 123 bytes (RFC 6455, 5.5).
    pub reason: String,
}

/// The sending side: cheap to clone, usable from every thread.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

impl Outbox {
    /// A new outbox and the one reader that empties it.
    pub fn new() -> (Self, OutboxReader) {
        let shared = Arc::new(Shared { state: Mutex::default(), written: Notify::new() });
        (Self { shared: Arc::clone(&shared) }, OutboxReader { shared })
    }

    /// Queues a message without waiting. Past the bound everything queued is dropped and the connection ends with 1013.
    pub fn send(&self, outgoing: Outgoing) -> Result<(), Closed> {
        let bytes = outgoing.bytes();
        let mut state = self.shared.lock();
        if state.closed || state.ending.is_some() {
            return Err(Closed);
        }
        let account = if state.bounded + bytes <= limits::OUTBOUND_BYTES {
            state.bounded += bytes;
            Account::Bounded
        } else if state.bounded + state.oversized == 0 && bytes <= limits::OUTBOUND_REPLY_BYTES {
            // Kept apart from the bound, or the small answer after a large picture would end the connection.
            state.oversized = bytes;
            Account::Oversized
        } else {
            let dropped = std::mem::take(&mut state.waiting);
            state.end(CLOSE_OVERLOADED, "the reader is too slow: the outbound queue is full");
            wake(state);
            // After the lock: each delivery's charge takes it to account for itself.
            drop(dropped);
            return Err(Closed);
        };
        self.queue(state, outgoing, account, bytes);
        Ok(())
    }

    /// Queues a message of a stream if the reader keeps up, so that a stream never fills the queue and no answer finds it full
    /// because of one: what streams have queued is not counted against the bound of the answers.
    pub fn offer(&self, outgoing: Outgoing) -> Result<Offered, Closed> {
        let bytes = outgoing.bytes();
        let mut state = self.shared.lock();
        if state.closed || state.ending.is_some() {
            return Err(Closed);
        }
        // The whole screen as noise is 25 MB; nothing of a stream is larger than the largest answer.
        if state.queued() > limits::STREAM_WAITS_BEHIND_BYTES || bytes > limits::OUTBOUND_REPLY_BYTES {
            return Ok(Offered::Busy);
        }
        state.streamed += bytes;
        self.queue(state, outgoing, Account::Streamed, bytes);
        Ok(Offered::Queued)
    }

    /// Whether a stream's message would be queued at this moment, so that it need not be made for nothing.
    pub fn takes_offers(&self) -> bool {
        self.shared.lock().queued() <= limits::STREAM_WAITS_BEHIND_BYTES
    }

    fn queue(&self, mut state: MutexGuard<'_, State>, outgoing: Outgoing, account: Account, bytes: usize) {
        let charge = Charge { shared: Arc::clone(&self.shared), account, bytes };
        state.newest = bytes;
        state.waiting.push_back(Delivery { outgoing, charge });
        state.changed = true;
        wake(state);
    }

    /// Ends the connection with this code and reason, after what is queued.
    pub fn close(&self, code: u16, reason: &str) {
        let mut state = self.shared.lock();
        if !state.closed && state.ending.is_none() {
            state.end(code, reason);
            wake(state);
        }
    }

    /// Waits until the reader has taken so much that two more answers as large as the last one have room, or takes nothing any more.
    pub async fn room(&self) {
        loop {
            let mut written = std::pin::pin!(self.shared.written.notified());
            // Before looking, or what is written in between would be missed.
            written.as_mut().enable();
            {
                let state = self.shared.lock();
                let queued = state.queued();
                // Twice, as one may be on its way here already.
                let has_room = queued == 0 || queued + 2 * state.newest <= limits::OUTBOUND_BYTES;
                if has_room || state.closed || state.ending.is_some() {
                    return;
                }
            }
            written.await;
        }
    }

    /// How many bytes wait, including a message that is partly written.
    pub fn queued_bytes(&self) -> usize {
        self.shared.lock().queued()
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Outbox").field("queued_bytes", &self.queued_bytes()).finish_non_exhaustive()
    }
}

/// The emptying side. Dropping it closes the outbox and frees what waits.
pub struct OutboxReader {
    shared: Arc<Shared>,
}

impl OutboxReader {
    /// The next message, if one waits.
    pub fn try_next(&mut self) -> Option<Delivery> {
        let mut state = self.shared.lock();
        let delivery = state.waiting.pop_front();
        if delivery.is_none() {
            state.changed = false;
        }
        delivery
    }

    /// How the connection is to end, once somebody said so.
    pub fn ending(&self) -> Option<Ending> {
        self.shared.lock().ending.clone()
    }

    /// Tells senders that the reader runs and need not be woken.
    pub(super) fn awake(&mut self) {
        self.shared.lock().waker = None;
    }

    /// Asks to be woken at the next change. `false` when one has happened since the queue was last seen empty.
    pub(super) fn sleep(&mut self, waker: &Waker) -> bool {
        let mut state = self.shared.lock();
        if std::mem::take(&mut state.changed) {
            return false;
        }
        state.waker = Some(waker.clone());
        true
    }

    /// Takes nothing more; what waits can still be read.
    pub(super) fn refuse(&mut self) {
        self.shared.lock().closed = true;
    }
}

impl Drop for OutboxReader {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.shared.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        // After the lock: each delivery's charge takes it to account for itself.
        drop(waiting);
        self.shared.written.notify_waiters();
    }
}

/// A message on its way out. It counts as queued until its [`Charge`] is dropped.
pub struct Delivery {
    /// What to send.
    pub outgoing: Outgoing,
    /// Its share of the bound.
    pub charge: Charge,
}

/// A share of the bound, given back when dropped: at the last byte's writing, not when it leaves the queue.
pub struct Charge {
    shared: Arc<Shared>,
    account: Account,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        match self.account {
            Account::Bounded => state.bounded -= self.bytes,
            Account::Oversized => state.oversized = 0,
            Account::Streamed => state.streamed -= self.bytes,
        }
        drop(state);
        self.shared.written.notify_waiters();
    }
}

#[derive(Clone, Copy)]
enum Account {
    Bounded,
    Oversized,
    Streamed,
}

struct Shared {
    state: Mutex<State>,
    /// Something has been written.
    written: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is a few assignments, so a panic elsewhere leaves it consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Delivery>,
    /// Bytes of what was queued last.
    newest: usize,
    /// Bytes that count against [`limits::OUTBOUND_BYTES`].
    bounded: usize,
    /// Bytes of the one reply that may exceed it.
    oversized: usize,
    /// Bytes of streams: one message behind at most [`limits::STREAM_WAITS_BEHIND_BYTES`].
    streamed: usize,
    ending: Option<Ending>,
    closed: bool,
    changed: bool,
    /// Present while the reader sleeps, so that an answer given while it runs costs no second turn of its task.
    waker: Option<Waker>,
}

impl State {
    fn queued(&self) -> usize {
        self.bounded + self.oversized + self.streamed
    }

    fn end(&mut self, code: u16, reason: &str) {
        self.ending = Some(Ending { code, reason: reason.to_owned() });
        self.changed = true;
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
