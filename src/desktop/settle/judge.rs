//! The verdict: what the signs so far say about whether the reaction to an action is over.

use std::time::{Duration, Instant};

use crate::{
    desktop::evidence::processor::Work,
    protocol::observe::{Expect, SettleReason},
};

/// How long nothing more may change: the longest pause between two steps of one drawing that left no other sign, in 98.7 % of
/// the trials (48 ms: the same share, but no room for a slower machine; 100 ms: 0.1 % more).
const QUIET: Duration = Duration::from_millis(64);
/// The same where an application has received data: a page puts what it has fetched on the screen in more steps.
const QUIET_AFTER_DATA: Duration = Duration::from_millis(100);
/// How long data that was received may take to show. Without this 7 % fewer were right.
const DATA_SHOWS_WITHIN: Duration = Duration::from_millis(150);
/// A change this short before data was received may be what they changed: the kernel's clock for them ticks every 4 ms.
const DATA_TICK: Duration = Duration::from_millis(4);
/// How long after its last sign an application still counts as at work: a little more than two samples.
const AT_WORK: Duration = Duration::from_millis(20);
/// How long the result of work may take to show: a page that has computed hands what is to be drawn on to other threads and
/// processes, which on a busy machine wait for their turn. A wait in a processor's queue is told only when it is over.
const WORK_SHOWS_WITHIN: Duration = Duration::from_millis(100);
/// How many samples with somebody computing and without a change make it work that has a result to show: more than what any input
/// causes. What only tidies up after a drawing does not count, or a browser that does so for 40 ms is waited for 100 ms more:
/// 150 to 230 ms beyond its own time instead of 73.
const COMPUTING_SAMPLES: u32 = 4;
/// After this time a command in a terminal's foreground is one that stays there.
const COMMAND_TIME: Duration = Duration::from_secs(2);

/// What must be the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What must happen.
    pub expect: Expect,
    /// How long nothing may happen before nothing will.
    pub react: Duration,
    /// How long nothing more may happen; `None` leaves it to the evidence.
    pub quiet: Option<Duration>,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// What the applications were seen to do at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// What they do with the processor.
    pub work: Work,
    /// One of them has sent something after the action and waits for the answer.
    pub pending: bool,
    /// When one of them last received data after the action.
    pub received: Option<Instant>,
    /// A command works in the foreground of a terminal.
    pub command: bool,
}

/// Collects the signs after one action.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    rules: Rules,
    acted: Instant,
    changed: Option<Instant>,
    busy: Option<Instant>,
    /// How often they were seen computing since something last changed.
    computing: u32,
    pending: bool,
    received: Option<Instant>,
    command: Option<Instant>,
}

impl Judge {
    /// Nothing has been seen since the action ended.
    pub const fn new(rules: Rules, acted: Instant) -> Self {
        Self { rules, acted, changed: None, busy: None, computing: 0, pending: false, received: None, command: None }
    }

    /// Something changed that counts.
    pub fn note_change(&mut self, at: Instant) {
        self.changed = self.changed.max(Some(at));
        self.computing = 0;
    }

    /// What the applications do.
    pub fn note_sample(&mut self, at: Instant, sample: Sample) {
        if sample.work > Work::None {
            self.busy = Some(at);
        }
        if sample.work == Work::Computing {
            self.computing += 1;
        }
        self.pending = sample.pending;
        self.received = self.received.max(sample.received);
        if sample.command && at.saturating_duration_since(self.acted) < COMMAND_TIME {
            self.command = Some(at);
        }
    }

    /// Why the wait is over, if it is.
    pub fn verdict(&self, now: Instant) -> Option<SettleReason> {
        let since = |at: Instant| now.saturating_duration_since(at);
        let settled = match self.changed {
            Some(changed) => (since(changed) >= self.quiet()).then_some(SettleReason::Quiet),
            None if self.rules.expect == Expect::Change => None,
            None => (since(self.acted) >= self.rules.react).then_some(SettleReason::Unchanged),
        };
        let is_over = since(self.acted) >= self.rules.timeout;
        settled.filter(|_| !self.is_waiting(now)).or(is_over.then_some(SettleReason::Timeout))
    }

    fn quiet(&self) -> Duration {
        let by_evidence = if self.received.is_some() { QUIET_AFTER_DATA } else { QUIET };
        self.rules.quiet.unwrap_or(by_evidence)
    }

