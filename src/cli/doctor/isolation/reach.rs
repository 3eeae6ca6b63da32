//! What lies around that leads elsewhere: keys, sockets, devices.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, access},
    process::geteuid,
};

use super::{
    expectation::{Expected, Property, Tier},
    listed,
};
use crate::{
    cli::doctor::finding::Finding,
    config::{
        Surroundings,
        environment::{NamedEngine, named_engines, names_of_keys},
    },
    sandbox::around::mounts::{self, Mount},
};

/// What people keep keys in, below their home.
const CREDENTIALS: [&str; 9] = [
    ".ssh",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".kube",
    ".docker/config.json",
    ".netrc",
    ".git-credentials",
    ".gnupg",
];
/// So many homes are looked at: a directory of that many people is no desktop's.
const HOMES: usize = 64;
/// Where container engines listen. Whoever can open one of these is root on its machine.
const ENGINES: [&str; 7] = [
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/k3s/containerd/containerd.sock",
];
/// The same of engines that run as a user, below `/run/user/UID`.
const ROOTLESS: [&str; 2] = ["docker.sock", "podman/podman.sock"];
/// Where X servers have their sockets, and the last part of its name when it was mounted from a machine as it is there.
const X_SOCKETS: &str = "/tmp/.X11-unix";
const X_DIRECTORY: &str = ".X11-unix";
/// What lets whoever writes it act as the machine's root: a program for core files (core(5)), keys of the kernel.
const SETTINGS: [&str; 3] = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger"];

pub(super) fn findings(expected: &Expected<'_>, mounts: Option<&[Mount]>) -> Vec<Finding> {
    vec![
        keys(expected, &names_of_keys()),
        credentials(expected, &kept(&homes(Surroundings::capture().home.as_deref()))),
        engines(expected, &sockets(), &named_engines()),
        display(expected, mounts),
        virtual_machines(Path::new("/dev/kvm")),
        settings(expected),
    ]
}

fn keys(expected: &Expected<'_>, names: &[String]) -> Finding {
    if names.is_empty() {
        return expected.holds(Property::CloudKeys, "no variable of the environment is a key by its name");
    }
    expected.lacks(
        Property::CloudKeys,
        format!("every program here is given {}", listed(names)),
        "leave them out of docker run --env; an agent gets no keys of production, and one of its own for what it must reach",
    )
}

/// Homes of people, as far as they can be seen.
fn homes(home: Option<&str>) -> Vec<PathBuf> {
    let mut homes: Vec<PathBuf> = home.map(PathBuf::from).into_iter().chain([PathBuf::from("/root")]).collect();
    let entries = fs::read_dir("/home").into_iter().flatten().flatten();
    homes.extend(entries.take(HOMES).map(|entry| entry.path()));
    homes.sort();
    homes.dedup();
    homes
}

/// What is there to be read. An empty directory is not: images have them.
fn kept(homes: &[PathBuf]) -> Vec<String> {
    let holds_something = |path: &PathBuf| match fs::metadata(path) {
        Ok(found) if found.is_dir() => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()),
        Ok(_) => access(path, Access::READ_OK).is_ok(),
        Err(_) => false,
    };
    homes
        .iter()
        .flat_map(|home| CREDENTIALS.iter().map(move |name| home.join(name)))
        .filter(holds_something)
        .map(|path| path.display().to_string())
        .collect()
}

fn credentials(expected: &Expected<'_>, kept: &[String]) -> Finding {
    if kept.is_empty() {
        return expected.holds(Property::CredentialFiles, "none in the home directories that can be read");
    }
    expected.lacks(
        Property::CredentialFiles,
        format!("this user can read {}", listed(kept)),
        "mount no home directory: docker run without --volume $HOME",
    )
}

/// A socket of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Socket {
    path: String,
    /// Whether this user can connect to it.
    open: bool,
}

