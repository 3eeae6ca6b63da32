//! A session's requests in the order in which they came: one runs, the others wait.
//!
//! Waiting requests can be taken out again, so that a cancel or a deadline is answered at once even behind a `wait` of five
//! minutes. What runs is ended through its [`Cancellation`] and answers for itself.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

use super::roster::Eviction;
use crate::{
    desktop::permit::Cancellation,
    protocol::{
        call::Prepared,
        error::{ErrorKind, Failure},
        request::RequestId,
    },
    session::{
        control,
        registry::{DisplayEpoch, Turn},
    },
};

/// A request on its way.
#[derive(Debug)]
pub struct Job {
    /// What to do.
    pub prepared: Prepared,
    /// When it runs.
    pub turn: Turn,
    /// The display that it was meant for.
    pub epoch: Option<DisplayEpoch>,
    /// When its message had arrived.
    pub received: Instant,
    /// Ends it.
    pub cancellation: Cancellation,
    /// Why it was ended, where that was not its client's wish.
    pub evicted: Arc<OnceLock<Eviction>>,
}

impl Job {
    /// A request that has just arrived.
    pub fn new(prepared: Prepared, turn: Turn, epoch: Option<DisplayEpoch>, received: Instant) -> Self {
        Self { prepared, turn, epoch, received, cancellation: Cancellation::new(), evicted: Arc::default() }
    }

    /// A failure as the client is told it: whoever was evicted has not cancelled anything.
    pub fn explain(&self, failure: Failure) -> Failure {
        match self.evicted.get() {
            Some(why) if failure.kind == ErrorKind::Cancelled => {
                Failure { kind: why.kind(), message: why.message().to_owned(), ..failure }
            }
            _ => failure,
        }
    }

    /// When its `deadline_ms` is over.
    pub fn deadline(&self) -> Option<Instant> {
        self.prepared.meta.deadline.map(|limit| self.received + limit)
    }
}

/// The requests of one session.
#[derive(Debug, Default)]
pub struct Lane {
    state: Mutex<State>,
    changed: Notify,
    /// Wakes whatever waits for the end of the lane.
    closing: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    running: HashMap<RequestId, Running>,
    closed: bool,
}

/// A request that runs.
#[derive(Debug)]
struct Running {
    kind: Kind,
    cancellation: Cancellation,
    evicted: Arc<OnceLock<Eviction>>,
}

/// What a request is to an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It acts: all of them.
    Input,
    /// It looks or waits: a halt.
    Sight,
    /// It tells about the server, or is what evicts: none.
    Talk,
}

impl Kind {
    fn of(job: &Job) -> Self {
        match &job.prepared.call {
            call if control::goes_on_while_halted(call) => Self::Talk,
            _ if job.turn == Turn::Input => Self::Input,
            _ => Self::Sight,
        }
    }

    fn is_ended_by(self, why: Eviction) -> bool {
        match self {
            Self::Input => true,
            Self::Sight => why == Eviction::Halted,
            Self::Talk => false,
        }
    }
}

impl Running {
    fn of(job: &Job) -> Self {
        let (cancellation, evicted) = (job.cancellation.clone(), Arc::clone(&job.evicted));
        Self { kind: Kind::of(job), cancellation, evicted }
    }
}

/// What became of a request that was to be cancelled.
#[derive(Debug)]
pub enum CancelOutcome {
    /// It had not begun and never will; the caller answers it.
    Removed(Box<Job>),
    /// It runs; it answers for itself when everything is released.
    Ending,
    /// There is no such request.
    NotFound,
}

impl Lane {
    /// Queues a request.
    pub fn push(&self, job: Job) {
        self.lock().waiting.push_back(job);
        self.changed.notify_one();
    }

    /// Waits for the next request and marks it as running; `None` once the lane is closed.
    pub async fn next(&self) -> Option<Job> {
        loop {
            {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                if let Some(job) = state.waiting.pop_front() {
                    state.running.insert(job.prepared.id.clone(), Running::of(&job));
                    return Some(job);
                }
            }
            self.changed.notified().await;
        }
    }

    /// Marks a request as running that does not wait for others.
    pub fn begin(&self, job: &Job) {
        self.lock().running.insert(job.prepared.id.clone(), Running::of(job));
    }

    /// A running request has been answered.
    pub fn end(&self, id: &RequestId) {
        self.lock().running.remove(id);
    }

    /// Ends a request, waiting or running.
    pub fn cancel(&self, id: &RequestId) -> CancelOutcome {
        let mut state = self.lock();
        if let Some(running) = state.running.get(id) {
            running.cancellation.cancel();
            return CancelOutcome::Ending;
        }
        match state.waiting.iter().position(|job| job.prepared.id == *id).and_then(|index| state.waiting.remove(index))
        {
            Some(job) => CancelOutcome::Removed(Box::new(job)),
            None => CancelOutcome::NotFound,
        }
    }

