//! The capture thread: pictures that are asked for, and watchers that are told of every change.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Attendance, CaptureError, CursorOverlay, Frame, FrameRequest,
    screen::{Captured, Screen},
    watch::{Baseline, IDLE_LOOK_INTERVAL, Look, Surroundings, Turn, Watch},
};
use crate::desktop::{
    connection::LinkError,
    ended::{EndSignal, Ended},
    evidence::Evidence,
    inbox::{Inbox, Next},
    settle::{
        ambient::{Ambient, REACTION_TIME},
        history::History,
    },
};

/// How long nothing must be captured before shared memory goes back to the system. Longer than the pause between two steps of
/// a quick controller, so that these find the memory in place; one wake-up, then none.
const RELEASE_AFTER: Duration = Duration::from_secs(5);
/// How often the screen is looked at where nothing tells that something was drawn.
const BLIND_LOOK_INTERVAL: Duration = Duration::from_millis(16);
/// Actions that follow each other within this time are one: what is used by then is the first one's effect.
const SAME_ACTION: Duration = Duration::from_millis(20);

pub(super) type Work = Box<dyn FnOnce(Result<Frame<'_>, CaptureError>) + Send>;

pub(super) enum Job {
    /// A picture is wanted.
    Picture { request: FrameRequest, work: Work },
    /// Somebody watches from now on.
    Watch(Box<dyn Watch>),
    /// Something is different for those who watch, though nothing on the screen is.
    Nudge,
    /// Somebody is about to act, and may wait until everything has been looked at.
    ActionBegins(Option<oneshot::Sender<()>>),
    /// The sources of evidence.
    Evidence(oneshot::Sender<Result<Vec<&'static str>, CaptureError>>),
}

struct Watcher {
    watch: Box<dyn Watch>,
    /// When it is its turn again; `None` when something has changed.
    turn: Option<Instant>,
}

/// What a watcher has said at its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    GoOn,
    Leave,
    Finish,
}

pub(super) struct Worker {
    screen: Screen,
    evidence: Option<Evidence>,
    ambient: Ambient,
    history: History,
    watchers: Vec<Watcher>,
    /// When the last action began.
    acted: Option<Instant>,
    /// An answer has called the screen settled since.
    settled: bool,
    looked: Option<Instant>,
    /// When shared memory goes back.
    release: Option<Instant>,
    last_serial: Arc<AtomicU64>,
    attendance: Attendance,
    ended: EndSignal,
}

impl Worker {
    pub(super) fn new(screen: Screen, last_serial: Arc<AtomicU64>, attendance: Attendance, ended: EndSignal) -> Self {
        Self {
            screen,
            evidence: None,
            ambient: Ambient::default(),
            history: History::default(),
            watchers: Vec::new(),
            acted: None,
            settled: false,
            looked: None,
            release: None,
            last_serial,
            attendance,
            ended,
        }
    }

    pub(super) fn run(mut self, jobs: &Inbox<Job>) {
        let lost = loop {
            let until = self.wakes_at();
            let next = self.screen.wait(jobs, until);
            let served = match next {
                Ok(Next::Question(job)) => self.serve(job, jobs),
                Ok(Next::Heard | Next::Timeout) => Ok(()),
                Ok(Next::Closed) => return,
                Err(LinkError::Lost(reason)) => Err(reason),
                Err(error) => Err(error.to_string()),
            };
            if let Err(lost) = served.and_then(|()| self.turn(jobs)) {
                break lost;
            }
        };
        self.ended.end(Ended::Lost { reason: lost.clone() });
        let error = CaptureError::Lost(lost);
        self.fail_watchers(&error);
        jobs.refuse_all(|job| refuse(job, &error));
    }

    /// When there is something to do though nobody asks.
    fn wakes_at(&self) -> Option<Instant> {
        let turns = self.watchers.iter().filter_map(|watcher| watcher.turn);
        turns.chain(self.release).chain(self.next_look()).min()
    }

    /// When the screen is to be looked at; never as long as nothing was drawn or nobody is interested.
    fn next_look(&self) -> Option<Instant> {
        let wanted = self.watchers.iter().map(|watcher| watcher.watch.interval()).min();
        let interval = match self.screen.is_drawn() {
            Some(false) => return None,
            Some(true) => wanted.or_else(|| self.attendance.is_anybody().then_some(IDLE_LOOK_INTERVAL))?,
            None => wanted?.max(BLIND_LOOK_INTERVAL),
        };
        Some(self.looked.map_or_else(Instant::now, |looked| looked + interval))
    }

    fn serve(&mut self, job: Job, jobs: &Inbox<Job>) -> Result<(), String> {
        match job {
            Job::Picture { request, work } => self.take_picture(request, work, jobs),
            Job::Watch(watch) => self.begin(watch, jobs),
            Job::Nudge => {
                let now = Instant::now();
                self.watchers.iter_mut().for_each(|watcher| watcher.turn = Some(now));
                // Those who show it wait for one that may be shown.
                if self.screen.has_been_uncovered() { lost(self.look(PLAIN).as_ref().err()) } else { Ok(()) }
            }
            Job::ActionBegins(waiting) => self.action_begins(waiting),
            Job::Evidence(sender) => {
                // Only a first look tells whether the server says when something is drawn.
                if !self.screen.is_ready()
                    && let Err(error) = self.look(PLAIN)
                {
                    let lost = lost(Some(&error));
                    sender.send(Err(error)).ok();
                    return lost;
                }
                let names = self.evidence().map(|evidence| evidence.names());
                let names = names.map_err(CaptureError::from);
                let lost = lost(names.as_ref().err());
                drop(sender.send(names.map(|mut names| {
                    let damage = self.screen.is_drawn().map(|_| "damage");
                    names.splice(0..0, damage.into_iter().chain(["pixels"]));
                    names
                })));
                lost
            }
        }
    }

    /// Captures and answers. The error is why no later capture can succeed.
    fn take_picture(&mut self, request: FrameRequest, work: Work, jobs: &Inbox<Job>) -> Result<(), String> {
        let started = Instant::now();
        let captured = self.look(request);
        let waiting = waited_long_enough(captured.as_ref().err(), jobs);
        let lost = lost(captured.as_ref().err());
        let frame = captured.and_then(|captured| frame(&self.screen, captured, started.elapsed()));
        attempt(|| work(frame));
        for job in waiting {
            refuse(job, &CaptureError::Unresponsive);
        }
        lost
    }

    fn begin(&mut self, mut watch: Box<dyn Watch>, jobs: &Inbox<Job>) -> Result<(), String> {
        // The first look of all is none: there is nothing to compare it with.
        let is_known = self.screen.is_ready() && watch.baseline() == Baseline::LastFrame;
        let captured = if is_known { Ok(()) } else { self.look(PLAIN).map(drop) };
        if let Err(error) = captured {
            let (lost, waiting) = (lost(Some(&error)), waited_long_enough(Some(&error), jobs));
            attempt(|| watch.finish(Err(error)));
            for job in waiting {
                refuse(job, &CaptureError::Unresponsive);
            }
            return lost;
        }
        // Those for whom nobody waits any more leave now, so that no more of them stay than there are requests.
        for watcher in &mut self.watchers {
            watcher.turn = Some(Instant::now());
        }
        let (frame, history) = (&self.screen.frame, &self.history);
        attempt(|| watch.begin(frame, history));
        self.watchers.push(Watcher { watch, turn: Some(Instant::now()) });
        Ok(())
    }

    fn action_begins(&mut self, waiting: Option<oneshot::Sender<()>>) -> Result<(), String> {
        let now = Instant::now();
        let is_new = self.acted.is_none_or(|acted| self.settled || now.saturating_duration_since(acted) >= SAME_ACTION);
        let mut outcome = Ok(());
        if is_new || waiting.is_some() {
            outcome = self.evidence().map(drop);
            if let (Some(evidence), Ok(())) = (&mut self.evidence, &outcome) {
                outcome = evidence.before_action(&self.screen.link, now);
            }
        }
        let mut outcome = lost(outcome.map_err(CaptureError::from).as_ref().err());
        if waiting.is_some() && outcome.is_ok() {
            // What was drawn before must not count as the action's effect.
            outcome = lost(self.look(PLAIN).as_ref().err());
        }
        (self.acted, self.settled) = (Some(now), false);
        self.history.clear();
        if let Some(waiting) = waiting {
            // Whoever waited may have gone.
            waiting.send(()).ok();
        }
        outcome
    }

    /// The sources of evidence, found out once.
    fn evidence(&mut self) -> Result<&mut Evidence, LinkError> {
        let found = match self.evidence.take() {
            Some(evidence) => evidence,
            None => Evidence::new(&self.screen.link)?,
        };
        Ok(self.evidence.insert(found))
    }

    /// Brings the frame up to date and tells the watchers what is different.
    fn look(&mut self, request: FrameRequest) -> Result<Captured, CaptureError> {
        let before = self.screen.frame.serial();
        let captured = self.screen.capture(request);
        let now = Instant::now();
        self.looked = Some(now);
        self.release = Some(now + RELEASE_AFTER);
        let captured = captured?;
        let serial = self.screen.frame.serial();
        self.last_serial.store(serial, Ordering::Release);
        if serial != before && before > 0 {
            self.tell(before, now);
        }
        Ok(captured)
    }

    fn tell(&mut self, before: u64, now: Instant) {
        let frame = &self.screen.frame;
        let Some(pixels) = frame.pixels() else { return };
        let changed: Vec<_> = frame.tiles().changed_since(before).collect();
        let unprompted = self.acted.is_none_or(|acted| now.saturating_duration_since(acted) >= REACTION_TIME);
        let told = self.ambient.sift(&pixels, &changed, unprompted, now);
        if !told.is_empty() {
            self.history.note(now, &told);
        }
        let look = Look { at: now, pixels, frame, changed: &changed, told: &told, after_settling: self.settled };
        for watcher in &mut self.watchers {
            attempt(|| watcher.watch.look(&look));
            watcher.turn = Some(now);
        }
    }

    /// Does what is due.
    fn turn(&mut self, jobs: &Inbox<Job>) -> Result<(), String> {
        let now = Instant::now();
        if let Some(size) = self.screen.resized() {
            self.fail_watchers(&CaptureError::Resized(size));
        }
        if self.next_look().is_some_and(|at| at <= now)
            && let Err(error) = self.look(PLAIN)
        {
            let waiting = waited_long_enough(Some(&error), jobs);
            self.fail_watchers(&error);
            for job in waiting {
                refuse(job, &error);
            }
            lost(Some(&error))?;
        }
        if self.release.is_some_and(|at| at <= now) {
            self.screen.release();
            self.release = None;
        }
        self.watchers_turns()
    }

    fn watchers_turns(&mut self) -> Result<(), String> {
        let mut index = 0;
        while let Some(watcher) = self.watchers.get(index) {
            let is_due = watcher.turn.is_some_and(|at| at <= Instant::now());
            match if is_due { self.ask(index) } else { Wish::GoOn } {
                Wish::GoOn => index += 1,
                Wish::Leave => drop(self.watchers.swap_remove(index)),
                Wish::Finish => self.finish(index)?,
            }
        }
        Ok(())
    }

    /// Asks a watcher what it wants, and notes when it is its turn again if it wants to go on.
    fn ask(&mut self, index: usize) -> Wish {
        let Some(watcher) = self.watchers.get_mut(index) else { return Wish::Leave };
        let (now, mut turn) = (Instant::now(), Turn::Finish);
        let mut surroundings =
            Surroundings { now, frame: &self.screen.frame, view: self.screen.view(), evidence: self.evidence.as_mut() };
        attempt(|| turn = watcher.watch.turn(&mut surroundings));
        watcher.turn = match turn {
            Turn::WaitUntil(at) => Some(at),
            Turn::WaitForChange => None,
            Turn::Leave => return Wish::Leave,
            Turn::Finish => return Wish::Finish,
        };
        Wish::GoOn
    }

    fn finish(&mut self, index: usize) -> Result<(), String> {
        let started = Instant::now();
        let Some(watcher) = self.watchers.get_mut(index) else { return Ok(()) };
        watcher.turn = None;
        let request = watcher.watch.request();
        let captured = self.look(request);
        // It was told if that look has found something, and may want to go on: what it ends with is to be what it has seen.
        let is_told = self.watchers.get(index).is_some_and(|watcher| watcher.turn.is_some());
        if captured.is_ok() && is_told && self.ask(index) == Wish::GoOn {
            return Ok(());
        }
        let Watcher { watch, .. } = self.watchers.swap_remove(index);
        let settled = watch.calls_it_settled();
        let lost = lost(captured.as_ref().err());
        let frame = captured.and_then(|captured| frame(&self.screen, captured, started.elapsed()));
        attempt(|| watch.finish(frame));
        self.settled |= settled;
        if settled
            && !self.watchers.iter().any(|watcher| watcher.watch.calls_it_settled())
            && let Some(evidence) = &mut self.evidence
        {
            evidence.after_settling(Instant::now());
        }
        lost
    }

    fn fail_watchers(&mut self, error: &CaptureError) {
        for watcher in self.watchers.drain(..) {
            attempt(|| watcher.watch.finish(Err(error.clone())));
        }
    }
}

const PLAIN: FrameRequest = FrameRequest { cursor: CursorOverlay::Without };

fn frame(screen: &Screen, captured: Captured, capture_time: Duration) -> Result<Frame<'_>, CaptureError> {
    let pixels = screen.frame.pixels().ok_or_else(|| CaptureError::Lost("the screen has no pixels".into()))?;
    let (serial, tiles, view) = (screen.frame.serial(), screen.frame.tiles(), screen.view());
    let Captured { pointer, cursor } = captured;
    Ok(Frame { serial, pixels, tiles, cursor, pointer, view, capture_time })
}

