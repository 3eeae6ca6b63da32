//! Who the process is and what it may do beyond an ordinary user.

use std::fs;

use rustix::process::{getegid, geteuid, getgid, getuid};

use super::{
    expectation::{Expected, Property, Tier},
    listed, read,
};
use crate::{
    cli::doctor::finding::Finding,
    sandbox::around::{
        id_map::IdMap,
        status::{Capabilities, Seccomp, Status, names},
    },
};

/// The numbers of the namespaces that a kernel starts with (`linux/proc_ns.h`): who has them shares them with the machine.
const FIRST_PROCESSES: &str = "pid:[4026531836]";
const FIRST_MESSAGES: &str = "ipc:[4026531839]";

/// What Yama (`admin-guide/LSM/Yama.rst`) lets processes of one user do to each other.
const PTRACE_SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";

const NO_PROC: &str = "there is no /proc/self/status";

pub(super) fn findings(expected: &Expected<'_>, status: Option<&Status>) -> Vec<Finding> {
    let users =
        status.and_then(|status| status.users.clone()).unwrap_or_else(|| vec![getuid().as_raw(), geteuid().as_raw()]);
    let groups = status
        .and_then(|status| Some([status.groups.clone()?, status.more_groups.clone()?].concat()))
        .unwrap_or_else(|| vec![getgid().as_raw(), getegid().as_raw()]);
    let map = read("/proc/self/uid_map").as_deref().and_then(IdMap::parse);
    let namespace = |name: &str| {
        fs::read_link(format!("/proc/self/ns/{name}")).ok().map(|link| link.to_string_lossy().into_owned())
    };
    vec![
        user(expected, &users),
        group(&groups),
        user_namespace(users.first().copied().unwrap_or_default(), map.as_ref()),
        capabilities(expected, status.and_then(|status| status.capabilities)),
        no_new_privileges(expected, status.and_then(|status| status.no_new_privileges)),
        seccomp(expected, status.and_then(|status| status.seccomp)),
        host_processes(expected, namespace("pid").as_deref()),
        messages(expected, namespace("ipc").as_deref()),
        ptrace(read(PTRACE_SCOPE).as_deref()),
    ]
}

fn user(expected: &Expected<'_>, users: &[u32]) -> Finding {
    let names: Vec<String> = users.iter().map(u32::to_string).collect();
    match users {
        [] => expected.unknown(Property::User, NO_PROC),
        // Real, effective, saved: a process can go back to each.
        _ if users.contains(&0) => expected.lacks(
            Property::User,
            format!("root is among the user ids {}", names.join(" ")),
            "docker run --user 64021:64021, with an id of its own for each desktop",
        ),
        [first, rest @ ..] if rest.iter().all(|other| other == first) => {
            expected.holds(Property::User, format!("{first}, not root"))
        }
        _ => expected.holds(Property::User, format!("{}, none of them root", names.join(" "))),
    }
}

fn group(groups: &[u32]) -> Finding {
    if groups.contains(&0) {
        return Finding::warning(
            "group",
            "among its groups is root's, whose files it can use",
            "give a group, too: docker run --user 64021:64021",
        );
    }
    let mut groups: Vec<u32> = groups.to_vec();
    groups.sort_unstable();
    groups.dedup();
    Finding::good("group", listed(&groups.iter().map(u32::to_string).collect::<Vec<_>>()))
}

fn user_namespace(user: u32, map: Option<&IdMap>) -> Finding {
    let subject = "user-namespace";
    match map {
        None => {
            Finding::warning(subject, "cannot tell: there is no /proc/self/uid_map", super::expectation::CANNOT_TELL)
        }
        Some(map) if map.is_the_machines_own() => Finding::good(
            subject,
            format!("none: user {user} is {user} on the machine, too, and in its other containers"),
        ),
        Some(map) => match map.outside(user) {
            Some(0) => Finding::warning(
                subject,
                format!("user {user} is root outside"),
                "map it to an ordinary user (dockerd --userns-remap)",
            ),
            Some(outside) => Finding::good(subject, format!("user {user} is {outside} outside")),
            None => Finding::good(subject, format!("user {user} is nobody outside")),
        },
    }
}

