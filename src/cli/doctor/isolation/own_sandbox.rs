//! What `serve --sandbox` would find here.

use crate::{cli::doctor::finding::Finding, sandbox};

pub(super) fn findings() -> Vec<Finding> {
    let filters = if sandbox::filters_are_offered() {
        Finding::good("filters", "the server can be confined to the system calls that it needs")
    } else {
        Finding::bad(
            "filters",
            "the kernel has none, or there is no /proc to see them in",
            "--sandbox=require may refuse to start; use a kernel with CONFIG_SECCOMP_FILTER, and mount /proc",
        )
    };
    let files = if sandbox::landlock_is_offered() {
        Finding::good("landlock", "the server can be confined to the files that it needs")
    } else {
        Finding::warning(
            "landlock",
            "the kernel has none, or the container forbids it",
            "the server could read what its user can; Linux 5.13 has it, with `landlock` among the boot option lsm=",
        )
    };
    vec![filters, files]
}