/// Whoever asked during a wait that timed out has waited long enough: nobody is to wait for several deadlines. They are taken
/// before anyone is answered, so that a request that follows on an answer gets an attempt of its own.
fn waited_long_enough(error: Option<&CaptureError>, jobs: &Inbox<Job>) -> Vec<Job> {
    if error == Some(&CaptureError::Unresponsive) { jobs.waiting().collect() } else { Vec::new() }
}

/// The reason when no later capture can succeed.
fn lost(error: Option<&CaptureError>) -> Result<(), String> {
    match error {
        Some(CaptureError::Lost(reason)) => Err(reason.clone()),
        _ => Ok(()),
    }
}

fn refuse(job: Job, error: &CaptureError) {
    match job {
        Job::Picture { work, .. } => attempt(|| work(Err(error.clone()))),
        Job::Watch(watch) => attempt(|| watch.finish(Err(error.clone()))),
        Job::Nudge => {}
        // Who waits for it looks next, and is told then.
        Job::ActionBegins(waiting) => drop(waiting),
        Job::Evidence(sender) => drop(sender.send(Err(error.clone()))),
    }
}

/// Runs foreign work. A panic in it is reported and must not take the pictures of everybody else with it; the frame is only
/// lent to it, so no state of ours can be half changed.
fn attempt(work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!("work on a frame panicked; its request is answered as an internal error");
    }
}