fn capabilities(expected: &Expected<'_>, capabilities: Option<Capabilities>) -> Finding {
    const REMEDY: &str = "docker run --cap-drop=ALL (without Docker: setpriv --bounding-set=-all --inh-caps=-all)";
    let Some(capabilities) = capabilities else {
        return expected.unknown(Property::Capabilities, NO_PROC);
    };
    let filled: Vec<(&str, u64)> = capabilities.sets().into_iter().filter(|(_, set)| *set != 0).collect();
    match filled.as_slice() {
        [] => expected.holds(Property::Capabilities, "none, and none to be had"),
        // Nothing comes of what may be had at most, as long as no program that is started can have more than now: the guest's
        // own init has given that up for all (no-new-privileges, which is required there).
        [("bounding", set)] if expected.tier == Tier::Vm => {
            let found = format!("none; a file with capabilities could give {}", listed(&names(*set)));
            expected.holds(Property::Capabilities, found)
        }
        [("bounding", set)] => {
            let found = format!("none now, but a file with capabilities could give {}", listed(&names(*set)));
            expected.lacks(Property::Capabilities, found, REMEDY)
        }
        [(name, set), rest @ ..] => {
            let also: Vec<&str> = rest.iter().map(|(name, _)| *name).collect();
            let also = if also.is_empty() { String::new() } else { format!("; also {}", also.join(", ")) };
            expected.lacks(Property::Capabilities, format!("{name}: {}{also}", listed(&names(*set))), REMEDY)
        }
    }
}

fn no_new_privileges(expected: &Expected<'_>, flag: Option<bool>) -> Finding {
    match flag {
        Some(true) => expected.holds(Property::NoNewPrivileges, "no program that is started has more privileges"),
        Some(false) => expected.lacks(
            Property::NoNewPrivileges,
            "setuid files and files with capabilities give what they hold",
            "docker run --security-opt=no-new-privileges (without Docker: setpriv --no-new-privs)",
        ),
        None => expected.unknown(Property::NoNewPrivileges, NO_PROC),
    }
}

fn seccomp(expected: &Expected<'_>, mode: Option<Seccomp>) -> Finding {
    match mode {
        Some(Seccomp::Filters(Some(1))) => expected.holds(Property::Seccomp, "a filter decides about system calls"),
        Some(Seccomp::Filters(Some(many))) => {
            expected.holds(Property::Seccomp, format!("{many} filters decide about system calls"))
        }
        Some(Seccomp::Filters(None)) => expected.holds(Property::Seccomp, "filters decide about system calls"),
        Some(Seccomp::Strict) => expected.holds(Property::Seccomp, "strict: only reading, writing and ending"),
        Some(Seccomp::Off) => expected.lacks(
            Property::Seccomp,
            "no filter: every system call of the kernel is within reach",
            "leave out --security-opt seccomp=unconfined and --privileged; Docker has a filter of its own",
        ),
        None => expected.unknown(Property::Seccomp, NO_PROC),
    }
}

fn host_processes(expected: &Expected<'_>, namespace: Option<&str>) -> Finding {
    match namespace {
        None => expected.unknown(Property::HostProcesses, "there is no /proc/self/ns/pid"),
        Some(FIRST_PROCESSES) if expected.tier == Tier::Vm => {
            expected.holds(Property::HostProcesses, "the first process namespace of this kernel, as it is in a guest")
        }
        Some(FIRST_PROCESSES) => expected.lacks(
            Property::HostProcesses,
            "the machine's own process namespace: its processes can be seen, and those of our user ended",
            "leave out --pid=host",
        ),
        Some(_) => expected.holds(Property::HostProcesses, "a process namespace of its own"),
    }
}

fn messages(expected: &Expected<'_>, namespace: Option<&str>) -> Finding {
    let subject = "ipc";
    match namespace {
        None => {
            Finding::warning(subject, "cannot tell: there is no /proc/self/ns/ipc", super::expectation::CANNOT_TELL)
        }
        Some(FIRST_MESSAGES) if expected.tier != Tier::Vm => Finding::warning(
            subject,
            "the machine's own namespace of shared memory and messages",
            "leave out --ipc=host; pictures need no shared memory with the machine",
        ),
        Some(_) => Finding::good(subject, "shared memory and messages of its own"),
    }
}

