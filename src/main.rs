//! Parse, run, map errors to exit codes; all of it stands in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    deskhand::cli::run(deskhand::engine::server::serve)
}