fn sockets() -> Vec<Socket> {
    let user = Path::new("/run/user").join(geteuid().as_raw().to_string());
    let named = named_engines().into_iter().filter_map(|engine| engine.socket).map(PathBuf::from);
    let places = ENGINES.iter().map(PathBuf::from).chain(ROOTLESS.iter().map(|name| user.join(name))).chain(named);
    let mut seen = Vec::new();
    let mut sockets = Vec::new();
    for path in places {
        let Ok(found) = fs::metadata(&path) else { continue };
        let identity = (found.dev(), found.ino());
        // `/var/run` is `/run` nearly everywhere.
        if found.file_type().is_socket() && !seen.contains(&identity) {
            seen.push(identity);
            sockets.push(Socket { open: access(&path, Access::WRITE_OK).is_ok(), path: path.display().to_string() });
        }
    }
    sockets
}

fn engines(expected: &Expected<'_>, sockets: &[Socket], named: &[NamedEngine]) -> Finding {
    const REMEDY: &str =
        "mount no engine's socket and set no DOCKER_HOST: whoever has it is root on the engine's machine";
    let tell = |open: bool| -> Vec<String> {
        sockets.iter().filter(|socket| socket.open == open).map(|socket| socket.path.clone()).collect()
    };
    let (open, closed) = (tell(true), tell(false));
    let remote: Vec<&str> =
        named.iter().filter(|engine| engine.socket.is_none()).map(|engine| engine.variable).collect();
    if !open.is_empty() {
        expected.lacks(Property::EngineSocket, format!("this user can command {}", listed(&open)), REMEDY)
    } else if !remote.is_empty() {
        expected.lacks(Property::EngineSocket, format!("{} names an engine elsewhere", listed(&remote)), REMEDY)
    } else if closed.is_empty() {
        expected.holds(Property::EngineSocket, "none is here")
    } else if expected.tier == Tier::Container {
        // It was mounted, and there is no other use for it.
        let found = format!("{} is here, although this user cannot open it", listed(&closed));
        expected.lacks(Property::EngineSocket, found, REMEDY)
    } else {
        expected.holds(Property::EngineSocket, format!("this user cannot open {}", listed(&closed)))
    }
}

fn display(expected: &Expected<'_>, mounts: Option<&[Mount]>) -> Finding {
    let Some(mounts) = mounts else {
        return expected.unknown(Property::HostDisplay, "there is no /proc/self/mountinfo");
    };
    let is_named_so = |path: Option<&Path>| path.and_then(Path::file_name).is_some_and(|name| name == X_DIRECTORY);
    // The directory itself, or one of its sockets.
    let is_the_machines = |mount: &&Mount| match mount.point.strip_prefix(X_SOCKETS) {
        Ok(below) if below.as_os_str().is_empty() => is_named_so(Some(&mount.root)),
        Ok(_) => is_named_so(mount.root.parent()),
        Err(_) => false,
    };
    let found = mounts::visible(mounts).find(is_the_machines);
    match found {
        Some(mount) => expected.lacks(
            Property::HostDisplay,
            format!("{} is the machine's own: its desktop can be seen and used from here", mount.point.display()),
            "share the sockets of a display in a volume of its own, never the machine's /tmp/.X11-unix",
        ),
        None if mounts::at(mounts, Path::new(X_SOCKETS)).is_some() => {
            expected.holds(Property::HostDisplay, format!("{X_SOCKETS} is a volume of its own"))
        }
        None => expected.holds(Property::HostDisplay, "no X sockets from outside"),
    }
}

fn virtual_machines(device: &Path) -> Finding {
    let subject = "kvm";
    if access(device, Access::READ_OK | Access::WRITE_OK).is_ok() {
        return Finding::warning(
            subject,
            "/dev/kvm can be opened: a large part of the kernel more",
            "leave out --device /dev/kvm; a virtual machine is started outside of the desktop",
        );
    }
    Finding::good(subject, "/dev/kvm is not here or cannot be opened")
}

