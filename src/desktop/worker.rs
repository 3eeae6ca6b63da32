//! The input thread's body: takes commands in order, and whatever ends one, lets go of what it had pressed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

use super::{
    connection::{LinkError, OPERATION_TIME},
    ended::{EndSignal, Ended},
    failure::{InputCause, InputError, Performed},
    input::{Command, Shared, answer},
    interpreter::{Interpreter, Progress},
    permit::Permit,
    station::Station,
};
use crate::{
    plan::gesture::Gesture,
    protocol::{answer::Held, error::Executed},
};

/// How long the last release may take when the desktop is closed: everything else waits for it.
pub(super) const CLOSING_TIME: Duration = Duration::from_millis(500);

/// How long the applications may take to say that they have looked up their keys before the keymap is put back: others wait
/// for the input thread meanwhile.
const PUT_BACK_LIMIT: Duration = Duration::from_millis(100);

/// Nothing is ever sent; only the end of the channel counts.
#[derive(Debug)]
pub(super) enum Never {}

/// The state of the input thread.
pub(super) struct Worker {
    shared: Arc<Shared>,
    station: Station,
    interpreter: Interpreter,
    ended: EndSignal,
    /// The connection ended, for this reason.
    lost: Option<String>,
    /// Dropped when the thread has done everything that somebody waits for.
    running: mpsc::Sender<Never>,
}

impl Worker {
    /// Prepares the thread. The receiver is closed when it has done everything that somebody waits for.
    pub(super) fn new(
        shared: Arc<Shared>,
        station: Station,
        interpreter: Interpreter,
        ended: EndSignal,
    ) -> (Self, mpsc::Receiver<Never>) {
        let (running, receiver) = mpsc::channel();
        (Self { shared, station, interpreter, ended, lost: None, running }, receiver)
    }

    /// Runs until the desktop is closed or lost.
    pub(super) fn run(mut self) {
        while self.lost.is_none() && !self.shared.closing.load(Ordering::Acquire) {
            // Cleared before the queue is looked at, so that no wake-up is lost in between.
            self.station.clear_wakes();
            match self.shared.next() {
                Some(command) => self.execute(command),
                None => self.idle(),
            }
        }
        let cause = self.lost.clone().map_or(InputCause::ShuttingDown, InputCause::Lost);
        for command in self.shared.close(cause.clone()) {
            match command {
                Command::Perform { reply, .. } => answer(reply, Err(InputError::before(cause.clone()))),
                Command::ReleaseAll { reply } => answer(reply, Held::default()),
            }
        }
        if self.lost.is_none() {
            self.release(CLOSING_TIME);
        }
        if self.lost.is_none() && !self.station.hands.is_stalled() {
            // What cannot be put back now, the next start puts back.
            self.station.outlast_closing();
            let put_back = self.interpreter.put_back(&mut self.station, PUT_BACK_LIMIT);
            self.note(put_back);
        }
        // Nobody needs to wait for the rest.
        drop(self.running);
        linger(&mut self.station);
    }

    /// Waits for something to do. The only timer is that of a page that has to be put back: an idle desktop costs nothing.
    fn idle(&mut self) {
        let listened = self.listen();
        self.note_size();
        let until = self.interpreter.put_back_at();
        let waited = listened.and_then(|more| if more { Ok(()) } else { self.station.sleep(until) });
        self.note(waited);
        if until.is_some_and(|until| until <= Instant::now()) && !self.station.hands.is_stalled() {
            let put_back = self.interpreter.put_back(&mut self.station, PUT_BACK_LIMIT);
            self.note(put_back);
        }
    }