    /// Whether the applications are still on their way to something.
    fn is_waiting(&self, now: Instant) -> bool {
        let recently = |at: Option<Instant>, time| at.is_some_and(|at| now.saturating_duration_since(at) < time);
        let has_shown = |received: Instant| self.changed.is_some_and(|changed| changed + DATA_TICK >= received);
        let data_on_their_way = recently(self.received, DATA_SHOWS_WITHIN) && !self.received.is_some_and(has_shown);
        let shows_within = if self.computing < COMPUTING_SAMPLES { AT_WORK } else { WORK_SHOWS_WITHIN };
        self.pending || data_on_their_way || recently(self.busy, shows_within) || recently(self.command, AT_WORK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        expect: Expect::Anything,
        react: Duration::from_millis(250),
        quiet: None,
        timeout: Duration::from_secs(3),
    };

    fn computing(computes: bool) -> Work {
        if computes { Work::Computing } else { Work::None }
    }

    /// The millisecond of the verdict, if `look` tells the judge what is to be seen at each.
    fn verdict(rules: Rules, mut look: impl FnMut(&mut Judge, u64, Instant)) -> (u64, SettleReason) {
        let acted = Instant::now();
        let mut judge = Judge::new(rules, acted);
        for millisecond in 0..100_000 {
            let now = acted + Duration::from_millis(millisecond);
            look(&mut judge, millisecond, now);
            if let Some(reason) = judge.verdict(now) {
                return (millisecond, reason);
            }
        }
        panic!("no verdict");
    }

    #[test]
    fn nothing_for_long_enough_is_nothing() {
        assert_eq!(verdict(RULES, |_, _, _| {}), (250, SettleReason::Unchanged));
        let patient = Rules { react: Duration::from_secs(2), ..RULES };
        assert_eq!(verdict(patient, |_, _, _| {}), (2000, SettleReason::Unchanged));
    }

    #[test]
    fn a_reaction_is_over_when_nothing_more_has_changed_for_a_while() {
        let steps = |judge: &mut Judge, at: u64, now: Instant| {
            if [30, 60, 90].contains(&at) {
                judge.note_change(now);
            }
        };
        assert_eq!(verdict(RULES, steps), (154, SettleReason::Quiet));
        let patient = Rules { quiet: Some(Duration::from_millis(320)), ..RULES };
        assert_eq!(verdict(patient, steps), (410, SettleReason::Quiet));
    }

    #[test]
    fn work_is_waited_for_and_what_never_ends_is_not() {
        let work = |until: u64| {
            move |judge: &mut Judge, at: u64, now: Instant| {
                judge.note_sample(now, Sample { work: computing(at < until), ..Sample::default() });
            }
        };
        assert_eq!(verdict(RULES, work(700)), (799, SettleReason::Unchanged), "100 ms to show something");
        assert_eq!(verdict(RULES, work(3)), (250, SettleReason::Unchanged), "as any input causes");
        assert_eq!(verdict(RULES, work(u64::MAX)), (3000, SettleReason::Timeout));
        let command = |judge: &mut Judge, _: u64, now: Instant| {
            judge.note_sample(now, Sample { command: true, ..Sample::default() });
        };
        assert_eq!(verdict(RULES, command), (2019, SettleReason::Unchanged), "it stays in the foreground");
    }

    #[test]
    fn the_result_of_work_is_waited_for_and_the_end_of_a_drawing_is_not() {
        let compute = |until: u64, shows: u64| {
            move |judge: &mut Judge, at: u64, now: Instant| {
                judge.note_sample(
                    now,
                    Sample { work: computing(at < until && at.is_multiple_of(8)), ..Sample::default() },
                );
                if at == 10 || at == shows {
                    judge.note_change(now);
                }
            }
        };
        assert_eq!(
            verdict(RULES, compute(300, 380)),
            (444, SettleReason::Quiet),
            "a button is pressed, then it computes"
        );
        assert_eq!(verdict(RULES, compute(34, u64::MAX)), (74, SettleReason::Quiet), "three samples of drawing");
        let tidy_up = |judge: &mut Judge, at: u64, now: Instant| {
            let work = if at < 60 && at.is_multiple_of(8) { Work::Some } else { Work::None };
            judge.note_sample(now, Sample { work, ..Sample::default() });
            if at == 10 {
                judge.note_change(now);
            }
        };
        assert_eq!(verdict(RULES, tidy_up), (76, SettleReason::Quiet), "20 ms after the last of it");
    }

    #[test]
    fn an_answer_is_waited_for_and_then_what_it_shows() {
        let fetch = |shows: u64| {
            move |judge: &mut Judge, at: u64, now: Instant| {
                let received = (at >= 400).then(|| now.checked_sub(Duration::from_millis(at - 400)).unwrap());
                judge.note_sample(now, Sample { pending: at < 400, received, ..Sample::default() });
                if at == shows {
                    judge.note_change(now);
                }
            }
        };
        assert_eq!(verdict(RULES, fetch(440)), (540, SettleReason::Quiet), "100 ms after data");
        assert_eq!(verdict(RULES, fetch(u64::MAX)), (550, SettleReason::Unchanged), "150 ms to show something");
        assert_eq!(verdict(RULES, fetch(398)), (498, SettleReason::Quiet), "the change is what came with them");
    }

    #[test]
    fn an_expected_change_is_waited_for_up_to_the_time_out() {
        let rules = Rules { expect: Expect::Change, ..RULES };
        let timer = |judge: &mut Judge, at: u64, now: Instant| {
            if at == 1200 {
                judge.note_change(now);
            }
        };
        assert_eq!(verdict(rules, timer), (1264, SettleReason::Quiet));
        assert_eq!(verdict(rules, |_, _, _| {}), (3000, SettleReason::Timeout));
    }
}
