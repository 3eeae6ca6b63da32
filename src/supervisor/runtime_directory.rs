//! A directory that only our user can enter, for the cookie and the token; it goes when we go.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

use crate::exit::{Exit, Fatal};

/// Somebody else may hold a name in `/tmp` to keep us from it; more names than this are held only by an attacker who
/// wants us not to start, and then we do not.
const NAMES: u32 = 10;
/// The permission bits that let anybody but the owner in.
const OTHERS: u32 = 0o077;

/// The private directory. Dropping it removes it with all that is in it.
#[derive(Debug)]
pub(super) struct RuntimeDirectory {
    path: PathBuf,
}

impl RuntimeDirectory {
    /// Makes one inside `preferred` (`XDG_RUNTIME_DIR`) if that is a directory of ours that others cannot enter, else in
    /// `/tmp`.
    pub(super) fn create(preferred: Option<&Path>) -> Result<Self, Fatal> {
        let (user, process) = (geteuid().as_raw(), std::process::id());
        match preferred.filter(|parent| parent.is_absolute() && is_private(parent)) {
            Some(parent) => Self::create_named(|attempt| parent.join(name(&process.to_string(), attempt))),
            None => Self::create_named(|attempt| Path::new("/tmp").join(name(&format!("{user}-{process}"), attempt))),
        }
    }

    fn create_named(path: impl Fn(u32) -> PathBuf) -> Result<Self, Fatal> {
        let mut last = None;
        for attempt in 1..=NAMES {
            let path = path(attempt);
            match make(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) => last = Some((path, error)),
            }
        }
        let (path, error) = last.map_or_else(Default::default, |(path, error)| (path, error.to_string()));
        Err(Fatal::new(
            Exit::NotAllowed,
            format!(
                "cannot make the private directory {}: {error}; point XDG_RUNTIME_DIR to a directory of mode 0700 that \
                 is yours",
                path.display()
            ),
        ))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RuntimeDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the private directory");
        }
    }
}

fn name(distinction: &str, attempt: u32) -> String {
    match attempt {
        1 => format!("deskhand-{distinction}"),
        _ => format!("deskhand-{distinction}-{attempt}"),
    }
}

fn make(path: &Path) -> io::Result<()> {
    let create = || fs::DirBuilder::new().mode(0o700).create(path);
    match create() {
        // A restarted container gives us the process id of a predecessor that was killed: what it left is ours.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_private(path) => {
            fs::remove_dir_all(path)?;
            create()
        }
        made => made,
    }
}

/// Whether this is a directory, not a link to one, that belongs to us and that nobody else can enter.
fn is_private(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & OTHERS == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn it_is_private_and_goes_with_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let runtime = RuntimeDirectory::create(Some(parent.path())).unwrap();
        let path = runtime.path().to_owned();
        assert!(path.starts_with(parent.path()));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        fs::write(path.join("token"), "x").unwrap();
        drop(runtime);
        assert!(!path.exists());
    }

    #[test]
    fn a_parent_that_others_can_enter_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let runtime = RuntimeDirectory::create(Some(parent.path())).unwrap();
        assert!(!runtime.path().starts_with(parent.path()));
    }

    #[test]
    fn what_a_killed_predecessor_left_is_taken_over_and_what_others_planted_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let path = |attempt: u32| parent.path().join(name("7", attempt));
        make(&path(1)).unwrap();
        fs::write(path(1).join("token"), "old").unwrap();
        let runtime = RuntimeDirectory::create_named(path).unwrap();
        assert_eq!((runtime.path(), fs::read_dir(runtime.path()).unwrap().count()), (path(1).as_path(), 0));
        drop(runtime);

        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), path(1)).unwrap();
        fs::create_dir(path(2)).unwrap();
        fs::set_permissions(path(2), fs::Permissions::from_mode(0o777)).unwrap();
        let runtime = RuntimeDirectory::create_named(path).unwrap();
        assert_eq!(runtime.path(), path(3));
    }
}
