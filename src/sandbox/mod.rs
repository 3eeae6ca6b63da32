//! How the server confines itself: what a fault in it, or in what it reads, can still do afterwards.
//!
//! ```text
//! table (every system call that is allowed, and who needs it) ─► filter (seccomp) ─┐
//! places (every directory that is still needed) ─► places (Landlock) ──────────────┼─► confine_server, confine_witness
//! limits (not dumpable, no core, descriptors) ─────────────────────────────────────┘
//! ```
//!
//! It is entered once, after the listeners are bound and before anything foreign is read; threads that start later inherit
//! it, and nothing leads out again. The supervisor, the X server and COMMAND are not in it: filters and limits survive
//! `exec`, and a confined program could not start Chromium, whose own sandbox needs more than any of ours leaves.
//!
//! What confines the process from outside, a container or a virtual machine, is told by [`around`].
//!
//! **Landlock and evidence.** The kernel lets a process under Landlock look only at processes that are confined like it, in
//! everything that takes the permission to trace (`ptrace(2)`, "Ptrace access mode checking"): where an application's threads
//! sleep, its files, its program, its environment. Without these, less is known about when a screen has settled and whether
//! a text has been read. So a second small process, the witness (`desktop/witness`), answers six questions about processes;
//! it has a filter of its own, which lets it read files and nothing else, and it reads nothing that comes from outside.

pub mod around;
mod filter;
mod limits;
pub mod memory;
mod places;
mod table;

pub use places::{Places, landlock_is_offered};

/// Whether what is missing ends the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// It does: without a filter, without the renunciation of privileges, or dumpable, nothing starts; nor without Landlock
    /// where the kernel has it.
    Require,
    /// It is logged.
    Try,
}

/// A part that could not be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "the sandbox lacks {part}: {reason}; run where the kernel and the container allow it, or accept less with --sandbox=try"
)]
pub struct Missing {
    /// Which one.
    part: &'static str,
    /// What the kernel says.
    reason: String,
}

impl Missing {
    fn new(part: &'static str, reason: &dyn std::fmt::Display) -> Self {
        Self { part, reason: reason.to_string() }
    }
}

/// What holds from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    filter: bool,
    landlock: bool,
}

impl Confinement {
    /// The word for it in `display.info`.
    pub const fn name(self) -> &'static str {
        match (self.filter, self.landlock) {
            (true, true) => "seccomp+landlock",
            (true, false) => "seccomp",
            (false, true) => "landlock",
            (false, false) => "off",
        }
    }
}

/// Confines this process, which is to serve. With `places`, Landlock leaves only those; without, it is not asked.
///
/// # Errors
/// What is missing, where it is demanded.
pub fn confine_server(demand: Demand, places: Option<&Places>) -> Result<Confinement, Missing> {
    let mut confinement = Confinement::default();
    settle(demand, limits::apply())?;
    if let Some(places) = places {
        confinement.landlock = settle(demand, places.enforce())?.unwrap_or(false);
    }
    // Last: it has no call for any of the above.
    confinement.filter = settle(demand, filter::install(table::Caller::Server))?.is_some();
    Ok(confinement)
}

/// Confines this process, which is to answer questions about others.
///
/// # Errors
/// What is missing, where it is demanded.
pub fn confine_witness(demand: Demand) -> Result<(), Missing> {
    settle(demand, limits::apply())?;
    settle(demand, filter::install(table::Caller::Witness))?;
    Ok(())
}

/// Whether the kernel has filters: without them there is no such line about a process (proc(5)).
pub fn filters_are_offered() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("\nSeccomp_filters:"))
        || std::path::Path::new("/proc/sys/kernel/seccomp/actions_avail").exists()
}

/// Passes on what was had. What was not is an error or a line in the log.
fn settle<T>(demand: Demand, outcome: Result<T, Missing>) -> Result<Option<T>, Missing> {
    match (outcome, demand) {
        (Ok(had), _) => Ok(Some(had)),
        (Err(missing), Demand::Require) => Err(missing),
        (Err(missing), Demand::Try) => {
            tracing::warn!(part = missing.part, reason = missing.reason, "the sandbox is incomplete");
            Ok(None)
        }
    }
}
