//! What `deskhand doctor --isolation` finds: a place in which everything holds is made of namespaces, then one thing after the
//! other is taken away or put within reach, and its finding turns.
//!
//! No test leaves its own network namespace: doctor asks for a metadata address wherever one is routed.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::print_stderr, reason = "a test that this machine cannot run says so")]

mod changes;
mod control_group;
mod place;

use std::process::Command;

use changes::{CANARY, CHANGES, Change};
use control_group::ControlGroup;
use place::{Place, Report, can_make_places};

/// What no namespace gives: whoever runs the tests may have them or not.
const GROUP_LIMITS: &str = "pids-limit,memory-limit,swap,processors";

#[test]
fn everything_that_namespaces_can_give_is_good_and_turns_when_it_is_taken_away() {
    if !can_make_places() {
        return;
    }
    let whole = Place::hardened().look_allowing(GROUP_LIMITS);
    assert_eq!(whole.code, 0, "{whole}");
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
    for Change { what, apply, subject, verdict, part } in &CHANGES {
        if ["host-processes", "ipc"].contains(subject) && !place::is_on_the_machine_itself() {
            eprintln!("not tested: {what}, which is not here, but around the container that the tests run in");
            continue;
        }
        if *subject == "nofile" && place::has_few_files_anyway() {
            eprintln!("not tested: {what}, of which whoever runs the tests lets them have few");
            continue;
        }
        // There is no way without an interface, which is another finding.
        let allowed = if *subject == "routes" { format!("{GROUP_LIMITS},network") } else { GROUP_LIMITS.to_owned() };
        let report = apply(Place::hardened()).look_allowing(&allowed);
        assert_eq!(report.verdict(subject), *verdict, "{what}: {report}");
        assert!(report.found(subject).contains(part), "{what}: {} does not say {part:?}", report.found(subject));
        assert_eq!(report.code, i32::from(*verdict == "bad"), "{what}: {report}");
        assert!(report.remedy(subject).is_some(), "{what}: no remedy");
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
    let connected = || Place::hardened().with("ip link add other type veth peer name another");
    let refused = connected().look_allowing(GROUP_LIMITS);
    assert_eq!((refused.code, refused.verdict("network")), (1, "bad".into()));
    let allowed = connected().look_allowing(&format!("{GROUP_LIMITS},network"));
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
