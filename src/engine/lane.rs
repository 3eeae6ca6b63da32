//! A session's requests in the order in which they came: one runs, the others wait.
//!
//! Waiting requests can be taken out again, so that a cancel or a deadline is answered at once even behind a `wait` of five
//! minutes. What runs is ended through its [`Cancellation`] and answers for itself.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

use crate::{
    desktop::permit::Cancellation,
    protocol::{call::Prepared, request::RequestId},
    session::registry::{DisplayEpoch, Turn},
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
}

impl Job {
    /// A request that has just arrived.
    pub fn new(prepared: Prepared, turn: Turn, epoch: Option<DisplayEpoch>, received: Instant) -> Self {
        Self { prepared, turn, epoch, received, cancellation: Cancellation::new() }
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
    running: HashMap<RequestId, Cancellation>,
    closed: bool,
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
                    state.running.insert(job.prepared.id.clone(), job.cancellation.clone());
                    return Some(job);
                }
            }
            self.changed.notified().await;
        }
    }

    /// Marks a request as running that does not wait for others.
    pub fn begin(&self, job: &Job) {
        self.lock().running.insert(job.prepared.id.clone(), job.cancellation.clone());
    }

    /// A running request has been answered.
    pub fn end(&self, id: &RequestId) {
        self.lock().running.remove(id);
    }

    /// Ends a request, waiting or running.
    pub fn cancel(&self, id: &RequestId) -> CancelOutcome {
        let mut state = self.lock();
        if let Some(cancellation) = state.running.get(id) {
            cancellation.cancel();
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

    /// Cancels everything; nothing runs from now on.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        state.running.values().for_each(Cancellation::cancel);
        drop(state);
        self.changed.notify_one();
        self.closing.notify_waiters();
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
    async fn closing_cancels_what_runs_and_drops_what_waits() {
        let lane = Lane::default();
        let running = job(1);
        lane.begin(&running);
        lane.push(job(2));
        lane.close();
        assert!(running.cancellation.is_cancelled());
        assert!(lane.next().await.is_none());
        lane.closed().await;
    }
}
