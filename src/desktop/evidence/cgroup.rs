//! How much processor time the applications' control group has used (cgroups(7)): exact, with every thread and every short-lived
//! child.
//!
//! The root group is the whole machine, of which the desktop may be a small part, so it is no evidence; inside a container the
//! group that looks like the root is the container's own.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::counter::Counter;

/// Where the hierarchies are mounted: version 2 alone or beside version 1, and the accounting of version 1.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const ACCOUNTING: [&str; 2] = ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/cpu,cpuacct"];
/// The controller of version 1 that counts.
const CONTROLLER: &str = "cpuacct";

/// Which kind of group it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `cpuacct.usage`, in nanoseconds.
    One,
    /// `cpu.stat`, in microseconds, and as a rule `cpu.pressure`.
    Two,
}

/// A control group that counts.
#[derive(Debug)]
pub struct ControlGroup {
    /// Which kind.
    pub version: Version,
    /// Whether we are in it, too, so that what we use is to be taken off.
    pub has_us: bool,
    usage: Counter,
    pressure: Option<Counter>,
}

impl ControlGroup {
    /// The group of a process; `None` where it has none that counts, or only the root.
    pub fn of(process: u32) -> Option<Self> {
        let [theirs, ours] = [process.to_string(), "self".to_owned()]
            .map(|process| fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default());
        let two = UNIFIED.iter().find_map(|mount| {
            let directory = directory(mount, path(&theirs, "")?);
            // Every group but the root has this file.
            directory.join("cgroup.type").exists().then_some(())?;
            Some(Self {
                version: Version::Two,
                has_us: is_inside(path(&ours, "")?, path(&theirs, "")?),
                usage: Counter::open(directory.join("cpu.stat"), "usage_usec ").ok()?,
                pressure: Counter::open(directory.join("cpu.pressure"), "total=").ok(),
            })
        });
        let one = || {
            ACCOUNTING.iter().find_map(|mount| {
                let directory = directory(mount, path(&theirs, CONTROLLER)?);
                // Only the root of a hierarchy of version 1 has this file.
                (!directory.join("release_agent").exists()).then_some(())?;
                Some(Self {
                    version: Version::One,
                    has_us: is_inside(path(&ours, CONTROLLER)?, path(&theirs, CONTROLLER)?),
                    usage: Counter::open(directory.join("cpuacct.usage"), "").ok()?,
                    pressure: None,
                })
            })
        };
        two.or_else(one)
    }

    /// What the group has used so far; `None` when it is gone.
    pub fn used(&self) -> Option<Duration> {
        let number = self.usage.read().ok()?;
        Some(match self.version {
            Version::One => Duration::from_nanos(number),
            Version::Two => Duration::from_micros(number),
        })
    }

    /// For how long any of it has waited for a processor so far, where the kernel counts that.
    pub fn waited(&self) -> Option<Duration> {
        self.pressure.as_ref()?.read().ok().map(Duration::from_micros)
    }
}

/// The path of the group in the hierarchy with this controller; of version 2 where that is empty.
fn path<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_meant = match controller {
            "" => number == "0" && controllers.is_empty(),
            controller => controllers.split(',').any(|name| name == controller),
        };
        is_meant.then_some(path)
    })
}

/// The directory of a group. A container sees its own group where the root would be, and may see its path from outside.
fn directory(mount: &str, path: &str) -> PathBuf {
    let mount = Path::new(mount);
    let inside = mount.join(path.trim_start_matches('/'));
    if inside.is_dir() { inside } else { mount.to_owned() }
}

fn is_inside(path: &str, group: &str) -> bool {
    Path::new(path).starts_with(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "9:name=systemd:/\n2:cpu,cpuacct:/docker/abc\n1:cpuset:/x\n0::/user.slice/a:b\n";

    #[test]
    fn the_path_is_that_of_the_right_hierarchy() {
        assert_eq!(path(GROUPS, "cpuacct"), Some("/docker/abc"));
        assert_eq!(path(GROUPS, ""), Some("/user.slice/a:b"));
        assert_eq!(path(GROUPS, "memory"), None);
        assert_eq!(path("", ""), None);
    }

    #[test]
    fn a_group_has_those_below_it_and_no_others() {
        assert!(is_inside("/a/b", "/a") && is_inside("/a", "/a") && is_inside("/x", "/"));
        assert!(!is_inside("/ab", "/a") && !is_inside("/", "/a"));
    }
}