fn settings(expected: &Expected<'_>) -> Finding {
    // Nobody can write what is not there.
    let written: Vec<&str> = SETTINGS.into_iter().filter(|path| access(*path, Access::WRITE_OK).is_ok()).collect();
    if written.is_empty() {
        return expected.holds(Property::KernelSettings, "none can be written");
    }
    expected.lacks(
        Property::KernelSettings,
        format!("{} can be written: the machine's kernel runs what stands there", listed(&written)),
        "leave out --privileged and --security-opt systempaths=unconfined, and be an ordinary user",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    const CONTAINER: Expected<'_> = Expected::new(Tier::Container, &[]);

    #[test]
    fn keys_are_named() {
        assert_eq!(keys(&CONTAINER, &[]).verdict, Verdict::Good);
        let found = keys(&CONTAINER, &["AWS_SECRET_ACCESS_KEY".into()]);
        assert_eq!((found.verdict, found.found.contains("AWS_SECRET_ACCESS_KEY")), (Verdict::Bad, true));
    }

    #[test]
    fn a_directory_with_something_in_it_counts_and_an_empty_one_does_not() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".ssh")).unwrap();
        fs::create_dir_all(home.path().join(".docker")).unwrap();
        assert_eq!(kept(&[home.path().to_owned()]), [""; 0]);
        fs::write(home.path().join(".ssh/id_ed25519"), "").unwrap();
        fs::write(home.path().join(".docker/config.json"), "{}").unwrap();
        let found = kept(&[home.path().to_owned()]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(credentials(&CONTAINER, &found).verdict, Verdict::Bad);
    }

    #[test]
    fn an_engine_counts_also_where_it_is_closed_to_this_user_in_a_container() {
        let socket = |open| Socket { path: "/run/docker.sock".into(), open };
        let vm = Expected::new(Tier::Vm, &[]);
        assert_eq!(engines(&CONTAINER, &[], &[]).verdict, Verdict::Good);
        assert_eq!(engines(&CONTAINER, &[socket(true)], &[]).verdict, Verdict::Bad);
        assert_eq!(engines(&CONTAINER, &[socket(false)], &[]).verdict, Verdict::Bad);
        assert_eq!(engines(&vm, &[socket(false)], &[]).verdict, Verdict::Good);
        assert_eq!(engines(&vm, &[socket(true)], &[]).verdict, Verdict::Bad);
        let remote = NamedEngine { variable: "DOCKER_HOST", socket: None };
        assert_eq!(engines(&vm, &[], &[remote]).verdict, Verdict::Bad);
    }

    #[test]
    fn the_machines_x_sockets_are_told_from_a_volume() {
        let with = |root: &str, point: &str| {
            let text =
                format!("71 46 0:39 / / ro - overlay overlay rw\n90 71 254:0 {root} {point} rw - ext4 /dev/vda rw\n");
            display(&CONTAINER, Some(&mounts::parse(&text))).verdict
        };
        assert_eq!(with("/tmp/.X11-unix", "/tmp/.X11-unix"), Verdict::Bad);
        // A machine whose /tmp is a file system of its own.
        assert_eq!(with("/.X11-unix", "/tmp/.X11-unix"), Verdict::Bad);
        assert_eq!(with("/tmp/.X11-unix/X0", "/tmp/.X11-unix/X0"), Verdict::Bad);
        assert_eq!(with("/var/lib/docker/volumes/x/_data", "/tmp/.X11-unix"), Verdict::Good);
        assert_eq!(with("/somewhere", "/else"), Verdict::Good);
        assert_eq!(display(&CONTAINER, None).verdict, Verdict::Bad);
    }

    #[test]
    fn a_device_that_is_not_there_cannot_be_opened() {
        assert_eq!(virtual_machines(Path::new("/nonexistent")).verdict, Verdict::Good);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(virtual_machines(file.path()).verdict, Verdict::Warning);
    }
}
