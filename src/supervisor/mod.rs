//! The supervisor: a small process of one thread that starts and reaps Xvfb, COMMAND and the server. It parses nothing
//! foreign: Xvfb tells it a number, the server a few words.
//!
//! Everything happens in one loop that waits for descriptors and deadlines. Nothing sleeps.

pub mod child;
mod command;
mod cookie;
mod dialler;
mod display_lock;
pub mod handover;
mod inherited;
pub mod link;
pub mod messages;
mod probe;
mod runtime_directory;
mod server;
mod signals;
pub mod trampoline;
mod watched_files;
mod witness;
mod xvfb;

pub use handover::StandardStreams;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, Signal, WaitOptions, getpid, set_child_subreaper, wait},
};

use crate::{
    config::{
        self, Settings, TokenChoice,
        display::DisplayChoice,
        tls::{DialTrust, TlsFiles, TlsMaterial},
    },
    exit::{Exit, Fatal},
    protocol::display::DisplayNumber,
};
use child::{children, kill_remaining_children};
use command::{CommandDisplay, CommandSlot};
use messages::{CommandStatus, Handover, ToServer, ToSupervisor};
use probe::{Owner, Verdict};
use runtime_directory::RuntimeDirectory;
use server::{Lines, ServerProcess};
use signals::{HangUp, Signals};
use watched_files::WatchedFiles;
use xvfb::OwnedDisplay;

/// Runs `deskhand serve` until it ends. Afterwards no process and no file of it is left.
pub fn run(settings: Settings) -> Result<Exit, Fatal> {
    let secrets = settings.secrets_fd.map(|number| {
        inherited::take(number).map_err(|error| {
            Fatal::usage(format!(
                "secrets-fd = {number} is not open: {error}; open it, as in `--secrets-fd 3 3<secrets.jsonl`"
            ))
        })
    });
    let secrets = secrets.transpose()?;
    // Watched before anything starts, so that no end and no request to stop is missed.
    let signals = Signals::install(hang_up(&settings))
        .map_err(|error| Fatal::internal(format!("cannot watch for signals: {error}")))?;
    // Processes that leave COMMAND's group and lose their parent become our children: none escapes.
    set_child_subreaper(Some(getpid()))
        .map_err(|error| Fatal::internal(format!("cannot become a subreaper: {error}; Linux 3.4 is needed")))?;
    // What an entry-point script started before it became us is not ours to end.
    let spared = children();
    let runtime = RuntimeDirectory::create(settings.runtime_parent.as_deref())?;
    let tokens = settings.token.accept(runtime.path())?;
    let policy = settings.policy.as_deref().map(config::policy::read).transpose()?;
    let tls = settings.tls.as_ref().map(TlsFiles::read).transpose()?;
    let dial = settings.dial.as_ref().map(DialTrust::read).transpose()?;
    let watched = settings.tls.as_ref().map(|files| WatchedFiles::watch(files.paths())).transpose();
    let watched = watched.map_err(|error| Fatal::internal(format!("cannot watch the files for TLS: {error}")))?;
    let display = match &settings.display {
        DisplayChoice::Owned { size, number, xauthority } => {
            let path = xauthority.clone().unwrap_or_else(|| runtime.path().join("xauthority"));
            Display::Owned(Box::new(OwnedDisplay::prepare(*size, *number, &path, Instant::now())?))
        }
        DisplayChoice::Attached { display, xauthority } => {
            Display::Attached { number: *display, xauthority: xauthority.clone() }
        }
    };
    let cannot_start = |error| Fatal::internal(format!("cannot start the server: {error}; /proc must be mounted"));
    let (servers, witness) = witness::line(settings.sandbox).map_err(cannot_start)?.unzip();
    let runtime_directory = runtime.path().to_owned();
    let handover = Handover {
        settings,
        tokens,
        policy,
        tls,
        dial,
        runtime_directory,
        witness: servers.is_some(),
        secrets: secrets.is_some(),
    };
    let (callers, dialler) = dialler::line(&handover.settings.listen).map_err(cannot_start)?.unzip();
    let lines = Lines { witness: servers.as_ref(), dialler: callers.as_ref() };
    let server = ServerProcess::start(&handover, lines, secrets.as_ref()).map_err(cannot_start)?;
    // The server's own ends alone keep the witness and who connects, and nobody else reads the secrets.
    drop((servers, callers, secrets));
    if let Some(end) = dialler {
        dialler::start(end, &handover.settings.listen).map_err(cannot_start)?;
    }
    if let Some(end) = witness {
        witness::start(end, handover.settings.sandbox, display.for_command().xauthority).map_err(cannot_start)?;
    }
    let tokens = match handover.settings.token {
        TokenChoice::Tokens(path) => Some(path),
        _ => None,
    };
    let tls = handover.settings.tls.zip(watched).map(|(files, watched)| Tls { files, told: handover.tls, watched });
    let command = CommandSlot::new(handover.settings.command);
    let mut supervisor = Supervisor { signals, display, command, server, tokens, tls, stopping: None };
    let ended = supervisor.supervise();
    kill_remaining_children(&spared);
    // The files go after the last process that could still use them.
    drop(supervisor);
    drop(runtime);
    ended
}

