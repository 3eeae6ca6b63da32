//! What a place can lack or hold, and what doctor finds then.

use super::place::{ENGINE, FEW_FILES, OWN_TMP, Place, READ_ONLY};

/// What nobody may ever print.
pub const CANARY: &str = "canary-of-a-key-4711";

/// One thing that is taken away or put within reach.
pub struct Change {
    pub what: &'static str,
    pub apply: fn(Place) -> Place,
    /// Whose finding turns, how, and what it says.
    pub subject: &'static str,
    pub verdict: &'static str,
    pub part: &'static str,
}

const fn row(
    what: &'static str,
    apply: fn(Place) -> Place,
    subject: &'static str,
    verdict: &'static str,
    part: &'static str,
) -> Change {
    Change { what, apply, subject, verdict, part }
}

pub const CHANGES: [Change; 25] = [
    row("root", |place| place.without("--reuid=64021"), "user", "bad", "root is among"),
    row(
        "a saved user that is root",
        |place| place.with_setpriv("--ruid=64021", "--euid=0"),
        "user",
        "bad",
        "root is among",
    ),
    row("root's group", |place| place.without("--regid=64021"), "group", "warning", "root's"),
    row(
        "a bounding set",
        |place| place.without("--bounding-set=-all"),
        "capabilities",
        "bad",
        "a file with capabilities",
    ),
    row(
        "an ambient capability",
        |place| place.without("--bounding-set=-all").with_setpriv("--inh-caps=+net_raw", "--ambient-caps=+net_raw"),
        "capabilities",
        "bad",
        "effective: net_raw",
    ),
    row(
        "new privileges",
        |place| place.without("--no-new-privs").without_filter(),
        "no-new-privileges",
        "bad",
        "setuid",
    ),
    row("no filter", Place::without_filter, "seccomp", "bad", "no filter"),
    row("the machine's processes", |place| place.without("--pid"), "host-processes", "bad", "the machine's own"),
    row("the machine's messages", |place| place.without("--ipc"), "ipc", "warning", "the machine's own"),
    row("a root that can be written", |place| place.without(READ_ONLY), "read-only-root", "bad", "can be written"),
    row("no /tmp of its own", |place| place.without(OWN_TMP), "tmp", "bad", "/tmp"),
    row(
        "a directory of the system that can be written",
        |place| place.with("mount -t tmpfs -o mode=777 none /opt"),
        "system-files",
        "warning",
        "/opt",
    ),
    row(
        "an interface",
        |place| place.with("ip link add other type veth peer name another"),
        "network",
        "bad",
        "beside the loopback: ",
    ),
    row(
        "a way to everywhere",
        |place| {
            place.with("ip link add other type veth peer name another; ip link set another up; ip link set other up; ip route add default dev other")
        },
        "routes",
        "warning",
        "default on other",
    ),
    row("open files without end", |place| place.without(FEW_FILES), "nofile", "bad", "as good as no limit"),
    row(
        "core files",
        |place| place.without("ulimit -c 0").with("ulimit -S -c $(ulimit -H -c)"),
        "core",
        "warning",
        "passwords",
    ),
    row(
        "a socket of an engine",
        |place| place.with(ENGINE).with("chmod 666 /run/docker.sock"),
        "engine-socket",
        "bad",
        "can command /run/docker.sock",
    ),
    row(
        "one that is closed to us",
        |place| place.with(ENGINE).with("chmod 600 /run/docker.sock"),
        "engine-socket",
        "bad",
        "cannot open it",
    ),
    row(
        "the address of an engine",
        |place| place.with_variable("DOCKER_HOST", "tcp://192.0.2.1:2375"),
        "engine-socket",
        "bad",
        "DOCKER_HOST",
    ),
    row(
        "a key of a cloud",
        |place| place.with_variable("AWS_SECRET_ACCESS_KEY", CANARY),
        "cloud-keys",
        "bad",
        "AWS_SECRET_ACCESS_KEY",
    ),
    row(
        "somebody's keys",
        |place| place.with("mkdir -p /home/me/.ssh; touch /home/me/.ssh/id_ed25519"),
        "credential-files",
        "bad",
        "/home/me/.ssh",
    ),
    row(
        "a token that others can read",
        |place| place.with("touch /tmp/token; chmod 644 /tmp/token").with_variable("DESKHAND_TOKEN_FILE", "/tmp/token"),
        "secret-files",
        "bad",
        "/tmp/token, a token: mode 0644, owner 0; others can use it",
    ),
    row(
        "a control socket whose directory others can write",
        |place| {
            place.with("mkdir -m 777 /tmp/control").with_variable("DESKHAND_LISTEN", "unix:/tmp/control/deskhand.sock")
        },
        "secret-files",
        "bad",
        "/tmp/control, the directory of the control socket: mode 0777",
    ),
    row(
        "the machine's display",
        |place| {
            place.with(
                "mkdir -p /run/machine/.X11-unix /tmp/.X11-unix; mount --bind /run/machine/.X11-unix /tmp/.X11-unix",
            )
        },
        "host-display",
        "bad",
        "the machine's own",
    ),
    row(
        "all of root's power",
        |place| place.without("--reuid=64021").without("--bounding-set=-all").without_filter(),
        "kernel-settings",
        "bad",
        "/proc/sys/kernel/core_pattern",
    ),
];
