//! Whether the display answers, as probes ask it: however many ask however often, the display is asked once a second at most, and
//! whoever asks meanwhile waits for the same answer.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    protocol::error::{ErrorKind, Failure},
    session::registry::DisplayEpoch,
};

/// How long an answer holds.
const HOLDS: Duration = Duration::from_secs(1);

type Answer = Result<(), Failure>;

/// The last time that the display was asked.
#[derive(Debug, Default)]
pub struct Readiness {
    asked: Mutex<Option<Asked>>,
}

#[derive(Debug)]
struct Asked {
    at: Instant,
    /// Which display: the answer of one says nothing of the next.
    epoch: DisplayEpoch,
    /// Nothing as long as it is waited for.
    answer: watch::Receiver<Option<Answer>>,
}

impl Asked {
    fn holds(&self, now: Instant, epoch: DisplayEpoch) -> bool {
        let is_fresh = now.saturating_duration_since(self.at) < HOLDS || self.answer.borrow().is_none();
        // Whoever asked may have been ended before it was answered.
        let is_alive = self.answer.has_changed().is_ok() || self.answer.borrow().is_some();
        self.epoch == epoch && is_fresh && is_alive
    }
}

impl Readiness {
    /// The answer of the last second, or that of `question`, which goes on when nobody waits for it any more.
    ///
    /// # Errors
    /// Why the display does not answer.
    pub async fn ask<Q>(&self, now: Instant, epoch: DisplayEpoch, question: impl FnOnce() -> Q) -> Answer
    where
        Q: Future<Output = Answer> + Send + 'static,
    {
        let mut answer = self.answer(now, epoch, question);
        let answered = answer.wait_for(Option::is_some).await.ok().and_then(|answer| (*answer).clone());
        answered.unwrap_or_else(|| Err(Failure::new(ErrorKind::Internal, "the display could not be asked")))
    }

    fn answer<Q>(
        &self,
        now: Instant,
        epoch: DisplayEpoch,
        question: impl FnOnce() -> Q,
    ) -> watch::Receiver<Option<Answer>>
    where
        Q: Future<Output = Answer> + Send + 'static,
    {
        // Every change is one assignment.
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = asked.as_ref().filter(|asked| asked.holds(now, epoch)) {
            return asked.answer.clone();
        }
        let (sender, answer) = watch::channel(None);
        let question = question();
        tokio::spawn(async move { sender.send_replace(Some(question.await)) });
        *asked = Some(Asked { at: now, epoch, answer: answer.clone() });
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn all_who_ask_within_a_second_share_one_round_trip_of_the_same_display() {
        let (readiness, asked) = (Readiness::default(), AtomicUsize::new(0));
        let start = Instant::now();
        let ask = |milliseconds: u64, epoch: u32| {
            readiness.ask(start + Duration::from_millis(milliseconds), DisplayEpoch(epoch), || {
                asked.fetch_add(1, Ordering::Relaxed);
                async { Ok(()) }
            })
        };
        for _ in 0..1000 {
            ask(999, 1).await.unwrap();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        ask(1998, 1).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 1, "the answer is a second old from its question on");
        ask(1999, 1).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        ask(1999, 2).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 3, "another display");
    }

    #[tokio::test]
    async fn a_display_that_hangs_is_asked_once_and_whoever_goes_away_takes_no_answer_along() {
        let (readiness, answer, start) = (Readiness::default(), Arc::new(Notify::new()), Instant::now());
        let waited_for = Arc::clone(&answer);
        let first = readiness.ask(start, DisplayEpoch(1), || async move {
            waited_for.notified().await;
            Err(Failure::new(ErrorKind::DisplayLost, "no answer"))
        });
        tokio::time::timeout(Duration::from_millis(10), first).await.expect_err("it hangs");
        let late = start + Duration::from_secs(60);
        let second = readiness.ask(late, DisplayEpoch(1), || async { unreachable!("it is being asked already") });
        answer.notify_one();
        assert_eq!(second.await.expect_err("the first question's answer").kind, ErrorKind::DisplayLost);
    }
}