    /// Takes what has arrived: events, and the sign of life of a server that had stopped.
    fn listen(&mut self) -> Result<bool, LinkError> {
        let more = self.station.listen()?;
        if !self.station.hands.is_stalled() {
            return Ok(more);
        }
        match self.station.hands.recover(Duration::ZERO) {
            // What else arrived with the answer is waiting inside the connection, where `sleep` would not see it.
            Ok(()) => {
                self.publish();
                Ok(true)
            }
            Err(LinkError::Unresponsive) => Ok(more),
            Err(error) => Err(error),
        }
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::ReleaseAll { reply } => {
                self.release(OPERATION_TIME);
                answer(reply, self.publish());
            }
            Command::Perform { gesture, permit, queued, reply } => {
                let began = Instant::now();
                let outcome = self.perform(&gesture, &permit);
                let held = self.publish();
                let pointer = self.station.hands.pointer;
                let performed = |()| Performed { pointer, held, queued: began - queued, acted: began.elapsed() };
                answer(reply, outcome.map(performed));
            }
        }
    }

    fn perform(&mut self, gesture: &Gesture, permit: &Permit) -> Result<(), InputError> {
        self.station.check(permit).map_err(InputError::before)?;
        if let Err(error) = self.station.hands.recover(OPERATION_TIME) {
            self.note(Err(error.clone()));
            return Err(InputError::before(error.into()));
        }
        let mut progress = Progress::default();
        let (interpreter, station, shared) = (&mut self.interpreter, &mut self.station, &self.shared);
        // Whatever a panic left half done is put right below: the ledger says what is down, and the caches are dropped.
        let run = AssertUnwindSafe(|| {
            interpreter.perform(station, gesture, permit, &mut progress, &|held| shared.set_held(held))
        });
        let outcome = catch_unwind(run);
        // Whether the text is whole does not depend on this; a lost connection is noticed by the next request.
        let finished = self.interpreter.finish(&mut self.station);
        self.note(finished);
        let cause = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(cause)) => cause,
            Err(panic) => {
                self.interpreter.forget();
                InputCause::Internal(panic_message(panic.as_ref()))
            }
        };
        Err(self.clean_up(cause, &progress))
    }

    /// Releases everything that is held, by the failed action or before it, and says how far it got: whoever reads an error
    /// starts from a desktop where nothing is down (DESIGN section 2, rule 4).
    fn clean_up(&mut self, cause: InputCause, progress: &Progress) -> InputError {
        let unresponsive = cause == InputCause::Unresponsive;
        if let InputCause::Lost(reason) = &cause {
            self.note(Err(LinkError::Lost(reason.clone())));
        } else {
            // A server that just let us wait gets no more time, so that the answer comes within two seconds.
            self.release(if unresponsive { Duration::ZERO } else { OPERATION_TIME });
        }
        // What waits in a frozen queue or in an application comes about or not, and we do not learn which.
        let open = matches!(
            cause,
            InputCause::PointerFrozen | InputCause::ClipboardTimeout { delivered: true } | InputCause::ClipboardLost
        );
        let certain = self.lost.is_none() && !self.station.hands.is_stalled() && !open;
        let executed = match (progress.sent, certain) {
            (false, _) => Executed::No,
            (true, true) => Executed::Partial,
            (true, false) => Executed::Unknown,
        };
        let typed =
            if certain && cause != InputCause::KeymapChanged { progress.typed } else { progress.typed_certainly };
        InputError { cause, executed, typed }
    }

    /// Releases everything that is held. Never panics and never waits longer than the limit (and, for what is
    /// on its way to a stopped server, a tenth of a second).
    fn release(&mut self, limit: Duration) {
        let hands = &mut self.station.hands;
        let release = AssertUnwindSafe(|| {
            if hands.is_stalled() || limit.is_zero() { hands.release_later() } else { hands.release(limit) }
        });
        // A panic inside x11rb leaves its locks poisoned: the connection is of no more use.
        let released = catch_unwind(release)
            .unwrap_or_else(|panic| Err(LinkError::Lost(format!("release failed: {}", panic_message(panic.as_ref())))));
        self.note(released);
    }

    /// Writes down what is held, for those who ask without waiting.
    fn publish(&mut self) -> Held {
        let held = self.interpreter.held(&self.station.hands.ledger);
        self.shared.set_held(held.clone());
        held
    }

    fn note(&mut self, result: Result<(), LinkError>) {
        if let Err(LinkError::Lost(reason)) = result {
            self.ended.end(Ended::Lost { reason: reason.clone() });
            self.lost.get_or_insert(reason);
        }
    }

    fn note_size(&mut self) {
        if let Some(to) = self.station.events.resized.take().filter(|&to| to != self.station.link().size) {
            self.ended.end(Ended::Resized { to });
        }
    }
}

/// Keeps the connection until a stopped server has taken the releases: it drops a client whose socket is closed without
/// reading what that client had sent before, and the keys would stay down.
fn linger(station: &mut Station) {
    while station.hands.is_stalled() {
        station.clear_wakes();
        let listened = station.listen();
        let recovered = station.hands.recover(Duration::ZERO);
        match (listened, recovered) {
            (Ok(more), Err(LinkError::Unresponsive)) => {
                if !more && station.sleep(None).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}
