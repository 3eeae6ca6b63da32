//! COMMAND: runs on a living display, at most once at a time.

use std::{
    ffi::OsStr,
    io,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Pid;

use crate::{
    protocol::display::DisplayNumber,
    supervisor::{
        child::{DeathSignal, Launch, ProcessGroup},
        messages::CommandStatus,
        probe::{Owner, Probe, Verdict},
    },
};

/// How long COMMAND's processes may take to end before they are killed.
const END_TIME: Duration = Duration::from_secs(1);

/// The display as COMMAND's environment names it.
#[derive(Debug)]
pub(super) struct CommandDisplay<'a> {
    pub number: DisplayNumber,
    pub xauthority: Option<&'a Path>,
    /// The server, where it is ours.
    pub owner: Option<Owner<'a>>,
}

/// COMMAND and its processes.
#[derive(Debug)]
pub(super) struct CommandSlot {
    command: Vec<String>,
    state: State,
}

#[derive(Debug)]
enum State {
    Empty,
    Running(ProcessGroup),
    /// Its leader has ended, and the display is being asked whether it lives.
    Asking {
        group: ProcessGroup,
        status: CommandStatus,
        probe: Probe,
    },
    /// It ends because its display did; `again` when a new display waits for it already.
    Ending {
        group: ProcessGroup,
        again: bool,
    },
}

impl CommandSlot {
    pub(super) const fn new(command: Vec<String>) -> Self {
        Self { command, state: State::Empty }
    }

    /// Starts COMMAND unless it runs. Answers with its process group when it has been started.
    pub(super) fn start(&mut self, display: &CommandDisplay<'_>) -> io::Result<Option<u32>> {
        match &mut self.state {
            State::Empty => {}
            State::Running(_) | State::Asking { .. } => return Ok(None),
            State::Ending { again, .. } => {
                *again = true;
                return Ok(None);
            }
        }
        let [program, arguments @ ..] = self.command.as_slice() else { return Ok(None) };
        let mut environment = vec![("DISPLAY", display.number.to_string())];
        environment.extend(display.xauthority.map(|path| ("XAUTHORITY", path.display().to_string())));
        let group = Launch {
            program: OsStr::new(program),
            shown_as: program,
            arguments: arguments.to_vec(),
            environment,
            death_signal: DeathSignal::Kill,
            input: Stdio::null(),
            // Standard output is for the ready line, or for a `stdio` listener.
            output: io::stderr().into(),
        }
        .start()?;
        let id = group.id();
        self.state = State::Running(group);
        Ok(Some(id))
    }

    /// Takes note of a child's end. The status is there when it was COMMAND itself, on a display that nobody has seen
    /// dying.
    pub(super) fn reaped(
        &mut self,
        child: Pid,
        status: CommandStatus,
        display: &CommandDisplay<'_>,
        now: Instant,
    ) -> Option<CommandStatus> {
        match std::mem::replace(&mut self.state, State::Empty) {
            State::Running(mut group) if group.leader() == child => {
                group.leader_reaped();
                let probe = Probe::start(display.number, display.owner, now);
                self.state = State::Asking { group, status, probe };
                return Some(status);
            }
            State::Ending { mut group, again } => {
                if group.leader() == child {
                    group.leader_reaped();
                }
                self.state = State::Ending { group, again };
            }
            other => self.state = other,
        }
        None
    }

    /// The question that waits for an answer.
    pub(super) const fn probe(&self) -> Option<&Probe> {
        match &self.state {
            State::Asking { probe, .. } => Some(probe),
            _ => None,
        }
    }

    /// Whether COMMAND's end counts: its status when the display lives, and [`Verdict::Gone`] when it does not.
    pub(super) fn judge(&mut self, now: Instant) -> (Verdict, Option<CommandStatus>) {
        match &mut self.state {
            State::Asking { status, probe, .. } => {
                let (verdict, status) = (probe.verdict(now), *status);
                if verdict == Verdict::Gone {
                    self.display_gone(now);
                }
                (verdict, (verdict == Verdict::Alive).then_some(status))
            }
            _ => (Verdict::Waiting, None),
        }
    }

    /// The display died, so COMMAND ends: its processes are asked, then killed.
    pub(super) fn display_gone(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::Empty) {
            State::Empty => {}
            State::Running(mut group) | State::Asking { mut group, .. } | State::Ending { mut group, .. } => {
                group.terminate(now, END_TIME);
                self.state = State::Ending { group, again: false };
            }
        }
    }

    /// Kills what is overdue. True when COMMAND has ended and a new display waits for it.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        let State::Ending { group, again } = &mut self.state else { return false };
        group.tick(now);
        if !group.is_gone(now) {
            return false;
        }
        let again = *again;
        self.state = State::Empty;
        again
    }

    /// Ends COMMAND for good. True once it is gone.
    pub(super) fn end(&mut self, now: Instant) -> bool {
        if !matches!(self.state, State::Ending { .. }) {
            self.display_gone(now);
        }
        self.tick(now);
        matches!(self.state, State::Empty)
    }

    /// When to look again.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Empty | State::Running(_) => None,
            State::Asking { probe, .. } => Some(probe.deadline()),
            State::Ending { group, .. } => group.deadline(now),
        }
    }
}
