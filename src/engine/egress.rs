//! Follows the log of the egress proxy: every attempt is counted and told to those who have subscribed.

use std::{io, os::fd::AsRawFd, path::Path};

use tokio::io::{Interest, unix::AsyncFd};

use super::{happenings::EgressSeen, state::Engine};
use crate::{
    exit::{Exit, Fatal},
    observe::egress_log::EgressLog,
};

/// Opens the log before the sandbox is entered.
///
/// # Errors
/// It is not there: the proxy makes it when it starts.
pub(super) fn open(path: &Path) -> Result<EgressLog, Fatal> {
    EgressLog::open(path).map_err(|error| {
        let remedy = "name the access log of a proxy that runs, in a directory that we may read";
        Fatal::new(Exit::Usage, format!("the egress log {} cannot be followed: {error}; {remedy}", path.display()))
    })
}

/// The log as the runtime watches it.
#[allow(
    deprecated,
    reason = "what replaces it is unsafe, for types whose descriptor may change; that of a log does not"
)]
fn watched(log: Watched) -> io::Result<AsyncFd<Watched>> {
    AsyncFd::with_interest(log, Interest::READABLE)
}

struct Watched(EgressLog);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsFd::as_fd(&self.0).as_raw_fd()
    }
}

/// Follows it for as long as it can be read.
pub(super) async fn follow(log: EgressLog, engine: &Engine) {
    if let Err(error) = attend(log, engine).await {
        // What applications may reach is the proxy's business and goes on.
        tracing::error!(%error, "the egress log cannot be followed any more");
    }
}

async fn attend(log: EgressLog, engine: &Engine) -> io::Result<()> {
    let mut log = watched(Watched(log))?;
    loop {
        log.readable_mut().await?.clear_ready();
        log.get_mut().0.read(|attempt| {
            engine.metrics.egress(attempt.verdict, attempt.reason);
            engine.happenings.egress(|| EgressSeen { host: attempt.host, verdict: attempt.verdict });
        })?;
    }
}
