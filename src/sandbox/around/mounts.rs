//! `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`): what is mounted where, and how.

use std::path::{Path, PathBuf};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number, and that of the mount that it stands in.
    id: u32,
    parent: u32,
    /// Which directory of its file system is seen.
    pub root: PathBuf,
    /// Where.
    pub point: PathBuf,
    /// The type of its file system.
    pub kind: String,
    /// Whether nothing can be written here, by the mount or by the file system.
    pub read_only: bool,
    /// The options of the mount, such as `nosuid`.
    options: Vec<String>,
    /// The options of the file system; for control groups of version 1 their controllers.
    super_options: Vec<String>,
}

impl Mount {
    /// Whether the mount has this option.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|had| had == option)
    }

    /// Whether its file system has this option.
    pub fn file_system_has(&self, option: &str) -> bool {
        self.super_options.iter().any(|had| had == option)
    }
}

/// Reads the text, in the order of mounting; lines of another form are left out.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Mount> {
    // Between the sixth field and the dash stand none, one or several that say how mounts propagate.
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ');
    let (id, parent) = (mount.next()?.parse().ok()?, mount.next()?.parse().ok()?);
    let mut mount = mount.skip(1);
    let (root, point, options) = (unescaped(mount.next()?), unescaped(mount.next()?), list(mount.next()?));
    let mut file_system = file_system.split(' ');
    let kind = file_system.next()?.to_owned();
    let super_options = list(file_system.nth(1)?);
    let read_only = [&options, &super_options].into_iter().any(|options| options.iter().any(|had| had == "ro"));
    Some(Mount { id, parent, root: root.into(), point: point.into(), kind, read_only, options, super_options })
}

/// The mounts that can be seen: those over which nothing else is mounted. The order of the lines says nothing about that.
pub fn visible(mounts: &[Mount]) -> impl Iterator<Item = &Mount> {
    mounts.iter().filter(|mount| !is_hidden(mounts, mount))
}

/// Whether another mount stands on this one, or between it and the mount that it stands in, or the same of one that it stands in.
fn is_hidden(mounts: &[Mount], mount: &Mount) -> bool {
    let (mut above, mut from) = (Some(mount), mount.id);
    // No chain is longer than the list; a text that was read while mounts changed may have a circle.
    for _ in 0..mounts.len() {
        let Some(mount) = above else { return false };
        let is_over = |other: &Mount| {
            let stands_on_it = other.parent == mount.id && other.point == mount.point;
            let stands_between =
                other.parent == mount.parent && other.point != mount.point && mount.point.starts_with(&other.point);
            // What stands on a mount hides it and not itself.
            other.id != mount.id && other.id != from && (stands_on_it || stands_between)
        };
        if mounts.iter().any(is_over) {
            return true;
        }
        from = mount.id;
        above = mounts.iter().find(|other| other.id == mount.parent && other.id != mount.id);
    }
    false
}

/// The mount that is exactly at this place, if there is one.
pub fn at<'a>(mounts: &'a [Mount], place: &Path) -> Option<&'a Mount> {
    visible(mounts).find(|mount| mount.point == place)
}

fn list(options: &str) -> Vec<String> {
    options.split(',').map(str::to_owned).collect()
}

/// Spaces, tabs, line breaks and backslashes are written as three octal digits after a backslash.
fn unescaped(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a container with a root that is read only, on a machine with control groups of version 1.
    const CONTAINER: &str = "\
71 46 0:39 / / ro,noatime master:3 - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0,group_id=0,default_permissions,allow_other
72 71 0:41 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
73 71 0:42 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
80 76 0:32 /docker/9bc9 /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime - cgroup cgroup rw,memory
88 71 0:47 / /tmp rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw
89 71 254:0 /var/lib/docker/containers/9bc9/hosts /etc/hosts ro,relatime - ext4 /dev/vda rw,discard
50 72 0:41 /sys /proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw
";

    #[test]
    fn the_root_of_a_hardened_container_is_read_only_and_tmp_is_not() {
        let mounts = parse(CONTAINER);
        assert_eq!(mounts.len(), 7);
        let found = |place: &str| at(&mounts, Path::new(place)).unwrap();
        assert!(found("/").read_only && found("/proc/sys").read_only);
        assert!(!found("/tmp").read_only && found("/tmp").has("nosuid") && !found("/etc/hosts").has("nosuid"));
        assert_eq!(found("/").kind, "fuse.fuse-overlayfs");
        assert_eq!(found("/sys/fs/cgroup/memory").root, Path::new("/docker/9bc9"));
        assert!(found("/sys/fs/cgroup/memory").file_system_has("memory"));
    }

    #[test]
    fn a_file_system_that_is_read_only_makes_its_mounts_so() {
        assert!(parse("1 0 0:1 / /x rw,relatime shared:1 master:2 - iso9660 /dev/sr0 ro\n")[0].read_only);
    }

    fn seen(text: &str) -> Vec<(String, String)> {
        let mounts = parse(text);
        visible(&mounts).map(|mount| (mount.point.display().to_string(), mount.kind.clone())).collect()
    }

    #[test]
    fn what_was_mounted_over_is_not_seen() {
        let root = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n";
        let dev = "24 27 0:6 / /dev rw - devtmpfs devtmpfs rw\n25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw\n";
        let is = |found: Vec<(String, String)>, expected: &[(&str, &str)]| {
            let found: Vec<_> = found.iter().map(|(point, kind)| (point.as_str(), kind.as_str())).collect();
            assert_eq!(found, expected);
        };
        // As a machine lists them: the root after what stands in it.
        is(seen(&format!("{dev}{root}")), &[("/dev", "devtmpfs"), ("/dev/shm", "tmpfs"), ("/", "ext4")]);
        let twice = "30 25 0:27 / /dev/shm ro - ramfs over rw\n";
        is(seen(&format!("{root}{dev}{twice}")), &[("/", "ext4"), ("/dev", "devtmpfs"), ("/dev/shm", "ramfs")]);
        let over = "31 24 0:28 / /dev rw - ramfs over rw\n";
        is(seen(&format!("{root}{dev}{over}")), &[("/", "ext4"), ("/dev", "ramfs")]);
        let above = "40 27 0:9 / /srv/a/b rw - tmpfs b rw\n41 27 0:10 / /srv/a rw - ramfs a rw\n";
        is(seen(&format!("{root}{above}")), &[("/", "ext4"), ("/srv/a", "ramfs")]);
        is(seen("1 2 0:1 / /a rw - tmpfs a rw\n2 1 0:1 / /b rw - tmpfs b rw\n"), &[("/a", "tmpfs"), ("/b", "tmpfs")]);
        assert_eq!(at(&parse(root), Path::new("/tmp")), None);
    }

    #[test]
    fn names_with_spaces_and_backslashes_are_read_and_other_lines_left_out() {
        let mounts = parse("1 0 0:1 /a\\040b /m\\134n\\011 rw - tmpfs my\\040name rw\nnonsense\n\n1 0 0:1 / /\n");
        assert_eq!(mounts.len(), 1);
        assert_eq!((mounts[0].root.to_str(), mounts[0].point.to_str()), (Some("/a b"), Some("/m\\n\t")));
        assert_eq!(unescaped("a\\9\\04"), "a\\9\\04", "not three octal digits");
    }
}
