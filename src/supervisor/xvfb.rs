//! An Xvfb of our own, kept alive on one number with one cookie (DESIGN section 2, rule 8).

use std::{
    ffi::OsStr,
    io::{self, PipeReader, Read},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Pid;

use crate::{
    exit::{Exit, Fatal},
    protocol::{display::DisplayNumber, units::NativeSize},
    supervisor::{
        child::{DeathSignal, Launch, ProcessGroup},
        cookie::Cookie,
        display_lock::DisplayLock,
        messages::{CommandStatus, ToServer},
        trampoline::NOT_FOUND,
    },
};

/// A server that lives shorter than this died of its start, not of its work.
const QUICK_DEATH: Duration = Duration::from_secs(5);
/// So many quick deaths in a row say that another start would not help either.
const QUICK_DEATHS_MAX: u32 = 5;
/// The pause after the second quick death, doubled after each further one; after the first there is none, because a
/// killed server must be back within 3 seconds and usually dies only once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How long a start may take: a loaded machine needs seconds, and a controller waits as long for a foreign display.
const START_TIME: Duration = Duration::from_secs(30);
/// How long a server may take to end before it is killed. It has nothing to save.
const END_TIME: Duration = Duration::from_secs(1);
/// The longest display number and its newline.
const READY_BYTES: usize = 6;

/// The display that we own.
#[derive(Debug)]
pub(super) struct OwnedDisplay {
    // Removed in this order: the lock is what keeps others from the number, so it goes last.
    cookie: Cookie,
    lock: DisplayLock,
    size: NativeSize,
    quick_deaths: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Down { start_at: Instant },
    Starting { group: ProcessGroup, since: Instant, pipe: PipeReader, text: Vec<u8> },
    Running { group: ProcessGroup, since: Instant },
    Over,
}

impl OwnedDisplay {
    /// Takes a number and writes a cookie. The server starts at the first [`Self::tick`].
    pub(super) fn prepare(
        size: NativeSize,
        asked: Option<DisplayNumber>,
        xauthority: &Path,
        now: Instant,
    ) -> Result<Self, Fatal> {
        let lock = DisplayLock::take(asked)?;
        let cookie = Cookie::create(xauthority, lock.number())?;
        Ok(Self { cookie, lock, size, quick_deaths: 0, state: State::Down { start_at: now } })
    }

    pub(super) const fn number(&self) -> DisplayNumber {
        self.lock.number()
    }

    pub(super) const fn cookie(&self) -> &Cookie {
        &self.cookie
    }

    pub(super) const fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// The server's process, once it is ready.
    pub(super) fn pid(&self) -> Option<u32> {
        match &self.state {
            State::Running { group, .. } => Some(group.id()),
            _ => None,
        }
    }

    /// The pipe on which the server says that it is ready.
    pub(super) const fn pipe(&self) -> Option<&PipeReader> {
        match &self.state {
            State::Starting { pipe, .. } => Some(pipe),
            _ => None,
        }
    }

    /// When to call [`Self::tick`] next.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Down { start_at } => Some(*start_at),
            State::Starting { group, since, .. } => {
                group.deadline(now).or(Some(*since + START_TIME).filter(|_| !group.is_ending()))
            }
            State::Running { group, .. } => group.deadline(now),
            State::Over => None,
        }
    }

    /// Starts the server when its time has come, and kills one that does not become ready.
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), Fatal> {
        match &mut self.state {
            State::Down { start_at } if *start_at <= now => {
                let (group, pipe) = self.start().map_err(|error| {
                    Fatal::new(Exit::NoDisplay, format!("cannot start a process for Xvfb: {error}"))
                })?;
                self.state = State::Starting { group, since: now, pipe, text: Vec::new() };
            }
            State::Starting { group, since, .. } => {
                if *since + START_TIME <= now && !group.is_ending() {
                    tracing::error!(seconds = START_TIME.as_secs(), "Xvfb does not become ready; killing it");
                    group.kill(now);
                }
                group.tick(now);
            }
            State::Running { group, .. } => group.tick(now),
            State::Down { .. } | State::Over => {}
        }
        Ok(())
    }

    fn start(&self) -> io::Result<(ProcessGroup, PipeReader)> {
        let (pipe, output) = io::pipe()?;
        let NativeSize { width, height } = self.size;
        let screen = format!("{width}x{height}x24");
        let number = self.number().to_string();
        let cookie = self.cookie.path().display().to_string();
        // -displayfd 1: readiness comes as the number on standard output. -noreset: the last client's end must not
        // end what clients left. -s 0: no screen saver. -maxclients 512: 256 is one busy browser.
        let arguments = [
            &number,
            "-displayfd",
            "1",
            "-screen",
            "0",
            &screen,
            "-noreset",
            "-nolisten",
            "tcp",
            "-auth",
            &cookie,
            "-s",
            "0",
            "-maxclients",
            "512",
        ];
        let group = Launch {
            program: OsStr::new("Xvfb"),
            shown_as: "Xvfb",
            arguments: arguments.map(String::from).into(),
            environment: Vec::new(),
            death_signal: DeathSignal::Kill,
            input: Stdio::null(),
            output: output.into(),
        }
        .start()?;
        Ok((group, pipe))
    }

    /// Reads the pipe; the answer is there once the server is ready.
    pub(super) fn read_pipe(&mut self) -> Result<Option<ToServer>, Fatal> {
        let State::Starting { pipe, text, .. } = &mut self.state else { return Ok(None) };
        let mut chunk = [0; READY_BYTES];
        let count =
            pipe.read(&mut chunk).map_err(|error| Fatal::internal(format!("cannot read from Xvfb: {error}")))?;
        text.extend_from_slice(&chunk[..count]);
        let ended = count == 0 || text.len() > READY_BYTES;
        if text.as_slice() != format!("{}\n", self.lock.number().get()).as_bytes() {
            if ended {
                // It has closed its standard output without the number: it is ending, or it is no Xvfb.
                self.kill(Instant::now());
            }
            return Ok(None);
        }
        if let State::Starting { group, since, .. } = std::mem::replace(&mut self.state, State::Over) {
            let pid = group.id();
            self.state = State::Running { group, since };
            let (number, xauthority) = (self.number(), self.cookie.path().to_owned());
            return Ok(Some(ToServer::Display { number, pid, xauthority }));
        }
        Ok(None)
    }

    /// Takes note of a child's end. True when it was our server, and another one will be started.
    pub(super) fn reaped(&mut self, child: Pid, status: CommandStatus, now: Instant) -> Result<bool, Fatal> {
        let (group, since, was_ready) = match &mut self.state {
            State::Starting { group, since, .. } if group.leader() == child => (group, *since, false),
            State::Running { group, since } if group.leader() == child => (group, *since, true),
            _ => return Ok(false),
        };
        group.leader_reaped();
        // A server that died by itself may leave its keymap compiler.
        group.kill(now);
        self.state = State::Over;
        self.lock.remove_socket();
        if status == CommandStatus::Exited(i32::from(NOT_FOUND)) && !was_ready {
            return Err(Fatal::new(
                Exit::NoDisplay,
                "Xvfb is not installed or not in PATH; install it (Debian and Ubuntu: apt-get install xvfb, Fedora: dnf \
                 install xorg-x11-server-Xvfb, Alpine: apk add xvfb) or attach to a display with --display :N",
            ));
        }
        let quick = !was_ready || now.duration_since(since) < QUICK_DEATH;
        self.quick_deaths = if quick { self.quick_deaths + 1 } else { 0 };
        if self.quick_deaths >= QUICK_DEATHS_MAX {
            let seconds = QUICK_DEATH.as_secs();
            return Err(Fatal::new(
                Exit::NoDisplay,
                format!(
                    "Xvfb died {QUICK_DEATHS_MAX} times in a row within {seconds} seconds of its start, the last time by \
                     {status}; its own words stand above"
                ),
            ));
        }
        let pause = match self.quick_deaths {
            0 | 1 => Duration::ZERO,
            deaths => FIRST_PAUSE * 2u32.pow(deaths - 2),
        };
        tracing::warn!(by = %status, number = %self.number(), "Xvfb died; starting it again");
        self.state = State::Down { start_at: now + pause };
        Ok(true)
    }

    /// Kills the server; its end is then seen like any other.
    pub(super) fn kill(&mut self, now: Instant) {
        if let State::Starting { group, .. } | State::Running { group, .. } = &mut self.state {
            group.kill(now);
        }
    }

    /// Ends the server for good. True once it is gone.
    pub(super) fn end(&mut self, now: Instant) -> bool {
        if let State::Starting { group, .. } | State::Running { group, .. } = &mut self.state {
            group.terminate(now, END_TIME);
            group.tick(now);
            if !group.is_gone(now) {
                return false;
            }
        }
        self.state = State::Over;
        true
    }

    /// Takes note of a child's end while everything is being stopped.
    pub(super) fn reaped_at_the_end(&mut self, child: Pid) {
        if let State::Starting { group, .. } | State::Running { group, .. } = &mut self.state
            && group.leader() == child
        {
            group.leader_reaped();
        }
    }
}