fn ptrace(scope: Option<&str>) -> Finding {
    let subject = "ptrace";
    match scope.map(str::trim) {
        Some("1") => Finding::good(subject, "only a process's own ancestors may trace it"),
        Some("2") => Finding::good(subject, "only root may trace"),
        Some("3") => Finding::good(subject, "nobody may trace"),
        Some("0") => Finding::warning(
            subject,
            "programs of one user may read each other's memory; not the server's, which forbids it",
            "sysctl kernel.yama.ptrace_scope=1 on the machine, or a user of its own for applications",
        ),
        Some(other) => Finding::warning(
            subject,
            format!("cannot tell: the scope is {}", listed(&[other])),
            "see kernel.yama.ptrace_scope",
        ),
        None => Finding::warning(
            subject,
            "no Yama: programs of one user may read each other's memory; not the server's, which forbids it",
            "use a kernel with Yama, or a user of its own for applications",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    const CONTAINER: Expected<'_> = Expected::new(Tier::Container, &[]);
    const VM: Expected<'_> = Expected::new(Tier::Vm, &[]);
    const ONE: u64 = 1 << 7;

    fn bad(finding: &Finding, part: &str) {
        assert_eq!(finding.verdict, Verdict::Bad, "{finding:?}");
        assert!(finding.found.contains(part), "{finding:?}");
    }

    #[test]
    fn any_id_that_is_root_counts() {
        assert_eq!(user(&CONTAINER, &[64021; 4]).verdict, Verdict::Good);
        for users in [vec![0; 4], vec![64021, 64021, 0, 64021], vec![64021, 0]] {
            bad(&user(&CONTAINER, &users), "root");
        }
        bad(&user(&CONTAINER, &[]), "cannot tell");
        assert_eq!(group(&[64021, 0]).verdict, Verdict::Warning);
        assert_eq!(group(&[64021, 64021, 10]).found, "10, 64021");
    }

    #[test]
    fn any_set_of_capabilities_counts() {
        assert_eq!(capabilities(&CONTAINER, Some(Capabilities::default())).verdict, Verdict::Good);
        let sets = [
            Capabilities { inheritable: ONE, ..Capabilities::default() },
            Capabilities { permitted: ONE, ..Capabilities::default() },
            Capabilities { effective: ONE, ..Capabilities::default() },
            Capabilities { ambient: ONE, ..Capabilities::default() },
        ];
        for set in sets {
            bad(&capabilities(&CONTAINER, Some(set)), "setuid");
            bad(&capabilities(&VM, Some(set)), "setuid");
        }
        let bounding = Capabilities { bounding: ONE, ..Capabilities::default() };
        bad(&capabilities(&CONTAINER, Some(bounding)), "a file with capabilities could give setuid");
        assert_eq!(capabilities(&VM, Some(bounding)).verdict, Verdict::Good);
        let many = Capabilities { permitted: ONE, effective: ONE, bounding: ONE, ..Capabilities::default() };
        bad(&capabilities(&CONTAINER, Some(many)), "effective: setuid; also permitted, bounding");
        bad(&capabilities(&CONTAINER, None), "cannot tell");
    }

    #[test]
    fn what_cannot_be_told_is_not_good() {
        bad(&no_new_privileges(&CONTAINER, None), "cannot tell");
        bad(&no_new_privileges(&CONTAINER, Some(false)), "setuid files");
        bad(&seccomp(&CONTAINER, None), "cannot tell");
        bad(&seccomp(&CONTAINER, Some(Seccomp::Off)), "no filter");
        bad(&host_processes(&CONTAINER, None), "cannot tell");
        assert_eq!(user_namespace(1, None).verdict, Verdict::Warning);
        assert_eq!(messages(&CONTAINER, None).verdict, Verdict::Warning);
        assert_eq!(ptrace(None).verdict, Verdict::Warning);
        assert_eq!(ptrace(Some("7")).verdict, Verdict::Warning);
    }

    #[test]
    fn namespaces_of_the_machine_count_where_it_is_no_guest() {
        bad(&host_processes(&CONTAINER, Some(FIRST_PROCESSES)), "the machine's own");
        assert_eq!(host_processes(&VM, Some(FIRST_PROCESSES)).verdict, Verdict::Good);
        assert_eq!(host_processes(&CONTAINER, Some("pid:[4026532181]")).verdict, Verdict::Good);
        assert_eq!(messages(&CONTAINER, Some(FIRST_MESSAGES)).verdict, Verdict::Warning);
        let map = IdMap::parse("0 0 1\n1 100001 65535\n").unwrap();
        assert_eq!(user_namespace(0, Some(&map)).verdict, Verdict::Warning);
        assert_eq!(user_namespace(64021, Some(&map)).found, "user 64021 is 164021 outside");
    }

    #[test]
    fn the_scope_of_tracing_is_read() {
        assert_eq!(ptrace(Some("0\n")).verdict, Verdict::Warning);
        for scope in ["1\n", "2\n", "3\n"] {
            assert_eq!(ptrace(Some(scope)).verdict, Verdict::Good);
        }
    }
}
