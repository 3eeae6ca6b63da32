//! The control group of this process and what it limits, in both versions (cgroups(7)).

use std::path::{Component, Path, PathBuf};

use super::mounts::{self, Mount};

/// From here on a number of version 1 means that there is no limit: the largest that a long holds, rounded down to a page, is
/// what it shows then, and a page may have 64 KiB.
const NO_LIMIT: u64 = i64::MAX as u64 - 0xffff;
/// What version 1 writes for processor time without a limit.
const NO_QUOTA: &str = "-1";

/// Which kind of hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller, `memory.limit_in_bytes`.
    One,
    /// One hierarchy, `memory.max`.
    Two,
}

/// Where the group of this process is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which files are in it.
    pub version: Version,
    directory: PathBuf,
    top: PathBuf,
}

impl Place {
    /// The group's directory and those above it as far as they are seen from here: a limit of any of them holds.
    pub fn levels(&self) -> impl Iterator<Item = &Path> {
        self.directory.ancestors().take_while(|level| level.starts_with(&self.top))
    }
}

/// Finds it for a controller: `memory`, `pids` or `cpu`. `groups` is the text of `/proc/self/cgroup`.
pub fn find(groups: &str, mounts: &[Mount], controller: &str) -> Option<Place> {
    let (version, path) = path(groups, controller)?;
    let is_its_mount = |mount: &&Mount| match version {
        Version::One => mount.kind == "cgroup" && mount.file_system_has(controller),
        Version::Two => mount.kind == "cgroup2",
    };
    let mount = mounts::visible(mounts).find(is_its_mount)?;
    // A container may see its own group as the root of the mount and its path as it is outside. Where the two have nothing to
    // do with each other (`/../other`), the mount is as near as one comes.
    let goes_down = |path: &&Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    let below = Path::new(path).strip_prefix(&mount.root).ok().filter(goes_down);
    let directory: PathBuf = mount.point.components().chain(below.into_iter().flat_map(Path::components)).collect();
    Some(Place { version, directory, top: mount.point.clone() })
}

/// The hierarchy that has the controller, and the group's path in it. Where both versions are mounted, a controller belongs to
/// one of them, and a line of version 1 says so.
fn path<'a>(groups: &'a str, controller: &str) -> Option<(Version, &'a str)> {
    let mut unified = None;
    for line in groups.lines() {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        if controllers.split(',').any(|name| name == controller) {
            return Some((Version::One, path));
        }
        if number == "0" && controllers.is_empty() {
            unified = Some((Version::Two, path));
        }
    }
    unified
}

/// How much of something a group may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// So much.
    Of(u64),
    /// As much as there is.
    None,
}

impl Limit {
    /// What a file such as `pids.max` or `memory.limit_in_bytes` says; nothing where it says neither a number nor `max`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "max" => Some(Self::None),
            number => number.parse().ok().map(|number| if number < NO_LIMIT { Self::Of(number) } else { Self::None }),
        }
    }

    /// Thousandths of a processor, from `cpu.max`, or the quota and the period of version 1 with a space between.
    pub fn of_processor(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace();
        let quota = fields.next()?;
        if quota == "max" || quota == NO_QUOTA {
            return Some(Self::None);
        }
        let (quota, period): (u64, u64) = (quota.parse().ok()?, fields.next()?.parse().ok()?);
        quota.checked_mul(1000)?.checked_div(period).map(Self::Of)
    }
}

/// The one that holds among those of all levels: the smallest. `None` where no level says anything.
pub fn tightest(limits: impl IntoIterator<Item = Limit>) -> Option<Limit> {
    limits.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER_ONE: &str = "71 46 0:39 / / ro - overlay overlay rw\n\
        77 76 0:29 /docker/9bc9 /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct\n\
        80 76 0:32 /docker/9bc9 /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n";
    const CONTAINER_TWO: &str =
        "1234 1230 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n";
    const MACHINE_BOTH: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

    fn levels(groups: &str, mounts: &str, controller: &str) -> Option<(Version, Vec<String>)> {
        let place = find(groups, &mounts::parse(mounts), controller)?;
        Some((place.version, place.levels().map(|level| level.to_str().unwrap().to_owned()).collect()))
    }

    #[test]
    fn a_container_sees_its_group_where_the_root_would_be() {
        let one = "4:memory:/docker/9bc9\n1:cpu,cpuacct:/docker/9bc9\n0::/docker/9bc9\n";
        let found = |place: &str| vec![place.to_owned()];
        assert_eq!(levels(one, CONTAINER_ONE, "memory"), Some((Version::One, found("/sys/fs/cgroup/memory"))));
        assert_eq!(levels(one, CONTAINER_ONE, "cpu"), Some((Version::One, found("/sys/fs/cgroup/cpu,cpuacct"))));
        assert_eq!(levels("0::/\n", CONTAINER_TWO, "pids"), Some((Version::Two, found("/sys/fs/cgroup"))));
        // With a namespace of groups that was entered from another one.
        assert_eq!(levels("0::/../other\n", CONTAINER_TWO, "pids").unwrap().1, found("/sys/fs/cgroup"));
    }

    #[test]
    fn outside_of_a_container_all_levels_count() {
        let groups = "4:memory:/user/one/two\n0::/elsewhere\n";
        let (version, found) = levels(groups, MACHINE_BOTH, "memory").unwrap();
        assert_eq!(version, Version::One);
        let memory = "/sys/fs/cgroup/memory";
        assert_eq!(
            found,
            [&format!("{memory}/user/one/two"), &format!("{memory}/user/one"), &format!("{memory}/user"), memory]
        );
        assert_eq!(levels(groups, MACHINE_BOTH, "pids").unwrap().0, Version::Two);
    }

    #[test]
    fn without_a_mount_or_a_group_there_is_none() {
        assert_eq!(levels("0::/\n", "1 0 0:1 / / rw - ext4 /dev/vda rw\n", "pids"), None);
        assert_eq!(levels("", CONTAINER_TWO, "pids"), None);
        assert_eq!(levels("4:memory:/x\n", CONTAINER_ONE, "pids"), None);
    }

    #[test]
    fn limits_are_read_as_both_versions_write_them() {
        for unlimited in ["max\n", "9223372036854771712\n", "9223372036854710272\n"] {
            assert_eq!(Limit::parse(unlimited), Some(Limit::None), "{unlimited}");
        }
        assert_eq!(Limit::parse("2147483648\n"), Some(Limit::Of(2_147_483_648)));
        assert_eq!(Limit::parse("0\n"), Some(Limit::Of(0)));
        for wrong in ["", "-1", "many"] {
            assert_eq!(Limit::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn processors_are_counted_in_thousandths() {
        assert_eq!(Limit::of_processor("100000 100000\n"), Some(Limit::Of(1000)));
        assert_eq!(Limit::of_processor("50000\n 100000\n"), Some(Limit::Of(500)));
        assert_eq!(Limit::of_processor("max 100000\n"), Some(Limit::None));
        assert_eq!(Limit::of_processor("-1\n 100000\n"), Some(Limit::None));
        for wrong in ["", "100000", "100000 0", "a b"] {
            assert_eq!(Limit::of_processor(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_smallest_of_all_levels_holds() {
        assert_eq!(tightest([Limit::None, Limit::Of(256), Limit::Of(4096)]), Some(Limit::Of(256)));
        assert_eq!(tightest([Limit::None]), Some(Limit::None));
        assert_eq!(tightest([]), None);
    }
}
