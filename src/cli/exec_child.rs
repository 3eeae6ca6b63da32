//! `deskhand exec-child` (hidden): becomes a child of the supervisor that dies with it.

use std::{ffi::OsString, process::ExitCode};

use crate::supervisor::{child::DeathSignal, trampoline::Trampoline};

/// What the supervisor passes.
#[derive(Clone, Debug, clap::Args)]
pub struct ExecChildArguments {
    /// The supervisor, which must still be our parent.
    #[arg(long)]
    parent: i32,
    /// What the kernel sends us when it dies.
    #[arg(long)]
    death_signal: DeathSignal,
    /// The name in the argument list.
    #[arg(long)]
    shown_as: String,
    /// The program.
    program: OsString,
    /// Its arguments.
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Becomes the program. Returns only when that fails, with the exit status.
pub(super) fn run(arguments: &ExecChildArguments) -> ExitCode {
    let fallen = Trampoline {
        parent: arguments.parent,
        death_signal: arguments.death_signal,
        shown_as: &arguments.shown_as,
        program: &arguments.program,
        arguments: &arguments.arguments,
    }
    .jump();
    super::complain(&fallen.to_string());
    fallen.status().into()
}
