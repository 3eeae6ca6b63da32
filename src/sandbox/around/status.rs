//! `/proc/self/status` (`proc_pid_status(5)`): who a process is and what it may do.

use std::str::FromStr;

/// The capabilities by their numbers (`linux/capability.h`), without `CAP_`.
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// What stands there. Kernels and what stands in for one (gVisor) leave lines out: then it is `None`, and nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Real, effective, saved and file system user.
    pub users: Option<Vec<u32>>,
    /// The same of the group.
    pub groups: Option<Vec<u32>>,
    /// Further groups.
    pub more_groups: Option<Vec<u32>>,
    /// What may be done beyond an ordinary user.
    pub capabilities: Option<Capabilities>,
    /// Whether no program that is started can have more privileges.
    pub no_new_privileges: Option<bool>,
    /// Whether system calls are filtered.
    pub seccomp: Option<Seccomp>,
}

/// The five sets (capabilities(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Kept over the start of a program whose file asks for it.
    pub inheritable: u64,
    /// What the process may take up.
    pub permitted: u64,
    /// What counts now.
    pub effective: u64,
    /// What any program started from here could have at most.
    pub bounding: u64,
    /// What programs started from here have.
    pub ambient: u64,
}

impl Capabilities {
    /// Each set with its name.
    pub const fn sets(self) -> [(&'static str, u64); 5] {
        [
            ("effective", self.effective),
            ("permitted", self.permitted),
            ("ambient", self.ambient),
            ("inheritable", self.inheritable),
            ("bounding", self.bounding),
        ]
    }
}

/// The mode of seccomp (seccomp(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// Every system call is allowed.
    Off,
    /// Only reading, writing and ending.
    Strict,
    /// So many filters decide; older kernels do not say how many.
    Filters(Option<u32>),
}

/// Reads the text.
pub fn parse(text: &str) -> Status {
    Status {
        users: numbers(text, "Uid"),
        groups: numbers(text, "Gid"),
        more_groups: numbers(text, "Groups"),
        capabilities: capabilities(text),
        no_new_privileges: number(text, "NoNewPrivs").map(|flag: u8| flag != 0),
        seccomp: number(text, "Seccomp").and_then(|mode: u8| match mode {
            0 => Some(Seccomp::Off),
            1 => Some(Seccomp::Strict),
            2 => Some(Seccomp::Filters(number(text, "Seccomp_filters"))),
            _ => None,
        }),
    }
}

/// The names in a set of capabilities; a number where the kernel knows more of them than we.
pub fn names(set: u64) -> Vec<String> {
    let has = |number: &usize| set & (1 << number) != 0;
    let name =
        |number: usize| CAPABILITIES.get(number).map_or_else(|| format!("number {number}"), |&name| name.to_owned());
    (0..64).filter(has).map(name).collect()
}

fn capabilities(text: &str) -> Option<Capabilities> {
    let set = |name| u64::from_str_radix(field(text, name)?, 16).ok();
    Some(Capabilities {
        inheritable: set("CapInh")?,
        permitted: set("CapPrm")?,
        effective: set("CapEff")?,
        bounding: set("CapBnd")?,
        ambient: set("CapAmb")?,
    })
}

fn numbers(text: &str, name: &str) -> Option<Vec<u32>> {
    field(text, name)?.split_whitespace().map(|number| number.parse().ok()).collect()
}

fn number<N: FromStr>(text: &str, name: &str) -> Option<N> {
    field(text, name)?.parse().ok()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a hardened container on Linux 6.18, without the lines about memory.
    const HARDENED: &str = "Name:\tcat\nUmask:\t0022\nState:\tR (running)\nTgid:\t1\nPid:\t1\nPPid:\t0\nTracerPid:\t0\n\
        Uid:\t64021\t64021\t64021\t64021\nGid:\t64021\t64021\t64021\t64021\nFDSize:\t64\nGroups:\t64021 \nCapInh:\t0000000000000000\n\
        CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n\
        Seccomp:\t2\nSeccomp_filters:\t1\nSpeculation_Store_Bypass:\tvulnerable\n";
    /// Of root outside of any container on the same machine.
    const ROOT: &str = "Name:\tcat\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t \nCapInh:\t0000000000000000\nCapPrm:\t000001fffeffffff\n\
        CapEff:\t000001fffeffffff\nCapBnd:\t000001fffeffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n";

    #[test]
    fn a_hardened_container_has_nothing() {
        let status = parse(HARDENED);
        assert_eq!(status.users, Some(vec![64021; 4]));
        assert_eq!(status.more_groups, Some(vec![64021]));
        assert_eq!(status.capabilities, Some(Capabilities::default()));
        assert_eq!(status.no_new_privileges, Some(true));
        assert_eq!(status.seccomp, Some(Seccomp::Filters(Some(1))));
    }

    #[test]
    fn root_has_everything_and_it_is_named() {
        let status = parse(ROOT);
        assert_eq!((status.users, status.more_groups), (Some(vec![0; 4]), Some(vec![])));
        assert_eq!((status.no_new_privileges, status.seccomp), (Some(false), Some(Seccomp::Off)));
        let effective = names(status.capabilities.unwrap().effective);
        assert_eq!(effective.len(), 40, "this kernel's root has lost sys_resource: {effective:?}");
        assert_eq!((effective[0].as_str(), effective[39].as_str()), ("chown", "checkpoint_restore"));
        assert!(!effective.contains(&"sys_resource".to_owned()));
    }

    #[test]
    fn what_dockers_default_leaves_is_named() {
        let default = names(0x0000_0000_a804_25fb);
        assert_eq!(default.len(), 14);
        for name in ["net_raw", "setuid", "setfcap", "mknod", "audit_write", "sys_chroot"] {
            assert!(default.contains(&name.to_owned()), "{name}");
        }
        assert_eq!(names(1 << 63), ["number 63"]);
    }

    #[test]
    fn lines_that_are_missing_or_wrong_are_not_taken_for_good() {
        let status = parse("Name:\tcat\nCapEff:\t0000000000000000\nNoNewPrivs:\tyes\nSeccomp:\t7\nUid:\t1\tx\n");
        let nothing = Status {
            users: None,
            groups: None,
            more_groups: None,
            capabilities: None,
            no_new_privileges: None,
            seccomp: None,
        };
        assert_eq!(status, nothing, "one set of five is not all of them");
        assert_eq!(parse(""), nothing);
        // Before Linux 5.9 there is no number of filters.
        assert_eq!(parse("Seccomp:\t2\n").seccomp, Some(Seccomp::Filters(None)));
    }
}