    /// Takes a request out if it still waits, because its deadline has passed.
    pub fn expire(&self, id: &RequestId) -> Option<Job> {
        let mut state = self.lock();
        let index = state.waiting.iter().position(|job| job.prepared.id == *id)?;
        state.waiting.remove(index)
    }

    /// Ends what an eviction concerns. What runs answers for itself; what waits comes back for the caller to answer.
    pub fn evict(&self, why: Eviction) -> Vec<Job> {
        let mut state = self.lock();
        let ends_what_runs = why != Eviction::Paused;
        for running in state.running.values().filter(|running| ends_what_runs && running.kind.is_ended_by(why)) {
            // The first reason stays: it is what ended the request.
            if running.evicted.set(why).is_ok() {
                running.cancellation.cancel();
            }
        }
        let (evicted, kept) = state.waiting.drain(..).partition(|job| Kind::of(job).is_ended_by(why));
        state.waiting = kept;
        Vec::from(evicted)
    }

    /// Cancels everything; nothing runs from now on. What waited never will.
    pub fn close(&self) -> Vec<Job> {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        state.running.values().for_each(|running| running.cancellation.cancel());
        drop(state);
        self.changed.notify_one();
        self.closing.notify_waiters();
        waiting.into()
    }

    /// Waits until the lane is closed.
    pub async fn closed(&self) {
        // Registered before the state is looked at, so that no end falls in between.
        let closing = self.closing.notified();
        if !self.lock().closed {
            closing.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic between two assignments of this small state leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{action::Action, call::Call, meta::Meta};

    fn job(number: i64) -> Job {
        let prepared = Prepared {
            id: RequestId::Number(number),
            method: "screenshot",
            call: Call::Act(Action::Screenshot),
            members: Vec::new(),
            meta: Meta::default(),
        };
        Job::new(prepared, Turn::Ordered, None, Instant::now())
    }

    #[tokio::test]
    async fn requests_run_in_order_and_a_waiting_one_can_be_taken_out() {
        let lane = Lane::default();
        (1..=3).for_each(|number| lane.push(job(number)));
        assert!(matches!(lane.cancel(&RequestId::Number(2)), CancelOutcome::Removed(_)));
        assert!(matches!(lane.cancel(&RequestId::Number(2)), CancelOutcome::NotFound));
        let first = lane.next().await.expect("the first");
        assert_eq!(first.prepared.id, RequestId::Number(1));
        assert!(matches!(lane.cancel(&RequestId::Number(1)), CancelOutcome::Ending));
        assert!(first.cancellation.is_cancelled());
        assert_eq!(lane.next().await.expect("the third").prepared.id, RequestId::Number(3));
    }

    #[tokio::test]
    async fn an_eviction_ends_what_it_concerns_and_the_reason_stays() {
        let lane = Lane::default();
        let as_input = |number| Job { turn: Turn::Input, ..job(number) };
        let (acting, looking, halting) = (as_input(1), job(2), Job { turn: Turn::AtOnce, ..job(3) });
        let call = Call::Control(crate::protocol::control::ControlCall::Halt);
        let halting = Job { prepared: Prepared { call, ..halting.prepared.clone() }, ..halting };
        for running in [&acting, &looking, &halting] {
            lane.begin(running);
        }
        lane.push(as_input(4));
        assert_eq!(lane.evict(Eviction::Paused).len(), 1, "the input that waited");
        assert!(!acting.cancellation.is_cancelled(), "what has begun goes on");
        lane.push(as_input(4));
        lane.push(job(5));
        assert_eq!(lane.evict(Eviction::LeaseLost).len(), 1, "the input that waited");
        assert!(acting.cancellation.is_cancelled() && !looking.cancellation.is_cancelled());
        assert_eq!(lane.evict(Eviction::Halted).len(), 1, "the picture that waited");
        assert!(looking.cancellation.is_cancelled() && !halting.cancellation.is_cancelled());
        assert_eq!(acting.evicted.get(), Some(&Eviction::LeaseLost));
        assert_eq!(looking.evicted.get(), Some(&Eviction::Halted));
    }

    #[tokio::test]
    async fn closing_cancels_what_runs_and_drops_what_waits() {
        let lane = Lane::default();
        let running = job(1);
        lane.begin(&running);
        lane.push(job(2));
        assert_eq!(lane.close().len(), 1);
        assert!(running.cancellation.is_cancelled());
        assert!(lane.next().await.is_none());
        lane.closed().await;
    }
}
