//! The command line: one file per verb.

pub mod audit;
pub mod call;
pub mod client;
pub mod connect;
pub mod dial_child;
pub mod doctor;
pub mod exec_child;
pub mod health;
pub mod schema;
pub mod serve;
pub mod token;
pub mod witness_child;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    exit::{Exit, Fatal},
    supervisor::link::Start,
};

/// The hands and eyes inside a sandboxed desktop: screenshots and input over a WebSocket.
///
/// Deskhand sits next to an X display and carries out what a remote controller asks: it takes screenshots, clicks, types
/// and scrolls, and answers over a WebSocket. It calls no model and offers no shell.
#[derive(Debug, Parser)]
#[command(name = "deskhand", version, max_term_width = 100, after_long_help = EXAMPLES)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  deskhand serve --xvfb 1024x768 -- xterm       a display of its own with a terminal on it
  deskhand serve --display :0                   the display that is there already
  deskhand token new                            a token, and the hash for --token-sha256
  deskhand call screenshot -o shot.png          one request, its picture in a file
  deskhand doctor                               what works on this display, and what to do about the rest

Exit codes: 0 fine, 1 failed, 2 usage, 3 no display, 4 not allowed, 5 could not bind, 6 audit, 70 internal.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve a display to controllers until COMMAND or a signal ends it.
    #[command(long_about = serve::ABOUT)]
    Serve(Box<serve::ServeCommand>),

    /// Make the tokens that open the door.
    #[command(subcommand)]
    Token(token::TokenCommand),

    /// Check and read the records that --audit keeps.
    #[command(subcommand)]
    Audit(audit::AuditCommand),

    /// Make one request of a running server and print its result.
    Call(call::CallArguments),

    /// Bridge standard input and output to a running server, byte by byte.
    Connect(connect::ConnectArguments),

    /// Check a display and say what to do about what is missing.
    Doctor(doctor::DoctorArguments),

    /// Print the wire contract as JSON Schema.
    Schema,

    /// Exit with 0 when a running server and its display answer.
    Health(health::HealthArguments),

    /// The server process of `serve`; started by its supervisor.
    #[command(hide = true)]
    ServeChild,

    /// The process that answers the server's questions about others; started by its supervisor.
    #[command(hide = true)]
    WitnessChild(witness_child::WitnessChildArguments),

    /// The process that connects to controllers; started by its supervisor.
    #[command(hide = true)]
    DialChild(dial_child::DialChildArguments),

    /// A child of `serve`; started by its supervisor.
    #[command(hide = true)]
    ExecChild(exec_child::ExecChildArguments),
}

/// What runs in the server process: the engine.
pub type Engine = fn(Start) -> Result<Exit, Fatal>;

/// Runs the command line of this process.
pub fn run(engine: Engine) -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            // Nobody is left to tell when the terminal is gone.
            return match error.print() {
                Ok(()) if !error.use_stderr() => Exit::Fine.into(),
                Ok(()) => Exit::Usage.into(),
                Err(_) => Exit::Failed.into(),
            };
        }
    };
    let end = match command_line.verb {
        Verb::Serve(arguments) => serve::run(*arguments),
        Verb::Token(command) => token::run(&command),
        Verb::Audit(command) => audit::run(&command),
        Verb::Call(arguments) => call::run(&arguments).map(|()| Exit::Fine).map_err(Fatal::from),
        Verb::Connect(arguments) => connect::run(&arguments).map(|()| Exit::Fine).map_err(Fatal::from),
        Verb::Health(arguments) => health::run(&arguments).map(|()| Exit::Fine).map_err(Fatal::from),
        Verb::Doctor(arguments) => doctor::run(&arguments),
        Verb::Schema => schema::run(),
        Verb::WitnessChild(arguments) => witness_child::run(&arguments),
        Verb::DialChild(arguments) => dial_child::run(&arguments),
        Verb::ServeChild => serve::run_child(engine),
        Verb::ExecChild(arguments) => return exec_child::run(&arguments),
    };
    finish(end.map(ExitCode::from))
}

fn finish(end: Result<ExitCode, Fatal>) -> ExitCode {
    end.unwrap_or_else(|fatal| {
        complain(&fatal.message);
        fatal.exit.into()
    })
}

/// Tells the person at the terminal.
fn complain(message: &str) {
    let told = writeln!(io::stderr(), "deskhand: {message}");
    // The exit code says the same when standard error is closed.
    drop(told);
}
