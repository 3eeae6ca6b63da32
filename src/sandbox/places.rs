//! Which files can be reached, by Landlock (landlock(7)), as far as this kernel has it.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, PathFdError,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};

use super::Missing;

/// The version whose rights over files are taken away; a kernel that knows fewer takes away fewer.
const FILES: ABI = ABI::V5;
/// The same for TCP. Listeners are bound and listen already, and nothing here connects.
const NETWORK: ABI = ABI::V4;

/// What is read wherever the server runs: what other processes do, and what their control groups have used.
const READ: [&str; 2] = ["/proc", "/sys/fs/cgroup"];

/// The directories that the server needs beside those. Everything else is out of reach for good, to read, to write and to
/// remove. Connecting to Unix sockets takes no permission here; files that are open already stay so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Of which files are read.
    pub read: Vec<PathBuf>,
    /// Of which files are read, written, made and removed: what keeps a state or a record adds its directory here. As long as
    /// all of them are opened before the sandbox is entered, the filter lets none be opened for writing; what must open one
    /// later needs a row there, too.
    pub written: Vec<PathBuf>,
    /// That are emptied: the private directory goes with us when the supervisor was killed.
    pub emptied: Vec<PathBuf>,
    /// Of which files are removed: sockets that we have bound go when we go.
    pub files_removed: Vec<PathBuf>,
    /// Of which empty directories are removed: that one, from the directory that it is in.
    pub directories_removed: Vec<PathBuf>,
}

impl Places {
    /// Leaves only these. Says whether the kernel does anything about it.
    pub(super) fn enforce(&self) -> Result<bool, Missing> {
        let missing = |error: &dyn std::fmt::Display| Missing::new("Landlock", error);
        let mut ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(FILES))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(NETWORK)))
            .and_then(Ruleset::create)
            .map_err(|error: RulesetError| missing(&error))?;
        for (path, access) in self.rules() {
            match PathFd::new(path) {
                Ok(directory) => {
                    ruleset = ruleset.add_rule(PathBeneath::new(directory, access)).map_err(|error| missing(&error))?;
                }
                // What is not there needs no rule: without a rule it cannot be reached if it comes.
                Err(PathFdError::OpenCall { .. }) => {
                    tracing::debug!(path = %path.display(), "no place for the sandbox");
                }
                Err(error) => return Err(missing(&error)),
            }
        }
        let status = ruleset.restrict_self().map_err(|error| missing(&error))?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }

    fn rules(&self) -> impl Iterator<Item = (&Path, BitFlags<AccessFs>)> {
        let always = READ.iter().map(Path::new);
        let read = always.chain(self.read.iter().map(PathBuf::as_path));
        let read = read.map(|path| (path, AccessFs::ReadFile | AccessFs::ReadDir));
        // Neither programs nor devices, and nothing moves from one place to another.
        let write = AccessFs::from_all(FILES)
            & !(AccessFs::Execute | AccessFs::IoctlDev | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::Refer);
        let written = self.written.iter().map(move |path| (path.as_path(), write));
        let empty = AccessFs::ReadDir | AccessFs::RemoveFile | AccessFs::RemoveDir;
        let emptied = self.emptied.iter().map(move |path| (path.as_path(), empty));
        let files = self.files_removed.iter().map(|path| (path.as_path(), AccessFs::RemoveFile.into()));
        let directories = self.directories_removed.iter().map(|path| (path.as_path(), AccessFs::RemoveDir.into()));
        read.chain(written).chain(emptied).chain(files).chain(directories)
    }
}

/// Whether the kernel has Landlock. Confines nothing.
pub fn landlock_is_offered() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .is_ok_and(|ruleset| ruleset.create().is_ok())
}
