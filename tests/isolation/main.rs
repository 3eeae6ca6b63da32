//! What `deskhand doctor --isolation` finds: a place in which everything holds is made of namespaces, then one thing after the
//! other is taken away or put within reach, and its finding turns.
//!
//! No test leaves its own network namespace: doctor asks for a metadata address wherever one is routed.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::print_stderr, reason = "a test that this machine cannot run says so")]

mod control_group;
mod place;

use std::process::Command;

use control_group::ControlGroup;
use place::{Place, Report, can_make_places};

/// What nobody may ever print.
const CANARY: &str = "canary-of-a-key-4711";

/// What a place takes away or adds, and what then is found.
type Change = (&'static str, fn(Place) -> Place, &'static str, &'static str, &'static str);

#[test]
fn everything_that_namespaces_can_give_is_good_and_turns_when_it_is_taken_away() {
    if !can_make_places() {
        return;
    }
    let whole = Place::hardened().look();
    for subject in [
        "user",
        "group",
        "capabilities",
        "no-new-privileges",
        "seccomp",
        "host-processes",
        "ipc",
        "read-only-root",
        "tmp",
        "system-files",
        "secret-files",
        "network",
        "routes",
        "metadata",
        "nofile",
        "core",
        "cloud-keys",
        "credential-files",
        "engine-socket",
        "host-display",
        "kernel-settings",
    ] {
        assert_eq!(whole.verdict(subject), "good", "{subject}: {whole}");
    }
    // Made of namespaces alone it has no limits of its own group: those of whoever runs the tests may be there.
    let changes: &[Change] = &[
        ("root", |place| place.without("--reuid=64021"), "user", "bad", "root is among"),
        (
            "a saved user that is root",
            |place| place.with_setpriv("--ruid=64021", "--euid=0"),
            "user",
            "bad",
            "root is among",
        ),
        ("root's group", |place| place.without("--regid=64021"), "group", "warning", "root's"),
        (
            "a bounding set",
            |place| place.without("--bounding-set=-all"),
            "capabilities",
            "bad",
            "a file with capabilities",
        ),
        (
            "an ambient capability",
            |place| place.without("--bounding-set=-all").with_setpriv("--inh-caps=+net_raw", "--ambient-caps=+net_raw"),
            "capabilities",
            "bad",
            "effective: net_raw",
        ),
        (
            "new privileges",
            |place| place.without("--no-new-privs").without_filter(),
            "no-new-privileges",
            "bad",
            "setuid",
        ),
        ("no filter", Place::without_filter, "seccomp", "bad", "no filter"),
        ("the machine's processes", |place| place.without("--pid"), "host-processes", "bad", "the machine's own"),
        ("the machine's messages", |place| place.without("--ipc"), "ipc", "warning", "the machine's own"),
        (
            "a root that can be written",
            |place| place.without(place::READ_ONLY),
            "read-only-root",
            "bad",
            "can be written",
        ),
        ("no /tmp of its own", |place| place.without(place::OWN_TMP), "tmp", "bad", "/tmp"),
        (
            "a directory of the system that can be written",
            |place| place.with("mount -t tmpfs -o mode=777 none /opt"),
            "system-files",
            "warning",
            "/opt",
        ),
        (
            "an interface",
            |place| place.with("ip link add other type veth peer name another"),
            "network",
            "bad",
            "beside the loopback: ",
        ),
        (
            "a way to everywhere",
            |place| {
                place.with("ip link add other type veth peer name another; ip link set another up; ip link set other up; ip route add default dev other")
            },
            "routes",
            "warning",
            "default on other",
        ),
        ("open files without end", |place| place.without(place::FEW_FILES), "nofile", "bad", "as good as no limit"),
        ("core files", |place| place.without("ulimit -c 0"), "core", "warning", "passwords"),
        (
            "a socket of an engine",
            |place| place.with(place::ENGINE).with("chmod 666 /run/docker.sock"),
            "engine-socket",
            "bad",
            "can command /run/docker.sock",
        ),
        (
            "one that is closed to us",
            |place| place.with(place::ENGINE).with("chmod 600 /run/docker.sock"),
            "engine-socket",
            "bad",
            "cannot open it",
        ),
        (
            "the address of an engine",
            |place| place.with_variable("DOCKER_HOST", "tcp://192.0.2.1:2375"),
            "engine-socket",
            "bad",
            "DOCKER_HOST",
        ),
        (
            "a key of a cloud",
            |place| place.with_variable("AWS_SECRET_ACCESS_KEY", CANARY),
            "cloud-keys",
            "bad",
            "AWS_SECRET_ACCESS_KEY",
        ),
        (
            "somebody's keys",
            |place| place.with("mkdir -p /home/me/.ssh; touch /home/me/.ssh/id_ed25519"),
            "credential-files",
            "bad",
            "/home/me/.ssh",
        ),
        (
            "a token that others can read",
            |place| {
                place.with("touch /tmp/token; chmod 644 /tmp/token").with_variable("DESKHAND_TOKEN_FILE", "/tmp/token")
            },
            "secret-files",
            "bad",
            "/tmp/token, a token: mode 0644, owner 0; others can use it",
        ),
        (
            "a control socket whose directory others can write",
            |place| {
                place
                    .with("mkdir -m 777 /tmp/control")
                    .with_variable("DESKHAND_LISTEN", "unix:/tmp/control/deskhand.sock")
            },
            "secret-files",
            "bad",
            "/tmp/control, the directory of the control socket: mode 0777",
        ),
        (
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
        (
            "all of root's power",
            |place| place.without("--reuid=64021").without("--bounding-set=-all").without_filter(),
            "kernel-settings",
            "bad",
            "/proc/sys/kernel/core_pattern",
        ),
    ];
    for (what, change, subject, verdict, part) in changes {
        if ["host-processes", "ipc"].contains(subject) && !place::is_on_the_machine_itself() {
            eprintln!("not tested: {what}, which is not here, but around the container that the tests run in");
            continue;
        }
        if *subject == "nofile" && place::has_few_files_anyway() {
            eprintln!("not tested: {what}, of which whoever runs the tests lets them have few");
            continue;
        }
        let changed = change(Place::hardened()).look();
        assert_eq!(changed.verdict(subject), *verdict, "{what}: {changed}");
        assert!(changed.found(subject).contains(part), "{what}: {} does not say {part:?}", changed.found(subject));
        assert_eq!(changed.code, if *verdict == "bad" { 1 } else { whole.code }, "{what}: {changed}");
        assert!(changed.remedy(subject).is_some(), "{what}: no remedy");
    }
}

#[test]
fn no_value_of_the_environment_is_printed() {
    if !can_make_places() {
        return;
    }
    for json in [true, false] {
        let place = Place::hardened()
            .with_variable("AWS_SECRET_ACCESS_KEY", CANARY)
            .with_variable("MY_API_KEY", CANARY)
            .with_variable("DOCKER_HOST", &format!("tcp://{CANARY}"))
            .with_variable("DESKHAND_TOKEN_SHA256", CANARY);
        let (code, output) = if json { place.run(&["--json"]) } else { place.run(&[]) };
        assert_eq!(code, 1, "{output}");
        assert!(output.contains("AWS_SECRET_ACCESS_KEY") && output.contains("MY_API_KEY"), "{output}");
        assert!(!output.contains(CANARY), "{output}");
    }
}

#[test]
fn a_metadata_service_that_answers_is_found_and_one_that_does_not_is_told_from_it() {
    if !can_make_places() {
        return;
    }
    // Bound to the loopback of the place, so that nothing leaves it.
    let there = |place: Place| place.with("ip link set lo up; ip address add 169.254.169.254/32 dev lo");
    let answers = there(Place::hardened()).with_listener("169.254.169.254", 80).look();
    assert_eq!((answers.code, answers.verdict("metadata")), (1, "bad".into()), "{answers}");
    assert!(answers.found("metadata").contains("169.254.169.254 is routed and takes connections"), "{answers}");
    assert_eq!(answers.verdict("network"), "good", "only the loopback: {answers}");
    let closed = there(Place::hardened()).look();
    assert_eq!(closed.verdict("metadata"), "warning", "{closed}");
    assert!(closed.found("metadata").contains("a connection fails"), "{closed}");
    let six = Place::hardened()
        .with("ip link set lo up; ip address add fd00:ec2::254/128 dev lo nodad")
        .with_listener("fd00:ec2::254", 80)
        .look();
    assert_eq!((six.code, six.verdict("metadata")), (1, "bad".into()), "{six}");
    // A way there on which nobody is.
    let silent = Place::hardened()
        .with("ip link add other type veth peer name another; ip link set another up; ip link set other up; ip address add 169.254.0.1/16 dev other")
        .look();
    assert_eq!(silent.verdict("metadata"), "warning", "{silent}");
    assert!(silent.found("metadata").contains("nobody answers within"), "{silent}");
}

#[test]
fn the_limits_of_a_control_group_turn_with_it() {
    if !can_make_places() {
        return;
    }
    let Some(group) = ControlGroup::make() else { return };
    let within = |group: &ControlGroup| Place::hardened().in_groups(group.joined()).look();
    group.limit_processes(Some(256));
    group.limit_memory(Some(512 * 1024 * 1024));
    let limited = within(&group);
    assert_eq!(limited.verdict("pids-limit"), "good", "{limited}");
    assert!(limited.found("pids-limit").starts_with("256 "), "{limited}");
    assert_eq!(limited.verdict("memory-limit"), "good", "{limited}");
    assert_eq!(limited.found("memory-limit"), "512 MiB");
    group.limit_processes(None);
    let forked = within(&group);
    assert_eq!((forked.verdict("pids-limit"), forked.code), ("bad".into(), 1), "{forked}");
    assert_eq!(forked.verdict("memory-limit"), "good", "{forked}");
    group.limit_processes(Some(256));
    group.limit_memory(None);
    let hogged = within(&group);
    assert_eq!((hogged.verdict("memory-limit"), hogged.code), ("bad".into(), 1), "{hogged}");
}

#[test]
fn what_is_allowed_and_what_another_tier_does_not_require_is_a_warning() {
    if !can_make_places() {
        return;
    }
    let limits = "--allow=pids-limit,memory-limit,swap,processors";
    let connected = || Place::hardened().with("ip link add other type veth peer name another");
    let code = |place: Place, arguments: &[&str]| {
        let (code, output) = place.run(&[&["--json"], arguments].concat());
        Report::new(code, &output)
    };
    assert_eq!(code(Place::hardened(), &[limits]).code, 0);
    let refused = code(connected(), &[limits]);
    assert_eq!((refused.code, refused.verdict("network")), (1, "bad".into()));
    let allowed = code(connected(), &[limits, "--allow", "network"]);
    assert_eq!((allowed.code, allowed.verdict("network")), (0, "warning".into()), "{allowed}");
    assert!(allowed.found("network").ends_with("(allowed)"), "{allowed}");
    // A guest's own kernel bounds files, processes and memory.
    let guest = || Place::hardened().without_filter().without(place::READ_ONLY).without("--pid");
    let vm = guest().run_as("--isolation=vm", &["--json"]);
    assert_eq!(Report::new(vm.0, &vm.1).verdict("host-processes"), "good", "{}", vm.1);
    assert_eq!(vm.0, 0, "{}", vm.1);
    let root = guest().without("--reuid=64021").run_as("--isolation=vm", &["--json"]);
    assert_eq!(root.0, 1, "{}", root.1);
    let person = || connected().without_filter().without("--no-new-privs").without("--bounding-set=-all");
    let development = person().run_as("--isolation=development", &["--json"]);
    assert_eq!(development.0, 0, "{}", development.1);
    let keys = person().with_variable("AWS_SESSION_TOKEN", CANARY).run_as("--isolation=development", &["--json"]);
    assert_eq!(keys.0, 1, "{}", keys.1);
}

#[test]
fn without_proc_nothing_is_taken_for_good_that_cannot_be_seen() {
    if !can_make_places() {
        return;
    }
    let empty = tempfile::tempdir().unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_deskhand"), empty.path().join("deskhand")).unwrap();
    let look = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--net", "chroot"]).arg(empty.path()).args(["/deskhand", "doctor", "--isolation"]);
        let output = command.args(arguments).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, output) = look(&["--json"]);
    let report = Report::new(code, &output);
    assert_eq!(report.code, 1);
    for subject in [
        "capabilities",
        "no-new-privileges",
        "seccomp",
        "host-processes",
        "network",
        "tmp",
        "pids-limit",
        "memory-limit",
    ] {
        assert_eq!(report.verdict(subject), "bad", "{subject}: {report}");
        assert!(report.found(subject).starts_with("cannot tell"), "{subject}: {report}");
    }
    // These the kernel says without it.
    assert!(report.found("user").contains("root is among"), "{report}");
    assert_eq!(report.verdict("metadata"), "good", "{report}");
    let (code, text) = look(&[]);
    assert_eq!(code, 1);
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("container: MISSING user, capabilities, no-new-privileges, seccomp,"), "{text}");
}

#[test]
fn a_property_that_is_none_is_a_mistake_on_the_command_line() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_deskhand")).arg("doctor").args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for (arguments, part) in [
        (&["--isolation=pod"] as &[&str], "possible values: container, vm, development"),
        (&["--isolation", "--allow", "everything"], "network"),
        (&["--allow", "network"], "--isolation"),
    ] {
        let (code, errors) = run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {errors}");
        assert!(errors.contains(part), "{arguments:?}: {errors}");
    }
}
