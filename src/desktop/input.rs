//! The input thread as the rest of the program sees it: commands go in, one after the other, answers come back.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Instant,
};

use tokio::sync::oneshot;

use super::{
    clipboard::Clipboard,
    connection::{Link, LinkError, OPERATION_TIME},
    ended::EndSignal,
    failure::{InputCause, InputError, Performed},
    faults::Faults,
    interpreter::Interpreter,
    keyboard::{Keyboard, Ownership},
    permit::{Permit, Waker},
    station::Station,
    target::Target,
    worker::{CLOSING_TIME, Never, Worker},
};
use crate::{plan::gesture::Gesture, protocol::answer::Held};

/// What a command on the input thread is.
#[derive(Debug)]
pub(super) enum Command {
    /// Carries out a gesture.
    Perform { gesture: Gesture, permit: Permit, queued: Instant, reply: oneshot::Sender<Result<Performed, InputError>> },
    /// Releases everything.
    ReleaseAll { reply: oneshot::Sender<Held> },
}

/// What the thread and its users share.
#[derive(Debug)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    /// What can be read without waiting for the thread.
    held: Mutex<Held>,
    pub(super) closing: Arc<AtomicBool>,
    pub(super) waker: Waker,
}

#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    /// Why nothing is taken any more.
    closed: Option<InputCause>,
}

/// Every lock here is held for a few assignments that cannot panic, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The next command.
    pub(super) fn next(&self) -> Option<Command> {
        lock(&self.queue).commands.pop_front()
    }

    /// Takes no more commands and hands back those that did not run.
    pub(super) fn close(&self, cause: InputCause) -> VecDeque<Command> {
        let mut queue = lock(&self.queue);
        queue.closed.get_or_insert(cause);
        std::mem::take(&mut queue.commands)
    }

    pub(super) fn set_held(&self, held: Held) {
        *lock(&self.held) = held;
    }
}

/// The input thread. Dropping it releases everything that is held, within a bounded time.
#[derive(Debug)]
pub struct Input {
    shared: Arc<Shared>,
    /// Closed when the thread has done everything that somebody waits for.
    running: Mutex<mpsc::Receiver<Never>>,
}

impl Input {
    /// Starts the thread on a link of its own, which it has first: it releases whatever the server says is down. A display of
    /// our own gets the wide keymap first. `target` is the same display, for the clipboard's connection; `faults` are what
    /// tests put in.
    pub fn start(link: Link, target: Target, ended: EndSignal, faults: Faults) -> Result<Self, LinkError> {
        let system = |error: std::io::Error| LinkError::Lost(error.to_string());
        let waker = Waker::new().map_err(system)?;
        let closing = Arc::new(AtomicBool::new(false));
        let ownership = if target.expected_server.is_some() { Ownership::Owned } else { Ownership::Attached };
        let mut station = Station::take(link, Clipboard::new(target), waker.clone(), closing.clone())?;
        let mut keyboard = Keyboard::new(ownership);
        keyboard.prepare(&mut station)?;
        let interpreter = Interpreter::new(keyboard, faults);
        let shared = Arc::new(Shared { queue: Mutex::default(), held: Mutex::default(), closing, waker });
        let (worker, running) = Worker::new(shared.clone(), station, interpreter, ended);
        std::thread::Builder::new().name("input".into()).spawn(move || worker.run()).map_err(system)?;
        Ok(Self { shared, running: Mutex::new(running) })
    }

    /// Carries out a gesture after everything that was asked for before. The answer comes when the server has carried it
    /// out, or when it ended early and everything that it had pressed is released.
    pub fn perform(&self, gesture: Gesture, permit: Permit) -> oneshot::Receiver<Result<Performed, InputError>> {
        let (reply, receiver) = oneshot::channel();
        permit.cancellation.wakes(&self.shared.waker);
        let mut queue = lock(&self.shared.queue);
        if let Some(cause) = &queue.closed {
            answer(reply, Err(InputError::before(cause.clone())));
        } else {
            queue.commands.push_back(Command::Perform { gesture, permit, queued: Instant::now(), reply });
            drop(queue);
            self.shared.waker.wake();
        }
        receiver
    }

    /// Releases everything that is held, after everything that was asked for before. Answers with what may still be held
    /// because the server does not answer; then the release is on its way.
    pub fn release_all(&self) -> oneshot::Receiver<Held> {
        let (reply, receiver) = oneshot::channel();
        let mut queue = lock(&self.shared.queue);
        if queue.closed.is_some() {
            answer(reply, Held::default());
        } else {
            queue.commands.push_back(Command::ReleaseAll { reply });
            drop(queue);
            self.shared.waker.wake();
        }
        receiver
    }

    /// What is held, as of the last command that ended.
    pub fn held(&self) -> Held {
        lock(&self.shared.held).clone()
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.waker.wake();
        // A command that runs ends at its next look at the flag or when the server owes an answer for too long; then
        // the last release has its own limit. On a stopped server the thread stays behind until that is through.
        drop(lock(&self.running).recv_timeout(OPERATION_TIME + CLOSING_TIME));
    }
}

/// Hands over an answer. Whoever does not wait for it any more does not need it.
pub(super) fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    drop(reply.send(value));
}
