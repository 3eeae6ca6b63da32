//! What can be written.

use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

use super::{
    expectation::{CANNOT_TELL, Expected, Property},
    listed,
};
use crate::{
    cli::doctor::finding::Finding,
    sandbox::around::mounts::{self, Mount},
};

/// What a program can use later, as another user or at the next start, when somebody has written it.
const SYSTEM: [&str; 12] =
    ["/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/opt", "/root", "/sbin", "/srv", "/usr", "/var"];
/// Where the sockets of displays are, and the private directories of servers without a better place.
const TMP: &str = "/tmp";
/// File systems that keep nothing: the kernel answers there.
const KERNELS_OWN: [&str; 14] = [
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "mqueue",
    "proc",
    "pstore",
    "securityfs",
    "sysfs",
    "tracefs",
];

pub(super) fn findings(expected: &Expected<'_>, mounts: Option<&[Mount]>) -> Vec<Finding> {
    let root = statvfs("/").ok().map(|root| root.f_flag.contains(StatVfsMountFlags::RDONLY));
    let written: Vec<&str> = SYSTEM.into_iter().filter(|path| can_write(Path::new(path))).collect();
    vec![
        read_only_root(expected, root),
        tmp(expected, mounts, can_write(Path::new(TMP))),
        system(&written),
        writable(mounts),
    ]
}

fn read_only_root(expected: &Expected<'_>, read_only: Option<bool>) -> Finding {
    match read_only {
        Some(true) => expected.holds(Property::ReadOnlyRoot, "the root file system is read-only"),
        Some(false) => expected.lacks(
            Property::ReadOnlyRoot,
            "the root file system can be written by whoever owns a place in it",
            "docker run --read-only --tmpfs /tmp",
        ),
        None => expected.unknown(Property::ReadOnlyRoot, "statvfs(\"/\") fails"),
    }
}

/// Whoever fills it fills nothing else, and what it holds goes with the container.
fn tmp(expected: &Expected<'_>, mounts: Option<&[Mount]>, can_be_written: bool) -> Finding {
    const REMEDY: &str = "docker run --tmpfs /tmp";
    let Some(mounts) = mounts else {
        return expected.unknown(Property::Tmp, "there is no /proc/self/mountinfo");
    };
    match mounts::at(mounts, Path::new(TMP)) {
        _ if !can_be_written => {
            let found = "/tmp is not there or this user cannot write it: a display has no place for its socket";
            expected.lacks(Property::Tmp, found, REMEDY)
        }
        None => expected.lacks(Property::Tmp, "/tmp is a part of another file system, which it can fill", REMEDY),
        Some(mount) => expected.holds(Property::Tmp, format!("a file system of its own ({})", mount.kind)),
    }
}

fn system(written: &[&str]) -> Finding {
    if written.is_empty() {
        return Finding::good("system-files", "this user can write none of the system's directories");
    }
    Finding::warning(
        "system-files",
        format!("this user can write {}", listed(written)),
        "leave them to root, or docker run --read-only, and mount what has to be written somewhere else, such as /workspace",
    )
}

fn writable(mounts: Option<&[Mount]>) -> Finding {
    let Some(mounts) = mounts else {
        return Finding::warning("writable", "cannot tell: there is no /proc/self/mountinfo", CANNOT_TELL);
    };
    let mut written: Vec<String> = mounts::visible(mounts)
        .filter(|mount| keeps_files(mount) && can_write(&mount.point))
        .map(|mount| format!("{} ({})", mount.point.display(), mount.kind))
        .collect();
    written.sort();
    match written.as_slice() {
        [] => Finding::good("writable", "no mount"),
        some => Finding::good("writable", listed(some)),
    }
}

/// Whether what is written there stays there. A container hides files of `/proc` behind a device of its own `/dev`.
fn keeps_files(mount: &Mount) -> bool {
    !mount.read_only
        && !KERNELS_OWN.contains(&mount.kind.as_str())
        && !["/proc", "/sys"].iter().any(|kernels| mount.point.starts_with(kernels))
}

fn can_write(path: &Path) -> bool {
    access(path, Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::{finding::Verdict, isolation::expectation::Tier};

    #[test]
    fn a_root_that_can_be_written_is_told() {
        let container = Expected::new(Tier::Container, &[]);
        assert_eq!(read_only_root(&container, Some(true)).verdict, Verdict::Good);
        assert_eq!(read_only_root(&container, Some(false)).verdict, Verdict::Bad);
        assert_eq!(read_only_root(&container, None).verdict, Verdict::Bad);
        assert_eq!(read_only_root(&Expected::new(Tier::Vm, &[]), Some(false)).verdict, Verdict::Warning);
        assert_eq!(system(&["/etc", "/usr"]).found, "this user can write /etc, /usr");
    }

    #[test]
    fn tmp_is_of_its_own_and_can_be_written() {
        let container = Expected::new(Tier::Container, &[]);
        let root = "71 46 0:39 / / ro - overlay overlay rw\n";
        let with = mounts::parse(&format!("{root}88 71 0:47 / /tmp rw - tmpfs tmpfs rw\n"));
        assert_eq!(tmp(&container, Some(&with), true).verdict, Verdict::Good);
        assert_eq!(tmp(&container, Some(&with), false).verdict, Verdict::Bad);
        assert_eq!(tmp(&container, Some(&mounts::parse(root)), true).verdict, Verdict::Bad);
        assert_eq!(tmp(&container, None, true).verdict, Verdict::Bad);
    }

    #[test]
    fn what_the_kernel_answers_is_no_place_for_files() {
        let mounts = mounts::parse(
            "72 71 0:41 / /proc rw - proc proc rw\n52 72 0:42 /null /proc/keys rw,nosuid - tmpfs tmpfs rw\n\
             86 73 0:40 / /dev/mqueue rw - mqueue mqueue rw\n88 71 0:47 / /tmp rw - tmpfs tmpfs rw\n\
             89 71 254:0 /x /etc/hosts ro - ext4 /dev/vda rw\n",
        );
        let kept: Vec<_> = mounts.iter().filter(|mount| keeps_files(mount)).map(|mount| mount.point.clone()).collect();
        assert_eq!(kept, [Path::new("/tmp")]);
        assert_eq!(writable(None).verdict, Verdict::Warning);
    }
}
