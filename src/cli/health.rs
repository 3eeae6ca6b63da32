//! `deskhand health`: whether the server and its display answer, for a container's health check.

use clap::Args;

use crate::cli::client::{CallError, ServerArguments, block_on};

/// The arguments of `deskhand health`.
#[derive(Args, Clone, Debug)]
pub struct HealthArguments {
    /// Where the server is
    #[command(flatten)]
    pub server: ServerArguments,
}

/// Fails with the reason unless the server is ready.
pub fn run(arguments: &HealthArguments) -> Result<(), CallError> {
    let endpoint = arguments.server.endpoint()?;
    block_on(endpoint.ready())??.map_err(CallError::NotReady)
}
