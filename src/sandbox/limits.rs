//! What the process gives up beside system calls: privileges, its memory's readability, core files.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use super::Missing;

/// How many descriptors the process may have. The contract's connections are 24; evidence holds one for each of 192 threads,
/// and a display some dozen.
const DESCRIPTORS: u64 = 4096;

/// Applies all of them.
pub(super) fn apply() -> Result<(), Missing> {
    // A program that is executed gets no more rights than its caller: nothing is executed here, but a filter may only be
    // installed by those who have given that up (seccomp(2)).
    rustix::thread::set_no_new_privs(true).map_err(|error| Missing::new("no_new_privs", &error))?;
    // Tokens and, later, secrets are in this memory: no process of the same user may trace it or read it through /proc, and
    // no core file is written, be it for a program that core_pattern names, which asks for no limit.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Missing::new("memory that others cannot read", &error))?;
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, DESCRIPTORS)
}

/// Sets a limit for good, unless a lower one is set already.
fn limit(resource: Resource, most: u64) -> Result<(), Missing> {
    let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
        .map_err(|error| Missing::new("resource limits", &error))
}
