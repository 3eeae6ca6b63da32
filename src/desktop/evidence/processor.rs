//! Whether the applications compute or wait for a processor, more than they do anyway.
//!
//! What they have used is counted by their control group, or thread by thread; how long they have waited by the group's pressure
//! file, by the threads, or by the pressure of the whole system. Waiting counts as work: on a busy machine an application that
//! has something to do may get no time to do it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

use super::{
    applications::Applications,
    cgroup::{ControlGroup, Version},
    counter::Counter,
    process_stat::ProcessStat,
    threads::ThreadClocks,
};

/// Over how long the share is taken: shorter is noise, longer hides a pause between two pieces of work.
const WINDOW: Duration = Duration::from_millis(20);
/// The least time between two readings whose difference says anything: the kernel's tick where it counts by ticks.
const LEAST: Duration = Duration::from_millis(4);
/// The share of one processor from which on somebody works.
const BUSY: f64 = 0.05;
/// How many times what is used anyway somebody has to use to count as at work.
const ABOVE_BASE: f64 = 2.0;
/// A desktop that uses this much by itself gives no evidence: a video, a game.
const RESTLESS: f64 = 0.4;
/// The share from which on somebody computes something, rather than tidying up after a drawing.
const COMPUTES: f64 = 0.5;
/// Over at least how long it is seen what is used anyway.
const BASE_TIME: Duration = Duration::from_millis(100);

/// What the applications do with the processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Nothing that they would not do anyway.
    #[default]
    None,
    /// More than that.
    Some,
    /// One of them keeps a processor busy, or waits for one.
    Computing,
}

/// The processors' side of the evidence.
#[derive(Debug)]
pub struct Processor {
    group: Option<ControlGroup>,
    threads: ThreadClocks,
    /// The pressure of the whole system, for where nothing tells that of the applications.
    system: Option<Counter>,
    /// Of the X server, which may be in the same group.
    server: Option<Counter>,
    /// Readings, the oldest first; all of them are at most a window old but for the first.
    readings: VecDeque<(Instant, Duration)>,
    /// The last reading of an earlier wait.
    idle_since: Option<(Instant, Duration)>,
    /// What is used anyway.
    base: f64,
}

impl Processor {
    /// Finds the sources.
    pub fn new(applications: &Applications) -> Self {
        let group = applications.processes().first().and_then(|&process| ControlGroup::of(process));
        let server = applications.server().filter(|_| group.as_ref().is_some_and(|group| group.has_us));
        let server = server.and_then(|server| Counter::open(format!("/proc/{server}/schedstat"), "").ok());
        let mut threads = ThreadClocks::default();
        let group_tells_all = group.as_ref().is_some_and(|group| group.waited().is_some());
        if !group_tells_all {
            threads.follow(applications.processes());
        }
        let system = if group_tells_all || !threads.is_empty() {
            None
        } else {
            Counter::open("/proc/pressure/cpu", "total=").ok()
        };
        Self { group, threads, system, server, readings: VecDeque::new(), idle_since: None, base: 0.0 }
    }

    /// What is in use.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        match &self.group {
            Some(group) if group.version == Version::Two => names.push("cgroup2_cpu"),
            Some(_) => names.push("cgroup1_cpu"),
            None => {}
        }
        if self.group.as_ref().is_some_and(|group| group.waited().is_some()) {
            names.push("cgroup2_pressure");
        }
        if !self.threads.is_empty() {
            names.push("thread_cpu");
        }
        if self.system.is_some() {
            names.push("system_pressure");
        }
        names
    }

    /// What is used now is used without the action.
    pub fn before_action(&mut self, applications: &Applications, now: Instant) {
        if self.group.is_none() && self.threads.is_empty() {
            // There was no application to look at yet.
            let base = self.base;
            *self = Self { base, ..Self::new(applications) };
        }
        self.follow_threads(applications);
        let used = self.read();
        if let Some((since, before)) = self.idle_since
            && now.saturating_duration_since(since) >= BASE_TIME
        {
            self.base = share(since, before, now, used);
        }
        self.readings.clear();
        self.readings.push_back((now, used));
        self.idle_since = Some((now, used));
    }

    /// Looks for new threads, now and then.
    pub fn follow(&mut self, applications: &mut Applications, now: Instant) {
        if !self.threads.is_empty() && applications.follow(now) {
            self.follow_threads(applications);
        }
    }

    fn follow_threads(&mut self, applications: &Applications) {
        if !self.threads.is_empty() {
            self.threads.follow(applications.processes());
        }
    }

    /// How much they work, over the last window.
    pub fn work(&mut self, applications: &Applications, now: Instant) -> Work {
        if self.readings.is_empty() {
            return Work::None;
        }
        let used = self.read();
        self.readings.push_back((now, used));
        while self.readings.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            self.readings.pop_front();
        }
        let Some(&(since, before)) = self.readings.front() else { return Work::None };
        if self.base > RESTLESS || now.saturating_duration_since(since) < LEAST {
            return Work::None;
        }
        let share = share(since, before, now, used);
        let waits = self.is_kept_waiting(applications);
        tracing::trace!(share, base = self.base, waits, "the applications' processor time");
        if share > COMPUTES || waits {
            Work::Computing
        } else if share > BUSY.max(ABOVE_BASE * self.base) {
            Work::Some
        } else {
            Work::None
        }
    }

    /// Whether one of them waits for a processor now. How long a thread has waited is told only once it runs: on a machine with six
    /// times as much to do as it can, a browser took 850 ms for what takes 330, and looked idle at first.
    fn is_kept_waiting(&self, applications: &Applications) -> bool {
        let is_runnable = |process: &u32| ProcessStat::read(*process).is_some_and(|stat| stat.runnable);
        !self.threads.is_empty() && applications.processes().iter().any(is_runnable)
    }

    /// What is used from now on is used without an action.
    pub fn after_settling(&mut self, now: Instant) {
        if !self.readings.is_empty() {
            self.idle_since = Some((now, self.read()));
            self.readings.clear();
        }
    }

    /// Used and waited so far.
    fn read(&mut self) -> Duration {
        let [ran, waited_by_threads] = self.threads.read();
        let group = self.group.as_ref();
        let used = match group.and_then(ControlGroup::used) {
            Some(used) => used.saturating_sub(self.our_share()),
            None => ran,
        };
        let system =
            || Duration::from_micros(self.system.as_ref().and_then(|system| system.read().ok()).unwrap_or_default());
        let waited = match group.and_then(ControlGroup::waited) {
            Some(waited) => waited,
            None if self.threads.is_empty() => system(),
            None => waited_by_threads,
        };
        used + waited
    }

    /// What we and the X server have used, where that is counted in the group.
    fn our_share(&self) -> Duration {
        if !self.group.as_ref().is_some_and(|group| group.has_us) {
            return Duration::ZERO;
        }
        let ours = clock_gettime(ClockId::ProcessCPUTime);
        let ours = Duration::try_from(ours).unwrap_or_default();
        let server = self.server.as_ref().and_then(|server| server.read().ok()).unwrap_or_default();
        ours + Duration::from_nanos(server)
    }
}

/// The share of one processor that was used between two readings.
fn share(since: Instant, before: Duration, now: Instant, used: Duration) -> f64 {
    let time = now.saturating_duration_since(since).as_secs_f64();
    if time > 0.0 { used.saturating_sub(before).as_secs_f64() / time } else { 0.0 }
}
