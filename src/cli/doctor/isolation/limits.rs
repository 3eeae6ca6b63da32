//! How much the process and its control group may use.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit};

use super::{
    expectation::{Expected, Property},
    read,
};
use crate::{
    cli::doctor::finding::Finding,
    sandbox::around::{
        control_groups::{self, Limit, Place, Version, tightest},
        mounts::Mount,
    },
};

/// More open files than this are no limit for a desktop: it is what Chromium asks for itself (crbug.com/539567), and twice what the
/// server allows itself. The defaults of container engines are a million and no limit at all.
const MANY_FILES: u64 = 8192;
const MEBIBYTE: u64 = 1024 * 1024;

pub(super) fn findings(expected: &Expected<'_>, mounts: Option<&[Mount]>) -> Vec<Finding> {
    let groups = read("/proc/self/cgroup");
    let place = |controller| control_groups::find(groups.as_deref()?, mounts?, controller);
    let pids = place("pids").map(|place| pids(&place));
    let memory = place("memory");
    let limit = memory.as_ref().map(memory_limit);
    vec![
        judge_pids(expected, pids),
        judge_memory(expected, limit),
        judge_swap(
            expected,
            memory.as_ref().zip(limit).and_then(|(place, limit)| swap(place, limit)),
            machine_has_swap(),
        ),
        judge_processor(expected, place("cpu").map(|place| processor(&place))),
        files(expected, getrlimit(Resource::Nofile)),
        processes(getrlimit(Resource::Nproc), pids),
        core(getrlimit(Resource::Core)),
    ]
}

/// What holds of a file of the group: of all levels that have it. A level without it sets no limit, as the root has none.
fn level_by_level(place: &Place, read: impl Fn(&std::path::Path) -> Option<Limit>) -> Limit {
    tightest(place.levels().filter_map(read)).unwrap_or(Limit::None)
}

fn file(level: &std::path::Path, name: &str) -> Option<String> {
    fs::read_to_string(level.join(name)).ok()
}

fn pids(place: &Place) -> Limit {
    level_by_level(place, |level| Limit::parse(&file(level, "pids.max")?))
}

fn memory_limit(place: &Place) -> Limit {
    let name = match place.version {
        Version::One => "memory.limit_in_bytes",
        Version::Two => "memory.max",
    };
    level_by_level(place, |level| Limit::parse(&file(level, name)?))
}

/// How much of the memory may be swapped out; nothing where the kernel does not account for that.
fn swap(place: &Place, memory: Limit) -> Option<Limit> {
    let name = match place.version {
        Version::One => "memory.memsw.limit_in_bytes",
        Version::Two => "memory.swap.max",
    };
    let limit = tightest(place.levels().filter_map(|level| Limit::parse(&file(level, name)?)))?;
    Some(match (place.version, limit, memory) {
        // Version 1 limits both together.
        (Version::One, Limit::Of(both), Limit::Of(memory)) => Limit::Of(both.saturating_sub(memory)),
        (_, limit, _) => limit,
    })
}

fn processor(place: &Place) -> Limit {
    level_by_level(place, |level| {
        Limit::of_processor(&match place.version {
            Version::One => format!("{} {}", file(level, "cpu.cfs_quota_us")?, file(level, "cpu.cfs_period_us")?),
            Version::Two => file(level, "cpu.max")?,
        })
    })
}

/// Whether there is anything to swap to: a line behind the header of `/proc/swaps`.
fn machine_has_swap() -> Option<bool> {
    read("/proc/swaps").map(|text| text.lines().nth(1).is_some())
}

const NO_GROUP: &str = "there is no /proc, or its control group is not mounted";

fn judge_pids(expected: &Expected<'_>, limit: Option<Limit>) -> Finding {
    match limit {
        Some(Limit::Of(number)) => expected.holds(Property::PidsLimit, format!("{number} processes and threads")),
        Some(Limit::None) => expected.lacks(
            Property::PidsLimit,
            "none is seen from here: a fork bomb takes the whole machine",
            "docker run --pids-limit=256 (Kubernetes: podPidsLimit, which is not seen in the pod: --allow pids-limit)",
        ),
        None => expected.unknown(Property::PidsLimit, NO_GROUP),
    }
}

fn judge_memory(expected: &Expected<'_>, limit: Option<Limit>) -> Finding {
    match limit {
        Some(Limit::Of(bytes)) => expected.holds(Property::MemoryLimit, format!("{} MiB", bytes / MEBIBYTE)),
        Some(Limit::None) => expected.lacks(
            Property::MemoryLimit,
            "none: a memory hog takes the whole machine",
            "docker run --memory=2g --memory-swap=2g",
        ),
        None => expected.unknown(Property::MemoryLimit, NO_GROUP),
    }
}

fn judge_swap(expected: &Expected<'_>, limit: Option<Limit>, machine_has_swap: Option<bool>) -> Finding {
    const REMEDY: &str = "docker run --memory-swap with the value of --memory; on control groups of version 1 the kernel may need \
                          the boot option swapaccount=1";
    match (limit, machine_has_swap) {
        (Some(Limit::Of(0)), _) => expected.holds(Property::Swap, "none"),
        (Some(Limit::Of(bytes)), _) => {
            let found = format!("{} MiB: what is typed may come to rest on a disk", bytes / MEBIBYTE);
            expected.lacks(Property::Swap, found, REMEDY)
        }
        (_, Some(false)) => expected.holds(Property::Swap, "the machine has none"),
        (Some(Limit::None), _) => {
            expected.lacks(Property::Swap, "no limit: what is typed may come to rest on a disk", REMEDY)
        }
        (None, _) => expected.lacks(Property::Swap, "cannot tell: it is not accounted for", REMEDY),
    }
}

