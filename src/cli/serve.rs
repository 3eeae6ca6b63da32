//! `deskhand serve`: the supervisor, and the hidden `serve-child`, the server that it starts.

use crate::{
    cli::Engine,
    config::{Settings, Surroundings, arguments::ServeArguments},
    exit::{Exit, Fatal},
    observe::logs,
    supervisor::{self, link::Start},
};

/// What `--help` teaches about the verb.
pub(super) const ABOUT: &str = "\
Serve a display to controllers until COMMAND or a signal ends it.

With --xvfb, Deskhand starts an Xvfb of its own, keeps it running and takes everything down with it; without, it attaches \
to a display that is there, waits up to 30 seconds for one that is still coming up, and reconnects when it comes back. \
When all is ready, one line of JSON on standard output tells the addresses, the display and the token file. Logs go to \
standard error.

Every option can also be given as an environment variable or as a key of the --config file; an option goes before its \
variable, that before the file.";

const EXAMPLES: &str = "\
Examples:
  deskhand serve --xvfb 1280x800 -- env XCOMPOSEFILE=/dev/null openbox
  deskhand serve --xvfb 1024x768 --listen 127.0.0.1:0 --token-file ~/desk.token -- xterm
  deskhand serve --display :0 --listen unix:/run/desk/desk.sock --token-sha256 HEX
  DESKHAND_XVFB=1024x768 deskhand serve --listen stdio -- ./start-desktop

Start openbox with XCOMPOSEFILE=/dev/null: else it reads its Compose file again each time that a text needs keys which the \
layout lacks, and holds the next click up meanwhile.";

/// The verb and its options.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeCommand {
    #[command(flatten)]
    arguments: ServeArguments,
}

/// Runs the supervisor.
pub(super) fn run(command: ServeCommand) -> Result<Exit, Fatal> {
    let settings = Settings::load(command.arguments, &Surroundings::capture())?;
    logs::install(settings.log.into());
    supervisor::run(settings)
}

/// Runs the server that a supervisor has started.
pub(super) fn run_child(engine: Engine) -> Result<Exit, Fatal> {
    let start = Start::receive().map_err(|error| {
        Fatal::usage(format!("serve-child is started by `deskhand serve`, not by hand: no hand-over came: {error}"))
    })?;
    logs::install(start.handover.settings.log.into());
    // Started as /proc/self/exe, the process would be called `exe` in lists of processes.
    if let Err(error) = std::fs::write("/proc/self/comm", "deskhand-server") {
        tracing::debug!(%error, "the process keeps its name");
    }
    engine(start)
}
