//! The table as a filter that the kernel runs before each system call (seccomp(2)).
//!
//! A call that is not in the table answers EPERM; the process lives. That was weighed: a killed process leaves pressed what it
//! held, until the next start, while nobody gets anything out of a call that was not made. An oversight in the table (a path
//! that no test takes, another libc) must not be a stuck key and a lost session; it is an error that is told. So a panic under
//! the filter unwinds, releases, and ends as ever. Only foreign machine code (another architecture's numbers) kills.
//!
//! Calls whose arguments do not matter cost nothing: the kernel computes once that they are always allowed, and looks only at
//! a bit of a map afterwards. Calls are looked at one by one in the few rows with conditions.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::{
    Missing,
    table::{Caller, Check, NOT_THERE, TABLE, Test},
};

/// `EPERM` and `ENOSYS` (errno(3)).
const NOT_PERMITTED: u32 = 1;
const NO_SUCH_CALL: u32 = 38;

/// What the table is for; elsewhere there is no filter.
const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "x86_64"
} else if cfg!(target_arch = "aarch64") {
    "aarch64"
} else {
    "of another kind"
};

/// Rules for a call, by its number; a call without rules is allowed whatever its arguments are.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs the filter of this kind of process on every thread.
pub(super) fn install(caller: Caller) -> Result<(), Missing> {
    let missing = |error: &dyn std::fmt::Display| Missing::new("seccomp", error);
    let programs = programs(caller).map_err(|error| missing(&error))?;
    for program in &programs {
        apply_filter_all_threads(program).map_err(|error| missing(&error))?;
    }
    Ok(())
}

/// Two filters, because one knows only two answers. The kernel runs both and takes the stricter answer; the one that allows
/// everything but a few calls is installed first, while the other one does not yet forbid to install filters.
fn programs(caller: Caller) -> Result<[BpfProgram; 2], BackendError> {
    let architecture: TargetArch = ARCHITECTURE.try_into()?;
    let not_there: Rules = NOT_THERE.iter().map(|call| (*call, Vec::new())).collect();
    let probed = SeccompFilter::new(not_there, SeccompAction::Allow, SeccompAction::Errno(NO_SUCH_CALL), architecture)?;
    let mut allowed = rules(caller)?;
    allowed.extend(NOT_THERE.iter().map(|call| (*call, Vec::new())));
    let allowed = SeccompFilter::new(allowed, SeccompAction::Errno(NOT_PERMITTED), SeccompAction::Allow, architecture)?;
    Ok([probed.try_into()?, allowed.try_into()?])
}

fn rules(caller: Caller) -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
    for row in TABLE.iter().filter(|row| row.callers.contains(&caller)) {
        let chain = row.when.iter().map(|checks| checks.iter().map(condition).collect::<Result<_, _>>());
        let chain = chain.map(|conditions| SeccompRule::new(conditions?)).collect::<Result<Vec<_>, _>>()?;
        rules.insert(row.number, chain);
    }
    Ok(rules)
}

/// Only the lower half of an argument is compared: the kernel takes these as `int` or ignores the upper half.
fn condition(check: &Check) -> Result<SeccompCondition, BackendError> {
    let (operator, value) = match check.test {
        Test::Is(value) => (SeccompCmpOp::Eq, value),
        Test::Bits { mask, value } => (SeccompCmpOp::MaskedEq(mask.into()), value),
        Test::From(value) => (SeccompCmpOp::Ge, value),
        Test::Below(value) => (SeccompCmpOp::Lt, value),
        Test::IsThisProcess => (SeccompCmpOp::Eq, std::process::id()),
    };
    SeccompCondition::new(check.argument, SeccompCmpArgLen::Dword, operator, value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_filters_can_be_built_and_are_far_below_the_kernels_limit() {
        for caller in [Caller::Server, Caller::Witness] {
            let [probed, allowed] = programs(caller).unwrap();
            assert!(probed.len() < 64 && allowed.len() < 1024, "{caller:?}: {} and {}", probed.len(), allowed.len());
        }
    }
}
