//! When the server confines itself, and to what: once its listeners are bound and its files open, before anything of a
//! stranger has been read, while it has one thread.

use std::{os::unix::net::UnixStream, path::Path};

use crate::{
    config::{Settings, audit::AuditTarget, values::SandboxChoice},
    desktop::witness,
    exit::{Exit, Fatal},
    protocol::address::ListenAddress,
    sandbox::{self, Demand, Places},
    supervisor::messages::Handover,
};

/// Confines this process for good and returns the word for `display.info`. Without the line to a witness Landlock is left
/// out: it would cost more evidence than it is worth.
///
/// # Errors
/// `--sandbox=require` and what is missing.
pub(super) fn enter(handover: &Handover, line: Option<UnixStream>) -> Result<&'static str, Fatal> {
    let demand = match handover.settings.sandbox {
        SandboxChoice::Off => return Ok("off"),
        SandboxChoice::Try => Demand::Try,
        SandboxChoice::Require => Demand::Require,
    };
    let places = line.is_some().then(|| places(&handover.settings, &handover.runtime_directory));
    if let Some(line) = line {
        witness::ask_elsewhere(line).map_err(|error| Fatal::internal(error.to_string()))?;
    }
    let confined = sandbox::confine_server(demand, places.as_ref());
    let confined = confined.map_err(|missing| Fatal::new(Exit::NotAllowed, missing.to_string()))?;
    tracing::info!(sandbox = confined.name(), "the server has confined itself");
    Ok(confined.name())
}

/// What of the file system the server still needs. The display's socket and the buses of input methods are connected to, which
/// takes no place; the cookie file is read by the witness, because it may be another file of that name by then.
fn places(settings: &Settings, runtime: &Path) -> Places {
    // Of a name alone that is the directory that we were started in.
    let here = |path: &Path| if path.as_os_str().is_empty() { Path::new(".").to_owned() } else { path.to_owned() };
    let parent = |path: &Path| path.parent().map(here);
    let socket = |address: &ListenAddress| match address {
        ListenAddress::Unix(path) => parent(path),
        ListenAddress::Tcp(_)
        | ListenAddress::Stdio
        | ListenAddress::Vsock(_)
        | ListenAddress::Virtio(_)
        | ListenAddress::Dial(_) => None,
    };
    let record = settings.audit.iter().filter_map(|audit| match &audit.target {
        AuditTarget::File(path) => parent(path),
        AuditTarget::Stdout | AuditTarget::Syslog => None,
    });
    Places {
        // The log that comes in place of the one that is open.
        read: settings.egress_log.as_deref().and_then(parent).into_iter().collect(),
        written: settings.state.iter().cloned().chain(record).collect(),
        emptied: vec![runtime.to_owned()],
        files_removed: settings.listen.iter().filter_map(socket).collect(),
        directories_removed: parent(runtime).into_iter().collect(),
    }
}