struct Supervisor {
    signals: Signals,
    display: Display,
    command: CommandSlot,
    server: ServerProcess,
    /// The file to read again at SIGHUP.
    tokens: Option<PathBuf>,
    tls: Option<Tls>,
    stopping: Option<Stop>,
}

/// What TLS needs, and who tells when it changes.
struct Tls {
    files: TlsFiles,
    /// What the server knows.
    told: Option<TlsMaterial>,
    watched: WatchedFiles,
}

fn hang_up(settings: &Settings) -> HangUp {
    if matches!(settings.token, TokenChoice::Tokens(_)) { HangUp::Reloads } else { HangUp::Stops }
}

/// The display that COMMAND runs on.
enum Display {
    Owned(Box<OwnedDisplay>),
    Attached { number: DisplayNumber, xauthority: Option<PathBuf> },
}

impl Display {
    const fn owned(&self) -> Option<&OwnedDisplay> {
        match self {
            Self::Owned(display) => Some(display),
            Self::Attached { .. } => None,
        }
    }

    const fn owned_mut(&mut self) -> Option<&mut OwnedDisplay> {
        match self {
            Self::Owned(display) => Some(display),
            Self::Attached { .. } => None,
        }
    }

    fn for_command(&self) -> CommandDisplay<'_> {
        match self {
            Self::Owned(display) => CommandDisplay {
                number: display.number(),
                xauthority: Some(display.cookie().path()),
                owner: display.pid().map(|pid| Owner { pid, cookie: display.cookie().bits() }),
            },
            Self::Attached { number, xauthority } => {
                CommandDisplay { number: *number, xauthority: xauthority.as_deref(), owner: None }
            }
        }
    }
}

/// Why everything is being stopped.
enum Stop {
    /// Somebody asked; the server's own exit code counts.
    Asked,
    /// This is how it ends.
    Decided(Result<Exit, Fatal>),
}

impl Supervisor {
    fn supervise(&mut self) -> Result<Exit, Fatal> {
        loop {
            if let Err(fatal) = self.round() {
                self.stop(Stop::Decided(Err(fatal)));
            }
            if self.stopping.is_some() && self.all_ended(Instant::now()) {
                return match self.stopping.take() {
                    Some(Stop::Decided(end)) => end,
                    Some(Stop::Asked) | None => Ok(Exit::Fine),
                };
            }
        }
    }

