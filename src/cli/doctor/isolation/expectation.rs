//! What must hold, by the place where Deskhand runs.

use clap::{ValueEnum, builder::PossibleValue};

use crate::cli::doctor::finding::{Finding, Verdict};

/// What is meant to isolate the desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli::doctor) enum Tier {
    /// A hardened container, which shares its machine's kernel: everything is required
    Container,
    /// A virtual machine that may be thrown away: what its own kernel bounds (files, processes, memory) is only warned about
    Vm,
    /// A person's machine or an unhardened container: only that it is not root and that no keys to elsewhere are within reach
    Development,
}

/// Something that has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::doctor) enum Property {
    User,
    Capabilities,
    NoNewPrivileges,
    Seccomp,
    HostProcesses,
    ReadOnlyRoot,
    Tmp,
    SecretFiles,
    Network,
    Metadata,
    PidsLimit,
    MemoryLimit,
    Swap,
    Processors,
    Nofile,
    CloudKeys,
    CredentialFiles,
    EngineSocket,
    HostDisplay,
    KernelSettings,
}

/// A property, its name, what it says, and who requires it: container, vm, development.
struct Row(Property, &'static str, &'static str, [bool; 3]);

const ROWS: [Row; 20] = [
    Row(Property::User, "user", "not root", [true, true, true]),
    Row(Property::Capabilities, "capabilities", "none in any set", [true, true, false]),
    Row(Property::NoNewPrivileges, "no-new-privileges", "setuid files give nothing", [true, true, false]),
    // What its programs can ask of the kernel is the guest's kernel's business there.
    Row(Property::Seccomp, "seccomp", "system calls are filtered", [true, false, false]),
    // A guest's first process namespace is its own.
    Row(Property::HostProcesses, "host-processes", "the machine's processes are not seen", [true, false, false]),
    // The disk of a guest goes with it.
    Row(Property::ReadOnlyRoot, "read-only-root", "the root file system cannot be written", [true, false, false]),
    Row(Property::Tmp, "tmp", "/tmp is a file system of its own that can be written", [true, false, false]),
    Row(Property::SecretFiles, "secret-files", "nobody else can use files with secrets", [true, true, true]),
    Row(Property::Network, "network", "no interface but the loopback", [true, true, false]),
    Row(Property::Metadata, "metadata", "no cloud's metadata service answers", [true, true, true]),
    // A guest has its own processes and memory, and no more.
    Row(Property::PidsLimit, "pids-limit", "a fork bomb ends somewhere", [true, false, false]),
    Row(Property::MemoryLimit, "memory-limit", "a memory hog ends somewhere", [true, false, false]),
    Row(Property::Swap, "swap", "its memory comes to no disk", [true, false, false]),
    Row(Property::Processors, "processors", "a busy page takes only its share", [true, false, false]),
    Row(Property::Nofile, "nofile", "open files end somewhere", [true, false, false]),
    Row(Property::CloudKeys, "cloud-keys", "no keys in the environment", [true, true, true]),
    Row(Property::CredentialFiles, "credential-files", "no keys in home directories", [true, true, true]),
    Row(Property::EngineSocket, "engine-socket", "no socket of a container engine", [true, true, true]),
    Row(Property::HostDisplay, "host-display", "no X sockets of the machine's own desktop", [true, true, false]),
    Row(Property::KernelSettings, "kernel-settings", "nothing under /proc/sys can be written", [true, true, false]),
];

impl Property {
    fn row(self) -> &'static Row {
        // Every property has a row, which a test sees to.
        ROWS.iter().find(|row| row.0 == self).unwrap_or(&ROWS[0])
    }

    /// Its name, on the command line and in findings.
    pub(in crate::cli::doctor) fn name(self) -> &'static str {
        self.row().1
    }
}

impl ValueEnum for Property {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Property; ROWS.len()] = {
            let mut all = [Property::User; ROWS.len()];
            let mut at = 0;
            while at < ROWS.len() {
                all[at] = ROWS[at].0;
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.row().2))
    }
}

/// What is expected here.
#[derive(Clone, Debug)]
pub(in crate::cli::doctor) struct Expected<'a> {
    pub(super) tier: Tier,
    allowed: &'a [Property],
}

impl<'a> Expected<'a> {
    pub(in crate::cli::doctor) const fn new(tier: Tier, allowed: &'a [Property]) -> Self {
        Self { tier, allowed }
    }

    /// Whether doctor ends with 1 where this is missing.
    pub(super) fn requires(&self, property: Property) -> bool {
        property.row().3[self.tier as usize] && !self.allowed.contains(&property)
    }

    /// How many properties are required.
    pub(super) fn count(&self) -> usize {
        ROWS.iter().filter(|row| self.requires(row.0)).count()
    }

    /// The property holds.
    pub(super) fn holds(&self, property: Property, found: impl Into<String>) -> Finding {
        Finding { required: Some(self.requires(property)), ..Finding::good(property.name(), found) }
    }

    /// It does not.
    pub(super) fn lacks(&self, property: Property, found: impl Into<String>, remedy: &'static str) -> Finding {
        let verdict = if self.requires(property) { Verdict::Bad } else { Verdict::Warning };
        let mut found = found.into();
        if self.allowed.contains(&property) {
            found.push_str(" (allowed)");
        }
        Finding { required: Some(self.requires(property)), ..Finding::new(verdict, property.name(), found, remedy) }
    }

    /// Nobody can tell, which is not good.
    pub(super) fn unknown(&self, property: Property, why: &str) -> Finding {
        self.lacks(property, format!("cannot tell: {why}"), CANNOT_TELL)
    }
}

/// What to do where something cannot be told.
pub(super) const CANNOT_TELL: &str = "run doctor where /proc is mounted, as container engines do";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_its_row_and_a_name_of_its_own() {
        for (at, row) in ROWS.iter().enumerate() {
            assert_eq!(row.0.name(), row.1);
            assert_eq!(Property::from_str(row.1, false), Ok(row.0));
            assert!(ROWS[..at].iter().all(|other| other.1 != row.1 && other.0 != row.0), "{} is there twice", row.1);
        }
        // The last one: whoever adds a property adds its row.
        assert_eq!(Property::KernelSettings as usize + 1, ROWS.len());
    }

    #[test]
    fn a_container_requires_everything_and_nobody_requires_more_than_it() {
        assert_eq!(Expected::new(Tier::Container, &[]).count(), ROWS.len());
        for row in &ROWS {
            let [container, vm, development] = row.3;
            assert!(container && (vm || !development), "{}", row.1);
        }
    }

    #[test]
    fn what_is_lacking_is_bad_where_it_is_required_and_not_allowed() {
        let verdict = |tier, allowed: &[Property]| {
            let finding = Expected::new(tier, allowed).lacks(Property::Network, "eth0", "");
            (finding.verdict, finding.required, finding.found)
        };
        assert_eq!(verdict(Tier::Container, &[]), (Verdict::Bad, Some(true), "eth0".into()));
        assert_eq!(verdict(Tier::Vm, &[Property::Seccomp]), (Verdict::Bad, Some(true), "eth0".into()));
        assert_eq!(verdict(Tier::Vm, &[Property::Network]), (Verdict::Warning, Some(false), "eth0 (allowed)".into()));
        assert_eq!(verdict(Tier::Development, &[]), (Verdict::Warning, Some(false), "eth0".into()));
        let unknown = Expected::new(Tier::Container, &[]).unknown(Property::Seccomp, "there is no /proc");
        assert_eq!((unknown.verdict, unknown.found.as_str()), (Verdict::Bad, "cannot tell: there is no /proc"));
    }
}
