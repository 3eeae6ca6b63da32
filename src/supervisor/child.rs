//! Processes of ours: how they are started so that none outlives us, and how a whole group of them is ended.

use std::{
    ffi::OsStr,
    io,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, retry_on_intr},
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, pidfd_send_signal,
        test_kill_process_group, waitpid,
    },
};

/// This very program, even when its file has been replaced since.
pub(super) const OURSELVES: &str = "/proc/self/exe";
/// How long the kernel may take to end a killed group. A process that hangs in a system call ends when that does, and
/// nobody can hurry it: we go on without it.
const AFTER_KILL: Duration = Duration::from_secs(1);

/// The signal that the kernel sends to a child when we die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathSignal {
    /// SIGKILL: it ends.
    Kill,
    /// SIGTERM: it has something to put in order first.
    Term,
}

impl DeathSignal {
    const ALL: [Self; 2] = [Self::Kill, Self::Term];

    const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Term => "term",
        }
    }
}

impl FromStr for DeathSignal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let signal = Self::ALL.into_iter().find(|signal| signal.name() == text);
        signal.ok_or_else(|| format!("a death signal is kill or term; got `{text}`"))
    }
}

impl From<DeathSignal> for Signal {
    fn from(signal: DeathSignal) -> Self {
        match signal {
            DeathSignal::Kill => Self::KILL,
            DeathSignal::Term => Self::TERM,
        }
    }
}

/// A process to start.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    /// A path, or a name to look up in `PATH`.
    pub program: &'a OsStr,
    /// How the process calls itself in its argument list.
    pub shown_as: &'a str,
    /// What follows.
    pub arguments: Vec<String>,
    /// Set on top of our own environment.
    pub environment: Vec<(&'static str, String)>,
    /// What it gets when we die.
    pub death_signal: DeathSignal,
    /// Its standard input.
    pub input: Stdio,
    /// Its standard output; standard error is ours.
    pub output: Stdio,
}

impl Launch<'_> {
    /// Starts it as the leader of a process group of its own, so that an interrupt from the terminal reaches only us.
    ///
    /// It goes through the hidden verb `exec-child`, which sets the parent-death signal in the child and then becomes
    /// the program: setting it any earlier would take `unsafe`. The signal is tied to the thread that starts the child
    /// (prctl(2)), and the supervisor has one thread only.
    pub(super) fn start(self) -> io::Result<ProcessGroup> {
        let child = Command::new(OURSELVES)
            .arg0("deskhand")
            .args([
                "exec-child",
                "--parent",
                &std::process::id().to_string(),
                "--death-signal",
                self.death_signal.name(),
            ])
            .args(["--shown-as", self.shown_as])
            .arg(self.program)
            .arg("--")
            .args(&self.arguments)
            .envs(self.environment)
            .stdin(self.input)
            .stdout(self.output)
            .process_group(0)
            .spawn()?;
        Ok(ProcessGroup { leader: Pid::from_child(&child), leader_is_reaped: false, end: End::NotAsked })
    }
}

/// A child of ours and whatever it started in its group.
#[derive(Debug)]
pub(super) struct ProcessGroup {
    leader: Pid,
    leader_is_reaped: bool,
    end: End,
}

/// How far the end of a group has come.
#[derive(Clone, Copy, Debug)]
enum End {
    NotAsked,
    KillAt(Instant),
    Killed(Instant),
}

impl ProcessGroup {
    pub(super) const fn leader(&self) -> Pid {
        self.leader
    }

    /// Its number, as messages carry it.
    pub(super) fn id(&self) -> u32 {
        self.leader.as_raw_nonzero().get().unsigned_abs()
    }

    /// Notes that the leader has ended and been waited for.
    pub(super) const fn leader_reaped(&mut self) {
        self.leader_is_reaped = true;
    }

    /// Asks the group to end and kills it `grace` later. Asking twice changes nothing.
    pub(super) fn terminate(&mut self, now: Instant, grace: Duration) {
        if matches!(self.end, End::NotAsked) {
            self.signal(Signal::TERM);
            // A stopped process takes SIGTERM only once it runs again.
            self.signal(Signal::CONT);
            self.end = End::KillAt(now + grace);
        }
    }

    /// Kills the group unless it ends by itself until `grace` has passed.
    pub(super) fn expect_end(&mut self, now: Instant, grace: Duration) {
        if matches!(self.end, End::NotAsked) {
            self.end = End::KillAt(now + grace);
        }
    }

    /// Kills the group at once.
    pub(super) fn kill(&mut self, now: Instant) {
        if !matches!(self.end, End::Killed(_)) {
            self.signal(Signal::KILL);
            self.end = End::Killed(now);
        }
    }

    /// Kills the group when its time is up.
    pub(super) fn tick(&mut self, now: Instant) {
        if let End::KillAt(when) = self.end
            && when <= now
        {
            self.kill(now);
        }
    }

    /// Whether it was asked to end.
    pub(super) const fn is_ending(&self) -> bool {
        !matches!(self.end, End::NotAsked)
    }

    /// Whether it had to be killed.
    pub(super) const fn was_killed(&self) -> bool {
        matches!(self.end, End::Killed(_))
    }

    /// When to look again; a time that has passed already is not waited for twice.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        match self.end {
            End::NotAsked => None,
            End::KillAt(when) => Some(when),
            End::Killed(when) => Some(when + AFTER_KILL).filter(|deadline| *deadline > now),
        }
    }

    /// Whether nothing of it is left. The number of a group is not given to another process while it has members.
    pub(super) fn is_gone(&self, now: Instant) -> bool {
        let nobody_left = self.leader_is_reaped && test_kill_process_group(self.leader) == Err(Errno::SRCH);
        nobody_left || matches!(self.end, End::Killed(when) if when + AFTER_KILL <= now)
    }

    fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process_group(self.leader, signal)
            && error != Errno::SRCH
        {
            tracing::warn!(%error, group = self.id(), "cannot signal a process group");
        }
    }
}

/// The processes whose parent we are, by birth or because theirs died.
pub(super) fn children() -> Vec<Pid> {
    let path = format!("/proc/self/task/{}/children", std::process::id());
    // A kernel without CONFIG_PROC_CHILDREN lists none: then only process groups are ended.
    let listed = std::fs::read_to_string(path).unwrap_or_default();
    listed.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Kills whatever still descends from us, except `spared`: processes that left their group. They became our children
/// when their parents died, because the supervisor is a subreaper.
pub(super) fn kill_remaining_children(spared: &[Pid]) {
    // Each round may turn grandchildren into children, so the rounds end when there are none.
    loop {
        let mut remaining = children();
        remaining.retain(|child| !spared.contains(child));
        if remaining.is_empty() {
            return;
        }
        for child in remaining {
            if let Err(error) = kill_and_reap(child) {
                tracing::warn!(%error, "a process that left its group could not be ended");
                return;
            }
        }
    }
}

fn kill_and_reap(child: Pid) -> rustix::io::Result<()> {
    let handle = pidfd_open(child, PidfdFlags::empty())?;
    pidfd_send_signal(&handle, Signal::KILL)?;
    let limit = Timespec::try_from(AFTER_KILL).map_err(|_| Errno::INVAL)?;
    // The death of the child itself interrupts the wait for it (SIGCHLD is caught).
    if retry_on_intr(|| poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit)))? == 0 {
        return Err(Errno::TIMEDOUT);
    }
    waitpid(Some(child), WaitOptions::NOHANG).map(|_| ())
}