fn judge_processor(expected: &Expected<'_>, limit: Option<Limit>) -> Finding {
    match limit {
        Some(Limit::Of(thousandths)) => {
            let found = format!("{}.{:02} of a processor's time", thousandths / 1000, thousandths % 1000 / 10);
            expected.holds(Property::Processors, found)
        }
        Some(Limit::None) => {
            expected.lacks(Property::Processors, "no limit: a busy page takes all of them", "docker run --cpus=1")
        }
        None => expected.unknown(Property::Processors, NO_GROUP),
    }
}

fn files(expected: &Expected<'_>, limit: Rlimit) -> Finding {
    let shown = format!("{} open files, {} at most", shown(limit.current), shown(limit.maximum));
    match limit.maximum {
        Some(most) if most <= MANY_FILES => expected.holds(Property::Nofile, shown),
        _ => expected.lacks(
            Property::Nofile,
            format!("{shown}: as good as no limit"),
            "docker run --ulimit nofile=1024:2048 (Kubernetes has no such field: --allow nofile)",
        ),
    }
}

fn processes(limit: Rlimit, pids: Option<Limit>) -> Finding {
    let shown = format!("{} processes of this user, those of its other containers among them", shown(limit.maximum));
    match (limit.maximum, pids) {
        // One that others can use up is worse than none.
        (Some(most), Some(Limit::Of(pids))) if most < pids => Finding::warning(
            "nproc",
            format!("{shown}; less than the {pids} of this control group"),
            "give each desktop a user id of its own, or set --ulimit nproc higher than all of them need",
        ),
        _ => Finding::good("nproc", shown),
    }
}

fn core(limit: Rlimit) -> Finding {
    match (limit.current, limit.maximum) {
        (Some(0), Some(0)) => Finding::good("core", "no core files"),
        (Some(0), _) => Finding::good("core", "no core files, unless a program asks for them"),
        _ => Finding::warning(
            "core",
            "a program that crashes may write its memory, passwords and all, where the machine's core_pattern says; not the \
             server, which forbids it",
            "docker run --ulimit core=0",
        ),
    }
}

fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| "any number of".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::{finding::Verdict, isolation::expectation::Tier};

    const CONTAINER: Expected<'_> = Expected::new(Tier::Container, &[]);

    const fn limit(current: Option<u64>, maximum: Option<u64>) -> Rlimit {
        Rlimit { current, maximum }
    }

    #[test]
    fn without_a_limit_of_the_group_a_container_is_bad() {
        assert_eq!(judge_pids(&CONTAINER, Some(Limit::Of(256))).verdict, Verdict::Good);
        assert_eq!(judge_memory(&CONTAINER, Some(Limit::Of(2 << 30))).found, "2048 MiB");
        for lacking in [Some(Limit::None), None] {
            assert_eq!(judge_pids(&CONTAINER, lacking).verdict, Verdict::Bad);
            assert_eq!(judge_memory(&CONTAINER, lacking).verdict, Verdict::Bad);
            assert_eq!(judge_pids(&Expected::new(Tier::Vm, &[]), lacking).verdict, Verdict::Warning);
            assert_eq!(judge_processor(&CONTAINER, lacking).verdict, Verdict::Bad);
        }
        assert_eq!(judge_processor(&CONTAINER, Some(Limit::Of(1500))).found, "1.50 of a processor's time");
    }

    #[test]
    fn memory_that_may_come_to_a_disk_is_bad() {
        let verdict = |limit, machine| judge_swap(&CONTAINER, limit, machine).verdict;
        assert_eq!(verdict(Some(Limit::Of(0)), Some(true)), Verdict::Good);
        assert_eq!(verdict(Some(Limit::Of(1)), Some(false)), Verdict::Bad, "the machine may get some later");
        assert_eq!(verdict(Some(Limit::None), Some(false)), Verdict::Good);
        assert_eq!(verdict(None, Some(false)), Verdict::Good);
        assert_eq!(verdict(Some(Limit::None), Some(true)), Verdict::Bad);
        assert_eq!(verdict(None, Some(true)), Verdict::Bad);
        assert_eq!(verdict(None, None), Verdict::Bad);
    }

    #[test]
    fn limits_of_the_process_are_told() {
        assert_eq!(files(&CONTAINER, limit(Some(1024), Some(2048))).found, "1024 open files, 2048 at most");
        assert_eq!(files(&CONTAINER, limit(Some(1024), Some(1_048_576))).verdict, Verdict::Bad);
        assert_eq!(files(&CONTAINER, limit(None, None)).verdict, Verdict::Bad);
        assert_eq!(processes(limit(None, None), Some(Limit::Of(256))).verdict, Verdict::Good);
        assert_eq!(processes(limit(Some(100), Some(100)), Some(Limit::Of(256))).verdict, Verdict::Warning);
        assert_eq!(processes(limit(Some(100), Some(100)), None).verdict, Verdict::Good);
        assert_eq!(core(limit(Some(0), Some(0))).found, "no core files");
        assert_eq!(core(limit(Some(0), None)).verdict, Verdict::Good);
        assert_eq!(core(limit(None, None)).verdict, Verdict::Warning);
    }
}