    /// Waits for one thing to happen and deals with all that has.
    fn round(&mut self) -> Result<(), Fatal> {
        self.tick()?;
        self.wait()?;
        if self.signals.take_stop().map_err(|error| internal("read signals", &error))? {
            tracing::info!("asked to stop");
            self.stop(Stop::Asked);
        }
        if self.signals.take_reload().map_err(|error| internal("read signals", &error))? {
            self.reload()?;
        }
        self.look_at_tls()?;
        for message in self.server.read(Instant::now()).map_err(|error| internal("understand the server", &error))? {
            match message {
                ToSupervisor::StartCommand => self.start_command()?,
            }
        }
        self.reap()?;
        if self.stopping.is_none() {
            self.look_at_display()?;
        }
        Ok(())
    }

    /// Reads the tokens file again. One that cannot be used changes nothing.
    fn reload(&mut self) -> Result<(), Fatal> {
        let Some(path) = &self.tokens else { return Ok(()) };
        match config::read_table(path) {
            Ok(text) => {
                self.server.tell(&ToServer::Tokens { text }).map_err(|error| internal("tell the server", &error))
            }
            Err(error) => {
                tracing::error!(%error, "the tokens stay as they were");
                Ok(())
            }
        }
    }

    /// Reads the files for TLS again when they have changed. A certificate is put in place before its key or after it, so what
    /// cannot be used yet changes nothing.
    fn look_at_tls(&mut self) -> Result<(), Fatal> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        if !tls.watched.changed().map_err(|error| internal("watch the files for TLS", &error))? {
            return Ok(());
        }
        match tls.files.read() {
            Ok(material) if tls.told.as_ref() == Some(&material) => Ok(()),
            Ok(material) => {
                tls.told = Some(material.clone());
                self.tell(&ToServer::Tls { material })
            }
            Err(error) => {
                tracing::warn!(%error, "the certificate stays as it was");
                Ok(())
            }
        }
    }

    /// Deals with deadlines that have passed.
    fn tick(&mut self) -> Result<(), Fatal> {
        let now = Instant::now();
        self.server.group.tick(now);
        if self.stopping.is_some() {
            return Ok(());
        }
        if let Some(display) = self.display.owned_mut() {
            display.tick(now)?;
        }
        if self.command.tick(now) {
            self.start_command()?;
        }
        Ok(())
    }

    fn wait(&self) -> Result<(), Fatal> {
        let now = Instant::now();
        let deadlines = [
            self.server.group.deadline(now),
            self.command.deadline(now),
            self.display.owned().and_then(|display| display.deadline(now)),
        ];
        let timeout = deadlines.into_iter().flatten().min().map(|deadline| {
            let left = deadline.saturating_duration_since(now);
            // A deadline is at most half a minute away, so the conversion holds.
            Timespec::try_from(left).unwrap_or_default()
        });
        let pipe = self.display.owned().and_then(OwnedDisplay::pipe).map(AsFd::as_fd);
        let probe = self.command.probe().and_then(|probe| probe.socket()).map(AsFd::as_fd);
        let mut watched: Vec<PollFd<'_>> = [
            Some(self.signals.children().as_fd()),
            Some(self.signals.stop().as_fd()),
            self.signals.reload().map(AsFd::as_fd),
            self.tls.as_ref().map(|tls| tls.watched.as_fd()),
            self.server.socket().map(AsFd::as_fd),
            pipe.filter(|_| self.stopping.is_none()),
            probe.filter(|_| self.stopping.is_none()),
        ]
        .into_iter()
        .flatten()
        .map(|descriptor: BorrowedFd<'_>| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
        .collect();
        match poll(&mut watched, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(internal("wait for events", &error.into())),
        }
    }

    /// Waits for every child that has ended, also those that we only inherited.
    fn reap(&mut self) -> Result<(), Fatal> {
        self.signals.clear_children().map_err(|error| internal("read signals", &error))?;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((child, status))) => self.reaped(child, status.into())?,
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(internal("wait for children", &error.into())),
            }
        }
    }

    fn reaped(&mut self, child: Pid, status: CommandStatus) -> Result<(), Fatal> {
        let now = Instant::now();
        if child == self.server.group.leader() {
            self.server.group.leader_reaped();
            self.server_ended(status);
        }
        if let Some(display) = self.display.owned_mut() {
            if self.stopping.is_some() {
                display.reaped_at_the_end(child);
            } else if display.reaped(child, status, now)? {
                self.command.display_gone(now);
                self.tell(&ToServer::DisplayGone)?;
            }
        }
        if let Some(status) = self.command.reaped(child, status, &self.display.for_command(), now)
            && self.stopping.is_none()
        {
            self.tell(&ToServer::CommandExited { status })?;
        }
        Ok(())
    }

    fn server_ended(&mut self, status: CommandStatus) {
        let known = match status {
            CommandStatus::Exited(code) => Exit::from_code(code),
            // It had no time yet to watch for the signal that we sent.
            CommandStatus::Signalled(signal) if signal == Signal::TERM.as_raw() && self.stopping.is_some() => {
                Some(Exit::Fine)
            }
            CommandStatus::Signalled(_) => None,
        };
        let end = known.ok_or_else(|| {
            Fatal::internal(if self.server.group.was_killed() {
                "the server did not end in time and was killed; what it held may still be pressed".to_owned()
            } else {
                format!("the server ended by {status}, which is a fault of deskhand; please report it")
            })
        });
        if matches!(self.stopping, None | Some(Stop::Asked)) {
            self.stopping = Some(Stop::Decided(end));
        }
    }

    /// Reads what Xvfb says, and whether COMMAND's end counts.
    fn look_at_display(&mut self) -> Result<(), Fatal> {
        let now = Instant::now();
        if let Some(display) = self.display.owned_mut()
            && let Some(pipe) = display.pipe()
            && is_readable(pipe.as_fd())
            && let Some(ready) = display.read_pipe()?
        {
            let number = display.number();
            tracing::info!(%number, "display is ready");
            self.tell(&ready)?;
        }
        let (verdict, status) = self.command.judge(now);
        if let Some(status) = status {
            tracing::info!(by = %status, "COMMAND has ended on a living display, and the server with it");
            let exit = if status == CommandStatus::Exited(0) { Exit::Fine } else { Exit::Failed };
            self.stop(Stop::Decided(Ok(exit)));
        }
        // A server of ours that refuses connections is ending; it must not take its time.
        if verdict == Verdict::Gone
            && let Some(display) = self.display.owned_mut()
        {
            display.kill(now);
        }
        Ok(())
    }

    fn start_command(&mut self) -> Result<(), Fatal> {
        // Words about a display that has died since are late.
        if self.stopping.is_some() || self.display.owned().is_some_and(|display| !display.is_running()) {
            return Ok(());
        }
        let started = self.command.start(&self.display.for_command());
        match started.map_err(|error| Fatal::new(Exit::Failed, format!("cannot start COMMAND: {error}")))? {
            Some(process_group) => self.tell(&ToServer::CommandStarted { process_group }),
            None => Ok(()),
        }
    }

    fn tell(&self, message: &ToServer) -> Result<(), Fatal> {
        self.server.tell(message).map_err(|error| internal("reach the server", &error))
    }

    /// The first reason counts.
    fn stop(&mut self, why: Stop) {
        if matches!((&self.stopping, &why), (None, _) | (Some(Stop::Asked), Stop::Decided(_))) {
            self.stopping = Some(why);
        }
    }

    /// Ends the server, then COMMAND, then Xvfb: so the server can still release what it holds, and COMMAND still has
    /// its display.
    fn all_ended(&mut self, now: Instant) -> bool {
        self.server.group.terminate(now, server::END_TIME);
        self.server.group.tick(now);
        self.server.group.is_gone(now)
            && self.command.end(now)
            && self.display.owned_mut().is_none_or(|display| display.end(now))
    }
}

fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    let at_once = Timespec::default();
    poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready > 0)
}

fn internal(doing: &str, error: &io::Error) -> Fatal {
    Fatal::internal(format!("cannot {doing}: {error}"))
}
