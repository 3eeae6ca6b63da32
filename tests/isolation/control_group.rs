//! A control group of the test's own, in either version.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

const MOUNT: &str = "/sys/fs/cgroup";
/// What version 1 takes for no limit.
const NO_LIMIT: &str = "-1";

/// Dropping it removes it; by then nobody is in it any more.
pub struct ControlGroup {
    /// One directory in version 2, one for each controller in version 1: processes and memory.
    directories: Vec<PathBuf>,
    is_two: bool,
}

impl ControlGroup {
    /// Makes one with a limit for processes and for memory; says why where that cannot be done.
    pub fn make() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("deskhand-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let is_two = Path::new(MOUNT).join("cgroup.controllers").exists();
        let directories = if is_two {
            vec![Path::new(MOUNT).join(&name)]
        } else {
            ["pids", "memory"].map(|controller| Path::new(MOUNT).join(controller).join(&name)).to_vec()
        };
        let mut group = Self { directories: Vec::new(), is_two };
        for directory in directories {
            if let Err(error) = fs::create_dir(&directory) {
                eprintln!("not tested: cannot make the control group {}: {error}", directory.display());
                return None;
            }
            group.directories.push(directory);
        }
        let missing = [group.pids_file(), group.memory_file()].into_iter().find(|file| !file.exists());
        if let Some(missing) = missing {
            eprintln!("not tested: there is no {}: its controller is not enabled here", missing.display());
            return None;
        }
        Some(group)
    }

    /// The files that a process joins it by.
    pub fn joined(&self) -> Vec<String> {
        self.directories.iter().map(|directory| directory.join("cgroup.procs").display().to_string()).collect()
    }

    pub fn limit_processes(&self, most: Option<u64>) {
        fs::write(self.pids_file(), most.map_or("max".to_owned(), |most| most.to_string())).unwrap();
    }

    pub fn limit_memory(&self, bytes: Option<u64>) {
        let none = if self.is_two { "max" } else { NO_LIMIT };
        fs::write(self.memory_file(), bytes.map_or(none.to_owned(), |bytes| bytes.to_string())).unwrap();
    }

    fn pids_file(&self) -> PathBuf {
        self.directories[0].join("pids.max")
    }

    fn memory_file(&self) -> PathBuf {
        let name = if self.is_two { "memory.max" } else { "memory.limit_in_bytes" };
        self.directories[self.directories.len() - 1].join(name)
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        for directory in &self.directories {
            // A group that is left behind would be found by the next run, which has another name.
            if let Err(error) = fs::remove_dir(directory) {
                eprintln!("cannot remove {}: {error}", directory.display());
            }
        }
    }
}
